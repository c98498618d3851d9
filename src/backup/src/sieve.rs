//! What a tar archive would do where it is unpacked, told from its headers.
//!
//! Docker unpacks the archives inside of a backup, confined to the container. But a file may come from anywhere, so
//! nothing is sent to Docker that could reach out of its folder, or be more than files: absolute names, `..`, devices,
//! set-user-id programs, entries below a link. Programs that read tar differ in what counts when two fields say
//! different things, so an archive in which they do is refused as well: no tool that copies a volume writes one.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

/// Size of a tar block.
const BLOCK: usize = 512;
/// The longest name, and the largest header extension, that is read.
const EXTENSION_LIMIT: u64 = 1 << 20;
/// The most symbolic links: their places are kept, and a file must not fill the memory with them.
const LINKS: usize = 1 << 20;
/// What the size field of the oldest headers can say.
const OCTAL_LIMIT: u64 = 1 << 33;

/// Reads headers as the bytes go by.
#[derive(Default)]
pub struct Sieve {
    /// A block that is not whole yet.
    block: Vec<u8>,
    /// Content of the present entry that is still to come, with its padding.
    skip: u64,
    /// Content that is kept, because it says something about the next entry.
    kept: Option<(u8, u64, Vec<u8>)>,
    next: Next,
    /// Hashes of the places of symbolic links; one that is taken for a link by chance is refused, and none is missed.
    links: HashSet<u64>,
    hasher: RandomState,
    ended: bool,
    /// Kind, path and size of every entry.
    #[cfg(test)]
    seen: Vec<(u8, String, u64)>,
}

/// What extensions say of the next entry.
#[derive(Default)]
struct Next {
    path: Option<String>,
    link: Option<String>,
    size: Option<u64>,
    /// The kinds of extensions.
    kinds: Vec<u8>,
}

