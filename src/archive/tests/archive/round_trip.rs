//! What goes in comes out: every size, in every way.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use archive::{Archive, Sealing, Timestamp, Unsealing, Writer};

use crate::forge;
use crate::support::{PART, Random, bytes, folder, json, manifest, members, open, read_all, verify, write};

fn sizes() -> Vec<(String, Vec<u8>)> {
    let sizes = [0, 1, 511, 512, 513, PART - 1, PART, PART + 1, 3 * PART + 7];
    let content = |(i, size): (usize, &usize)| {
        let bytes = if i % 2 == 0 { Random(7).bytes(*size) } else { json(*size) };
        (format!("sizes/{size}"), bytes)
    };
    sizes.iter().enumerate().map(content).collect()
}

#[test]
fn members_of_every_size() {
    let (folder, path) = folder();
    let members = sizes();
    let summary = write(&path, &members, &Sealing::none());
    assert_eq!(crate::support::names(folder.path()), ["a.banyan"]);
    assert_eq!(summary.size, path.metadata().unwrap().len());
    let archive = Archive::open(&path, &Unsealing::none()).unwrap();
    assert_eq!(archive.manifest(), &summary.manifest);
    assert_eq!((archive.digest(), archive.size()), (summary.digest.as_str(), summary.size));
    assert!(!archive.is_sealed());
    archive.verify(&mut |_| {}).unwrap();
    assert!(read_all(&archive) == members);
    for (member, (_, content)) in archive.manifest().members.iter().zip(&members) {
        assert_eq!((member.size, &member.sha256), (content.len() as u64, &forge::hex(content)));
        assert_eq!(member.parts, content.len().div_ceil(PART).max(1) as u64);
    }
    let size: usize = members.iter().map(|(_, content)| content.len()).sum();
    assert_eq!(archive.manifest().size(), size as u64);
    assert_eq!(archive.manifest().stores[0].size, size as u64);
}

#[test]
fn another_program_that_follows_the_description_writes_the_same_bytes() {
    let members = sizes();
    let pieces: Vec<_> = members.iter().map(|(name, content)| forge::honest(name, content)).collect();
    let forged = forge::assemble(&pieces, |_| {});
    assert!(read_all(&verify(&forged, &Unsealing::none()).unwrap()) == members);
    // the manifest has its fields in another order there
    let ours = bytes(&members, &Sealing::none());
    let end = usize::try_from(
        open(&ours, &Unsealing::none()).unwrap().manifest().members.last().map(|it| it.at + it.stored).unwrap(),
    )
    .unwrap();
    assert!(ours[..end] == forged[..end]);
}

#[test]
fn an_archive_without_members() {
    let ours = bytes(&Vec::new(), &Sealing::none());
    assert_eq!(read_all(&verify(&ours, &Unsealing::none()).unwrap()), Vec::new());
}

#[test]
fn the_same_content_gives_the_same_file() {
    let members = members(&[("a", b"1"), ("b", &json(PART * 3))]);
    assert!(bytes(&members, &Sealing::none()) == bytes(&members, &Sealing::none()));
}

#[test]
fn they_go_from_thread_to_thread() {
    fn can<T: Send + 'static>(_: Option<T>) {}
    fn can_be_shared<T: Send + Sync + Clone + 'static>(_: Option<T>) {}
    can(None::<Writer>);
    can(None::<archive::MemberReader>);
    can(None::<archive::Error>);
    can_be_shared(None::<Archive>);
    async fn push(mut writer: Writer) {
        writer.member("a").unwrap().push(b"x").await.unwrap();
    }
    let (_folder, path) = folder();
    let pushing = push(Writer::create(&path, &Sealing::none()).unwrap());
    tokio::runtime::Runtime::new().unwrap().block_on(async { tokio::spawn(pushing).await.unwrap() });
}

#[test]
fn asynchronous_code_writes_and_reads_the_same() {
    let (_folder, path) = folder();
    let content = json(5 * PART + 12_345);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut writer = Writer::create(&path, &Sealing::none()).unwrap();
    runtime.block_on(async {
        let mut member = writer.member("m").unwrap();
        for (i, chunk) in content.chunks(70_001).enumerate() {
            member.push(chunk).await.unwrap();
            if i == 0 {
                // both ways may be mixed
                member.push(&[]).await.unwrap();
            }
        }
        assert_eq!(member.size(), content.len() as u64);
        let written = member.finish().unwrap();
        assert_eq!((written.size, written.sha256), (content.len() as u64, forge::hex(&content)));
    });
    writer.finish(manifest(["m"])).unwrap();
    let archive = Archive::open(&path, &Unsealing::none()).unwrap();
    let read = runtime.block_on(async {
        let (mut member, mut read) = (archive.member("m").unwrap(), Vec::new());
        while let Some(chunk) = member.chunk().await.unwrap() {
            read.extend_from_slice(&chunk);
        }
        assert_eq!(member.chunk().await.unwrap(), None);
        read
    });
    assert!(read == content);
}

