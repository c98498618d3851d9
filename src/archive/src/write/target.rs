//! Where an archive comes to be: a file that has a temporary name until it is complete, or a nameless one.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};
use crate::folder;

/// How temporary files end; they begin with a dot.
pub const PARTIAL: &str = ".banyan-partial";
/// So much is written before the disk is told to begin.
const PACE: u64 = 16 << 20;

/// What becomes of the file.
pub enum Target {
    File { temporary: NamedTempFile, archive: PathBuf },
    Stream { spool: File, out: Box<dyn Write + Send> },
}

impl Target {
    pub fn file(archive: &Path) -> Result<Self> {
        // a link, too, even if it leads nowhere
        if archive.symlink_metadata().is_ok() {
            return Err(Error::Exists { archive: archive.to_owned() });
        }
        let create = |source| Error::Create { archive: archive.to_owned(), source };
        let name = archive.file_name().ok_or_else(|| create(io::ErrorKind::InvalidFilename.into()))?;
        // what is left over does no harm: a backup is made even if it cannot be removed
        _ = folder::sweep(parent(archive));
        let temporary = temporary(parent(archive), name).map_err(create)?;
        Ok(Self::File { temporary, archive: archive.to_owned() })
    }

    pub fn stream(out: Box<dyn Write + Send>, folder: &Path) -> Result<Self> {
        let spool = spool(folder)?;
        Ok(Self::Stream { spool, out })
    }

    /// What it is called in messages.
    pub fn archive(&self) -> &Path {
        match self {
            Self::File { archive, .. } => archive,
            Self::Stream { .. } => Path::new("-"),
        }
    }

    /// What the archive is written with.
    pub fn writer(&self) -> io::Result<Paced> {
        let file = match self {
            Self::File { temporary, .. } => temporary.as_file(),
            Self::Stream { spool, .. } => spool,
        };
        Ok(Paced { file: file.try_clone()?, written: 0, begun: 0 })
    }

    /// The file gets its name, or goes where it was to go.
    pub fn complete(self) -> Result<()> {
        match self {
            Self::File { temporary, archive } => {
                let write = |source| Error::Write { archive: archive.clone(), source };
                temporary.as_file().sync_all().map_err(write)?;
                temporary.persist_noclobber(&archive).map_err(|why| match why.error.kind() {
                    io::ErrorKind::AlreadyExists => Error::Exists { archive: archive.clone() },
                    _ => write(why.error),
                })?;
                File::open(parent(&archive)).and_then(|folder| folder.sync_all()).map_err(write)
            }
            Self::Stream { mut spool, mut out } => {
                let mut copy = || {
                    spool.rewind()?;
                    let mut buffer = vec![0; 256 << 10];
                    loop {
                        match spool.read(&mut buffer)? {
                            0 => return out.flush(),
                            n => out.write_all(&buffer[..n])?,
                        }
                    }
                };
                copy().map_err(|source| Error::Deliver { source })
            }
        }
    }
}

fn parent(archive: &Path) -> &Path {
    match archive.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// A file of mode 0600 with a name that says what it is, locked as long as it is open.
fn temporary(folder: &Path, name: &OsStr) -> io::Result<NamedTempFile> {
    let mut prefix = OsStr::new(".").to_owned();
    prefix.push(name);
    prefix.push(".");
    loop {
        let file = tempfile::Builder::new().prefix(&prefix).suffix(PARTIAL).tempfile_in(folder)?;
        // where there are no locks, nobody takes it for a dead one either
        let taken = matches!(file.as_file().try_lock(), Err(std::fs::TryLockError::WouldBlock));
        // between its making and its locking it looked dead
        if !taken && file.as_file().metadata()?.nlink() == 1 {
            return Ok(file);
        }
    }
}

/// A nameless file of mode 0600, which is gone when it is closed.
pub fn spool(folder: &Path) -> Result<File> {
    tempfile::tempfile_in(folder).map_err(|source| Error::Spool { folder: folder.to_owned(), source })
}

/// A file whose bytes are on their way to the disk before the last one is written.
pub struct Paced {
    file: File,
    written: u64,
    begun: u64,
}

impl Paced {
    pub fn written(&self) -> u64 {
        self.written
    }
}

impl Write for Paced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.written += n as u64;
        if self.written - self.begun >= PACE {
            begin_writeback(&self.file, self.begun, self.written - self.begun);
            self.begun = self.written;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lets the kernel begin to write, and keep no copy: all that syncing at the end would have to wait for.
#[cfg(target_os = "linux")]
fn begin_writeback(file: &File, from: u64, length: u64) {
    // advice: whether it is taken shows in time only
    _ = rustix::fs::fadvise(file, from, std::num::NonZeroU64::new(length), rustix::fs::Advice::DontNeed);
}

#[cfg(not(target_os = "linux"))]
fn begin_writeback(_: &File, _: u64, _: u64) {}
