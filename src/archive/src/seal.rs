//! Encryption with age: for a passphrase or for recipients; any age tool can open what was sealed here.

use std::cell::RefCell;
use std::io::{self, Write};
use std::{fmt, str::FromStr};

use age::secrecy::{ExposeSecret as _, SecretString};
use age::{Identity, scrypt, stream::StreamReader, x25519};
use age_core::format::{FileKey, Stanza};

use crate::error::{Error, Result};

/// What sealed archives begin with.
pub const MARK: &[u8] = b"age-encryption.org/v1\n";
/// Deriving a key from a passphrase takes 2^15 rounds and 32 MiB: what fits into the memory that a backup may use.
const WORK: u8 = 15;
/// At most that when reading: age's own programs take 2^18, which are 256 MiB.
pub const WORK_MOST: u8 = 18;
/// More recipients than that would make a header that is refused.
const RECIPIENTS_MOST: usize = 100;

/// How an archive is encrypted, if it is.
pub struct Sealing(With);

enum With {
    Nothing,
    Passphrase(SecretString),
    Recipients(Vec<x25519::Recipient>),
}

impl Sealing {
    /// Not at all.
    #[must_use]
    pub fn none() -> Self {
        Self(With::Nothing)
    }

    /// For everyone who knows the passphrase.
    #[must_use]
    pub fn passphrase(passphrase: String) -> Self {
        Self(With::Passphrase(passphrase.into()))
    }

    /// For everyone who has the key of one of the recipients, `age1…`.
    pub fn recipients<R: AsRef<str>>(recipients: impl IntoIterator<Item = R>) -> Result<Self> {
        let parse = |text: R| {
            let text = text.as_ref();
            x25519::Recipient::from_str(text).map_err(|_| Error::Recipient { recipient: text.to_owned() })
        };
        let recipients = recipients.into_iter().map(parse).collect::<Result<Vec<_>>>()?;
        if recipients.is_empty() {
            return Err(Error::NoKey { purpose: "encrypt" });
        }
        if recipients.len() > RECIPIENTS_MOST {
            return Err(Error::TooManyRecipients { most: RECIPIENTS_MOST });
        }
        Ok(Self(With::Recipients(recipients)))
    }

    /// Prepares the encryption, which for a passphrase means work.
    pub(crate) fn begin<W: Write>(&self, out: W) -> Result<Sealed<W>, BeginError> {
        let begin = |recipients: &[&dyn age::Recipient]| {
            age::Encryptor::with_recipients(recipients.iter().copied()).map_err(BeginError::Seal)
        };
        let encryptor = match &self.0 {
            With::Nothing => return Ok(Sealed::Plain(out)),
            With::Passphrase(passphrase) => {
                let mut recipient = scrypt::Recipient::new(passphrase.clone());
                recipient.set_work_factor(WORK);
                begin(&[&recipient])?
            }
            With::Recipients(recipients) => {
                let recipients: Vec<_> = recipients.iter().map(|it| it as &dyn age::Recipient).collect();
                begin(&recipients)?
            }
        };
        Ok(Sealed::Age(Box::new(encryptor.wrap_output(out).map_err(BeginError::Write)?)))
    }
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            With::Nothing => "Sealing::none",
            With::Passphrase(_) => "Sealing::passphrase",
            With::Recipients(_) => "Sealing::recipients",
        })
    }
}

/// Why encryption cannot begin.
pub(crate) enum BeginError {
    Seal(age::EncryptError),
    Write(io::Error),
}

/// Where an archive is written to.
pub(crate) enum Sealed<W: Write> {
    Plain(W),
    Age(Box<age::stream::StreamWriter<W>>),
}

impl<W: Write> Sealed<W> {
    /// Writes what encryption adds at the end.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(out) => Ok(out),
            Self::Age(out) => out.finish(),
        }
    }
}

impl<W: Write> Write for Sealed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Age(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Age(out) => out.flush(),
        }
    }
}

/// What a sealed archive is opened with, if there is anything.
pub struct Unsealing(Has);

