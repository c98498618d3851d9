//! Writing an archive: members in, one after the other; a complete file out, or none.

mod pipeline;
mod target;

use std::io::{self, Write};
use std::path::Path;
use std::{fmt, mem};

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::layout;
use crate::manifest::{Contradiction, MOST, Manifest, Member, Names, SCHEMA};
use crate::seal::Sealing;
use pipeline::{Part, Pipeline};
use target::Target;

pub(crate) use target::{PARTIAL, spool};

/// An archive that is being written. Its file has a temporary name until [`Writer::finish`]; dropped before that, it is
/// removed.
///
/// Compression and the file have threads of their own. No more than five parts are under way: who adds bytes waits for
/// them.
pub struct Writer {
    pipeline: Pipeline,
    names: Names,
    members: Vec<Member>,
    /// Begun and not finished.
    open: Option<String>,
}

/// A finished archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// What it says about itself.
    pub manifest: Manifest,
    /// The length of the file.
    pub size: u64,
    /// The sha256 of the manifest, and so of everything in it.
    pub digest: String,
}

/// A finished member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// How many bytes it has.
    pub size: u64,
    /// Of its bytes, 64 digits.
    pub sha256: String,
}

impl Writer {
    /// Begins an archive that becomes `target`, which must not exist. What killed processes left in that folder is
    /// removed.
    ///
    /// Blocks for the time that a passphrase's key takes.
    pub fn create(target: &Path, sealing: &Sealing) -> Result<Self> {
        Self::new(Target::file(target)?, sealing)
    }

    /// Begins an archive that is passed on to `out` once it is complete. Until then it is in a nameless file in the
    /// folder `spool`.
    pub fn stream(out: impl Write + Send + 'static, spool: &Path, sealing: &Sealing) -> Result<Self> {
        Self::new(Target::stream(Box::new(out), spool)?, sealing)
    }

    fn new(target: Target, sealing: &Sealing) -> Result<Self> {
        let pipeline = Pipeline::start(target, sealing)?;
        Ok(Self { pipeline, names: Names::default(), members: Vec::new(), open: None })
    }

    /// Begins a member. Its name is like a file's: letters, digits, `.`, `_`, `-`, with slashes between folders, at
    /// most 90 bytes.
    pub fn member(&mut self, name: &str) -> Result<MemberWriter<'_>> {
        if let Some(member) = self.open.clone() {
            return Err(Error::Unfinished { archive: self.pipeline.archive().to_owned(), member });
        }
        if self.members.len() == MOST {
            let fault = Contradiction::TooMany { what: "members" };
            return Err(Error::Description { archive: self.pipeline.archive().to_owned(), fault });
        }
        self.names.add(name).map_err(|fault| Error::Name { name: name.to_owned(), fault })?;
        self.open = Some(name.to_owned());
        Ok(MemberWriter { writer: self, name: name.to_owned(), part: None, sent: 0, size: 0, hash: Sha256::new() })
    }

    /// Writes the manifest, brings everything to the disk and gives the file its name. The manifest's version, members
    /// and sizes of stores are filled in.
    ///
    /// Blocks until it is done.
    pub fn finish(mut self, mut manifest: Manifest) -> Result<Summary> {
        if let Some(member) = self.open.take() {
            return Err(Error::Unfinished { archive: self.pipeline.archive().to_owned(), member });
        }
        manifest.schema_version = SCHEMA;
        manifest.members = mem::take(&mut self.members);
        for store in &mut manifest.stores {
            let sizes = manifest.members.iter().filter(|member| store.members.contains(&member.name));
            store.size = sizes.map(|member| member.size).sum();
        }
        self.pipeline.finish(manifest)
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("archive", &self.pipeline.archive()).finish_non_exhaustive()
    }
}

/// A member that is being written: [`MemberWriter::push`] from async code, [`Write`] from a thread that may block.
/// Without [`MemberWriter::finish`] the whole archive cannot be finished.
pub struct MemberWriter<'a> {
    writer: &'a mut Writer,
    name: String,
    /// The part that is being filled.
    part: Option<Part>,
    /// The parts before it.
    sent: u64,
    size: u64,
    hash: Sha256,
}

impl MemberWriter<'_> {
    /// Adds bytes; waits while too many are under way.
    pub async fn push(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            if self.needs_part()? {
                self.part = Some(self.writer.pipeline.part().await?);
            }
            bytes = self.fill(bytes);
        }
        Ok(())
    }

    /// How many bytes have been added.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Ends the member. Its last bytes are still under way: whether they can be written shows later.
    pub fn finish(mut self) -> Result<Written> {
        let parts = self.sent + 1;
        let last = match self.part.take() {
            Some(part) => part,
            // empty: a part that was taken is never empty
            None => Part::empty(),
        };
        let name = layout::part_name(&self.name, self.sent, parts);
        self.send(last, &name)?;
        let sha256 = layout::hex(&mem::take(&mut self.hash).finalize());
        let Self { writer, name, size, .. } = self;
        writer.open = None;
        let written = Written { size, sha256: sha256.clone() };
        writer.members.push(Member { name, size, sha256, parts, at: 0, stored: 0 });
        Ok(written)
    }

    /// Sends a full part off; true when the next one is needed.
    fn needs_part(&mut self) -> Result<bool> {
        let Some(part) = self.part.take_if(|part| part.room() == 0) else { return Ok(self.part.is_none()) };
        if self.sent + 1 == layout::PARTS_MOST {
            return Err(Error::TooLong { member: self.name.clone() });
        }
        // more follows, so this is one of several
        let name = layout::numbered(&self.name, self.sent);
        self.send(part, &name)?;
        self.sent += 1;
        Ok(true)
    }

    /// What did not fit into the part.
    fn fill<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let Some(part) = &mut self.part else { return bytes };
        let (now, later) = bytes.split_at(bytes.len().min(part.room()));
        part.add(now);
        self.hash.update(now);
        self.size += now.len() as u64;
        later
    }

    fn send(&mut self, part: Part, name: &str) -> Result<()> {
        let member = self.writer.members.len();
        self.writer.pipeline.send(part, name, member)
    }
}

impl Write for MemberWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if self.needs_part()? {
            self.part = Some(self.writer.pipeline.blocking_part()?);
        }
        Ok(bytes.len() - self.fill(bytes).len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for MemberWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemberWriter").field("name", &self.name).field("size", &self.size).finish_non_exhaustive()
    }
}
