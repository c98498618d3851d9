//! A process that is killed, a disk that is full: no half archive ever has the final name.

use std::io::{BufRead as _, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use archive::{Archive, Error, Sealing, Unsealing, Writer, sweep};

use crate::support::{PART, Random, long, manifest, names, process, role};

/// Writes some MiB to `target`, and tells how far it is.
fn write_slowly(target: &Path) {
    let mut writer = Writer::create(target, &Sealing::none()).unwrap();
    let noise = Random(1).bytes(PART);
    println!("began");
    for i in 0..20 {
        let mut member = writer.member(&format!("m{i}")).unwrap();
        member.write_all(&noise).unwrap();
        member.finish().unwrap();
        println!("wrote {i}");
    }
    writer.finish(manifest([])).unwrap();
    println!("finished");
}

#[test]
fn a_killed_process_leaves_no_archive_and_is_swept_away() {
    if let Some(target) = role() {
        return write_slowly(Path::new(&target));
    }
    let mut random = Random(0xdead);
    for round in 0..if long() { 100 } else { 10 } {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.banyan");
        let test = "crash::a_killed_process_leaves_no_archive_and_is_swept_away";
        let mut child = process(test, &path).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        lines.find(|line| line.ends_with("began")).unwrap();
        // alive, it is left alone
        assert_eq!(sweep(folder.path()).unwrap(), Vec::<std::path::PathBuf>::new());
        for _ in 0..random.below(24) {
            lines.next();
        }
        std::thread::sleep(Duration::from_micros(random.next() % 3_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let left = names(folder.path());
        match &left[..] {
            [name] if name == "a.banyan" => {
                Archive::open(&path, &Unsealing::none()).unwrap().verify(&mut |_| {}).unwrap();
            }
            [name] if name.starts_with(".a.banyan.") && name.ends_with(".banyan-partial") => {
                Writer::create(&path, &Sealing::none()).unwrap().finish(manifest([])).unwrap();
                assert_eq!(names(folder.path()), ["a.banyan"], "round {round}");
            }
            other => panic!("round {round}: {other:?}"),
        }
    }
}

/// In a file system of 4 MiB.
fn fill(folder: &Path) {
    let noise = Random(1).bytes(PART);
    let written = |sealing: &Sealing, size: usize| {
        let mut writer = Writer::create(&folder.join("a.banyan"), sealing)?;
        for i in 0..size {
            let mut member = writer.member(&format!("m{i}"))?;
            match member.write_all(&noise) {
                Ok(()) => member.finish()?,
                // the error itself, in the clothes of `Write`
                Err(why) => return Err(*why.into_inner().unwrap().downcast::<Error>().unwrap()),
            };
        }
        writer.finish(manifest([]))
    };
    let recipient = age::x25519::Identity::generate().to_public().to_string();
    for sealing in [Sealing::none(), Sealing::recipients([recipient]).unwrap()] {
        // at the end, or long before it
        for size in [2, 3, 30] {
            let error = written(&sealing, size).unwrap_err();
            let full = |why: &std::io::Error| why.kind() == std::io::ErrorKind::StorageFull;
            assert!(matches!(&error, Error::Write { source, .. } if full(source)), "{size}: {error}");
            assert_eq!(names(folder), [""; 0]);
        }
        written(&sealing, 1).unwrap();
        assert_eq!(names(folder), ["a.banyan"]);
        std::fs::remove_file(folder.join("a.banyan")).unwrap();
    }
    println!("saw the disk full");
}

#[test]
fn a_full_disk_leaves_nothing() {
    if let Some(folder) = role() {
        return fill(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    // a file system of its own, which nobody else sees and which goes with the process
    let script = "mount -t tmpfs -o size=4m none \"$1\" && shift && exec \"$@\"";
    let inner = process("crash::a_full_disk_leaves_nothing", folder.path());
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(folder.path());
    command.arg(inner.get_program()).args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("saw the disk full"), "{out}{err}");
}
