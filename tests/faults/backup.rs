//! SIGKILL of banyan in the middle of a backup and of a restore, and a disk that is full.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Dice, rounds};
use crate::support::filled::{assert_same, contents, fill, sql};
use crate::support::{Stage, heavy};

/// Files in the folder of backups that are called as backups are.
fn files(stage: &Stage) -> Vec<PathBuf> {
    let folder = PathBuf::from(&stage.env()["BANYAN_DATA_DIR"]).join("backups");
    let all = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path());
    let mut found: Vec<PathBuf> = all.filter(|p| !p.file_name().unwrap().to_str().unwrap().starts_with('.')).collect();
    found.sort();
    found
}

/// Names of containers in a state.
fn in_state(stage: &Stage, state: &str) -> String {
    let project = format!("label=com.docker.compose.project={}", stage.project());
    stage.docker(&["ps", "-a", "--filter", &project, "--filter", &format!("status={state}"), "--format", "{{.Names}}"])
}

/// Helper containers of a backup or a restore.
fn helpers(stage: &Stage) -> String {
    stage.docker(&["ps", "-aq", "--filter", &format!("label=dev.banyan.work={}", stage.project())])
}

/// Runs a command and kills it after so long; true when it had ended by then.
fn kill_after(stage: &Stage, args: &[&str], limit: Duration) -> bool {
    let mut child = stage.spawn(args);
    let (began, mut ended) = (Instant::now(), false);
    while began.elapsed() < limit && !ended {
        ended = child.try_wait().unwrap().is_some();
        // part of the fault: the moment at which it is killed
        std::thread::sleep(Duration::from_millis(2));
    }
    let _ = child.kill();
    child.wait().unwrap();
    ended
}

#[test]
fn killed_at_any_moment_nothing_is_lost_or_left_frozen() {
    let _alone = heavy();
    let stage = Stage::core("killbackup");
    stage.ok(&["up"]);
    fill(&stage, 500, 50);
    let old = contents(&stage);

    let began = Instant::now();
    stage.ok(&["backup"]);
    let whole = began.elapsed();
    let mut dice = Dice(4);
    for round in 0..rounds(3, 40) {
        let before = files(&stage);
        let limit = Duration::from_millis(dice.roll(whole.as_millis() as u64));
        kill_after(&stage, &["backup"], limit);
        for file in files(&stage).iter().filter(|f| !before.contains(f)) {
            stage.ok(&["backup", "verify", file.to_str().unwrap()]);
        }
        stage.ok(&["up"]);
        let context = format!("round {round}: killed after {limit:?}");
        assert_eq!((in_state(&stage, "paused"), helpers(&stage)), (String::new(), String::new()), "{context}");
        assert_same(&contents(&stage), &old, &context);
    }

    // the file has the old data; the project gets another one, and goes back and forth
    stage.ok(&["backup", "--to", "old.banyan"]);
    sql(&stage, "DELETE FROM t_rows WHERE id % 2 = 0");
    let new = contents(&stage);
    stage.ok(&["backup", "--to", "new.banyan"]);
    let began = Instant::now();
    stage.ok(&["restore", "old.banyan", "--yes", "--no-snapshot"]);
    let whole = began.elapsed();
    assert_same(&contents(&stage), &old, "restored");
    let mut holds_old = true;
    for round in 0..rounds(2, 30) {
        let file = if holds_old { "new.banyan" } else { "old.banyan" };
        let limit = Duration::from_millis(dice.roll(whole.as_millis() as u64));
        kill_after(&stage, &["restore", file, "--yes", "--no-snapshot"], limit);
        stage.ok(&["up"]);
        let context = format!("round {round}: {file} killed after {limit:?}");
        assert_eq!(helpers(&stage), "", "{context}");
        let found = contents(&stage);
        assert!(found == old || found == new, "{context}");
        holds_old = found == old;
    }
    stage.ok(&["down", "-v", "--no-snapshot"]);
}

#[test]
fn a_full_disk_leaves_the_older_backups_and_everything_running() {
    let _alone = heavy();
    let stage = Stage::core("fulldisk");
    stage.ok(&["up", "postgres", "redis"]);
    sql(
        &stage,
        "CREATE TABLE noise AS SELECT n, md5(random()::text) || md5(random()::text) AS x FROM generate_series(1, 200000) n",
    );
    std::fs::create_dir_all(stage.folder().join("small")).unwrap();
    // a file system of its own, which nobody else sees and which goes with the process
    let script = format!(
        "mount -t tmpfs -o size=3m none small && echo older > small/older.banyan && \
         {{ {} --instance {} backup --to small/new.banyan; echo $? > code; ls -A small > names; }}",
        crate::support::BANYAN,
        stage.instance
    );
    let failed = stage.sh(&format!("unshare --map-root-user --mount sh -c '{script}'"));
    let written =
        |name: &str| std::fs::read_to_string(stage.folder().join(name)).unwrap_or_else(|_| panic!("{failed:?}"));
    let (code, names) = (written("code"), written("names"));
    assert_eq!(code.trim(), "11", "{}", failed.stderr);
    assert!(failed.stderr.contains("No space left"), "{}", failed.stderr);
    assert_eq!(names.trim(), "older.banyan", "no half file");
    assert_eq!((in_state(&stage, "paused"), helpers(&stage)), (String::new(), String::new()));
    stage.ok(&["health", "postgres", "redis"]);
}