impl Sieve {
    /// The next bytes; an error says what is wrong with them.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while !bytes.is_empty() {
            if let Some((_, left, kept)) = &mut self.kept {
                let part = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                kept.extend_from_slice(&bytes[..part]);
                *left -= part as u64;
                bytes = &bytes[part..];
                if *left == 0
                    && let Some((kind, _, content)) = self.kept.take()
                {
                    self.extension(kind, &content)?;
                }
            } else if self.skip > 0 {
                let part = bytes.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
                self.skip -= part as u64;
                bytes = &bytes[part..];
            } else {
                let part = bytes.len().min(BLOCK - self.block.len());
                self.block.extend_from_slice(&bytes[..part]);
                bytes = &bytes[part..];
                if self.block.len() == BLOCK {
                    let block = std::mem::take(&mut self.block);
                    self.header(&block)?;
                }
            }
        }
        Ok(())
    }

    /// There are no more bytes.
    pub fn end(&self) -> Result<(), String> {
        let whole = self.block.is_empty() && self.skip == 0 && self.kept.is_none() && self.next.kinds.is_empty();
        if whole && self.ended { Ok(()) } else { Err("the archive is cut off".to_owned()) }
    }

    fn header(&mut self, block: &[u8]) -> Result<(), String> {
        if block.iter().all(|b| *b == 0) {
            self.ended = true;
            return Ok(());
        }
        if self.ended {
            return Err("entries after the end".to_owned());
        }
        check_sum(block)?;
        let size = number(&block[124..136])?;
        let kind = block[156];
        if matches!(kind, b'L' | b'K' | b'x') {
            if size == 0 || size > EXTENSION_LIMIT {
                return Err(format!("an extension of {size} bytes"));
            }
            self.next.extended_by(kind)?;
            self.kept = Some((kind, size, Vec::new()));
            return Ok(());
        }
        let next = std::mem::take(&mut self.next);
        let own = own_path(block)?;
        let named = next.path.unwrap_or(own);
        let path = inside(&named)?;
        let mode = number(&block[100..108])?;
        let size = real_size(size, next.size)?;
        let link = match next.link {
            Some(link) => link,
            None => text(&block[157..257])?,
        };
        match kind {
            b'0' | 0 if mode & 0o6000 != 0 => return Err(format!("{path} runs as its owner, whoever starts it")),
            // a folder, for some
            b'0' | 0 if named.ends_with('/') || path.is_empty() => {
                return Err(format!("{named:?} is called as no file is"));
            }
            b'0' | 0 | b'5' => {}
            b'1' => {
                let target = inside(&link)?;
                self.not_below_a_link(&target)?;
                if self.is_link(&target) || target.is_empty() {
                    return Err(format!("{path} is a second name of a link"));
                }
            }
            b'2' => stays(&path, &link)?,
            b'3' | b'4' | b'6' => return Err(format!("{path} is a device")),
            other => return Err(format!("{path} is an entry of kind {:?}", char::from(other))),
        }
        if !matches!(kind, b'0' | 0) && size != 0 {
            return Err(format!("{path} has content, and is no file"));
        }
        self.not_below_a_link(&path)?;
        if kind == b'2' {
            self.links.insert(self.hasher.hash_one(&path));
            if self.links.len() > LINKS {
                return Err(format!("more than {LINKS} symbolic links"));
            }
        } else if self.is_link(&path) {
            return Err(format!("{path} comes twice, once as a link"));
        }
        #[cfg(test)]
        self.seen.push((kind, path, size));
        self.skip = size.div_ceil(BLOCK as u64).checked_mul(BLOCK as u64).ok_or("an entry without end")?;
        Ok(())
    }

    fn is_link(&self, path: &str) -> bool {
        self.links.contains(&self.hasher.hash_one(path))
    }

    fn not_below_a_link(&self, path: &str) -> Result<(), String> {
        let below = path.match_indices('/').any(|(at, _)| self.is_link(&path[..at]));
        if below { Err(format!("{path} lies below a link")) } else { Ok(()) }
    }

    /// A long name, or the records of a pax header.
    fn extension(&mut self, kind: u8, content: &[u8]) -> Result<(), String> {
        let padding = (BLOCK - content.len() % BLOCK) % BLOCK;
        self.skip = padding as u64;
        match kind {
            b'L' => self.next.path = Some(text(content)?),
            b'K' => self.next.link = Some(text(content)?),
            _ => {
                let mut rest = content;
                while !rest.is_empty() {
                    let (length, key, value) = record(rest).ok_or("a pax record that cannot be read")?;
                    self.next.record(key, value)?;
                    rest = &rest[length..];
                }
            }
        }
        Ok(())
    }
}

impl Next {
    /// Which of two names counts, each reader decides in its own way.
    fn extended_by(&mut self, kind: u8) -> Result<(), String> {
        let other = |k: &u8| *k == kind || *k == b'x' || kind == b'x';
        if self.kinds.iter().any(other) {
            return Err("an entry with two extensions that contradict each other".to_owned());
        }
        self.kinds.push(kind);
        Ok(())
    }

    fn record(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        let name = || match std::str::from_utf8(value) {
            Ok(name) if !name.is_empty() && !name.contains('\0') => Ok(name.to_owned()),
            _ => Err(format!("a {key} that is no name")),
        };
        let twice = match key {
            "path" => self.path.replace(name()?).is_some(),
            "linkpath" => self.link.replace(name()?).is_some(),
            "size" => {
                let digits = name()?;
                let size = Some(digits).filter(|d| d.bytes().all(|b| b.is_ascii_digit())).and_then(|d| d.parse().ok());
                self.size.replace(size.ok_or("a size that is no number")?).is_some()
            }
            "SCHILY.xattr.security.capability" => return Err("a program with rights of its own".to_owned()),
            key if key.starts_with("GNU.sparse") => return Err("a sparse file".to_owned()),
            _ => false,
        };
        if twice { Err(format!("{key} is there twice")) } else { Ok(()) }
    }
}

