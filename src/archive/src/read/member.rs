//! The bytes of a member: a thread reads, checks and decompresses its parts; the digest is taken where they are used.

use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::{fmt, thread};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use zstd::bulk::Decompressor;

use super::damaged;
use super::open::decompressor;
use super::source::{Place, Source};
use crate::error::{Damage, Error, Result};
use crate::layout::{self, BLOCK, PREFIX_LENGTH, Prefix};
use crate::manifest::Member;

/// How many parts are ready before somebody takes them.
const READY: usize = 2;

/// A member that is being read: [`MemberReader::chunk`] from async code, [`Read`] from a thread that may block.
///
/// Each part is checked before its bytes come out. The end comes only when the whole is what the manifest says;
/// otherwise the error does.
pub struct MemberReader {
    archive: PathBuf,
    member: Member,
    parts: mpsc::Receiver<Result<Bytes>>,
    /// What [`Read`] has not handed out yet.
    rest: Bytes,
    read: u64,
    hash: Sha256,
    over: bool,
}

impl MemberReader {
    pub(super) fn start(place: &Place, member: &Member) -> Result<Self> {
        let (send, parts) = mpsc::channel(READY);
        let reading = Reading { archive: place.path.clone(), source: place.source()?, member: member.clone() };
        let spawned = thread::Builder::new().name("archive-read".to_owned()).spawn(move || reading.run(&send));
        spawned.map_err(|source| Error::Open { archive: place.path.clone(), source })?;
        Ok(Self {
            archive: place.path.clone(),
            member: member.clone(),
            parts,
            rest: Bytes::new(),
            read: 0,
            hash: Sha256::new(),
            over: false,
        })
    }

    /// The next bytes, at most 2 MiB; nothing at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        if !self.rest.is_empty() {
            return Ok(Some(std::mem::take(&mut self.rest)));
        }
        if self.over {
            return Ok(None);
        }
        let part = self.parts.recv().await;
        self.take(part)
    }

    fn blocking_chunk(&mut self) -> Result<Option<Bytes>> {
        if self.over {
            return Ok(None);
        }
        let part = self.parts.blocking_recv();
        self.take(part)
    }

    fn take(&mut self, part: Option<Result<Bytes>>) -> Result<Option<Bytes>> {
        match part {
            Some(Ok(bytes)) => {
                self.hash.update(&bytes);
                self.read += bytes.len() as u64;
                Ok(Some(bytes))
            }
            Some(Err(why)) => {
                self.over = true;
                Err(why)
            }
            None => {
                self.over = true;
                let digest = layout::hex(&std::mem::take(&mut self.hash).finalize());
                if (self.read, &digest) == (self.member.size, &self.member.sha256) {
                    Ok(None)
                } else {
                    Err(damaged(&self.archive, format!("member `{}`", self.member.name), Damage::Digest))
                }
            }
        }
    }

    /// Reads all of it.
    pub(super) fn each(mut self, look: &mut dyn FnMut(&[u8])) -> Result<()> {
        while let Some(bytes) = self.blocking_chunk()? {
            look(&bytes);
        }
        Ok(())
    }
}

impl Read for MemberReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        // an empty member has an empty part
        while self.rest.is_empty() {
            match self.blocking_chunk()? {
                Some(chunk) => self.rest = chunk,
                None => return Ok(0),
            }
        }
        let now = self.rest.split_to(bytes.len().min(self.rest.len()));
        bytes[..now.len()].copy_from_slice(&now);
        Ok(now.len())
    }
}

impl fmt::Debug for MemberReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut it = f.debug_struct("MemberReader");
        it.field("member", &self.member.name).field("read", &self.read).finish_non_exhaustive()
    }
}

/// The thread's side.
struct Reading {
    archive: PathBuf,
    source: Source,
    member: Member,
}

impl Reading {
    fn run(mut self, send: &mpsc::Sender<Result<Bytes>>) {
        let mut part = 0;
        let result = self.parts(&mut part, |bytes| send.blocking_send(Ok(bytes)).is_ok());
        if let Err(fault) = result {
            let archive: &Path = &self.archive;
            let place = match self.member.parts {
                1 => format!("member `{}`", self.member.name),
                _ => format!("member `{}`, part {}", self.member.name, part + 1),
            };
            let why = fault.at(
                |damage| damaged(archive, place.clone(), damage),
                |source| Error::Read { archive: archive.to_owned(), place: place.clone(), source },
            );
            // nobody may wait any more
            _ = send.blocking_send(Err(why));
        }
    }

