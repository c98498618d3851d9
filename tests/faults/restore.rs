//! A restore that is killed, or in which something fails, at each of its steps: all of the old data, or all of the new.

use std::time::Duration;

use super::{Scene, rounds};
use crate::support::Run;

/// Two stores that keep their data, and somebody who depends on one of them.
const SERVICES: &str = "services:
  one:
    @REDIS
    command: [redis-server, --appendonly, 'yes']
    volumes: [one:/data]
  two:
    @REDIS
    command: [redis-server, --appendonly, 'yes']
    volumes: [two:/data]
  user:
    @REDIS
    depends_on: [two]
volumes: {one: {}, two: {}}
";

impl Scene {
    /// Sets a key of every store.
    fn set(&self, value: &str) {
        for store in ["one", "two"] {
            self.exec(store, &format!("redis-cli set key {value}"));
        }
    }

    /// The keys of both stores.
    fn keys(&self) -> [String; 2] {
        ["one", "two"].map(|store| self.exec(store, "redis-cli get key"))
    }

    /// Restores with a fault at a place: `kill:swapped`.
    fn restore_with(&self, fault: &str, args: &[&str]) -> Run {
        let mut command = self.stage.bare(&["--instance", &self.stage.instance, "--file", "compose.yaml"]);
        command.args(["restore", "new.banyan", "--yes", "--no-snapshot"]).args(args);
        crate::support::run({
            command.env("BANYAN_TEST_FAULT", fault);
            command
        })
    }

    /// Containers and volumes that are made for a while.
    fn helpers(&self) -> String {
        let filter = format!("label=dev.banyan.work={}", self.project());
        let containers = self.stage.docker(&["ps", "-aq", "--filter", &filter]);
        containers + &self.stage.docker(&["volume", "ls", "-q", "--filter", &filter])
    }

    #[track_caller]
    fn assert_settled(&self, value: &str, when: &str) {
        assert_eq!(self.keys(), [value, value], "{when}");
        assert_eq!(self.containers(), ["one running", "two running", "user running"], "{when}");
        assert_eq!(self.helpers(), "", "{when}");
        for store in ["one", "two"] {
            assert_eq!(self.exec(store, "ls -A /data | grep banyan || true"), "", "{when}");
        }
    }
}

/// A scene with a backup of the key `new`, and the key `old` in the stores.
fn scene(name: &str) -> Scene {
    let scene = Scene::new(name, SERVICES);
    scene.ok(&["up"]);
    scene.set("new");
    scene.ok(&["backup", "--to", "new.banyan"]);
    scene.set("old");
    scene
}

#[test]
fn killed_at_any_step_it_is_undone_or_finished_by_the_next_command() {
    let scene = scene("killrestore");
    let undone = "undid an interrupted restore";
    let all = [
        ("second-swap", undone, "old"),
        ("swapped", undone, "old"),
        ("done", "finished an interrupted restore", "new"),
        ("finished", "cleared up after an interrupted restore", "new"),
        // much like those
        ("prepared", undone, "old"),
        ("proved", undone, "old"),
        ("finish", "finished an interrupted restore", "new"),
    ];
    for (place, words, value) in all.into_iter().take(rounds(4, 7) as usize) {
        let killed = scene.restore_with(&format!("kill:{place}"), &[]);
        assert_eq!(killed.code, -1, "{place}: {}", killed.stderr);
        if place == "second-swap" || place == "done" {
            // whoever clears an engine up takes containers that do not run
            let stopped =
                scene.stage.docker(&["ps", "-aq", "--filter", &format!("label=dev.banyan.work={}", scene.project())]);
            stopped.lines().for_each(|id| drop(scene.stage.docker(&["rm", "-f", id])));
        }
        let next = scene.ok(&["up"]);
        assert!(next.stderr.contains(words), "{place}: {}", next.stderr);
        scene.assert_settled(value, place);
        scene.set("old");
    }
}

