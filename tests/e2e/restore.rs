//! Restores into projects that stand otherwise than they did: taken down, broken, with other settings, of other images;
//! and files that must not be restored at all.

use std::path::{Path, PathBuf};

use archive::Kind;

use super::Small;
use crate::support::Run;
use crate::support::forged::{with_manifest, with_member};

const DATA: &str = "command: [redis-server, --appendonly, 'yes']\nvolumes: [data:/data]";
const VOLUMES: &str = "volumes: {data: {}}\n";

impl Small {
    fn set(&self, value: &str) {
        self.redis("store", &format!("set key {value}"));
    }

    #[track_caller]
    fn holds(&self, value: &str, when: &str) {
        assert_eq!(self.redis("store", "get key"), value, "{when}");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.stage.folder().join(name)
    }

    /// A restore that must be refused with `code` and say `word`; nothing may be touched by it.
    #[track_caller]
    fn refuses(&self, file: &Path, more: &[&str], code: i32, word: &str) {
        let all = |what: &[&str]| self.stage.docker(what);
        let look = || {
            let (containers, own) = (all(&["ps", "-aq"]), self.containers());
            // others use the same engine, so only what is named as the project is counts
            let volumes = all(&["volume", "ls", "-q", "--filter", &format!("name={}", self.project())]);
            let helpers = all(&["ps", "-aq", "--filter", &format!("label=dev.banyan.work={}", self.project())]);
            drop(containers);
            (own, volumes, helpers)
        };
        let before = look();
        let file = file.to_str().unwrap();
        let refused = self.banyan(&[&["restore", file, "--yes"], more].concat());
        assert_eq!(refused.code, code, "{file}\n{}", refused.stderr);
        assert!(refused.stderr.contains(word), "`{word}` is not in\n{}", refused.stderr);
        assert!(!refused.stderr.contains("undo it"), "a snapshot comes after the checks\n{}", refused.stderr);
        assert_eq!(look(), before, "{file}");
    }
}

fn undo(run: &Run) -> &str {
    run.stderr.lines().find_map(|l| l.strip_prefix("undo it: ")).unwrap_or_else(|| panic!("{}", run.stderr))
}

#[test]
fn a_project_that_was_taken_down_is_restored_with_an_undo() {
    let small = Small::new("takendown").cache("store", DATA).rest(VOLUMES);
    small.ok(&["up"]);
    small.set("first");
    small.ok(&["backup", "--to", "first.banyan"]);
    small.set("second");
    small.ok(&["down"]);

    // what could be said without touching anything is said, and nothing is touched
    let tried = small.ok(&["restore", "first.banyan", "--dry-run"]);
    assert!(tried.stdout.contains("would restore store"), "{}", tried.stdout);
    let containers = || small.stage.docker(&["ps", "-aq", "--filter", &format!("name={}", small.project())]);
    assert_eq!(containers(), "");

    let restored = small.ok(&["restore", "first.banyan", "--yes", "--output", "json"]);
    small.holds("first", "restored");
    let snapshot = restored.json()["snapshot"].as_str().unwrap().to_owned();
    assert!(undo(&restored).contains(&snapshot), "{}", restored.stderr);
    let undone = small.stage.sh(undo(&restored));
    assert_eq!(undone.code, 0, "{}", undone.stderr);
    small.holds("second", "undone");

    // and one whose volumes are gone as well has nothing to be kept
    small.ok(&["down", "-v", "--no-snapshot"]);
    let restored = small.ok(&["restore", "first.banyan", "--yes"]);
    assert!(!restored.stderr.contains("undo it"), "{}", restored.stderr);
    small.holds("first", "restored into nothing");
}

#[test]
fn a_store_that_cannot_start_is_healed() {
    let other = DATA.replace("data:", "others:");
    let small =
        Small::new("heals").cache("store", DATA).cache("other", &other).rest("volumes: {data: {}, others: {}}\n");
    small.ok(&["up"]);
    small.set("good");
    small.ok(&["backup", "--to", "good.banyan"]);
    let spoil = "cd /data/appendonlydir && for f in *.rdb *.aof *.manifest; do echo spoiled > $f; done";
    small.stage.docker(&["exec", &small.container("store"), "sh", "-c", spoil]);
    small.stage.docker(&["kill", &small.container("store")]);
    let broken = small.banyan(&["up", "--wait-timeout", "5s"]);
    assert_eq!(broken.code, 7, "{}", broken.stderr);
    small.stage.docker(&["stop", &small.container("store")]);
    // what runs is backed up in one way, and what does not in another
    let healed = small.ok(&["restore", "good.banyan", "--yes"]);
    small.holds("good", "healed");
    assert!(undo(&healed).contains("restore"), "what was there is kept, broken as it is");
}

