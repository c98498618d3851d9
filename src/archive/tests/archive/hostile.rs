//! Archives that somebody made to do harm: valid checksums, and everything else.

use std::io::Read as _;

use archive::{Contradiction, Damage, Error, NameFault, Unsealing};
use serde_json::json;

use crate::forge::{self, Piece, entry, header, honest};
use crate::support::{PART, open, verify};

/// A member `a` of five bytes that has this entry instead of its own.
fn with(entry: Vec<u8>) -> Vec<u8> {
    forge::assemble(&[Piece { entries: vec![entry], ..honest("a", b"right") }], |_| {})
}

#[track_caller]
fn damage(bytes: &[u8]) -> Damage {
    // not a byte of it comes out
    let mut out = Vec::new();
    open(bytes, &Unsealing::none()).unwrap().member("a").unwrap().read_to_end(&mut out).unwrap_err();
    assert_eq!(out, b"");
    match verify(bytes, &Unsealing::none()).unwrap_err() {
        Error::Damaged { place, damage, .. } => {
            assert!(place.starts_with("member `a`"), "{place}");
            damage
        }
        other => panic!("{other}"),
    }
}

#[track_caller]
fn contradiction(bytes: &[u8]) -> Contradiction {
    match open(bytes, &Unsealing::none()).unwrap_err() {
        Error::Contradiction { fault, .. } => fault,
        other => panic!("{other}"),
    }
}

#[test]
fn the_honest_one_is_accepted() {
    verify(&with(entry(&header("a", 5), b"right")), &Unsealing::none()).unwrap();
}

#[test]
fn entries_of_every_other_kind() {
    let kinds = [
        (tar::EntryType::Symlink, "a symbolic link, `a`"),
        (tar::EntryType::Link, "a hard link, `a`"),
        (tar::EntryType::Char, "a device, `a`"),
        (tar::EntryType::Block, "a device, `a`"),
        (tar::EntryType::Fifo, "a pipe, `a`"),
        (tar::EntryType::Directory, "a folder, `a`"),
        (tar::EntryType::Continuous, "a file, `a`"),
        (tar::EntryType::GNULongName, "an extension, `a`"),
        (tar::EntryType::GNULongLink, "an extension, `a`"),
        (tar::EntryType::GNUSparse, "an extension, `a`"),
        (tar::EntryType::XHeader, "an extension, `a`"),
        (tar::EntryType::XGlobalHeader, "an extension, `a`"),
    ];
    for (kind, found) in kinds {
        let mut header = header("a", 5);
        header.set_entry_type(kind);
        header.set_cksum();
        assert_eq!(damage(&with(entry(&header, b"right"))), Damage::Entry { found: found.into() });
    }
}

#[test]
fn names_that_lead_somewhere_else() {
    for name in ["../a", "/etc/passwd", "a/../../b", "A", "./a", ""] {
        let found = format!("a file, `{name}`");
        assert_eq!(damage(&with(entry(&header(name, 5), b"right"))), Damage::Entry { found });
        // and in the manifest as well
        let mut piece = honest("a", b"right");
        piece.name = name.into();
        piece.entries = vec![entry(&header(name, 5), b"right")];
        if name != "A" {
            let refused = contradiction(&forge::assemble(&[piece], |_| {}));
            assert!(matches!(refused, Contradiction::Name { .. }), "{refused}");
        }
    }
}

#[test]
fn headers_that_differ_in_anything() {
    type Change = fn(&mut tar::Header);
    let changes: [(&str, Change); 9] = [
        ("setuid", |it| it.set_mode(0o4755)),
        ("mode", |it| it.set_mode(0o644)),
        ("owner", |it| it.set_uid(1)),
        ("group", |it| it.set_gid(1)),
        ("time", |it| it.set_mtime(1)),
        ("link", |it| it.set_link_name("/etc/passwd").unwrap()),
        ("size", |it| it.set_size(4)),
        ("prefix", |it| it.as_ustar_mut().unwrap().prefix[0] = b'/'),
        ("user", |it| it.as_ustar_mut().unwrap().uname[0] = b'r'),
    ];
    for (what, change) in changes {
        let mut header = header("a", 5);
        change(&mut header);
        header.set_cksum();
        assert!(matches!(damage(&with(entry(&header, b"right"))), Damage::Entry { .. }), "{what}");
    }
    let mut unchecked = header("a", 5);
    unchecked.as_old_mut().cksum = *b"0000000\0";
    assert!(matches!(damage(&with(entry(&unchecked, b"right"))), Damage::Entry { .. }));
    // a number in another spelling
    let mut binary = header("a", 5);
    binary.as_old_mut().size = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5];
    binary.set_cksum();
    assert!(matches!(damage(&with(entry(&binary, b"right"))), Damage::Entry { .. }));
}

