//! Damage: any bit, any cut, any other order is found out, and the message says where.

use archive::{Damage, Error, Sealing, Unsealing};

use crate::forge::{self, honest};
use crate::support::{Members, PART, Random, bytes, json, long, members, open, verify};

/// A small archive of some members.
fn small() -> Members {
    members(&[("postgres/globals.sql", b"create role a;"), ("redis/dump.rdb", &Random(3).bytes(700)), ("empty", b"")])
}

/// One with a member of several parts.
fn larger() -> Members {
    members(&[("first", &Random(5).bytes(40_000)), ("long", &json(2 * PART + 5_000)), ("last", &json(9_000))])
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

fn key() -> (Sealing, Unsealing) {
    // a key for tests
    let secret = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
    let recipient = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    (Sealing::recipients([recipient]).unwrap(), Unsealing::identities(secret).unwrap())
}

#[test]
fn every_bit_of_a_small_archive() {
    let ours = bytes(&small(), &Sealing::none());
    let step = if long() { 1 } else { 7 };
    for bit in (0..ours.len() * 8).step_by(step) {
        assert!(verify(&flipped(&ours, bit), &Unsealing::none()).is_err(), "bit {bit} of {}", ours.len() * 8);
    }
}

#[test]
fn a_thousand_bits_of_a_larger_one() {
    let ours = bytes(&larger(), &Sealing::none());
    let mut random = Random(0xb17);
    for _ in 0..if long() { 1_000 } else { 100 } {
        let bit = random.below(ours.len() * 8);
        assert!(verify(&flipped(&ours, bit), &Unsealing::none()).is_err(), "bit {bit} of {}", ours.len() * 8);
    }
}

#[test]
fn bits_of_a_sealed_one() {
    let (sealing, unsealing) = key();
    let ours = bytes(&larger(), &sealing);
    verify(&ours, &unsealing).unwrap();
    let mut random = Random(0xb18);
    let header = 0..300 * 8;
    let anywhere: Vec<usize> = (0..if long() { 1_000 } else { 60 }).map(|_| random.below(ours.len() * 8)).collect();
    for bit in header.step_by(if long() { 1 } else { 5 }).chain(anywhere) {
        assert!(verify(&flipped(&ours, bit), &unsealing).is_err(), "bit {bit} of {}", ours.len() * 8);
    }
}

#[test]
fn every_cut_of_a_small_archive() {
    let ours = bytes(&small(), &Sealing::none());
    for length in 0..ours.len() {
        let error = verify(&ours[..length], &Unsealing::none()).unwrap_err();
        match length {
            0..16 => assert!(matches!(error, Error::NotAnArchive { .. }), "{length}: {error}"),
            _ => assert!(matches!(error, Error::CutShort { .. }), "{length}: {error}"),
        }
    }
}

#[test]
fn cuts_of_a_sealed_one() {
    let (sealing, unsealing) = key();
    let ours = bytes(&larger(), &sealing);
    // the header, and pieces of 64 KiB with 16 bytes each
    let header = ours.windows(4).position(|it| it == b"\n---").unwrap() + 60;
    let edges = (0..).map(|i| header + i * (65_536 + 16)).take_while(|at| *at < ours.len());
    let cuts = edges.flat_map(|at| at - 1..=at + 1).chain(ours.len() - 100..ours.len()).chain(1..header);
    for length in cuts {
        assert!(verify(&ours[..length], &unsealing).is_err(), "{length} of {}", ours.len());
    }
    for more in [1, 16, 65_536] {
        let mut longer = ours.clone();
        longer.resize(ours.len() + more, 0);
        assert!(verify(&longer, &unsealing).is_err(), "{more} more");
    }
}

#[test]
fn something_before_behind_or_between() {
    let ours = bytes(&small(), &Sealing::none());
    let last = open(&ours, &Unsealing::none()).unwrap().manifest().members.last().unwrap().clone();
    let end = usize::try_from(last.at + last.stored).unwrap();
    let skippable = b"\x50\x2a\x4d\x18\x01\0\0\0x";
    for foreign in [&b"\0"[..], b"x", skippable, &forge::framed(&forge::compress(b"x")), &ours] {
        for at in [0, 16, usize::try_from(last.at).unwrap(), end, ours.len() - 64, ours.len()] {
            let with = [&ours[..at], foreign, &ours[at..]].concat();
            assert!(verify(&with, &Unsealing::none()).is_err(), "{} bytes at {at}", foreign.len());
        }
    }
}

/// Where something is wrong, and what.
#[track_caller]
fn place(bytes: &[u8]) -> (String, Damage) {
    match verify(bytes, &Unsealing::none()).unwrap_err() {
        Error::Damaged { place, damage, .. } => (place, damage),
        other => panic!("{other}"),
    }
}

#[test]
fn the_message_names_the_member_and_the_part() {
    let ours = bytes(&larger(), &Sealing::none());
    let manifest = open(&ours, &Unsealing::none()).unwrap().manifest().clone();
    let [first, long, last] = &manifest.members[..] else { panic!() };
    let byte = |at: u64| usize::try_from(at).unwrap() * 8;
    let (prefix, checksum) = (Damage::Mark, Damage::Checksum);
    assert_eq!(place(&flipped(&ours, byte(first.at))), ("member `first`".into(), prefix));
    assert_eq!(place(&flipped(&ours, byte(first.at + 100))), ("member `first`".into(), checksum.clone()));
    assert_eq!(place(&flipped(&ours, byte(long.at + 30))), ("member `long`, part 1".into(), checksum.clone()));
    assert_eq!(
        place(&flipped(&ours, byte(long.at + long.stored - 1))),
        ("member `long`, part 3".into(), checksum.clone())
    );
    assert_eq!(place(&flipped(&ours, byte(last.at + 20))), ("member `last`".into(), checksum.clone()));
    assert_eq!(place(&flipped(&ours, byte(last.at + last.stored + 20))), ("the manifest".into(), checksum));
    assert_eq!(place(&flipped(&ours, (ours.len() - 20) * 8)), ("the manifest".into(), Damage::Digest));
    assert_eq!(place(&flipped(&ours, (ours.len() - 64) * 8)), ("the footer".into(), Damage::Mark));
    assert_eq!(place(&flipped(&ours, 0)), ("the beginning".into(), Damage::Mark));
    let error = verify(&flipped(&ours, byte(last.at + 20)), &Unsealing::none()).unwrap_err();
    assert_eq!(error.to_string(), "member `last` of `-` is damaged: its checksum is wrong");
}

#[test]
fn every_bad_member_is_named() {
    let ours = bytes(&larger(), &Sealing::none());
    let archive = open(&ours, &Unsealing::none()).unwrap();
    let mut bad = ours.clone();
    for member in [0, 2] {
        bad[usize::try_from(archive.manifest().members[member].at).unwrap() + 50] ^= 1;
    }
    let errors = open(&bad, &Unsealing::none()).unwrap().verify(&mut |_| {}).unwrap_err();
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].starts_with("member `first`") && texts[1].starts_with("member `last`"), "{texts:?}");
}