/// The path in a header itself.
fn own_path(block: &[u8]) -> Result<String, String> {
    let name = text(&block[..100])?;
    let rest = &block[345..500];
    if &block[257..263] != b"ustar\0" {
        // other headers keep something else there, which some readers take for a part of the name all the same
        if rest.iter().any(|b| *b != 0) {
            return Err(format!("{name} has a header of a kind that is not known"));
        }
        return Ok(name);
    }
    if &block[508..] == b"tar\0" {
        return Err(format!("{name} has a header of `star`"));
    }
    let prefix = text(rest)?;
    Ok(if prefix.is_empty() { name } else { format!("{prefix}/{name}") })
}

/// The size, of which the header and an extension may both speak.
fn real_size(header: u64, extension: Option<u64>) -> Result<u64, String> {
    match extension {
        None => Ok(header),
        Some(size) if size == header || header == 0 && size >= OCTAL_LIMIT => Ok(size),
        Some(size) => Err(format!("an entry of {header} bytes, or of {size}")),
    }
}

/// A symbolic link leads nowhere that its folder is not, as far as its own words go; absolute, it is for the container.
fn stays(path: &str, target: &str) -> Result<(), String> {
    let mut depth = path.matches('/').count();
    if target.is_empty() {
        return Err(format!("{path} is a link to nothing"));
    }
    if target.starts_with('/') {
        return Ok(());
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => depth = depth.checked_sub(1).ok_or_else(|| format!("{path} leads out of its folder"))?,
            _ => depth += 1,
        }
    }
    Ok(())
}

/// `27 path=some/where\n`: its length, key and value.
fn record(bytes: &[u8]) -> Option<(usize, &str, &[u8])> {
    let space = bytes.iter().position(|b| *b == b' ')?;
    let digits = bytes.get(..space).filter(|d| d.iter().all(u8::is_ascii_digit))?;
    let length: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let record = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|b| *b == b'=')?;
    Some((length, std::str::from_utf8(&record[..equals]).ok()?, &record[equals + 1..]))
}

/// Text up to the first zero.
fn text(field: &[u8]) -> Result<String, String> {
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    String::from_utf8(field[..end].to_vec()).map_err(|_| "a name that is not UTF-8".to_owned())
}

/// A path that stays inside of its folder, without `.` and slashes at the ends.
fn inside(path: &str) -> Result<String, String> {
    if path.starts_with('/') {
        return Err(format!("{path} is an absolute path"));
    }
    if path.split('/').any(|part| part == "..") {
        return Err(format!("{path} leads out of its folder"));
    }
    Ok(path.split('/').filter(|part| !matches!(*part, "" | ".")).collect::<Vec<_>>().join("/"))
}

/// An octal number, or one in base 256.
fn number(field: &[u8]) -> Result<u64, String> {
    if field[0] & 0x80 != 0 {
        if field[0] != 0x80 {
            return Err("a number that is negative, or too large".to_owned());
        }
        let mut value = 0_u64;
        for byte in &field[1..] {
            value = value.checked_mul(256).ok_or("a number that is too large")? | u64::from(*byte);
        }
        return Ok(value);
    }
    let digits = text(field)?;
    let digits = digits.trim();
    if digits.is_empty() {
        return Ok(0);
    }
    u64::from_str_radix(digits, 8).map_err(|_| format!("{digits:?} is no octal number"))
}

fn check_sum(block: &[u8]) -> Result<(), String> {
    let expected = number(&block[148..156])?;
    let sum: u64 =
        block.iter().enumerate().map(|(i, b)| if (148..156).contains(&i) { 32 } else { u64::from(*b) }).sum();
    if sum == expected { Ok(()) } else { Err("a header with a wrong checksum".to_owned()) }
}

#[cfg(test)]
mod tests;
