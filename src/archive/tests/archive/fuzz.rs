//! Whatever a file holds: it is refused or it is what was written, without a panic and without much memory.
//!
//! `PROPTEST_CASES=1000000` goes on for longer.

use archive::{Sealing, Unsealing};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::forge::{self, honest};
use crate::support::{Members, Random, bytes, members, open, peak, process, read_all, role};

fn written() -> Members {
    members(&[("postgres/a", &Random(3).bytes(900)), ("b", b"text text text text"), ("c", b"")])
}

/// What happens to the bytes of a file.
#[derive(Debug, Clone)]
enum Change {
    Set(usize, u8),
    Number(usize, u32),
    Cut(usize),
    Remove(usize, usize),
    Repeat(usize, usize),
    Insert(usize, Vec<u8>),
}

fn change() -> impl Strategy<Value = Change> {
    let at = || any::<usize>();
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (at(), prop_oneof![any::<u32>(), Just(0), Just(u32::MAX), Just(16)]).prop_map(|(at, n)| Change::Number(at, n)),
        at().prop_map(Change::Cut),
        (at(), 0..600usize).prop_map(|(at, length)| Change::Remove(at, length)),
        (at(), 0..600usize).prop_map(|(at, length)| Change::Repeat(at, length)),
        (at(), vec(any::<u8>(), 0..600)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: Change) {
    let range = |bytes: &[u8], at: usize, length: usize| {
        let at = at % (bytes.len() + 1);
        at..bytes.len().min(at + length)
    };
    match change {
        Change::Set(at, byte) => {
            let range = range(bytes, at, 1);
            bytes[range].fill(byte);
        }
        Change::Number(at, number) => {
            let range = range(bytes, at, 4);
            let length = range.len();
            bytes[range].copy_from_slice(&number.to_le_bytes()[..length]);
        }
        Change::Cut(at) => {
            let length = range(bytes, at, 0).start;
            bytes.truncate(length);
        }
        Change::Remove(at, length) => {
            let range = range(bytes, at, length);
            bytes.drain(range);
        }
        Change::Repeat(at, length) => {
            let range = range(bytes, at, length);
            let copy = bytes[range.clone()].to_vec();
            bytes.splice(range.start..range.start, copy);
        }
        Change::Insert(at, more) => {
            let at = range(bytes, at, 0).start;
            bytes.splice(at..at, more);
        }
    }
}

/// A value where another one belongs.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (0..2_000u64).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        vec(any::<u64>().prop_map(Value::from), 0..4).prop_map(Value::from),
        Just(json!({})),
    ]
}

/// Puts a value somewhere into a manifest.
fn put(manifest: &mut Value, mut choice: usize, value: Value) {
    let mut here = manifest;
    loop {
        let size = match here {
            Value::Object(it) if !it.is_empty() => it.len(),
            Value::Array(it) if !it.is_empty() => it.len(),
            _ => break,
        };
        let next = choice % size;
        choice /= size;
        here = match here {
            Value::Object(it) => it.values_mut().nth(next).unwrap(),
            Value::Array(it) => &mut it[next],
            _ => unreachable!(),
        };
    }
    *here = value;
}

/// Opens, and reads everything that can be read; true when nothing was refused.
fn read(bytes: &[u8], unsealing: &Unsealing) -> bool {
    let archive = match open(bytes, unsealing) {
        Ok(archive) => archive,
        Err(why) => {
            assert!(!why.to_string().is_empty());
            return false;
        }
    };
    archive.verify(&mut |_| {}).is_ok_and(|()| {
        assert!(read_all(&archive) == written());
        true
    })
}

#[test]
fn no_file_does_harm() {
    if role().is_none() {
        let output = process("fuzz::no_file_does_harm", "inner").output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && out.contains("no harm"), "{out}{err}");
        return;
    }
    let ours = bytes(&written(), &Sealing::none());
    let identity = age::x25519::Identity::generate();
    let sealed = bytes(&written(), &Sealing::recipients([identity.to_public().to_string()]).unwrap());
    let key = age::secrecy::ExposeSecret::expose_secret(&identity.to_string()).to_owned();
    let unsealing = Unsealing::identities(&key).unwrap();
    assert!(read(&ours, &unsealing) && read(&sealed, &unsealing));

    proptest!(|(bytes in vec(any::<u8>(), 0..2_000))| {
        prop_assert!(!read(&bytes, &unsealing));
        // after what makes it look like one
        prop_assert!(!read(&[forge::start(), bytes.clone()].concat(), &unsealing));
        prop_assert!(!read(&[b"age-encryption.org/v1\n".to_vec(), bytes].concat(), &unsealing));
    });
    proptest!(|(changes in vec(change(), 1..5), seal in any::<bool>())| {
        let original = if seal { &sealed } else { &ours };
        let mut bytes = original.clone();
        changes.into_iter().for_each(|change| apply(&mut bytes, change));
        prop_assert_eq!(read(&bytes, &unsealing), bytes == *original);
    });
    // with the checksums put right, so that it gets further
    let pieces: Vec<_> = written().iter().map(|(name, content)| honest(name, content)).collect();
    proptest!(|(changes in vec((any::<usize>(), value()), 1..4))| {
        let bytes = forge::assemble(&pieces, |manifest| {
            changes.into_iter().for_each(|(choice, value)| put(manifest, choice, value));
        });
        read_or_refuse(&bytes);
    });
    proptest!(|(changes in vec(change(), 1..4), which in 0..3usize)| {
        let mut pieces = pieces.clone();
        changes.into_iter().for_each(|change| apply(&mut pieces[which].entries[0], change));
        let same = pieces[which].entries == honest(&written()[which].0, &written()[which].1).entries;
        prop_assert_eq!(read(&forge::assemble(&pieces, |_| {}), &unsealing), same);
    });
    proptest!(|(changes in vec(change(), 1..4), which in 0..3usize)| {
        let mut stored: Vec<_> = pieces.iter().map(|it| (it.clone(), forge::compress(&it.entries[0]))).collect();
        changes.into_iter().for_each(|change| apply(&mut stored[which].1, change));
        let stored: Vec<_> = stored.into_iter().map(|(piece, frame)| (piece, forge::framed(&frame))).collect();
        read_or_refuse(&forge::assemble_stored(&stored, |_| {}));
    });
    proptest!(|(changes in vec(change(), 1..4))| {
        let mut manifest = serde_json::to_vec(&json!({ "schema_version": "1.0", "members": [], "stores": [] })).unwrap();
        changes.into_iter().for_each(|change| apply(&mut manifest, change));
        prop_assert!(!read(&forge::close(forge::start(), &manifest), &unsealing));
    });
    assert!(peak() < 64 * 1024, "{} KiB", peak());
    println!("no harm");
}

/// A manifest may say something else than it did, and still be true.
fn read_or_refuse(bytes: &[u8]) {
    if let Ok(archive) = open(bytes, &Unsealing::none()) {
        _ = archive.verify(&mut |_| {});
    }
}
