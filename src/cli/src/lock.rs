//! One banyan at a time changes a project.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::failure::{Exit, Failure};

/// Held as long as this value lives; the kernel lets go of it when the process ends, however it ends.
pub struct Lock {
    _file: File,
}

/// Takes the lock of a project, or says who has it.
pub fn take(folder: &Path, project: &str) -> Result<Lock, Failure> {
    let path = folder.join("locks").join(project);
    let cannot = |e: std::io::Error| {
        Failure::new(Exit::Config, 3, format!("cannot lock the project: {}: {e}", path.display()))
            .hint("make the folder writable, or name another one: BANYAN_DATA_DIR=/some/folder")
    };
    std::fs::create_dir_all(path.parent().unwrap_or(folder)).map_err(cannot)?;
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            let _ = file.read_to_string(&mut owner);
            let owner = if owner.is_empty() { "another process".to_owned() } else { owner };
            let message = format!("another banyan works on project {project}");
            return Err(Failure::new(Exit::Locked, 1, message)
                .details([format!("held by: {owner}")])
                .hint("wait until it has ended, then type the same command again"));
        }
        Err(TryLockError::Error(e)) => return Err(cannot(e)),
    }
    let command: Vec<String> = std::env::args().skip(1).collect();
    let owner = format!("banyan {} (pid {})", command.join(" "), std::process::id());
    file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(owner.as_bytes())).map_err(cannot)?;
    Ok(Lock { _file: file })
}
