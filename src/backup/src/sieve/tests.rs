//! Archives by hand, and by chance, compared to what GNU tar makes of them.

use tar::EntryType as E;

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
        (vec![("l", E::Symlink, "../..", 0o777, b"")], "leads out"),
        (vec![("l", E::Symlink, "a/../../b", 0o777, b"")], "leads out"),
        (vec![("l", E::Symlink, "", 0o777, b"")], "to nothing"),
        (vec![("a", E::Symlink, "b", 0o777, b""), ("h", E::Link, "a", 0o644, b"")], "second name"),
        (vec![("f", E::Continuous, "", 0o644, b"x")], "of kind '7'"),
        (vec![("f/", E::Regular, "", 0o644, b"x")], "called as no file"),
        (vec![("./", E::Regular, "", 0o644, b"x")], "called as no file"),
        (vec![("d", E::Directory, "", 0o755, b"x")], "has content"),
        (vec![("h", E::Link, "d", 0o755, b"x")], "has content"),
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

/// An extension of an entry: its kind and content.
type Extension = (E, Vec<u8>);

fn pax(records: &[(&str, &[u8])]) -> Extension {
    let mut content = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        content.extend_from_slice(format!("{length} {key}=").as_bytes());
        content.extend_from_slice(value);
        content.push(b'\n');
    }
    (E::XHeader, content)
}

fn long_name(name: &str) -> Extension {
    (E::GNULongName, [name.as_bytes(), b"\0"].concat())
}

/// A file with extensions.
fn extended(extensions: &[Extension], edit: impl Fn(&mut tar::Header)) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut append = |kind: E, content: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_path("name").unwrap();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        if kind == E::Regular {
            edit(&mut header);
        }
        header.set_cksum();
        builder.append(&header, content).unwrap();
    };
    extensions.iter().for_each(|(kind, content)| append(*kind, content));
    append(E::Regular, b"abc");
    builder.into_inner().unwrap()
}

#[test]
fn what_readers_would_not_agree_about_does_not_go_through() {
    let none = |_: &mut tar::Header| {};
    let path = |name: &str| pax(&[("path", name.as_bytes())]);
    assert_eq!(judged(&extended(&[path("a/b")], none)), Ok(()));
    assert_eq!(judged(&extended(&[long_name("a/b")], none)), Ok(()));
    let odd = pax(&[("SCHILY.xattr.user.mark", b"\xff\0"), ("mtime", b"1.5")]);
    assert_eq!(judged(&extended(&[odd], none)), Ok(()), "what is no text is no reason");
    for (extensions, word) in [
        (vec![long_name("a"), path("b")], "contradict"),
        (vec![path("b"), long_name("a")], "contradict"),
        (vec![path("a"), path("b")], "contradict"),
        (vec![long_name("a"), long_name("b")], "contradict"),
        (vec![pax(&[("path", b"a"), ("path", b"b")])], "twice"),
        (vec![pax(&[("path", b"")])], "no name"),
        (vec![pax(&[("path", b"a\0b")])], "no name"),
        (vec![path("../b")], "leads out"),
        // one reader goes on after three bytes, the other one after none, and finds an entry that was hidden
        (vec![pax(&[("size", b"0")])], "of 3 bytes, or of 0"),
        (vec![pax(&[("size", b"+3")])], "no number"),
        (vec![pax(&[("SCHILY.xattr.security.capability", b"\x01")])], "rights of its own"),
        (vec![pax(&[("GNU.sparse.major", b"1")])], "sparse"),
        (vec![(E::XHeader, b"99 path=a\n".to_vec())], "cannot be read"),
    ] {
        let why = judged(&extended(&extensions, none)).unwrap_err();
        assert!(why.contains(word), "{why} / {word}");
    }
    for (place, bytes, word) in [
        (508, &b"tar\0"[..], "`star`"),
        (124, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfd", "negative"),
        (257, b"ustar  \0", ""),
    ] {
        let changed = extended(&[], |header| {
            header.as_mut_bytes()[345..349].copy_from_slice(b"more");
            header.as_mut_bytes()[place..place + bytes.len()].copy_from_slice(bytes);
        });
        let why = judged(&changed).unwrap_err();
        assert!(why.contains(if word.is_empty() { "not known" } else { word }), "{why} / {word}");
    }
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.roll(all.len())]
    }
}