#[test]
fn failing_at_any_step_it_goes_back_or_forth_by_itself() {
    let scene = scene("failrestore");
    for place in ["second-swap", "proved", "prepared", "swapped"].into_iter().take(rounds(2, 4) as usize) {
        let failed = scene.restore_with(&format!("fail:{place}"), &[]);
        assert_eq!(failed.code, 7, "{place}: {}", failed.stderr);
        assert!(failed.stderr.contains("the old data is in place again"), "{place}: {}", failed.stderr);
        scene.assert_settled("old", place);
    }
    // the word was written, only its answer was lost
    let done = scene.restore_with("fail:done", &[]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    scene.assert_settled("new", "done");
    scene.set("old");
    let left = scene.restore_with("fail:finish", &[]);
    assert_eq!(left.code, 16, "{}", left.stderr);
    assert!(left.stderr.contains("not deleted yet"), "{}", left.stderr);
    assert_eq!(scene.keys(), ["new", "new"]);
    assert_eq!(scene.containers(), ["one running", "two running", "user running"]);
    let next = scene.ok(&["up"]);
    assert!(next.stderr.contains("finished an interrupted restore"), "{}", next.stderr);
    scene.assert_settled("new", "finish");
}

/// A server that behaves only as long as a file is in its volume, which no backup of its keys brings back.
const MOODY: &str = "services:
  one:
    @REDIS
    entrypoint: [sh, -c, 'if [ -z \"$$(ls -A /data)\" ]; then touch /data/mood; fi; if [ -e /data/mood ]; then exec docker-entrypoint.sh \"$$@\"; else @ELSE; fi', sh]
    command: [redis-server, --appendonly, 'yes']
    volumes: [one:/data]
volumes: {one: {}}
";

#[test]
fn a_store_that_does_not_come_up_or_comes_up_empty_gets_its_old_data_back() {
    for (otherwise, word) in [
        ("exit 3", "does not come up"),
        ("exec docker-entrypoint.sh \"$$@\" --dir /tmp", "at least 1 expected, 0 found"),
    ] {
        let scene = Scene::new("moody", &MOODY.replace("@ELSE", otherwise));
        scene.ok(&["up"]);
        scene.exec("one", "redis-cli set key new");
        scene.ok(&["backup", "--to", "new.banyan"]);
        scene.exec("one", "redis-cli set key old");
        let failed = scene.fails(
            7,
            &["restore", "new.banyan", "--yes", "--no-snapshot", "--wait-timeout", "10s"],
            &[word, "the old data is in place again"],
        );
        assert!(!failed.stdout.contains("restored"), "{}", failed.stdout);
        assert_eq!(scene.exec("one", "redis-cli get key"), "old");
        assert_eq!((scene.helpers(), scene.containers()), (String::new(), vec!["one running".to_owned()]));
    }
}

#[test]
fn nobody_ends_the_work_of_one_who_is_at_it() {
    let scene = scene("twoatwork");
    // another user of the same engine: the lock is a file of the first one
    let mut child = scene.start(&["restore", "new.banyan", "--yes", "--no-snapshot"]);
    crate::support::eventually(Duration::from_secs(20), "the restore begins", || !scene.helpers().is_empty());
    let mut other = scene.stage.bare(&["--instance", &scene.stage.instance, "--file", "compose.yaml", "up"]);
    other.env("BANYAN_DATA_DIR", scene.stage.folder().join("other"));
    let refused = crate::support::run(other);
    let ended = child.end(Duration::from_secs(60));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(refused.code, 10, "{}", refused.stderr);
    assert!(refused.stderr.contains("another banyan works on project"), "{}", refused.stderr);
    scene.assert_settled("new", "both have ended");

    // of one on another machine it cannot be told: somebody has to say so
    let label = |name: &str, value: &str| ["--label".to_owned(), format!("dev.banyan.work{name}={value}")];
    let labels = [
        label("", &scene.project()),
        label(".part", "restore"),
        label(".owner", "elsewhere b 1 2"),
        label(".places", "[]"),
    ];
    let words: Vec<&str> = labels.iter().flatten().map(String::as_str).collect();
    let name = format!("{}-banyan-restore", scene.project());
    scene.stage.docker(&[&["volume", "create"], &words[..], &[&name]].concat());
    scene.fails(10, &["up"], &["process 1 on elsewhere", "BANYAN_TAKE_OVER=1"]);
    let mut sure = scene.stage.bare(&["--instance", &scene.stage.instance, "--file", "compose.yaml", "up"]);
    sure.env("BANYAN_TAKE_OVER", "1");
    let sure = crate::support::run(sure);
    assert_eq!(sure.code, 0, "{}", sure.stderr);
    scene.assert_settled("new", "taken over");
}
