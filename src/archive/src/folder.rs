//! A folder of archives: what is in it, what is left over, what can go.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::manifest::Manifest;
use crate::name::{EXTENSION, FileName};
use crate::read::Archive;
use crate::seal::Unsealing;
use crate::write::PARTIAL;

/// A file of a folder that is called as archives are.
#[derive(Debug)]
pub struct Listed {
    /// Where it is.
    pub path: PathBuf,
    /// The length of the file.
    pub size: u64,
    /// What it says about itself, or why that cannot be read.
    pub manifest: Result<Manifest>,
}

/// The archives of a folder, by name. Only their manifests are read.
pub fn list(folder: &Path, unsealing: &Unsealing) -> Result<Vec<Listed>> {
    let paths = files(folder, |name| name.ends_with(EXTENSION) && !name.starts_with('.'))
        .map_err(|source| Error::Folder { folder: folder.to_owned(), source })?;
    let listed = paths.into_iter().map(|path| {
        let manifest = Archive::open(&path, unsealing).map(|archive| archive.manifest().clone());
        // it may be gone by now, which the manifest says
        let size = path.metadata().map_or(0, |it| it.len());
        Listed { path, size, manifest }
    });
    Ok(listed.collect())
}

/// An archive, when it comes to which ones are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its file.
    pub path: PathBuf,
    /// Its name, which says whose it is and from when.
    pub name: FileName,
}

impl Listed {
    /// The name that it was given by itself; nothing for one that somebody named.
    #[must_use]
    pub fn name(&self) -> Option<FileName> {
        self.path.file_name()?.to_str()?.parse().ok()
    }

    /// What decides whether it is kept. Nothing for one that was named by somebody, cannot be read, or is of another
    /// project than its name says: those are neither counted nor removed. One that is encrypted goes by its name.
    #[must_use]
    pub fn kept(&self) -> Option<Kept> {
        let name = self.name()?;
        match &self.manifest {
            Ok(it) if it.project == name.project && it.instance == name.instance => {}
            Err(Error::Sealed { .. }) => {}
            _ => return None,
        }
        Some(Kept { path: self.path.clone(), name })
    }
}

/// Which archives are too many when the `keep_last` newest ones of each instance are kept, those that undo something by
/// themselves; the oldest first.
#[must_use]
pub fn surplus(archives: &[Kept], keep_last: NonZeroUsize) -> Vec<&Kept> {
    let mut instances: BTreeMap<_, Vec<&Kept>> = BTreeMap::new();
    for archive in archives {
        let FileName { project, instance, undo, .. } = &archive.name;
        instances.entry((project, instance, undo)).or_default().push(archive);
    }
    let by_age = |archives: &mut Vec<&Kept>| archives.sort_by_key(|it| (it.name.created, it.path.clone()));
    let mut surplus = Vec::new();
    for mut archives in instances.into_values() {
        by_age(&mut archives);
        archives.truncate(archives.len().saturating_sub(keep_last.get()));
        surplus.append(&mut archives);
    }
    by_age(&mut surplus);
    surplus
}

/// Removes the temporary files that killed processes left in a folder. Those of processes that still write are locked,
/// and stay.
pub fn sweep(folder: &Path) -> Result<Vec<PathBuf>> {
    let wrong = |source| Error::Folder { folder: folder.to_owned(), source };
    let mut swept = Vec::new();
    for path in files(folder, |name| name.starts_with('.') && name.ends_with(PARTIAL)).map_err(wrong)? {
        if remove_dead(&path).map_err(wrong)? {
            swept.push(path);
        }
    }
    Ok(swept)
}

/// Removes a file that nobody has locked. At any moment its own process, or another one that sweeps, may do so first.
fn remove_dead(path: &Path) -> io::Result<bool> {
    let remove = || {
        let file = File::open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(why)) => return Err(why),
        }
        // the lock is of the file, and the name may be another one's by now
        let same = |it: &fs::Metadata, other: &fs::Metadata| (it.dev(), it.ino()) == (other.dev(), other.ino());
        if !same(&path.symlink_metadata()?, &file.metadata()?) {
            return Ok(false);
        }
        fs::remove_file(path).map(|()| true)
    };
    match remove() {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(false),
        removed => removed,
    }
}

/// The plain files of a folder whose names are wanted, sorted.
fn files(folder: &Path, wanted: impl Fn(&str) -> bool) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() && entry.file_name().to_str().is_some_and(&wanted) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
