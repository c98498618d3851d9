//! What the tests have in common: content, manifests, and this program as a process of its own.

use std::env;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use archive::{
    Archive, Consistency, Error, Image, Kind, Manifest, Method, Sealing, Store, Summary, Tool, Unsealing, Writer,
};

/// The bytes of one part.
pub const PART: usize = 2 << 20;

/// True in `tests/run --long`.
pub fn long() -> bool {
    env::var_os("BANYAN_TEST_LONG").is_some()
}

/// Pseudo-random numbers (xorshift), the same in every run.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// Bytes that do not compress.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..length.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).collect();
        bytes.truncate(length);
        bytes
    }
}

/// Lines of JSON: they compress.
pub fn json(length: usize) -> Vec<u8> {
    let mut lines =
        (0u64..).flat_map(|i| format!("{{\"id\":{i},\"type\":\"order-placed\",\"amount\":{}}}\n", i % 97).into_bytes());
    lines.by_ref().take(length).collect()
}

/// A manifest with one store that has all of these members.
pub fn manifest<'a>(members: impl IntoIterator<Item = &'a str>) -> Manifest {
    let tool = Tool { name: "banyan".into(), version: "0.1.0".into() };
    let created = "2030-01-02T03:04:05.678Z".parse().unwrap();
    let mut manifest = Manifest::new(tool, created, "default", "flow-platform", "c0ffee", Consistency::Paused);
    manifest.stores.push(Store {
        name: "postgres".into(),
        kind: Kind::Postgres,
        method: Method::Logical,
        server_version: "16.4".into(),
        image: Image { reference: "postgres:16-alpine".into(), digest: Some("sha256:00".into()) },
        members: members.into_iter().map(str::to_owned).collect(),
        size: 0,
        counts: [("events".to_owned(), 3)].into(),
        digests: [("events".to_owned(), "ab".to_owned())].into(),
        facts: [("node".to_owned(), "rabbit@rabbitmq".to_owned())].into(),
    });
    manifest
}

/// Members with their content.
pub type Members = Vec<(String, Vec<u8>)>;

pub fn members(content: &[(&str, &[u8])]) -> Members {
    content.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect()
}

/// Writes an archive of these members.
pub fn write(path: &Path, members: &Members, sealing: &Sealing) -> Summary {
    let mut writer = Writer::create(path, sealing).unwrap();
    for (name, bytes) in members {
        let mut member = writer.member(name).unwrap();
        member.write_all(bytes).unwrap();
        member.finish().unwrap();
    }
    writer.finish(manifest(members.iter().map(|(name, _)| name.as_str()))).unwrap()
}

/// The bytes of an archive of these members.
pub fn bytes(members: &Members, sealing: &Sealing) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.banyan");
    write(&path, members, sealing);
    std::fs::read(path).unwrap()
}

pub fn open(bytes: &[u8], unsealing: &Unsealing) -> Result<Archive, Error> {
    Archive::from_stream(&mut &bytes[..], &env::temp_dir(), unsealing)
}

/// Opens and verifies; the first thing that is wrong.
pub fn verify(bytes: &[u8], unsealing: &Unsealing) -> Result<Archive, Error> {
    let archive = open(bytes, unsealing)?;
    archive.verify(&mut |_| {}).map_err(|mut why| why.remove(0))?;
    Ok(archive)
}

pub fn read_all(archive: &Archive) -> Members {
    let read = |name: &str| {
        let mut bytes = Vec::new();
        archive.member(name).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    archive.manifest().members.iter().map(|it| (it.name.clone(), read(&it.name))).collect()
}

/// The names of the files in a folder, hidden ones too.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const ROLE: &str = "BANYAN_TEST_ARCHIVE_ROLE";

/// What this process was started for by [`process`], in the test of that name.
pub fn role() -> Option<String> {
    env::var(ROLE).ok()
}

/// This program again, running only the test `name`, which finds `role` in [`role`].
pub fn process(name: &str, role: impl AsRef<Path>) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]).env(ROLE, role.as_ref());
    command
}

/// The most memory that this process has had at a time, in KiB.
pub fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

pub fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.banyan");
    (folder, path)
}