#[test]
fn data_lies_where_this_server_looks_for_it() {
    let small = Small::new("places").cache("store", DATA).rest(VOLUMES);
    small.ok(&["up"]);
    small.set("there");
    small.redis("store", "set lasts x ex 100000");
    small.ok(&["backup", "--to", "there.banyan"]);
    let text = std::fs::read_to_string(small.path("compose.yaml")).unwrap();
    let names = "--dbfilename, other.rdb, --appendfilename, other.aof, --appenddirname, others, --requirepass, pw";
    for (options, running) in [
        (format!("--appendonly, 'yes', --dir, /data/inner, {names}"), true),
        (format!("--appendonly, 'no', {names}"), true),
        (format!("--appendonly, 'yes', {names}"), false),
    ] {
        let entrypoint = "entrypoint: [sh, -c, 'mkdir -p /data/inner; exec docker-entrypoint.sh \"$$@\"', sh]\n    ";
        let changed = text.replace(
            "command: [redis-server, --appendonly, 'yes']",
            &format!("{entrypoint}command: [redis-server, {options}]"),
        );
        let changed = changed
            .replace("ready: { protocol: redis, port: 6379 }", "ready: { protocol: redis, port: 6379, password: pw }");
        small.stage.write("compose.yaml", &changed);
        small.ok(&["up"]);
        let ask = |line: &str| small.redis("store", &format!("--no-auth-warning -a pw {line}"));
        ask("flushall");
        if !running {
            small.stage.docker(&["stop", &small.container("store")]);
        }
        small.ok(&["restore", "there.banyan", "--yes", "--no-snapshot"]);
        assert_eq!((ask("get key"), ask("get lasts")), ("there".to_owned(), "x".to_owned()), "{options}");
        // and it still does when it starts again
        small.stage.docker(&["restart", &small.container("store")]);
        small.ok(&["up"]);
        assert_eq!(ask("get key"), "there", "{options}");
    }
}

