//! As much of an ELF file as it takes to know where it can run.

use std::io::{self, Read, Seek, SeekFrom};

const PT_INTERP: u32 = 3;
const PT_NOTE: u32 = 4;
const NT_GNU_BUILD_ID: u32 = 3;
/// More than any interpreter's path or list of notes.
const MOST: u64 = 64 * 1024;

/// A Linux executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Elf {
    /// As Docker calls it: `amd64`.
    pub architecture: &'static str,
    /// The program that loads it; `None`: it is static.
    pub interpreter: Option<String>,
    /// The hash that the linker put in.
    pub build_id: Option<String>,
}

/// The architecture that this program was made for, as Docker calls it.
pub fn architecture_here() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Reads the headers. `None`: it is not a 64-bit Linux executable.
pub(super) fn read<R: Read + Seek>(file: &mut R) -> io::Result<Option<Elf>> {
    match parse(file) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        elf => elf,
    }
}

fn parse<R: Read + Seek>(file: &mut R) -> io::Result<Option<Elf>> {
    let header = at(file, 0, 64)?;
    // 64 bits, little endian, for System V or Linux, an executable (position independent or not)
    let linux = header.starts_with(b"\x7fELF\x02\x01") && matches!(header[7], 0 | 3);
    if !linux || !matches!(u16_at(&header, 16), 2 | 3) {
        return Ok(None);
    }
    let architecture = match u16_at(&header, 18) {
        0x3e => "amd64",
        0xb7 => "arm64",
        0xf3 => "riscv64",
        0x15 => "ppc64le",
        0x102 => "loong64",
        _ => return Ok(None),
    };
    let mut elf = Elf { architecture, interpreter: None, build_id: None };
    let (table, size, count) = (u64_at(&header, 32), u64::from(u16_at(&header, 54)), u64::from(u16_at(&header, 56)));
    if size < 56 {
        return Ok(None);
    }
    for n in 0..count {
        let entry = at(file, table.saturating_add(n * size), 56)?;
        let (offset, length) = (u64_at(&entry, 8), u64_at(&entry, 32).min(MOST));
        match u32_at(&entry, 0) {
            PT_INTERP => {
                let path = at(file, offset, length)?;
                let path = path.split(|b| *b == 0).next().unwrap_or_default();
                elf.interpreter = Some(String::from_utf8_lossy(path).into_owned());
            }
            PT_NOTE if elf.build_id.is_none() => elf.build_id = build_id(&at(file, offset, length)?),
            _ => {}
        }
    }
    Ok(Some(elf))
}

fn build_id(mut notes: &[u8]) -> Option<String> {
    loop {
        let (name, description) = (u32_at(notes.get(..12)?, 0) as usize, u32_at(notes, 4) as usize);
        let start = 12 + name.next_multiple_of(4);
        let content = notes.get(start..start + description)?;
        if u32_at(notes, 8) == NT_GNU_BUILD_ID && notes.get(12..16) == Some(b"GNU\0") {
            return Some(content.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        notes = notes.get(start + description.next_multiple_of(4)..)?;
    }
}

fn at<R: Read + Seek>(file: &mut R, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = vec![0; length as usize];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// Header, two program headers, an interpreter and a note.
    fn executable() -> Vec<u8> {
        let mut bytes = vec![0; 64 + 2 * 56];
        bytes[..8].copy_from_slice(b"\x7fELF\x02\x01\x01\x00");
        bytes[16] = 3;
        bytes[18] = 0xb7;
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = 2;
        let interpreter = b"/lib/ld-linux-aarch64.so.1\0";
        let note = b"\x04\0\0\0\x04\0\0\0\x03\0\0\0GNU\0\xde\xad\xbe\xef";
        for (n, kind, content) in [(0, 3u8, &interpreter[..]), (1, 4, &note[..])] {
            let (entry, offset) = (64 + n * 56, bytes.len());
            bytes[entry] = kind;
            bytes[entry + 8] = offset as u8;
            bytes[entry + 32] = content.len() as u8;
            bytes.extend_from_slice(content);
        }
        bytes
    }

    #[test]
    fn headers_are_read() {
        let elf = read(&mut Cursor::new(executable())).unwrap().unwrap();
        assert_eq!(elf.architecture, "arm64");
        assert_eq!(elf.interpreter.as_deref(), Some("/lib/ld-linux-aarch64.so.1"));
        assert_eq!(elf.build_id.as_deref(), Some("deadbeef"));
    }

    #[test]
    fn what_is_no_executable_or_cut_off_is_none() {
        let whole = executable();
        for length in [0, 3, 63, 100, whole.len() - 1] {
            assert_eq!(read(&mut Cursor::new(&whole[..length])).unwrap(), None, "{length}");
        }
        assert_eq!(read(&mut Cursor::new([b'#'; 200])).unwrap(), None);
        let mut library_of_bsd = whole;
        library_of_bsd[7] = 9;
        assert_eq!(read(&mut Cursor::new(library_of_bsd)).unwrap(), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_running_test_is_for_this_machine() {
        let mut file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(read(&mut file).unwrap().unwrap().architecture, architecture_here());
    }
}
