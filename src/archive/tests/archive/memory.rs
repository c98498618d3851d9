//! The memory that it takes does not grow with what goes through.

use std::io::{self, Write};
use std::path::Path;

use archive::{Archive, Sealing, Unsealing, Writer};

use crate::support::{PART, Random, json, long, manifest, peak, process, role};

/// Half noise, half JSON.
fn content() -> Vec<u8> {
    [Random(1).bytes(PART / 2), json(PART / 2)].concat()
}

/// Writes so many MiB and reads them back, twice at a time.
fn through(mebibytes: usize, sealed: bool) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.banyan");
    let identity = age::x25519::Identity::generate();
    let (sealing, unsealing) = if sealed {
        let key = age::secrecy::ExposeSecret::expose_secret(&identity.to_string()).to_owned();
        let recipient = identity.to_public().to_string();
        (Sealing::recipients([recipient]).unwrap(), Unsealing::identities(&key).unwrap())
    } else {
        (Sealing::none(), Unsealing::none())
    };
    let content = content();
    let mut writer = Writer::create(&path, &sealing).unwrap();
    let mut member = writer.member("m").unwrap();
    for _ in 0..mebibytes << 20 >> content.len().ilog2() {
        member.write_all(&content).unwrap();
    }
    member.finish().unwrap();
    writer.finish(manifest(["m"])).unwrap();
    let archive = Archive::open(&path, &unsealing).unwrap();
    assert_eq!(archive.manifest().size(), (mebibytes as u64) << 20);
    archive.verify(&mut |_| {}).unwrap();
    let mut readers = [archive.member("m").unwrap(), archive.member("m").unwrap()];
    for reader in &mut readers {
        io::copy(reader, &mut io::sink()).unwrap();
    }
    println!("peak {}", peak());
}

#[test]
fn a_large_archive_takes_no_more_than_a_small_one() {
    if let Some(role) = role() {
        let (mebibytes, sealed) = role.split_once(' ').unwrap();
        return through(mebibytes.parse().unwrap(), sealed == "sealed");
    }
    let peak = |mebibytes: u32, sealed: &str| -> u64 {
        let test = "memory::a_large_archive_takes_no_more_than_a_small_one";
        let output = process(test, Path::new(&format!("{mebibytes} {sealed}"))).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let told = text.lines().find_map(|line| line.split_once("peak "));
        told.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr))).1.parse().unwrap()
    };
    let large = if long() { 4_096 } else { 1_024 };
    for sealed in ["plain", "sealed"] {
        let (little, much) = (peak(64, sealed), peak(large, sealed));
        assert!(much < little + 8 * 1024, "{sealed}: {little} KiB for 64 MiB, {much} KiB for {large} MiB");
        // what the rest of the program needs comes on top
        assert!(much < 48 * 1024, "{sealed}: {much} KiB");
    }
}