#[test]
fn members_in_another_order() {
    let (a, b) = (honest("a", &Random(1).bytes(1_000)), honest("b", &Random(2).bytes(1_000)));
    // the manifest says a, b; in the file they are b, a, of the same length
    let (mut first, mut second) = (a.clone(), b.clone());
    first.entries.clone_from(&b.entries);
    second.entries.clone_from(&a.entries);
    let bytes = forge::assemble(&[first.clone(), second], |_| {});
    assert_eq!(place(&bytes), ("member `a`".into(), Damage::Entry { found: "a file, `b`".into() }));
    // twice the same
    let bytes = forge::assemble(&[first, b], |_| {});
    assert_eq!(place(&bytes), ("member `a`".into(), Damage::Entry { found: "a file, `b`".into() }));
}

#[test]
fn parts_in_another_order() {
    let mut piece = honest("a", &Random(1).bytes(2 * PART));
    piece.entries.swap(0, 1);
    let bytes = forge::assemble(&[piece], |_| {});
    assert_eq!(place(&bytes), ("member `a`, part 1".into(), Damage::Entry { found: "a file, `a.00000002`".into() }));
}

#[test]
fn parts_that_are_missing_or_too_many() {
    let whole = honest("a", &json(2 * PART));
    let mut short = whole.clone();
    short.entries.pop();
    assert_eq!(place(&forge::assemble(&[short], |_| {})).0, "member `a`, part 2");
    let mut long = whole.clone();
    long.entries.push(whole.entries[1].clone());
    assert_eq!(place(&forge::assemble(&[long], |_| {})), ("member `a`, part 3".into(), Damage::Length));
}

#[test]
fn content_that_only_the_digest_gives_away() {
    let mut piece = honest("a", b"right");
    piece.entries = honest("a", b"wrong").entries;
    assert_eq!(place(&forge::assemble(&[piece], |_| {})), ("member `a`".into(), Damage::Digest));
}

#[test]
fn something_in_the_padding() {
    let mut piece = honest("a", b"right");
    *piece.entries[0].last_mut().unwrap() = 1;
    assert_eq!(place(&forge::assemble(&[piece], |_| {})), ("member `a`".into(), Damage::Padding));
}