    /// Reads the parts; `part` is which one. Ends early when nobody takes them.
    fn parts(&mut self, part: &mut u64, mut give: impl FnMut(Bytes) -> bool) -> Result<(), Fault> {
        let Member { name, parts, at, stored, .. } = &self.member;
        self.source.seek(SeekFrom::Start(*at))?;
        let mut decompressor = decompressor()?;
        let (mut left, mut compressed) = (*stored, Vec::new());
        while *part < *parts {
            let size = layout::part_size(&self.member, *part);
            let most = left.min(layout::stored_most(size) as u64);
            left -= frame(&mut self.source, most, &mut compressed)?;
            let name = layout::part_name(name, *part, *parts);
            let whole = BLOCK + layout::padded(size);
            let entry = entry(&mut decompressor, &compressed, &name, size, whole)?;
            if !give(Bytes::from(entry).slice(BLOCK..BLOCK + size)) {
                return Ok(());
            }
            *part += 1;
        }
        if left == 0 { Ok(()) } else { Err(Damage::Length.into()) }
    }
}

/// What reading ends with: it is damaged, or it cannot be read.
pub enum Fault {
    Damage(Damage),
    Read(io::Error),
}

impl Fault {
    pub fn at<E>(self, damage: impl FnOnce(Damage) -> E, read: impl FnOnce(io::Error) -> E) -> E {
        match self {
            Self::Damage(it) => damage(it),
            // the file ends within it
            Self::Read(why) if why.kind() == io::ErrorKind::UnexpectedEof => damage(Damage::Length),
            Self::Read(why) => read(why),
        }
    }
}

impl From<Damage> for Fault {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}

impl From<io::Error> for Fault {
    fn from(why: io::Error) -> Self {
        Self::Read(why)
    }
}

/// Reads a prefix and its frame, `most` bytes of the file at most; how many there were.
pub fn frame(source: &mut impl Read, most: u64, compressed: &mut Vec<u8>) -> Result<u64, Fault> {
    let mut prefix = [0; PREFIX_LENGTH];
    if most < PREFIX_LENGTH as u64 {
        return Err(Damage::Length.into());
    }
    source.read_exact(&mut prefix)?;
    let prefix = Prefix::read(prefix).ok_or(Damage::Mark)?;
    let stored = PREFIX_LENGTH as u64 + u64::from(prefix.length);
    if stored > most {
        return Err(Damage::Length.into());
    }
    compressed.resize(prefix.length as usize, 0);
    source.read_exact(compressed)?;
    if Prefix::of(compressed) != prefix {
        return Err(Damage::Checksum.into());
    }
    Ok(stored)
}

/// Decompresses a frame to the entry that it must be: this header, so many bytes, zeros up to `whole`.
pub fn entry(
    decompressor: &mut Decompressor<'_>,
    compressed: &[u8],
    name: &str,
    size: usize,
    whole: usize,
) -> Result<Vec<u8>, Damage> {
    // one frame, and nothing behind it
    if zstd::zstd_safe::find_frame_compressed_size(compressed) != Ok(compressed.len()) {
        return Err(Damage::Compression);
    }
    let mut entry = Vec::with_capacity(whole);
    let decompressed = decompressor.decompress_to_buffer(compressed, &mut entry);
    if !matches!(decompressed, Ok(n) if n == whole && entry.len() == whole) {
        return Err(Damage::Compression);
    }
    if entry[..BLOCK] != layout::header(name, size) {
        return Err(Damage::Entry { found: describe(&entry[..BLOCK]) });
    }
    if entry[BLOCK + size..].iter().any(|byte| *byte != 0) {
        return Err(Damage::Padding);
    }
    Ok(entry)
}

/// What a foreign header says it is, for people.
fn describe(block: &[u8]) -> String {
    let header = tar::Header::from_byte_slice(block);
    let kind = match header.entry_type() {
        tar::EntryType::Regular | tar::EntryType::Continuous => "a file",
        tar::EntryType::Link => "a hard link",
        tar::EntryType::Symlink => "a symbolic link",
        tar::EntryType::Char | tar::EntryType::Block => "a device",
        tar::EntryType::Directory => "a folder",
        tar::EntryType::Fifo => "a pipe",
        _ => "an extension",
    };
    let path = String::from_utf8_lossy(&header.path_bytes()).chars().take(100).collect::<String>();
    format!("{kind}, `{}`", path.escape_debug())
}
