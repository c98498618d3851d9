//! `status`, `health` and `logs`: text for people, documents for programs.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use super::Small;
use crate::support::eventually;

#[test]
fn nothing_runs() {
    let small = Small::new("nothing").cache("cache", "").rest("");
    let status = small.ok(&["status"]);
    assert!(status.stdout.contains("not there"), "{}", status.stdout);
    assert!(status.stderr.contains("bring it up: "), "{}", status.stderr);
    let item = &small.ok(&["status", "--output", "json"]).json()["items"][0];
    assert_eq!((&item["service"], &item["state"]), (&"cache".into(), &"absent".into()));

    let health = small.ends(&["health"], 15);
    assert!(health.stderr.contains("error[E1501]"), "{}", health.stderr);
    let health = small.ends(&["health", "--output", "json"], 15);
    assert_eq!(health.json()["healthy"], false);
    let error: serde_json::Value = serde_json::from_str(&health.stderr).unwrap();
    assert_eq!(error["error"]["exit_code"], 15);
    small.ends(&["logs"], 15);
}

#[test]
fn everything_runs_then_one_is_dead() {
    let small = Small::new("dead")
        .cache("cache", "")
        .service("helper", "command: [sh, -c, \"echo to-out; echo to-err >&2; exec sleep infinity\"]\ninit: true\ndepends_on: [cache]\n")
        .rest("");
    small.ok(&["up"]);

    let status = small.ok(&["status"]);
    let line = status.stdout.lines().find(|l| l.starts_with("cache ")).unwrap();
    for part in ["Up ", "7.0", "recipe", "banyan-local/redis:7.0", "redis://localhost:"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let json = small.ok(&["ps", "--output", "json"]).json();
    assert_eq!((&json["schema_version"], &json["project"]), (&1.into(), &small.project().into()));
    let cache = &json["items"][0];
    assert_eq!(cache["state"], "running");
    assert_eq!(cache["container"], small.container("cache"));
    assert_eq!(cache["ports"][0]["host"], small.ports["cache"]);
    assert_eq!(cache["ports"][0]["container"], 6379);
    assert_eq!(cache["addresses"][0], format!("redis://localhost:{}", small.ports["cache"]));

    let health = small.ok(&["health"]);
    let line = health.stdout.lines().find(|l| l.starts_with("cache ")).unwrap();
    assert!(line.contains("healthy") && line.contains("Redis answered in ") && line.ends_with("helper"), "{line}");
    let json = small.ok(&["health", "--output", "json", "cache"]).json();
    assert_eq!((&json["schema_version"], &json["healthy"]), (&1.into(), &true.into()));
    assert_eq!(json["items"].as_array().unwrap().len(), 1);
    assert!(json["items"][0]["latency_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(json["items"][0]["needed_by"], serde_json::json!(["helper"]));
    assert!(json["items"][0]["version"].as_str().unwrap().starts_with("7.0"));

    let logs = small.ok(&["logs", "helper"]);
    let mut lines: Vec<_> = logs.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["helper | to-err", "helper | to-out"]);
    let logs = small.ok(&["logs", "--output", "json", "--tail", "1", "cache"]);
    let line: serde_json::Value = serde_json::from_str(&logs.stdout).unwrap();
    assert_eq!(
        (&line["schema_version"], &line["service"], &line["stream"]),
        (&1.into(), &"cache".into(), &"stdout".into())
    );
    assert!(line["line"].as_str().unwrap().contains("Ready to accept connections"), "{line}");
    small.ends(&["logs", "cahce"], 3);

    small.stage.docker(&["stop", "-t", "5", &small.container("cache")]);
    let health = small.ends(&["health"], 8);
    assert!(health.stderr.contains("error[E0801]: not healthy: cache"), "{}", health.stderr);
    let json = small.ends(&["health", "--output", "json"], 8).json();
    assert_eq!(json["healthy"], false);
    assert_eq!((&json["items"][0]["state"], &json["items"][0]["healthy"]), (&"exited".into(), &false.into()));
    assert_eq!(json["items"][1]["healthy"], true);
    // a question about the other one is answered by yes
    small.ok(&["health", "helper"]);

    // frozen: it runs, and does not answer
    small.ok(&["up"]);
    small.stage.docker(&["pause", &small.container("cache")]);
    let json = small.ends(&["health", "--output", "json"], 8).json();
    assert_eq!(json["items"][0]["healthy"], false, "{json}");
    small.stage.docker(&["unpause", &small.container("cache")]);
    small.ok(&["health"]);
}

#[test]
fn logs_are_followed_over_a_restart() {
    let small = Small::new("follow").cache("cache", "").rest("");
    small.ok(&["up"]);
    let mut command = small.stage.bare(&["--file", "compose.yaml", "logs", "--follow", "--tail", "0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();

    // `--tail 0`: the first line is one that is written from now on
    let (send, seen) = std::sync::mpsc::channel();
    std::thread::spawn(move || while lines.next().is_some_and(|l| l.is_ok_and(|l| send.send(l).is_ok())) {});
    let next = |what: &str| {
        eventually(Duration::from_secs(20), what, || {
            // a line appears once the reader is there; it is asked to write until it is
            small.redis("cache", "bgrewriteaof");
            seen.try_recv().is_ok_and(|l| l.starts_with("cache | "))
        });
    };
    next("a line before the restart");
    small.stage.docker(&["restart", "-t", "5", &small.container("cache")]);
    while seen.try_recv().is_ok() {}
    next("a line after the restart");

    assert_eq!(small.stage.sh(&format!("kill -INT {}", child.id())).code, 0);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn health_is_watched() {
    let small = Small::new("watch").cache("cache", "").rest("");
    small.ok(&["up"]);
    let mut command = small.stage.bare(&["--file", "compose.yaml", "health", "--watch", "--interval", "100ms"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    let line = next();
    assert!(line.contains("cache healthy"), "{line}");
    small.stage.docker(&["stop", "-t", "5", &small.container("cache")]);
    let line = next();
    assert!(line.contains("cache unhealthy"), "{line}");
    small.stage.docker(&["start", &small.container("cache")]);
    let line = next();
    assert!(line.contains("cache healthy"), "{line}");
    assert_eq!(small.stage.sh(&format!("kill -INT {}", child.id())).code, 0);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_log_that_cannot_be_read_is_said_and_a_long_line_stays_whole() {
    let long = "for i in $$(seq 400); do printf 'äöü%.0s' 1 2 3 4 5 6 7 8 9 10; done; echo";
    let small = Small::new("odd-logs")
        .service("long", &format!("command: [sh, -c, \"{long}; exec sleep infinity\"]\ninit: true\n"))
        .rest("");
    small.ok(&["up"]);
    eventually(Duration::from_secs(20), "the line is there", || !small.ok(&["logs"]).stdout.is_empty());
    assert_eq!(small.ok(&["logs"]).stdout.trim_end(), format!("long | {}", "äöü".repeat(4000)));

    let image = super::images::recipe(&small.stage, "redis");
    let project = format!("com.docker.compose.project={}", small.project());
    let mute = small.container("mute");
    let service = "com.docker.compose.service=mute";
    small.stage.docker(&[
        "run",
        "-d",
        "--log-driver",
        "none",
        "--name",
        &mute,
        "--label",
        &project,
        "--label",
        service,
        &image,
    ]);
    let run = small.banyan(&["logs"]);
    assert_ne!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains(&mute), "{}", run.stderr);
    assert!(run.stdout.contains("äöü"), "the others are shown all the same");
}

#[test]
fn logs_and_health_of_a_moment() {
    let small = Small::new("moment").cache("cache", "").rest("");
    let up = small.ok(&["up", "--timings"]);
    for part in ["TOOK", "wait until cache is ready", "total "] {
        assert!(up.stderr.contains(part), "{part}: {}", up.stderr);
    }
    assert_eq!(small.ok(&["--quiet", "up"]).stderr, "");
    assert!(!small.ok(&["logs", "--since", "1h"]).stdout.is_empty());
    let recent = || small.ok(&["logs", "--since", "1s"]).stdout;
    eventually(Duration::from_secs(20), "what was written is older than a second", || recent().is_empty());
    let mut command =
        small.stage.bare(&["--file", "compose.yaml", "--output", "json", "health", "--watch", "--interval", "100ms"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(
        (&line["service"], &line["healthy"], &line["schema_version"]),
        (&"cache".into(), &true.into(), &1.into())
    );
    assert!(line["at_ms"].as_u64().is_some_and(|at| at > 1_700_000_000_000), "{line}");
    child.kill().unwrap();
    child.wait().unwrap();
}
