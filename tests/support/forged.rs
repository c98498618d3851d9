//! Backups that no banyan has written: a real one with something changed.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use archive::{Archive, Manifest, Sealing, Unsealing, Writer};

/// Copies a backup. `change` may change what the manifest says; `members` may change what is in a member.
pub fn forge(
    from: &Path,
    to: PathBuf,
    change: impl FnOnce(&mut Manifest),
    members: impl Fn(&str, Vec<u8>) -> Vec<u8>,
) -> PathBuf {
    let real = Archive::open(from, &Unsealing::none()).unwrap();
    let mut writer = Writer::create(&to, &Sealing::none()).unwrap();
    for member in &real.manifest().members {
        let mut content = Vec::new();
        real.member(&member.name).unwrap().read_to_end(&mut content).unwrap();
        let mut copy = writer.member(&member.name).unwrap();
        copy.write_all(&members(&member.name, content)).unwrap();
        copy.finish().unwrap();
    }
    let mut manifest = real.manifest().clone();
    manifest.members.clear();
    change(&mut manifest);
    writer.finish(manifest).unwrap();
    to
}

/// The same with another manifest.
pub fn with_manifest(from: &Path, to: PathBuf, change: impl FnOnce(&mut Manifest)) -> PathBuf {
    forge(from, to, change, |_, content| content)
}

/// The same with other content of the members whose names end so.
pub fn with_member(from: &Path, to: PathBuf, end: &str, content: &[u8]) -> PathBuf {
    forge(from, to, |_| {}, |name, old| if name.ends_with(end) { content.to_vec() } else { old })
}
