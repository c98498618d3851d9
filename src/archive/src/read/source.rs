//! The bytes of an archive, decrypted, from any place on.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use age::DecryptError;
use age::stream::StreamReader;

use crate::error::{Error, Result};
use crate::seal::{self, Key, Unsealing};

/// A longer header of a sealed file is refused: it has room for all recipients that there can be.
const SEAL_MOST: u64 = 16 << 10;

/// An open file and, if it is sealed, its key.
pub struct Place {
    pub path: PathBuf,
    pub size: u64,
    file: Arc<File>,
    key: Option<Key>,
}

impl Place {
    pub fn file(path: &Path, unsealing: &Unsealing) -> Result<Self> {
        let open = |source| Error::Open { archive: path.to_owned(), source };
        // to open a pipe would wait for a writer
        if !path.metadata().map_err(open)?.is_file() {
            return Err(Error::NotAnArchive { archive: path.to_owned() });
        }
        Self::new(path.to_owned(), File::open(path).map_err(open)?, unsealing)
    }

    pub fn spooled(file: File, unsealing: &Unsealing) -> Result<Self> {
        Self::new("-".into(), file, unsealing)
    }

    fn new(path: PathBuf, file: File, unsealing: &Unsealing) -> Result<Self> {
        let open = |source| Error::Open { archive: path.clone(), source };
        let size = file.metadata().map_err(open)?.len();
        let mut place = Self { path: path.clone(), size, file: Arc::new(file), key: None };
        let mut mark = Vec::new();
        place.at().take(seal::MARK.len() as u64).read_to_end(&mut mark).map_err(open)?;
        if mark == seal::MARK {
            place.key = Some(place.unseal(unsealing)?);
        }
        Ok(place)
    }

    fn unseal(&self, unsealing: &Unsealing) -> Result<Key> {
        let archive = || self.path.clone();
        let Some(given) = unsealing.kind() else {
            return Err(Error::Sealed { archive: archive(), needed: self.needed()? });
        };
        match Key::find(self.header_first().0, unsealing) {
            Ok((key, _)) => Ok(key),
            Err(DecryptError::ExcessiveWork { required, .. }) => {
                Err(Error::TooMuchWork { archive: archive(), required, most: seal::WORK_MOST })
            }
            Err(DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed | DecryptError::NoMatchingKeys) => {
                Err(Error::WrongKey { archive: archive(), given })
            }
            Err(source) => Err(Error::SealBroken { archive: archive(), source: source.into() }),
        }
    }

    fn needed(&self) -> Result<&'static str> {
        match age::Decryptor::new_buffered(self.header_first().0) {
            Ok(it) if it.is_scrypt() => Ok("its passphrase"),
            Ok(_) => Ok("a key"),
            Err(source) => Err(Error::SealBroken { archive: self.path.clone(), source: source.into() }),
        }
    }

    pub fn is_sealed(&self) -> bool {
        self.key.is_some()
    }

    /// The bytes from the beginning; each source is at a place of its own.
    pub fn source(&self) -> Result<Source> {
        let Some(key) = &self.key else { return Ok(Source::Plain(self.at())) };
        let (input, limited) = self.header_first();
        let stream = key
            .open(input)
            .map_err(|source| Error::SealBroken { archive: self.path.clone(), source: source.into() })?;
        limited.store(false, Ordering::Relaxed);
        Ok(Source::Age(Box::new(stream)))
    }

    fn at(&self) -> At {
        At { file: Arc::clone(&self.file), at: 0, size: self.size, limited: Arc::default() }
    }

    /// The file as if it ended soon, until that is switched off: a header may not go on for ever.
    fn header_first(&self) -> (BufReader<At>, Arc<AtomicBool>) {
        let limited = Arc::new(AtomicBool::new(true));
        (BufReader::new(At { limited: Arc::clone(&limited), ..self.at() }), limited)
    }
}

/// A place in a file that others read, too.
pub struct At {
    file: Arc<File>,
    at: u64,
    size: u64,
    limited: Arc<AtomicBool>,
}

impl Read for At {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let most = if self.limited.load(Ordering::Relaxed) { SEAL_MOST } else { self.size };
        let left = usize::try_from(most.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = bytes.len().min(left);
        let n = self.file.read_at(&mut bytes[..most], self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for At {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(to) => Some(to),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// An archive's bytes.
pub enum Source {
    Plain(At),
    Age(Box<StreamReader<BufReader<At>>>),
}

impl Read for Source {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(at) => at.read(bytes),
            Self::Age(stream) => stream.read(bytes),
        }
    }
}

impl Seek for Source {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::Plain(at) => at.seek(to),
            Self::Age(stream) => stream.seek(to),
        }
    }
}
