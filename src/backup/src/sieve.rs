//! What a tar archive would do where it is unpacked, told from its headers.
//!
//! Docker unpacks the archives inside of a backup, confined to the container. But a file may come from anywhere, so
//! nothing is sent to Docker that could reach out of its folder, or be more than files: absolute names, `..`, devices,
//! set-user-id programs, entries below a link.

use std::collections::HashSet;

/// Size of a tar block.
const BLOCK: usize = 512;
/// The longest name, and the largest header extension, that is read.
const EXTENSION_LIMIT: u64 = 1 << 20;

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
    links: HashSet<String>,
    ended: bool,
}

/// What extensions say of the next entry.
#[derive(Default)]
struct Next {
    path: Option<String>,
    link: Option<String>,
    size: Option<u64>,
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
        let whole = self.block.is_empty() && self.skip == 0 && self.kept.is_none();
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
            self.kept = Some((kind, size, Vec::new()));
            return Ok(());
        }
        let next = std::mem::take(&mut self.next);
        let path = match next.path {
            Some(path) => path,
            None => {
                let prefix = if &block[257..262] == b"ustar" && block[262] == 0 {
                    text(&block[345..500])?
                } else {
                    String::new()
                };
                let name = text(&block[..100])?;
                if prefix.is_empty() { name } else { format!("{prefix}/{name}") }
            }
        };
        let path = inside(&path)?;
        let mode = number(&block[100..108])?;
        let size = next.size.unwrap_or(size);
        let link = match next.link {
            Some(link) => link,
            None => text(&block[157..257])?,
        };
        let content = match kind {
            b'0' | 0 | b'7' if mode & 0o6000 != 0 => {
                return Err(format!("{path} runs as its owner, whoever starts it"));
            }
            b'0' | 0 | b'7' => size,
            b'5' => 0,
            b'1' => {
                self.not_below_a_link(&inside(&link)?)?;
                0
            }
            b'2' => {
                self.not_below_a_link(&path)?;
                self.links.insert(path.clone());
                0
            }
            b'3' | b'4' | b'6' => return Err(format!("{path} is a device")),
            other => return Err(format!("{path} is an entry of kind {:?}", char::from(other))),
        };
        if kind != b'2' {
            self.not_below_a_link(&path)?;
            if self.links.contains(&path) {
                return Err(format!("{path} comes twice, once as a link"));
            }
        }
        self.skip = content.div_ceil(BLOCK as u64).checked_mul(BLOCK as u64).ok_or("an entry without end")?;
        Ok(())
    }

    fn not_below_a_link(&self, path: &str) -> Result<(), String> {
        let below = path.match_indices('/').any(|(at, _)| self.links.contains(&path[..at]));
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
                    let record = record(rest).ok_or("a pax record that cannot be read")?;
                    let (length, key, value) = record;
                    match key {
                        "path" => self.next.path = Some(value.to_owned()),
                        "linkpath" => self.next.link = Some(value.to_owned()),
                        "size" => self.next.size = Some(value.parse().map_err(|_| "a size that is no number")?),
                        key if key.starts_with("GNU.sparse") => return Err("a sparse file".to_owned()),
                        _ => {}
                    }
                    rest = &rest[length..];
                }
            }
        }
        Ok(())
    }
}

