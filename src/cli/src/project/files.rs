//! Reading and writing the files of a project.

use std::path::{Path, PathBuf};

use compose::Sources;
use compose::project::Project;

use crate::failure::{Exit, Failure};
use crate::stack;

/// A file's text; a device without end is no compose file.
pub fn read_bounded(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    const LIMIT: u64 = 16 << 20;
    let mut text = String::new();
    std::fs::File::open(path)?.take(LIMIT + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LIMIT {
        return Err(std::io::Error::other("larger than 16 MiB"));
    }
    Ok(text)
}

/// What is piped into standard input, when `-` is one of the files.
pub fn piped(files: &[PathBuf]) -> Result<Vec<(PathBuf, String)>, Failure> {
    let Some(path) = files.iter().find(|f| f.file_name().is_some_and(|n| n == "-")) else { return Ok(vec![]) };
    let text = std::io::read_to_string(std::io::stdin())
        .map_err(|e| Failure::new(Exit::Config, 3, format!("cannot read the compose file from standard input: {e}")))?;
    Ok(vec![(path.clone(), text)])
}

/// Loads with some files taken from here instead of the disk.
pub fn load_with(sources: &Sources, files: &[(PathBuf, String)]) -> Result<Project, Failure> {
    let read = |path: &Path| match files.iter().find(|(p, _)| p == path) {
        Some((_, text)) => Ok(text.clone()),
        None => read_bounded(path),
    };
    compose::load(sources, &read).map_err(|problems| Failure::problems(&problems))
}

/// Writes a file whole or not at all.
pub fn write(path: &Path, content: &str) -> Result<(), Failure> {
    stack::write(path, content).map_err(|e| unwritable(path, &e))
}

/// The failure of a folder that cannot be written.
pub fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Config, 3, format!("cannot write {}: {error}", path.display()))
        .hint("make the folder writable, or name another one: BANYAN_DATA_DIR=/some/folder")
}

/// The failure of a file that is there and cannot be read.
pub fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Config, 3, format!("cannot read {}: {error}", path.display()))
}
