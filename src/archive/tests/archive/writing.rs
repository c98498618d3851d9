//! What a writer refuses, and what it leaves behind: a complete file, or nothing.

use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;

use archive::{Archive, Contradiction, Error, NameFault, Sealing, Unsealing, Writer};

use crate::support::{PART, Random, folder, manifest, members, names, write};

#[test]
fn only_its_owner_can_read_it_from_the_first_byte_on() {
    let (folder, path) = folder();
    let mode = |name: &str| folder.path().join(name).metadata().unwrap().permissions().mode() & 0o7777;
    let writer = Writer::create(&path, &Sealing::none()).unwrap();
    let temporary = names(folder.path());
    assert!(temporary[0].starts_with(".a.banyan.") && temporary[0].ends_with(".banyan-partial"), "{temporary:?}");
    assert_eq!((temporary.len(), mode(&temporary[0])), (1, 0o600));
    writer.finish(manifest([])).unwrap();
    assert_eq!(names(folder.path()), ["a.banyan"]);
    assert_eq!(mode("a.banyan"), 0o600);
}

#[test]
fn what_exists_is_not_overwritten() {
    let (folder, path) = folder();
    std::fs::write(&path, "mine").unwrap();
    assert!(matches!(Writer::create(&path, &Sealing::none()), Err(Error::Exists { .. })));
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("nowhere", &path).unwrap();
    assert!(matches!(Writer::create(&path, &Sealing::none()), Err(Error::Exists { .. })));
    std::fs::remove_file(&path).unwrap();
    // or comes while it is being written
    let writer = Writer::create(&path, &Sealing::none()).unwrap();
    std::fs::write(&path, "mine").unwrap();
    let error = writer.finish(manifest([])).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    assert_eq!(names(folder.path()), ["a.banyan"]);
}

#[test]
fn a_folder_that_is_not_there() {
    let (folder, _) = folder();
    let error = Writer::create(&folder.path().join("none/a.banyan"), &Sealing::none()).unwrap_err();
    assert!(matches!(error, Error::Create { .. }), "{error}");
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing() {
    let (folder, path) = folder();
    let mut writer = Writer::create(&path, &Sealing::none()).unwrap();
    let mut member = writer.member("a").unwrap();
    member.write_all(&Random(1).bytes(9 * PART)).unwrap();
    drop(writer);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn a_member_that_is_not_finished_spoils_the_archive() {
    let (folder, path) = folder();
    let mut writer = Writer::create(&path, &Sealing::none()).unwrap();
    writer.member("a").unwrap().write_all(b"half").unwrap();
    let unfinished = |error: Error| matches!(error, Error::Unfinished { member, .. } if member == "a");
    assert!(unfinished(writer.member("b").unwrap_err()));
    assert!(unfinished(writer.finish(manifest([])).unwrap_err()));
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn names_that_no_member_can_have() {
    let (_folder, path) = folder();
    let mut writer = Writer::create(&path, &Sealing::none()).unwrap();
    writer.member("a/b").unwrap().finish().unwrap();
    let wrong = [
        ("../a", NameFault::Component),
        ("a b", NameFault::Characters),
        ("manifest.json", NameFault::Reserved),
        ("a/b", NameFault::Taken),
        ("a", NameFault::Taken),
        ("a/b/c", NameFault::Taken),
    ];
    for (name, expected) in wrong {
        match writer.member(name).unwrap_err() {
            Error::Name { fault, .. } => assert_eq!(fault, expected, "{name}"),
            other => panic!("{other}"),
        }
    }
    // none of them was begun
    writer.finish(manifest(["a/b"])).unwrap();
    Archive::open(&path, &Unsealing::none()).unwrap();
}

#[test]
fn a_manifest_that_does_not_fit_the_members() {
    let (folder, path) = folder();
    let writer = Writer::create(&path, &Sealing::none()).unwrap();
    match writer.finish(manifest(["a"])).unwrap_err() {
        Error::Description { fault: Contradiction::StoreMember { member, .. }, .. } => assert_eq!(member, "a"),
        other => panic!("{other}"),
    }
    let mut long = manifest([]);
    long.config_hash = "x".repeat(4 << 20);
    match Writer::create(&path, &Sealing::none()).unwrap().finish(long).unwrap_err() {
        Error::Description { fault, .. } => assert_eq!(fault, Contradiction::TooLong),
        other => panic!("{other}"),
    }
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn a_member_that_is_not_there() {
    let (_folder, path) = folder();
    write(&path, &members(&[("a", b"x")]), &Sealing::none());
    let error = Archive::open(&path, &Unsealing::none()).unwrap().member("b").unwrap_err();
    assert!(matches!(&error, Error::NoMember { member, .. } if member == "b"), "{error}");
}

/// Takes so many bytes.
struct Narrow(usize);

impl Write for Narrow {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = bytes.len().min(self.0);
        self.0 -= n;
        if n == 0 && !bytes.is_empty() { Err(std::io::ErrorKind::BrokenPipe.into()) } else { Ok(n) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_goes_away() {
    let writer = Writer::stream(Narrow(100), &std::env::temp_dir(), &Sealing::none()).unwrap();
    match writer.finish(manifest([])).unwrap_err() {
        Error::Deliver { source } => assert_eq!(source.kind(), std::io::ErrorKind::BrokenPipe),
        other => panic!("{other}"),
    }
}