/// A tar of entries: name, kind, link, content.
fn tar_of(entries: &[(&str, tar::EntryType, &str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, link, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn what_must_not_be_restored_is_refused_before_anything_is_touched() {
    use tar::EntryType as E;
    let small = Small::new("refused").cache("store", DATA).rest(VOLUMES);
    small.ok(&["up"]);
    small.set("old");
    small.ok(&["backup", "--to", "real.banyan"]);
    let (real, to) = (small.path("real.banyan"), |name: &str| small.path(name));
    small.set("present");

    // of something else, or of other servers
    small.refuses(
        &with_manifest(&real, to("p.banyan"), |m| m.project = "other".to_owned()),
        &[],
        12,
        "of project other",
    );
    small.refuses(
        &with_manifest(&real, to("i.banyan"), |m| m.instance = "other".to_owned()),
        &[],
        12,
        "of instance other",
    );
    let server = |name: &str, version: &str| {
        with_manifest(&real, to(name), |m| {
            m.stores[0].server_version = version.to_owned();
            m.stores[0].image.digest = None;
        })
    };
    small.refuses(&server("n.banyan", "99.1.0"), &[], 12, "data of version 99.1.0");
    small.refuses(&server("u.banyan", ""), &[], 12, "not known");
    small.refuses(
        &with_manifest(&real, to("k.banyan"), |m| m.stores[0].kind = Kind::Postgres),
        &[],
        12,
        "another kind",
    );
    small.refuses(
        &with_manifest(&real, to("s.banyan"), |m| m.stores[0].name = "gone".to_owned()),
        &[],
        12,
        "no such store",
    );
    small.refuses(&real, &["--only", "gone"], 12, "it is not in the file");
    let mut newer = std::fs::read(&real).unwrap();
    let end = newer.len() - 1;
    (newer[15], newer[end]) = (9, 9);
    std::fs::write(to("newer.banyan"), newer).unwrap();
    small.refuses(&to("newer.banyan"), &[], 12, "made by a newer banyan");
    small.refuses(&to("missing.banyan"), &[], 2, "cannot open");

    // with contents that would do more than to restore
    let file = |name: &str| {
        with_manifest(&real, to("f.banyan.tmp"), |m| drop(m.stores[0].facts.insert("file".to_owned(), name.to_owned())))
    };
    for name in ["--loadmodule", "../../live", "a b"] {
        let forged = file(name);
        small.refuses(&forged, &[], 13, "not to be trusted");
        std::fs::remove_file(forged).unwrap();
    }
    for (number, (entries, word)) in [
        (vec![("/etc/passwd", E::Regular, "", &b"x"[..])], "absolute"),
        (vec![("../PG_VERSION", E::Regular, "", b"x")], "leads out"),
        (vec![("l", E::Symlink, "../..", b"")], "leads out"),
        (vec![("l", E::Symlink, "/data", b""), ("l/dump.rdb", E::Regular, "", b"x")], "below a link"),
        (
            vec![("l", E::Symlink, "/data", b""), ("h", E::Link, "l", b""), ("h/dump.rdb", E::Regular, "", b"x")],
            "second name",
        ),
        (vec![("d", E::Char, "", b"")], "device"),
        (vec![("d/", E::Regular, "", b"x")], "called as no file"),
    ]
    .into_iter()
    .enumerate()
    {
        let forged = with_member(&real, to(&format!("h{number}.banyan")), ".tar", &tar_of(&entries));
        small.refuses(&forged, &[], 13, word);
    }
    small.holds("present", "refused");

    // older ones are taken, where their servers' files are understood
    small.ok(&["restore", server("o.banyan", "6.0.1").to_str().unwrap(), "--yes", "--no-snapshot"]);
    small.holds("old", "restored");
    // what is no dump is found out beside the present data
    let noise = tar_of(&[("dump.rdb", E::Regular, "", &[7; 4000])]);
    small.set("present");
    small.refuses(
        &with_member(&real, to("noise.banyan"), ".tar", &noise),
        &["--no-snapshot"],
        13,
        "nothing was changed",
    );
    small.holds("present", "no dump");
    small.ends(&["backup", "verify", "noise.banyan"], 0);
    let proved = small.ends(&["backup", "verify", "noise.banyan", "--restore"], 13);
    assert!(proved.stderr.contains("nothing was changed"), "{}", proved.stderr);
    let left = ["ps", "volume ls"].map(|list| {
        let filter = format!("label=dev.banyan.work={}", small.project());
        let words = list.split(' ').chain(["-q", "--filter", &filter]);
        small.stage.docker(&words.collect::<Vec<_>>())
    });
    assert_eq!(left, ["", ""], "nothing of the proof is left");
}

#[test]
fn what_cannot_work_here_is_refused_before_anything_is_made() {
    let small = Small::new("cannot")
        .cache("store", DATA)
        .service("queue", "hostname: here\nvolumes: [queue:/var/lib/rabbitmq]")
        .rest("volumes: {data: {}, queue: {}}\n");
    small.ok(&["up", "store"]);
    small.set("old");
    small.ok(&["backup", "--to", "real.banyan"]);
    let text = std::fs::read_to_string(small.path("compose.yaml")).unwrap();
    let real = small.path("real.banyan");
    // a broker that is called otherwise; no broker has to be there for that
    let broker = text.replace("recipe: redis }", "recipe: redis, ready: { protocol: amqp, port: 5672 } }");
    small.stage.write("compose.yaml", &broker);
    let other = with_manifest(&real, small.path("node.banyan"), |m| {
        let queue = &mut m.stores[0];
        (queue.name, queue.kind) = ("queue".to_owned(), Kind::Rabbitmq);
        queue.facts = [("node".to_owned(), "rabbit@there".to_owned())].into();
    });
    small.refuses(&other, &[], 12, "the data of node rabbit@there, a node that is called rabbit@here");

    // an image with which nothing can be done in a volume
    let made = small.stage.sh(&format!("tar -c -T /dev/null | docker import - {}/empty:1", small.project()));
    assert_eq!(made.code, 0, "{}", made.stderr);
    let image = format!("image: {}/empty:1", small.project());
    let bare = text.replacen("image: banyan-local/redis\n    x-banyan: { recipe: redis }", &image, 1);
    assert!(bare.contains(&image), "{bare}");
    small.stage.write("compose.yaml", &bare);
    let volume = with_manifest(&real, small.path("bare.banyan"), |m| {
        (m.stores[0].name, m.stores[0].kind) = ("queue".to_owned(), Kind::Volume);
    });
    small.refuses(&volume, &[], 12, "its image has no /bin/sh");
    small.stage.docker(&["rmi", &format!("{}/empty:1", small.project())]);

    // somebody else's container on the same volume
    small.stage.write("compose.yaml", &text);
    let (name, volume) = (format!("{}-stranger", small.project()), format!("{}_data:/x", small.project()));
    small.stage.docker(&[
        "run",
        "-d",
        "--name",
        &name,
        "-v",
        &volume,
        &small.inspect("store", "{{.Image}}"),
        "sleep",
        "600",
    ]);
    small.refuses(&real, &[], 12, &name);
    small.stage.docker(&["rm", "-f", &name]);
    small.ok(&["restore", "real.banyan", "--yes", "--no-snapshot"]);
}

/// Kind, size, path and target of everything in a folder.
const FIND: &str = "find . -mindepth 1 -not -path './.banyan*' -printf '%y %m %n %p %l ' \\( -type f -exec md5sum {} \\; -o -printf '\\n' \\) | LC_ALL=C sort";

#[test]
fn what_is_let_through_lands_as_gnu_tar_puts_it() {
    use tar::EntryType as E;
    let keys = "command: [redis-server]\nvolumes: [data:/data, files:/stuff]";
    let small = Small::new("unpacks").cache("store", keys).rest("volumes: {data: {}, files: {}}\n");
    small.ok(&["up"]);
    small.ok(&["backup", "--to", "real.banyan"]);
    let mut builder = tar::Builder::new(tar_of(&[
        ("./", E::Directory, "", b""),
        ("./plain", E::Regular, "", b"plain"),
        ("./empty", E::Regular, "", b""),
        ("folder/", E::Directory, "", b""),
        ("folder/./odd//name", E::Regular, "", b"odd"),
        ("two words and \u{e4}", E::Regular, "", b"words"),
        ("hard", E::Link, "./plain", b""),
        ("relative", E::Symlink, "folder/../plain", b""),
        ("absolute", E::Symlink, "/dev/stdout", b""),
        ("folder/up", E::Symlink, "../plain", b""),
    ]));
    let end = builder.get_mut().len() - 1024;
    builder.get_mut().truncate(end);
    // names too long for a header, in the two ways in which they are written down
    let long = format!("{}name", "a-folder-with-a-long-name/".repeat(6));
    let mut header = tar::Header::new_gnu();
    header.set_size(4);
    header.set_mode(0o600);
    builder.append_data(&mut header, &long, &b"long"[..]).unwrap();
    builder.append_pax_extensions([("path", format!("{long}-too").as_bytes()), ("mtime", b"1.25")]).unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_path("short").unwrap();
    header.set_size(3);
    header.set_mode(0o640);
    header.set_cksum();
    builder.append(&header, &b"pax"[..]).unwrap();
    let archive = builder.into_inner().unwrap();

    std::fs::write(small.path("inner.tar"), &archive).unwrap();
    let by_tar = small.stage.sh(&format!("mkdir by-tar && tar -xpf inner.tar -C by-tar && cd by-tar && {FIND}"));
    assert_eq!(by_tar.code, 0, "{}", by_tar.stderr);
    let real = small.path("real.banyan");
    let forged = crate::support::forged::forge(
        &real,
        small.path("odd.banyan"),
        |_| {},
        |name, content| {
            if name.starts_with("store.volume-2/") { archive.clone() } else { content }
        },
    );
    small.ok(&["restore", forged.to_str().unwrap(), "--only", "store.volume-2", "--yes", "--no-snapshot"]);
    let line = format!("cd /stuff && {FIND}");
    let landed = small.stage.docker(&["exec", "-u", "0", &small.container("store"), "sh", "-c", &line]);
    assert_eq!(landed.trim(), by_tar.stdout.trim());
}
