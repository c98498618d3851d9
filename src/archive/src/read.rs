//! Reading an archive: the manifest first, then members in any order. Nothing is believed before it is checked.

mod member;
mod open;
mod source;

use std::fmt;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::manifest::{Manifest, Member};
use crate::seal::Unsealing;
use crate::write::spool;
use source::Place;

pub use member::MemberReader;

/// An archive that is open for reading. Its end and its manifest are checked, its members are not yet.
#[derive(Clone)]
pub struct Archive(Arc<Inner>);

struct Inner {
    place: Place,
    manifest: Manifest,
    digest: String,
}

impl Archive {
    /// Opens a file. Only its end is read, and the manifest.
    ///
    /// Blocks; for a passphrase as long as its key takes.
    pub fn open(path: &Path, unsealing: &Unsealing) -> Result<Self> {
        Self::new(Place::file(path, unsealing)?)
    }

    /// Opens what comes as a stream. It is kept in a nameless file in the folder `spool` as long as it is open.
    ///
    /// Blocks until the stream has ended.
    pub fn from_stream(stream: &mut impl Read, folder: &Path, unsealing: &Unsealing) -> Result<Self> {
        let mut file = spool(folder)?;
        let mut buffer = vec![0; 256 << 10];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => {
                    let kept = file.write_all(&buffer[..n]);
                    kept.map_err(|source| Error::Spool { folder: folder.to_owned(), source })?;
                }
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(Error::Read { archive: "-".into(), place: "the stream".to_owned(), source });
                }
            }
        }
        Self::new(Place::spooled(file, unsealing)?)
    }

    fn new(place: Place) -> Result<Self> {
        let (manifest, digest) = open::manifest(&place)?;
        Ok(Self(Arc::new(Inner { place, manifest, digest })))
    }

    /// Where it is; `-` for a stream.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.place.path
    }

    /// What it says about itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    /// The sha256 of the manifest, and so of everything in it.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// The length of the file.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.place.size
    }

    /// Whether it is encrypted.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.0.place.is_sealed()
    }

    /// A member's bytes, from the first one on.
    pub fn member(&self, name: &str) -> Result<MemberReader> {
        let missing = || Error::NoMember { archive: self.path().to_owned(), member: name.to_owned() };
        self.read(self.manifest().member(name).ok_or_else(missing)?)
    }

    /// Reads everything and compares it with the manifest. `progress` is told how many bytes of the members are done,
    /// out of [`Manifest::size`].
    ///
    /// Blocks until it is done.
    ///
    /// # Errors
    /// One for each member that is damaged.
    pub fn verify(&self, progress: &mut dyn FnMut(u64)) -> Result<(), Vec<Error>> {
        let mut done = 0;
        self.read_all(&mut |_, bytes| {
            done += bytes.len() as u64;
            progress(done);
        })
    }

    /// The same, with a look at the bytes of each member while they go by. Whether they are right is known at the end.
    ///
    /// # Errors
    /// One for each member that is damaged.
    pub fn read_all(&self, look: &mut dyn FnMut(&Member, &[u8])) -> Result<(), Vec<Error>> {
        let mut read = |member: &Member| self.read(member)?.each(&mut |bytes| look(member, bytes));
        let damage: Vec<Error> = self.manifest().members.iter().map(&mut read).filter_map(Result::err).collect();
        if damage.is_empty() { Ok(()) } else { Err(damage) }
    }

    fn read(&self, member: &Member) -> Result<MemberReader> {
        MemberReader::start(&self.0.place, member)
    }
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive").field("path", &self.path()).field("digest", &self.digest()).finish_non_exhaustive()
    }
}

/// A place in an archive, for messages.
fn damaged(archive: &Path, place: impl Into<String>, damage: crate::Damage) -> Error {
    Error::Damaged { archive: PathBuf::from(archive), place: place.into(), damage }
}
