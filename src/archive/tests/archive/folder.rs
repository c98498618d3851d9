//! A folder of archives: listing, retention, what is left over.

use std::fs::File;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use archive::{Error, FileName, Kept, Sealing, Timestamp, Unsealing, Writer, list, surplus, sweep};

use crate::support::{manifest, members, names, write};

fn time(second: i64) -> Timestamp {
    Timestamp::from_millis(1_893_456_000_000 + second * 1_000)
}

#[test]
fn what_is_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let name = |second| FileName::new("flow-platform", "default", time(second)).to_string();
    write(&path(&name(2)), &members(&[("a", b"x")]), &Sealing::none());
    write(&path(&name(1)), &members(&[]), &Sealing::none());
    let sealed = FileName { undo: true, ..FileName::new("z", "other", time(3)) };
    write(&path(&sealed.to_string()), &members(&[]), &Sealing::passphrase("x".into()));
    let of_another = FileName::new("y", "default", time(4)).to_string();
    write(&path(&of_another), &members(&[]), &Sealing::none());
    write(&path("seed.banyan"), &members(&[]), &Sealing::none());
    std::fs::write(path(&name(5)), "x").unwrap();
    std::fs::write(path("broken.banyan"), "x").unwrap();
    std::fs::write(path("notes.txt"), "x").unwrap();
    std::fs::create_dir(path("folder.banyan")).unwrap();
    std::os::unix::fs::symlink(path("seed.banyan"), path("link.banyan")).unwrap();
    let _partial = Writer::create(&path("unfinished.banyan"), &Sealing::none()).unwrap();
    let listed = list(folder.path(), &Unsealing::none()).unwrap();
    let found: Vec<_> = listed.iter().map(|it| it.path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    let seed = "seed.banyan".to_owned();
    let broken = "broken.banyan".to_owned();
    assert_eq!(found, [broken, name(1), name(2), name(5), seed, of_another, sealed.to_string()]);
    assert!(matches!(listed[0].manifest, Err(Error::NotAnArchive { .. })));
    assert_eq!(listed[2].manifest.as_ref().unwrap().members[0].name, "a");
    assert_eq!(listed[2].size, listed[2].path.metadata().unwrap().len());
    assert!(matches!(listed[6].manifest, Err(Error::Sealed { .. })));
    // neither what cannot be read, nor what somebody named, nor what lies about itself; but what is encrypted
    let kept: Vec<_> = listed.iter().filter_map(|it| it.kept().map(|it| it.name.to_string())).collect();
    assert_eq!(kept, [name(1), name(2), sealed.to_string()]);
    assert!(matches!(list(&path("none"), &Unsealing::none()), Err(Error::Folder { .. })));
}

#[test]
fn which_ones_can_go() {
    let kept = |name: &str, second, project: &str, instance: &str| Kept {
        path: name.into(),
        name: FileName::new(project, instance, time(second)),
    };
    let undo = |name: &str, second| {
        let kept = kept(name, second, "p", "default");
        Kept { name: FileName { undo: true, ..kept.name }, ..kept }
    };
    let archives = [
        undo("u", 5),
        undo("v", 6),
        kept("b", 2, "p", "default"),
        kept("d", 4, "p", "default"),
        kept("a", 1, "p", "default"),
        kept("x", 0, "p", "other"),
        kept("y", 0, "q", "default"),
        kept("c", 3, "p", "default"),
        kept("z", 9, "q", "default"),
    ];
    let gone = |keep: usize| -> Vec<String> {
        let surplus = surplus(&archives, NonZeroUsize::new(keep).unwrap());
        surplus.iter().map(|it| it.path.to_str().unwrap().to_owned()).collect()
    };
    assert_eq!(gone(1), ["y", "a", "b", "c", "u"]);
    assert_eq!(gone(2), ["a", "b"]);
    assert_eq!(gone(3), ["a"]);
    assert_eq!(gone(4), [""; 0]);
    assert_eq!(gone(usize::MAX), [""; 0]);
    assert_eq!(surplus(&[], NonZeroUsize::MIN), Vec::<&Kept>::new());
}

#[test]
fn only_what_nobody_writes_any_more_is_swept_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let dead = ".a.banyan.x1y2z3.banyan-partial";
    let others = [".other", "a.banyan-partial", "b.banyan", ".c.banyan"];
    for name in others.iter().chain([&dead]) {
        std::fs::write(path(name), "x").unwrap();
    }
    std::fs::create_dir(path(".folder.banyan-partial")).unwrap();
    let alive = Writer::create(&path("alive.banyan"), &Sealing::none()).unwrap();
    assert!(!names(folder.path()).iter().any(|it| it == dead), "a new writer sweeps");
    File::create(path(dead)).unwrap();
    assert_eq!(sweep(folder.path()).unwrap(), [path(dead)]);
    assert_eq!(sweep(folder.path()).unwrap(), Vec::<std::path::PathBuf>::new());
    alive.finish(manifest([])).unwrap();
    let left = names(folder.path());
    let expected = [".c.banyan", ".folder.banyan-partial", ".other", "a.banyan-partial", "alive.banyan", "b.banyan"];
    assert_eq!(left, expected);
}

#[test]
fn sweeping_takes_nothing_from_those_who_write() {
    let folder = tempfile::tempdir().unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let sweeper = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                // what is not locked yet may go: its writer takes another
                sweep(folder.path()).unwrap();
            }
        });
        let write = |thread: usize| {
            for i in 0..40 {
                let path = folder.path().join(format!("{thread}-{i}.banyan"));
                Writer::create(&path, &Sealing::none()).unwrap().finish(manifest([])).unwrap();
            }
        };
        let writers: Vec<_> = (0..3).map(|thread| scope.spawn(move || write(thread))).collect();
        let results: Vec<_> = writers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        over.store(true, Ordering::Relaxed);
        sweeper.join().unwrap();
        assert!(results.iter().all(Result::is_ok));
    });
    assert_eq!(names(folder.path()).len(), 120);
}
