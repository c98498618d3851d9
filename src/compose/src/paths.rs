//! Paths as text: the disk is not asked.

use std::path::{Component, Path, PathBuf};

/// The path without `.` and `..`, as Compose writes it into its labels; links stay links.
pub fn clean_path(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => _ = clean.pop(),
            part => clean.push(part),
        }
    }
    clean
}