enum Has {
    Nothing,
    Passphrase(SecretString),
    Identities(Vec<x25519::Identity>),
}

impl Unsealing {
    /// Nothing: sealed archives stay closed.
    #[must_use]
    pub fn none() -> Self {
        Self(Has::Nothing)
    }

    /// A passphrase.
    #[must_use]
    pub fn passphrase(passphrase: String) -> Self {
        Self(Has::Passphrase(passphrase.into()))
    }

    /// The text of a key file as `age-keygen` writes it: keys, empty lines, and comments after `#`.
    pub fn identities(text: &str) -> Result<Self> {
        let lines = text.lines().map(str::trim).enumerate();
        let keys = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let identities = keys
            .map(|(i, line)| x25519::Identity::from_str(line).map_err(|_| Error::Identity { line: i + 1 }))
            .collect::<Result<Vec<_>>>()?;
        if identities.is_empty() {
            return Err(Error::NoKey { purpose: "decrypt" });
        }
        Ok(Self(Has::Identities(identities)))
    }

    /// What this is called in messages; nothing when it is nothing.
    pub(crate) fn kind(&self) -> Option<&'static str> {
        match &self.0 {
            Has::Nothing => None,
            Has::Passphrase(_) => Some("passphrase"),
            Has::Identities(_) => Some("key"),
        }
    }

    fn as_identities(&self) -> Vec<Box<dyn Identity>> {
        match &self.0 {
            Has::Nothing => Vec::new(),
            Has::Passphrase(passphrase) => {
                let mut identity = scrypt::Identity::new(passphrase.clone());
                identity.set_max_work_factor(WORK_MOST);
                vec![Box::new(identity)]
            }
            Has::Identities(identities) => {
                identities.iter().map(|it| Box::new(it.clone()) as Box<dyn Identity>).collect()
            }
        }
    }
}

impl fmt::Debug for Unsealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Has::Nothing => "Unsealing::none",
            Has::Passphrase(_) => "Unsealing::passphrase",
            Has::Identities(_) => "Unsealing::identities",
        })
    }
}

/// The key of one sealed archive. To derive it anew for each member would be slow.
pub(crate) struct Key(FileKey);

impl Key {
    /// Opens a sealed stream, and keeps its key.
    pub fn find<R: io::BufRead>(input: R, unsealing: &Unsealing) -> Result<(Self, StreamReader<R>), age::DecryptError> {
        let found = RefCell::new(None);
        let identities: Vec<_> =
            unsealing.as_identities().into_iter().map(|inner| Listening { inner, found: &found }).collect();
        let stream = age::Decryptor::new_buffered(input)?.decrypt(identities.iter().map(|it| it as &dyn Identity))?;
        let key = found.take().ok_or(age::DecryptError::NoMatchingKeys)?;
        Ok((Self(key), stream))
    }

    /// Opens the same stream again.
    pub fn open<R: io::BufRead>(&self, input: R) -> Result<StreamReader<R>, age::DecryptError> {
        age::Decryptor::new_buffered(input)?.decrypt(std::iter::once(self as &dyn Identity))
    }
}

impl Identity for Key {
    fn unwrap_stanza(&self, _: &Stanza) -> Option<Result<FileKey, age::DecryptError>> {
        Some(Ok(copy(&self.0)))
    }
}

/// Keeps the key that another identity finds.
struct Listening<'a> {
    inner: Box<dyn Identity>,
    found: &'a RefCell<Option<FileKey>>,
}

impl Listening<'_> {
    fn keep(&self, key: Option<Result<FileKey, age::DecryptError>>) -> Option<Result<FileKey, age::DecryptError>> {
        if let Some(Ok(key)) = &key {
            self.found.replace(Some(copy(key)));
        }
        key
    }
}

impl Identity for Listening<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, age::DecryptError>> {
        self.keep(self.inner.unwrap_stanza(stanza))
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, age::DecryptError>> {
        self.keep(self.inner.unwrap_stanzas(stanzas))
    }
}

fn copy(key: &FileKey) -> FileKey {
    FileKey::new(Box::new(*key.expose_secret()))
}
