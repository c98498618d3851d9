//! The bytes between and around the members: marks, entries of the tar, lengths.

use sha2::{Digest as _, Sha256};

use crate::manifest::Member;

/// At most so many bytes of a member are in one part: few enough to have several in memory, many enough to compress well.
pub const PART: usize = 2 << 20;
/// The block of a tar.
pub const BLOCK: usize = 512;
/// More than any part has in it.
pub const ENTRY: usize = BLOCK + PART;
/// The manifest's entry.
pub const MANIFEST: &str = "manifest.json";
/// A longer manifest is refused.
pub const MANIFEST_MOST: usize = 4 << 20;
/// A member has at most so many parts, and a part's number so many digits.
pub const PARTS_MOST: u64 = 99_999_999;
/// zstd's fastest regular level.
pub const LEVEL: i32 = 1;

/// What this crate writes: the marks, and everything that is not in the manifest's own version.
pub const LAYOUT: u8 = 1;
const MAGIC: [u8; 7] = *b"BANYAN\0";

// Frames that every zstd decoder skips. The number of the kind is ours to choose.
const SKIP_START: u32 = 0x184D_2A5B;
const SKIP_PART: u32 = 0x184D_2A5C;
const SKIP_FOOTER: u32 = 0x184D_2A5D;
const SKIP: usize = 8;

/// The length of [`start`].
pub const START_LENGTH: usize = SKIP + MAGIC.len() + 1;
/// The length of [`Prefix::bytes`].
pub const PREFIX_LENGTH: usize = SKIP + 8;
/// The length of [`Footer::bytes`].
pub const FOOTER_LENGTH: usize = SKIP + 8 + 4 + 4 + 32 + MAGIC.len() + 1;

fn skippable<const N: usize>(kind: u32, content: &[&[u8]]) -> [u8; N] {
    let mut bytes = [0; N];
    let parts = [&kind.to_le_bytes()[..], &length(N - SKIP).to_le_bytes()];
    let mut at = 0;
    for part in parts.iter().chain(content) {
        bytes[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    bytes
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("no part is as long as that")
}

/// What a whole archive begins with.
pub fn start() -> [u8; START_LENGTH] {
    skippable(SKIP_START, &[&MAGIC, &[LAYOUT]])
}

/// The layout of an archive that begins or, with `end`, ends so; nothing when it does neither.
pub fn layout(bytes: &[u8], end: bool) -> Option<u8> {
    let expected = start();
    let (mark, layout) = if end {
        (bytes.get(bytes.len().checked_sub(8)?..)?, &expected[SKIP..START_LENGTH - 1])
    } else {
        (bytes.get(..START_LENGTH)?, &expected[..START_LENGTH - 1])
    };
    mark.strip_prefix(layout).map(|rest| rest[0])
}

/// What stands before a frame: how long it is, and its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    pub length: u32,
    pub checksum: u32,
}

impl Prefix {
    pub fn of(frame: &[u8]) -> Self {
        Self { length: length(frame.len()), checksum: crc32fast::hash(frame) }
    }

    pub fn bytes(self) -> [u8; PREFIX_LENGTH] {
        skippable(SKIP_PART, &[&self.length.to_le_bytes(), &self.checksum.to_le_bytes()])
    }

    pub fn read(bytes: [u8; PREFIX_LENGTH]) -> Option<Self> {
        let prefix = Self { length: u32_at(&bytes, SKIP), checksum: u32_at(&bytes, SKIP + 4) };
        (prefix.bytes() == bytes).then_some(prefix)
    }
}

/// The last bytes: where the manifest is, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footer {
    /// Where the manifest's prefix begins.
    pub at: u64,
    /// The length of its prefix and frame.
    pub stored: u32,
    /// The length of the manifest itself.
    pub size: u32,
    /// Of the manifest itself, and so of everything.
    pub sha256: [u8; 32],
}

impl Footer {
    pub fn bytes(self) -> [u8; FOOTER_LENGTH] {
        let (at, stored, size) = (self.at.to_le_bytes(), self.stored.to_le_bytes(), self.size.to_le_bytes());
        skippable(SKIP_FOOTER, &[&at, &stored, &size, &self.sha256, &MAGIC, &[LAYOUT]])
    }

    pub fn read(bytes: [u8; FOOTER_LENGTH]) -> Option<Self> {
        let at = u64::from(u32_at(&bytes, SKIP)) | u64::from(u32_at(&bytes, SKIP + 4)) << 32;
        let sha256 = bytes[SKIP + 16..SKIP + 48].try_into().expect("32 bytes");
        let footer = Self { at, stored: u32_at(&bytes, SKIP + 8), size: u32_at(&bytes, SKIP + 12), sha256 };
        (footer.bytes() == bytes).then_some(footer)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

/// The header of an entry: a plain file, and nothing that could differ from machine to machine.
pub fn header(name: &str, size: usize) -> [u8; BLOCK] {
    let mut header = tar::Header::new_ustar();
    header.set_path(name).expect("a checked name fits");
    header.set_size(size as u64);
    header.set_mode(0o600);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    *header.as_bytes()
}

/// What an entry fills up with zeros to.
pub fn padded(size: usize) -> usize {
    size.div_ceil(BLOCK) * BLOCK
}

/// How many parts a member of this size has.
pub fn parts(size: u64) -> u64 {
    size.div_ceil(PART as u64).max(1)
}

/// The name in the tar of a part, counted from zero.
pub fn part_name(member: &str, part: u64, parts: u64) -> String {
    if parts == 1 { member.to_owned() } else { numbered(member, part) }
}

/// The name in the tar of one of several parts, counted from zero.
pub fn numbered(member: &str, part: u64) -> String {
    format!("{member}.{:08}", part + 1)
}

/// How long one of the member's parts is, counted from zero.
pub fn part_size(member: &Member, part: u64) -> usize {
    let rest = member.size.saturating_sub(part.saturating_mul(PART as u64));
    usize::try_from(rest).map_or(PART, |rest| rest.min(PART))
}

/// The most that a part with so many bytes takes in the file, prefix included.
pub fn stored_most(size: usize) -> usize {
    PREFIX_LENGTH + zstd::zstd_safe::compress_bound(BLOCK + padded(size))
}

/// Sixty-four digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The digest of these bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