/// Entries of any kind, some of them with fields that no tool writes.
fn by_chance(dice: &mut Dice) -> Vec<u8> {
    let names = ["a", "b", "a/b", "./a", "b/", "a/b/c", "..", "../x", "/x", "a/../b", ".", "x\u{e4}"];
    let kinds = [E::Regular, E::Regular, E::Regular, E::Directory, E::Symlink, E::Link, E::Fifo, E::Continuous];
    let mut builder = tar::Builder::new(Vec::new());
    for _ in 0..=dice.roll(4) {
        for _ in 0..dice.of(&[0, 0, 0, 1, 1, 2]) {
            let name = dice.of(&names);
            let (kind, content) = match dice.roll(4) {
                0 => long_name(name),
                1 => pax(&[("size", dice.of(&["0", "3", "512"]).as_bytes())]),
                2 => pax(&[("linkpath", name.as_bytes())]),
                _ => pax(&[("path", name.as_bytes())]),
            };
            let mut header = tar::Header::new_ustar();
            header.set_path("extension").unwrap();
            header.set_entry_type(kind);
            header.set_size(content.len() as u64);
            header.set_cksum();
            builder.append(&header, &content[..]).unwrap();
        }
        let mut header = if dice.roll(2) == 0 { tar::Header::new_gnu() } else { tar::Header::new_ustar() };
        let (name, link) = (dice.of(&names), dice.of(&names));
        let bytes = header.as_mut_bytes();
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        bytes[157..157 + link.len()].copy_from_slice(link.as_bytes());
        match dice.roll(8) {
            0 => bytes[345..347].copy_from_slice(b"p/"),
            1 => bytes[508..512].copy_from_slice(b"tar\0"),
            2 => bytes[257..265].copy_from_slice(b"\0\0\0\0\0\0\0\0"),
            _ => {}
        }
        let kind = dice.of(&kinds);
        header.set_entry_type(kind);
        header.set_mode(dice.of(&[0o644, 0o600, 0o755, 0o4755]));
        let content =
            &[b'c'; 600][..if kind == E::Regular || dice.roll(4) == 0 { dice.of(&[0, 3, 512, 600]) } else { 0 }];
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Kind, path and size of every entry, as GNU tar lists them.
fn listed(archive: &[u8]) -> Vec<(char, String, u64)> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, archive).unwrap();
    let args = ["--list", "--verbose", "--numeric-owner", "--full-time", "--quoting-style=literal", "--file"];
    let ran = std::process::Command::new("tar").args(args).arg(file.path()).env("LC_ALL", "C.UTF-8").output().unwrap();
    let told = String::from_utf8(ran.stderr).unwrap();
    assert!(ran.status.success(), "{told}");
    let text = String::from_utf8(ran.stdout).unwrap();
    let entry = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (line.chars().next().unwrap(), inside(words[5]).unwrap(), words[2].parse().unwrap())
    };
    text.lines().map(entry).collect()
}

#[test]
fn gnu_tar_sees_the_same_in_whatever_goes_through() {
    let mut dice = Dice(7);
    let (mut through, mut refused) = (0, 0);
    while through < 150 {
        let archive = by_chance(&mut dice);
        let mut sieve = Sieve::default();
        if sieve.push(&archive).and_then(|()| sieve.end()).is_err() {
            refused += 1;
            continue;
        }
        through += 1;
        let kind = |k: u8| match k {
            b'5' => 'd',
            b'2' => 'l',
            b'1' => 'h',
            _ => '-',
        };
        let seen: Vec<(char, String, u64)> = sieve.seen.iter().map(|(k, p, s)| (kind(*k), p.clone(), *s)).collect();
        assert_eq!(seen, listed(&archive), "round {}", through + refused);
    }
    assert!(refused > 150, "{refused}");
}
