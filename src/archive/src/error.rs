//! What writing or reading an archive can fail with: what was being done, where, and why.

use std::{fmt, io, path::PathBuf};

use crate::manifest::{Contradiction, Schema};

/// What this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure; `archive` is the path of the file, or `-` for a stream.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is a file of that name.
    #[error("cannot create `{archive}`: it exists, and is not overwritten", archive = .archive.display())]
    Exists {
        /// The file.
        archive: PathBuf,
    },
    /// The temporary file cannot be made.
    #[error("cannot create `{archive}`: {source}", archive = .archive.display())]
    Create {
        /// The file that it was to become.
        archive: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The temporary file cannot be written, brought to the disk or given its name.
    #[error("cannot write `{archive}`: {source}", archive = .archive.display())]
    Write {
        /// The file that it was to become.
        archive: PathBuf,
        /// The cause, such as a full disk.
        source: io::Error,
    },
    /// There is no room for a stream while it is not complete.
    #[error("cannot keep the archive in `{folder}`: {source}", folder = .folder.display())]
    Spool {
        /// The folder for temporary files.
        folder: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The finished archive cannot be copied to where it was to go.
    #[error("cannot pass the finished archive on: {source}")]
    Deliver {
        /// The cause, such as a closed pipe.
        source: io::Error,
    },
    /// Writing failed before, and said why.
    #[error("`{archive}` was given up", archive = .archive.display())]
    GivenUp {
        /// The file that was not made.
        archive: PathBuf,
    },
    /// A member was begun and dropped.
    #[error("cannot finish `{archive}`: member `{member}` was begun and not finished", archive = .archive.display())]
    Unfinished {
        /// The file that was not made.
        archive: PathBuf,
        /// The member.
        member: String,
    },
    /// A member cannot be called so.
    #[error("no member can be called `{name}`: {fault}")]
    Name {
        /// What was asked for.
        name: String,
        /// Why not.
        fault: NameFault,
    },
    /// A member would have more parts than can be numbered.
    #[error("member `{member}` is too long for an archive")]
    TooLong {
        /// The member.
        member: String,
    },
    /// The manifest that was given contradicts itself or the members.
    #[error("cannot finish `{archive}`: {fault}", archive = .archive.display())]
    Description {
        /// The file that was not made.
        archive: PathBuf,
        /// What does not fit.
        fault: Contradiction,
    },
    /// A recipient is not one of age's.
    #[error("`{recipient}` is no recipient: expected age1…")]
    Recipient {
        /// What was given.
        recipient: String,
    },
    /// More recipients than the header of an archive has room for.
    #[error("cannot encrypt for more than {most} recipients")]
    TooManyRecipients {
        /// How many there can be.
        most: usize,
    },
    /// A line of a key file is no key; the line is not shown.
    #[error("line {line} of the key file is no key: expected AGE-SECRET-KEY-1…")]
    Identity {
        /// Counted from one.
        line: usize,
    },
    /// There is no recipient or no key in what should hold some.
    #[error("there is no key to {purpose} with")]
    NoKey {
        /// `encrypt` or `decrypt`
        purpose: &'static str,
    },
    /// Encryption cannot begin.
    #[error("cannot encrypt `{archive}`: {source}", archive = .archive.display())]
    Seal {
        /// The file that was not made.
        archive: PathBuf,
        /// The cause.
        source: Box<age::EncryptError>,
    },

    /// The file cannot be opened.
    #[error("cannot open `{archive}`: {source}", archive = .archive.display())]
    Open {
        /// The file.
        archive: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file cannot be read, or, when it is sealed, not decrypted at that place.
    #[error("cannot read {place} of `{archive}`: {source}", archive = .archive.display())]
    Read {
        /// The file.
        archive: PathBuf,
        /// `the footer`, ``member `a`, part 3``
        place: String,
        /// The cause.
        source: io::Error,
    },
    /// The folder cannot be read.
    #[error("cannot read folder `{folder}`: {source}", folder = .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It is another kind of file.
    #[error("`{archive}` is no banyan archive", archive = .archive.display())]
    NotAnArchive {
        /// The file.
        archive: PathBuf,
    },
    /// It begins as an archive and has no end.
    #[error("`{archive}` is cut short: the end is missing", archive = .archive.display())]
    CutShort {
        /// The file.
        archive: PathBuf,
    },
    /// It is sealed, and nothing was given to open it with.
    #[error("`{archive}` is encrypted: {needed} is needed", archive = .archive.display())]
    Sealed {
        /// The file.
        archive: PathBuf,
        /// `its passphrase` or `a key`
        needed: &'static str,
    },
    /// It is sealed, and what was given does not open it.
    #[error("`{archive}` is not opened by this {given}", archive = .archive.display())]
    WrongKey {
        /// The file.
        archive: PathBuf,
        /// `passphrase` or `key`
        given: &'static str,
    },
    /// It asks for more work to derive the key from the passphrase than anybody would have chosen.
    #[error("`{archive}` asks for 2^{required} rounds to derive its key, more than 2^{most}", archive = .archive.display())]
    TooMuchWork {
        /// The file.
        archive: PathBuf,
        /// What it asks for, as a power of two.
        required: u8,
        /// What is done at most, as a power of two.
        most: u8,
    },
    /// It is sealed, and the beginning is damaged.
    #[error("the encryption header of `{archive}` is damaged: {source}", archive = .archive.display())]
    SealBroken {
        /// The file.
        archive: PathBuf,
        /// The cause.
        source: Box<age::DecryptError>,
    },
    /// A newer version made it, in a way that this one cannot read.
    #[error("`{archive}` was made by a newer banyan: its format is {found}, this one reads up to {known}", archive = .archive.display())]
    Newer {
        /// The file.
        archive: PathBuf,
        /// Its format.
        found: Schema,
        /// The newest that is known here.
        known: Schema,
    },
    /// The manifest is not what a manifest looks like.
    #[error("the manifest of `{archive}` cannot be understood: {source}", archive = .archive.display())]
    Manifest {
        /// The file.
        archive: PathBuf,
        /// The cause, with its place in the manifest.
        source: serde_json::Error,
    },
    /// The manifest can be read and cannot be true.
    #[error("the manifest of `{archive}` contradicts itself: {fault}", archive = .archive.display())]
    Contradiction {
        /// The file.
        archive: PathBuf,
        /// What does not fit.
        fault: Contradiction,
    },
    /// Something is not as it was written.
    #[error("{place} of `{archive}` is damaged: {damage}", archive = .archive.display())]
    Damaged {
        /// The file.
        archive: PathBuf,
        /// `the footer`, ``member `a`, part 3``
        place: String,
        /// What is wrong there.
        damage: Damage,
    },
    /// There is no member of that name.
    #[error("there is no member `{member}` in `{archive}`", archive = .archive.display())]
    NoMember {
        /// The file.
        archive: PathBuf,
        /// What was asked for.
        member: String,
    },
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Write { source, .. } | Error::Read { source, .. } | Error::Deliver { source } => source.kind(),
            Error::Damaged { .. } => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

/// What is wrong at a place of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// There are other bytes where a fixed mark belongs.
    Mark,
    /// A length that cannot be, or that does not lead to the next part.
    Length,
    /// The bytes are not those that were written.
    Checksum,
    /// It does not decompress to what was compressed.
    Compression,
    /// The entry of the tar is not the one that belongs here.
    Entry {
        /// What is there, as far as it can be told: ``symbolic link `x` to `/etc` ``
        found: String,
    },
    /// There is something where zeros belong.
    Padding,
    /// The content is not what the manifest says.
    Digest,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mark => f.write_str("it does not begin as it must"),
            Self::Length => f.write_str("its length is wrong"),
            Self::Checksum => f.write_str("its checksum is wrong"),
            Self::Compression => f.write_str("it does not decompress to what was compressed"),
            Self::Entry { found } => write!(f, "another entry is in its place: {found}"),
            Self::Padding => f.write_str("there is something where zeros belong"),
            Self::Digest => f.write_str("its sha256 is not that of the manifest"),
        }
    }
}

/// Why a member cannot be called so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameFault {
    /// Longer than a header of a tar holds.
    Length,
    /// Something else than letters, digits, `.`, `_`, `-` between slashes.
    Characters,
    /// An empty part between slashes, or one that begins with `.` or `-`.
    Component,
    /// Needed for something else.
    Reserved,
    /// Another member has it, or is the folder of this one, or in it.
    Taken,
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "it must have 1 to 90 bytes",
            Self::Characters => "only letters, digits, `.`, `_`, `-` and `/` can be in it",
            Self::Component => "no part of it can be empty or begin with `.` or `-`",
            Self::Reserved => "it is needed for something else",
            Self::Taken => "another member is there",
        })
    }
}
