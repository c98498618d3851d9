//! Volumes that are copied while what uses them stands still.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::super::Small;
use crate::support::eventually;

/// Two that share a volume, one of which takes its time to stop.
fn files(name: &str) -> Small {
    let slow = "command: [sh, -c, \"trap 'sleep 2; exit' TERM; touch /files/up; while :; do sleep 0.1; done\"]\n\
        volumes: [\"files:/files\"]\n";
    let reader = "command: [sleep, infinity]\ninit: true\nvolumes: [\"files:/look\"]\n";
    let locked = "command: [redis-server, --requirepass, secret]\nvolumes: [\"locked:/data\"]\n";
    Small::new(name)
        .service("files", slow)
        .service("reader", reader)
        .service("locked", locked)
        .rest("volumes: { files: {}, locked: {} }\n")
}

#[test]
fn a_shared_volume_is_one_store_and_one_that_cannot_be_asked_spoils_nothing() {
    let small = files("shared");
    small.ok(&["up"]);
    let exec = |line: &str| small.stage.docker(&["exec", &small.container("reader"), "sh", "-c", line]);
    exec("echo kept > /look/a");
    let made = small.ends(&["backup", "--to", "a.banyan"], 16);
    assert!(made.stderr.contains("locked"), "{}", made.stderr);
    let shown = small.ok(&["backup", "show", "a.banyan", "--output", "json"]).json();
    let stores = shown["manifest"]["stores"].as_array().unwrap();
    assert_eq!((stores.len(), &stores[0]["name"]), (1, &"files".into()), "{shown}");
    assert_eq!(shown["manifest"]["skipped"][0]["name"], "locked");
    for service in ["files", "reader", "locked"] {
        assert_eq!(small.inspect(service, "{{.State.Status}}"), "running", "{service}");
    }
    exec("rm /look/a; touch /look/b");
    small.ok(&["restore", "a.banyan", "--yes", "--no-snapshot"]);
    assert_eq!(exec("ls -A /look; cat /look/a"), "a\nup\nkept");
}

#[test]
fn what_stands_still_for_a_copy_comes_back_whoever_ends_it() {
    let small = files("copykilled");
    small.ok(&["up"]);
    let project = format!("label=dev.banyan.work={}", small.project());
    let marked = || {
        let part = "label=dev.banyan.work.part=stopped";
        !small.stage.docker(&["ps", "-aq", "--filter", &project, "--filter", part]).is_empty()
    };
    for signal in [Signal::INT, Signal::KILL] {
        let mut command = small.stage.bare(&["--file", "compose.yaml", "backup", "--to", "x.banyan"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // the one that is quick has stopped, the other one is about to
        let stopping = || marked() && small.inspect("reader", "{{.State.Status}}") == "exited";
        eventually(Duration::from_secs(20), "it stops what it copies", stopping);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let code = child.wait().unwrap().code();
        if signal == Signal::INT {
            assert_eq!(code, Some(130));
        } else {
            // the engine goes on with what it was told
            let ended = || small.inspect("files", "{{.State.Status}}") == "exited";
            eventually(Duration::from_secs(20), "it has stopped", ended);
            let next = small.ends(&["backup", "--to", "y.banyan"], 16);
            assert!(next.stderr.contains("started what an interrupted"), "{}", next.stderr);
        }
        for service in ["files", "reader"] {
            assert_eq!(small.inspect(service, "{{.State.Status}}"), "running", "{signal:?} {service}");
        }
        assert_eq!(small.stage.docker(&["ps", "-aq", "--filter", &project]), "", "{signal:?}");
        assert!(!small.stage.folder().join("x.banyan").exists());
    }
}