/// `27 path=some/where\n`: its length, key and value.
fn record(bytes: &[u8]) -> Option<(usize, &str, &str)> {
    let space = bytes.iter().position(|b| *b == b' ')?;
    let length: usize = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
    let record = std::str::from_utf8(bytes.get(space + 1..length)?).ok()?.strip_suffix('\n')?;
    let (key, value) = record.split_once('=')?;
    Some((length, key, value))
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
        let mut value = u64::from(field[0] & 0x7f);
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
mod tests {
    use super::*;

    /// An archive of entries: name, kind, link, mode and content.
    fn archive(entries: &[(&str, tar::EntryType, &str, u32, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, link, mode, content) in entries {
            let mut header = tar::Header::new_gnu();
            // the library refuses what is to be refused here
            let field = name.as_bytes();
            header.as_old_mut().name[..field.len()].copy_from_slice(field);
            header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(*mode);
            header.set_size(content.len() as u64);
            header.set_cksum();
            builder.append(&header, *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn judged(bytes: &[u8]) -> Result<(), String> {
        let verdicts: Vec<Result<(), String>> = [1, 7, 512, bytes.len()]
            .iter()
            .map(|size| {
                let mut sieve = Sieve::default();
                bytes.chunks(*size).try_for_each(|chunk| sieve.push(chunk))?;
                sieve.end()
            })
            .collect();
        assert!(verdicts.iter().all(|v| *v == verdicts[0]), "the size of the pieces changes nothing: {verdicts:?}");
        verdicts[0].clone()
    }

    use tar::EntryType as E;

    #[test]
    fn what_volumes_hold_goes_through() {
        let long = "x/".repeat(90) + "name";
        let mut builder = tar::Builder::new(archive(&[
            ("./", E::Directory, "", 0o755, b""),
            ("./PG_VERSION", E::Regular, "", 0o600, b"16\n"),
            ("./log", E::Symlink, "/dev/stdout", 0o777, b""),
            ("./again", E::Link, "./PG_VERSION", 0o600, b""),
        ]));
        // the end of the first part has to go
        builder.get_mut().truncate(512 * 5);
        let mut header = tar::Header::new_gnu();
        header.set_size(3);
        header.set_mode(0o644);
        builder.append_data(&mut header, &long, &b"abc"[..]).unwrap();
        assert_eq!(judged(&builder.into_inner().unwrap()), Ok(()));
    }

    #[test]
    fn what_reaches_out_does_not() {
        for (entries, word) in [
            (vec![("/etc/passwd", E::Regular, "", 0o644, &b"x"[..])], "absolute"),
            (vec![("a/../../b", E::Regular, "", 0o644, b"x")], "leads out"),
            (vec![("hard", E::Link, "../b", 0o644, b"")], "leads out"),
            (vec![("d", E::Block, "", 0o644, b"")], "device"),
            (vec![("d", E::Char, "", 0o644, b"")], "device"),
            (vec![("d", E::Fifo, "", 0o644, b"")], "device"),
            (vec![("run", E::Regular, "", 0o4755, b"x")], "runs as its owner"),
            (vec![("l", E::Symlink, "/etc", 0o777, b""), ("./l/passwd", E::Regular, "", 0o644, b"x")], "below a link"),
            (vec![("l", E::Symlink, "/etc", 0o777, b""), ("l", E::Regular, "", 0o644, b"x")], "twice"),
            (vec![("s", E::GNUSparse, "", 0o644, b"")], "of kind 'S'"),
            (vec![("g", E::XGlobalHeader, "", 0o644, b"12 path=abc\n")], "of kind 'g'"),
        ] {
            let why = judged(&archive(&entries)).unwrap_err();
            assert!(why.contains(word), "{why} / {word}");
        }
    }

    #[test]
    fn damage_is_seen() {
        let whole = archive(&[("a", E::Regular, "", 0o644, b"content")]);
        assert_eq!(judged(&whole), Ok(()));
        assert!(judged(&whole[..700]).unwrap_err().contains("cut off"));
        assert!(judged(&whole[..1024]).unwrap_err().contains("cut off"), "without its end");
        let mut flipped = whole.clone();
        flipped[5] ^= 1;
        assert!(judged(&flipped).unwrap_err().contains("checksum"));
    }

    #[test]
    fn a_pax_header_speaks_for_the_next_entry() {
        let mut builder = tar::Builder::new(Vec::new());
        builder.append_pax_extensions([("path", &b"../out"[..])]).unwrap();
        let mut header = tar::Header::new_ustar();
        header.set_path("in").unwrap();
        header.set_size(0);
        header.set_cksum();
        builder.append(&header, &b""[..]).unwrap();
        assert!(judged(&builder.into_inner().unwrap()).unwrap_err().contains("leads out"));
    }
}