#[test]
fn both_ways_of_writing_and_both_of_reading_can_be_mixed() {
    let (_folder, path) = folder();
    let content = json(2 * PART + 100);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut writer = Writer::create(&path, &Sealing::none()).unwrap();
    let mut member = writer.member("m").unwrap();
    let (first, second) = content.split_at(PART + 10);
    runtime.block_on(member.push(first)).unwrap();
    member.write_all(second).unwrap();
    member.finish().unwrap();
    writer.finish(manifest(["m"])).unwrap();
    let mut member = Archive::open(&path, &Unsealing::none()).unwrap().member("m").unwrap();
    let mut read = vec![0; 10];
    member.read_exact(&mut read).unwrap();
    while let Some(chunk) = runtime.block_on(member.chunk()).unwrap() {
        read.extend_from_slice(&chunk);
    }
    assert!(read == content);
}

#[test]
fn members_are_read_at_the_same_time_and_left_in_the_middle() {
    let content = json(9 * PART);
    let archive =
        open(&bytes(&members(&[("a", &content), ("b", b"x")]), &Sealing::none()), &Unsealing::none()).unwrap();
    let mut readers: Vec<_> = (0..3).map(|_| archive.clone().member("a").unwrap()).collect();
    let mut halves = vec![vec![0; content.len() / 2]; 3];
    for (reader, half) in readers.iter_mut().zip(&mut halves) {
        reader.read_exact(half).unwrap();
    }
    assert!(halves.iter().all(|half| *half == content[..content.len() / 2]));
    drop(readers);
    assert_eq!(read_all(&archive)[1].1, b"x");
}

#[test]
fn progress_counts_the_bytes_up_to_the_size() {
    let content = json(3 * PART);
    let archive =
        open(&bytes(&members(&[("a", &content), ("b", b"x")]), &Sealing::none()), &Unsealing::none()).unwrap();
    let mut told = Vec::new();
    archive.verify(&mut |done| told.push(done)).unwrap();
    assert!(told.is_sorted(), "{told:?}");
    assert!(told.len() >= 4, "{told:?}");
    assert_eq!(told.last(), Some(&archive.manifest().size()));
}

/// Standard output, seen from the test.
#[derive(Clone, Default)]
struct Out(Arc<Mutex<Vec<u8>>>);

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stream_gets_the_whole_archive_at_the_end_and_nothing_before() {
    let spool = tempfile::tempdir().unwrap();
    let content = members(&[("a", &json(3 * PART))]);
    let out = Out::default();
    let mut writer = Writer::stream(out.clone(), spool.path(), &Sealing::none()).unwrap();
    let mut member = writer.member("a").unwrap();
    member.write_all(&content[0].1).unwrap();
    member.finish().unwrap();
    assert_eq!(out.0.lock().unwrap().len(), 0);
    assert_eq!(crate::support::names(spool.path()), [""; 0]);
    writer.finish(manifest(["a"])).unwrap();
    assert!(*out.0.lock().unwrap() == bytes(&content, &Sealing::none()));
}

#[test]
fn a_stream_that_is_given_up_gets_nothing() {
    let out = Out::default();
    let mut writer = Writer::stream(out.clone(), &std::env::temp_dir(), &Sealing::none()).unwrap();
    let mut member = writer.member("a").unwrap();
    member.write_all(&json(3 * PART)).unwrap();
    member.finish().unwrap();
    drop(writer);
    assert_eq!(out.0.lock().unwrap().len(), 0);
}

#[test]
fn the_manifest_as_people_see_it() {
    let mut manifest = manifest(["a"]);
    manifest.members.clear();
    let text = serde_json::to_string(&manifest).unwrap();
    assert_eq!(
        text,
        concat!(
            r#"{"schema_version":"1.0","tool":{"name":"banyan","version":"0.1.0"},"created":"2030-01-02T03:04:05.678Z","#,
            r#""instance":"default","project":"flow-platform","config_hash":"c0ffee","consistency":"paused","#,
            r#""stores":[{"name":"postgres","kind":"postgres","method":"logical","server_version":"16.4","#,
            r#""image":{"reference":"postgres:16-alpine","digest":"sha256:00"},"members":["a"],"size":0,"#,
            r#""counts":{"events":3},"digests":{"events":"ab"},"facts":{"node":"rabbit@rabbitmq"}}],"skipped":[],"members":[]}"#,
        )
    );
    assert_eq!(manifest.created, "2030-01-02T03:04:05.678Z".parse::<Timestamp>().unwrap());
}