/// Readers of tar that believe one size and skip by the other find an entry that is not there for the rest of the world.
#[test]
fn a_size_that_an_extension_says_otherwise() {
    let mut extension = header("a", 18);
    extension.set_entry_type(tar::EntryType::XHeader);
    extension.set_cksum();
    let hidden = entry(&header("hidden", 5), b"wrong");
    let mut both = entry(&extension, b"18 size=0000001536");
    both.extend(entry(&header("a", 0), &hidden));
    assert_eq!(damage(&with(both)), Damage::Compression);
}

#[test]
fn two_entries_in_one_part() {
    let mut both = entry(&header("a", 5), b"right");
    both.extend(entry(&header("b", 5), b"wrong"));
    assert_eq!(damage(&with(both)), Damage::Compression);
}

#[test]
fn frames_in_other_ways() {
    let piece = honest("a", b"right");
    let frame = forge::compress(&piece.entries[0]);
    let stored = |frame: &[u8]| forge::assemble_stored(&[(piece.clone(), forge::framed(frame))], |_| {});
    verify(&stored(&frame), &Unsealing::none()).unwrap();
    let skipped = [&frame[..], b"\x50\x2a\x4d\x18\x01\0\0\0x"].concat();
    assert_eq!(damage(&stored(&skipped)), Damage::Compression);
    let skipped = [b"\x50\x2a\x4d\x18\x01\0\0\0x", &frame[..]].concat();
    assert_eq!(damage(&stored(&skipped)), Damage::Compression);
    let halves = [forge::compress(&piece.entries[0][..512]), forge::compress(&piece.entries[0][512..])].concat();
    assert_eq!(damage(&stored(&halves)), Damage::Compression);
    assert_eq!(damage(&stored(&frame[..frame.len() - 1])), Damage::Compression);
    assert_eq!(contradiction(&stored(b"")), Contradiction::Stored { member: "a".into() });
    assert_eq!(damage(&stored(&piece.entries[0][..200])), Damage::Compression);
}

