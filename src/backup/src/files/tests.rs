//! The scripts, run by this machine's own shell, and stopped before any of their renames.

use std::path::Path;
use std::process::Command;

use super::*;

/// Runs a script in a folder; it ends with 9 before its rename number `limit`.
fn run(folder: &Path, script: &str, limit: usize) -> i32 {
    let stops = format!(
        "left={limit}; sync() {{ :; }}; mv() {{ [ $left -gt 0 ] || exit 9; left=$((left - 1)); command mv \"$@\"; }}"
    );
    let text = format!("{stops}\n{FUNCTIONS}{script}");
    let run = Command::new("sh").args(["-c", &text, "banyan"]).arg(folder).output().unwrap();
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(errors.is_empty(), "{errors}");
    run.status.code().unwrap()
}

const ALL: usize = 1000;

/// Every file below a folder with its content.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap().map(|e| e.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                let name = entry.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.push((name, std::fs::read_to_string(&entry).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn write(folder: &Path, names: &[&str], content: &str) {
    for name in names {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

/// A volume with old data, and new data beside it.
fn prepared() -> tempfile::TempDir {
    let volume = tempfile::tempdir().unwrap();
    write(volume.path(), &["PG_VERSION", "base/1", ".hidden", "..odd", "only old", "a b"], "old");
    assert_eq!(run(volume.path(), BEGIN, ALL), 0);
    write(&volume.path().join(".banyan-new"), &["PG_VERSION", "base/1", ".hidden", "only new"], "new");
    volume
}

fn old() -> Vec<(String, String)> {
    let volume = tempfile::tempdir().unwrap();
    write(volume.path(), &["PG_VERSION", "base/1", ".hidden", "..odd", "only old", "a b"], "old");
    files(volume.path())
}

#[test]
fn new_data_takes_the_place_of_the_old() {
    let volume = prepared();
    assert_eq!(run(volume.path(), SWAP, ALL), 0);
    assert_eq!(run(volume.path(), DONE, ALL), 0);
    assert_eq!(run(volume.path(), FINISH, ALL), 0);
    let expected = tempfile::tempdir().unwrap();
    write(expected.path(), &["PG_VERSION", "base/1", ".hidden", "only new"], "new");
    assert_eq!(files(volume.path()), files(expected.path()));
}

#[test]
fn every_interruption_can_be_undone_and_so_can_every_interrupted_undo() {
    let old = old();
    let mut stops = 0;
    for swap_limit in 0.. {
        let mut undo_limit = 0;
        let swapped = loop {
            let volume = prepared();
            let swapped = run(volume.path(), SWAP, swap_limit) == 0;
            let undone = run(volume.path(), UNDO, undo_limit) == 0;
            if !undone {
                assert_eq!(run(volume.path(), UNDO, ALL), 0);
            }
            assert_eq!(files(volume.path()), old, "stopped before rename {swap_limit}, the undo before {undo_limit}");
            stops += 1;
            if undone {
                break swapped;
            }
            undo_limit += 1;
        };
        if swapped {
            break;
        }
    }
    assert!(stops > 80, "{stops}");
}

#[test]
fn what_is_done_is_not_undone() {
    let volume = prepared();
    assert_eq!(run(volume.path(), SWAP, ALL), 0);
    assert_eq!(run(volume.path(), DONE, ALL), 0);
    let text = format!("{FUNCTIONS}{UNDO}");
    let refused = Command::new("sh").args(["-c", &text, "banyan"]).arg(volume.path()).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no way back"));
    // an interruption of the end is ended as well
    std::fs::remove_dir_all(volume.path().join(".banyan-old")).unwrap();
    assert_eq!(run(volume.path(), FINISH, ALL), 0);
    assert!(files(volume.path()).iter().any(|(name, _)| name == "only new"));
    assert!(!files(volume.path()).iter().any(|(name, _)| name == "only old" || name.contains("banyan")));
}

#[test]
fn folders_are_made_and_listed_whatever_their_names() {
    let volume = prepared();
    let new = volume.path().join(".banyan-new");
    write(&new, &["mnesia/a", "two words/b", ".hidden-folder/c"], "new");
    std::os::unix::fs::symlink("mnesia", new.join("link")).unwrap();
    let run = |script: &str, folder: &Path| {
        let text = format!("{FUNCTIONS}{script}");
        let run = Command::new("sh").args(["-c", &text, "banyan"]).arg(volume.path()).arg(folder).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap()
    };
    run(MAKE_FOLDER, &new.join("in/ner"));
    let listed = run(FOLDERS, &new);
    let mut names: Vec<&str> = listed.split('\0').filter(|name| !name.is_empty()).collect();
    names.sort();
    assert_eq!(names, [".hidden-folder", "base", "in", "mnesia", "two words"]);
    assert!(new.join("in/ner").is_dir());
    assert!(run(ROOM, &new).trim().parse::<u64>().unwrap() > 0);
}

#[test]
fn a_volume_in_the_middle_of_a_restore_takes_no_other() {
    let volume = prepared();
    let text = format!("{FUNCTIONS}{BEGIN}");
    let run = Command::new("sh").args(["-c", &text, "banyan"]).arg(volume.path()).output().unwrap();
    assert_eq!(run.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&run.stderr).contains("prepared"));
}
