//! Running the tool that makes a base so that nothing is left of it, however it ends.
//!
//! As root it mounts `/proc` and the like below its folder, and when it is killed they stay. So it runs with mounts
//! and processes of its own, which end with it; it is killed when this program ends; and it works in a folder that is
//! removed afterwards, or by the next run.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

/// Namespaces that end with this program. Both are part of every Debian and Ubuntu.
const CONFINED: [&str; 9] =
    ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"];
const FOLDER: &str = "banyan-base-";

/// A folder to work in, gone when this is dropped.
pub(super) struct Folder(Option<PathBuf>);

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            // if something still writes to it, the next run removes it
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// How to run `tool`: confined where that is possible.
pub(super) async fn command(tool: &str) -> (Command, Folder) {
    let mut command = match is_root() && works().await {
        false => Command::new(tool),
        true => {
            let mut command = Command::new(CONFINED[0]);
            command.args(&CONFINED[1..]).arg(tool);
            command
        }
    };
    command.kill_on_drop(true);
    let folder = if is_root() { folder(&std::env::temp_dir()) } else { None };
    if let Some(folder) = &folder {
        command.env("TMPDIR", folder);
    }
    (command, Folder(folder))
}

/// In some containers even root may not.
async fn works() -> bool {
    let mut command = Command::new(CONFINED[0]);
    command.args(&CONFINED[1..]).arg("true").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().await.is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// A new folder, after those that killed runs left behind have been removed. `None`: the tool finds its own.
fn folder(parent: &Path) -> Option<PathBuf> {
    for entry in std::fs::read_dir(parent).ok()?.flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.strip_prefix(FOLDER)) else { continue };
        let ours = entry.metadata().is_ok_and(|m| m.is_dir() && is_root() == (m.uid() == 0));
        if ours && pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    let folder = parent.join(format!("{FOLDER}{}", std::process::id()));
    std::fs::create_dir(&folder).ok()?;
    Some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dead_runs_left_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["banyan-base-4294967295", "banyan-base-1", "banyan-base-x", "other"] {
            std::fs::create_dir_all(parent.path().join(name).join("root")).unwrap();
        }
        let mine = Folder(folder(parent.path()));
        let left = || {
            let names =
                std::fs::read_dir(parent.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<_> = names.collect();
            names.sort();
            names
        };
        let own = format!("banyan-base-{}", std::process::id());
        let mut expected = vec!["banyan-base-1", &own, "banyan-base-x", "other"];
        expected.sort_unstable();
        assert_eq!(left(), expected);
        drop(mine);
        assert_eq!(left(), ["banyan-base-1", "banyan-base-x", "other"]);
    }
}