#[test]
fn a_length_of_four_gigabytes() {
    let piece = honest("a", b"right");
    let mut stored = forge::framed(&forge::compress(&piece.entries[0]));
    stored[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(damage(&forge::assemble_stored(&[(piece, stored)], |_| {})), Damage::Length);
}

#[test]
fn bombs() {
    let bomb = vec![0; 256 << 20];
    assert_eq!(damage(&with(entry(&header("a", bomb.len() as u64), &bomb))), Damage::Length);
    // short enough for a whole part
    let piece = honest("a", &vec![0; PART]);
    let bytes = forge::assemble(&[Piece { entries: vec![bomb.clone()], ..piece }], |_| {});
    assert_eq!(damage(&bytes), Damage::Compression);
    // as the manifest, of two lengths
    for (manifest, expected) in [(&b"{}"[..], Damage::Length), (&bomb[..4 << 20], Damage::Compression)] {
        let bytes = forge::close_with(forge::start(), &forge::compress(&bomb), manifest);
        match open(&bytes, &Unsealing::none()).unwrap_err() {
            Error::Damaged { place, damage, .. } => assert_eq!((place.as_str(), damage), ("the manifest", expected)),
            other => panic!("{other}"),
        }
    }
    assert_eq!(contradiction(&forge::close(forge::start(), &bomb[..5 << 20])), Contradiction::TooLong);
}

#[test]
fn manifests_that_are_none() {
    let deep = "[".repeat(1 << 20);
    for text in ["", "{}", "[]", "null", "{\"schema_version\":1}", "{\"schema_version\":\"1.0\"}", "\u{0}", &deep] {
        let error = open(&forge::close(forge::start(), text.as_bytes()), &Unsealing::none()).unwrap_err();
        assert!(matches!(error, Error::Manifest { .. }), "{error}");
    }
}

#[test]
fn manifests_with_too_much_in_them() {
    let many: Vec<_> = (0..10_001).map(|i| json!({ "name": format!("s{i}"), "reason": "" })).collect();
    let bytes = forge::assemble(&[], |it| it["skipped"] = json!(many));
    assert_eq!(contradiction(&bytes), Contradiction::TooMany { what: "skipped stores" });
}

#[test]
fn members_that_cannot_be() {
    let a = || "a".to_owned();
    let changed = |field: &str, value: serde_json::Value| {
        contradiction(&forge::assemble(&[honest("a", b"right")], |it| it["members"][0][field] = value))
    };
    assert_eq!(changed("parts", json!(2)), Contradiction::Parts { member: a() });
    assert_eq!(changed("parts", json!(0)), Contradiction::Parts { member: a() });
    assert_eq!(changed("size", json!(PART + 1)), Contradiction::Parts { member: a() });
    assert_eq!(changed("size", json!(u64::MAX)), Contradiction::Parts { member: a() });
    assert_eq!(changed("at", json!(0)), Contradiction::Place { member: a() });
    assert_eq!(changed("at", json!(u64::MAX)), Contradiction::Place { member: a() });
    assert_eq!(changed("stored", json!(16)), Contradiction::Stored { member: a() });
    assert_eq!(changed("stored", json!(u64::MAX)), Contradiction::Stored { member: a() });
    assert_eq!(changed("stored", json!(100)), Contradiction::Place { member: String::new() });
    assert_eq!(changed("sha256", json!("ab")), Contradiction::Digest { member: a() });
    assert_eq!(changed("sha256", json!("AB".repeat(32))), Contradiction::Digest { member: a() });
    let missing = Contradiction::StoreMember { store: "postgres".into(), member: a() };
    assert_eq!(changed("name", json!("b")), missing);
    let twice = forge::assemble(&[honest("a", b"right"), honest("a", b"right")], |_| {});
    assert_eq!(contradiction(&twice), Contradiction::Name { member: a(), fault: NameFault::Taken });
    for names in [["a", "a/b"], ["a/b", "a"], ["a/b/c", "a/b"]] {
        let pieces = names.map(|name| honest(name, b"x"));
        let refused = contradiction(&forge::assemble(&pieces, |_| {}));
        assert_eq!(refused, Contradiction::Name { member: names[1].into(), fault: NameFault::Taken });
    }
}

#[test]
fn sizes_whose_sum_is_too_large() {
    // as large as one can be, each with as many parts as that takes
    let size = 99_999_999 * PART as u64;
    let bytes = forge::assemble(&[honest("a", b"right")], |it| {
        it["members"][0]["size"] = json!(size);
        it["members"][0]["parts"] = json!(99_999_999);
    });
    assert_eq!(contradiction(&bytes), Contradiction::Stored { member: "a".into() });
    let bytes = forge::assemble(&[honest("a", b"right")], |it| {
        it["members"][0]["size"] = json!(size + 1);
        it["members"][0]["parts"] = json!(100_000_000);
    });
    assert_eq!(contradiction(&bytes), Contradiction::Parts { member: "a".into() });
}

#[test]
fn stores_that_cannot_be() {
    let changed =
        |change: fn(&mut serde_json::Value)| contradiction(&forge::assemble(&[honest("a", b"right")], change));
    let store = || "postgres".to_owned();
    assert_eq!(changed(|it| it["stores"][0]["size"] = json!(6)), Contradiction::StoreSize { store: store() });
    let member = |member: &str| Contradiction::StoreMember { store: store(), member: member.into() };
    assert_eq!(changed(|it| it["stores"][0]["members"] = json!(["a", "b"])), member("b"));
    assert_eq!(changed(|it| it["stores"][0]["members"] = json!(["a", "a"])), member("a"));
    let twice = changed(|it| {
        let store = it["stores"][0].clone();
        it["stores"].as_array_mut().unwrap().push(store);
    });
    assert_eq!(twice, Contradiction::StoreTwice { store: store() });
}

#[test]
fn files_that_are_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |path: &std::path::Path| archive::Archive::open(path, &Unsealing::none()).unwrap_err();
    assert!(matches!(refused(folder.path()), Error::NotAnArchive { .. }));
    assert!(matches!(refused(&folder.path().join("none")), Error::Open { .. }));
    assert!(matches!(refused(std::path::Path::new("/dev/zero")), Error::NotAnArchive { .. }));
    let zstd = forge::compress(b"some other file, compressed, and longer than what an archive needs at least, by far");
    for content in [&b""[..], b"x", &[0; 4_096], &zstd] {
        assert!(matches!(open(content, &Unsealing::none()).unwrap_err(), Error::NotAnArchive { .. }));
    }
}
