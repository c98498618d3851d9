//! Ctrl-C, SIGTERM, and two banyans at once.

use std::time::Duration;

use super::{Scene, timed};

const SOON: Duration = Duration::from_secs(5);

const SLOW: &str = "
services:
  slow:
    @REDIS
    @GATED
  web:
    @REDIS
    depends_on: {slow: {condition: service_healthy}}
";

#[test]
fn ctrl_c_during_a_wait_ends_it_at_once_and_the_next_up_goes_on() {
    let scene = Scene::new("int", SLOW);
    let mut up = scene.start(&["up"]);
    up.until(&["slow", "waiting"]);
    up.signal("INT");
    let (took, run) = timed(|| up.end(SOON));
    assert_eq!(run.code, 130, "{}", run.stderr);
    assert!(took < Duration::from_secs(3), "{took:?}");
    for word in ["interrupted", " up", " down"] {
        assert!(run.stderr.contains(word), "`{word}` is not in\n{}", run.stderr);
    }
    assert!(!run.stdout.contains("ADDRESS"), "it is not up: {}", run.stdout);

    let before = scene.inspect("slow", "{{.Id}} {{.State.StartedAt}}");
    scene.exec("slow", "touch /tmp/go");
    scene.ok(&["up"]);
    assert_eq!(scene.inspect("slow", "{{.Id}} {{.State.StartedAt}}"), before, "what had begun went on");
    assert_eq!(scene.containers(), ["slow running", "web running"]);
}

#[test]
fn sigterm_and_sighup_end_it_as_well() {
    for signal in ["TERM", "HUP"] {
        let scene = Scene::new(&format!("sig-{}", signal.to_lowercase()), SLOW);
        let mut up = scene.start(&["up"]);
        up.until(&["slow", "waiting"]);
        up.signal(signal);
        let run = up.end(SOON);
        assert_eq!(run.code, 143, "{signal}: {}", run.stderr);
        assert!(run.stderr.contains("interrupted"), "{}", run.stderr);
        scene.exec("slow", "touch /tmp/go");
        scene.ok(&["up"]);
    }
}

/// Ignores SIGTERM, so that its stop lasts as long as its grace period.
const STUBBORN: &str = "
services:
  stubborn:
    image: ${REDIS_IMAGE:-redis:7-alpine}
    x-banyan: {recipe: redis}
    entrypoint: [sh, -c, 'trap \"\" TERM; while :; do sleep 0.1; done']
    healthcheck: {test: ['CMD', 'true']}
    stop_grace_period: 8s
";

#[test]
fn the_first_ctrl_c_lets_a_stop_finish_and_the_second_one_does_not() {
    let scene = Scene::new("twice", STUBBORN);
    scene.ok(&["up"]);
    let mut down =
        super::Running::new(scene.stage.spawn(&["--progress", "plain", "--file", "compose.yaml", "-v", "down"]));
    super::eventually(SOON, "the stop has begun", || {
        let container = scene.container("stubborn");
        let events = format!("docker events --since 30s --until 0s --filter container={container} --filter event=kill");
        scene.stage.sh(&events).stdout.contains("kill")
    });
    down.signal("INT");
    down.until(&["once more"]);
    assert!(down.child.try_wait().unwrap().is_none(), "the stop is under way and goes on");
    down.signal("INT");
    let (took, run) = timed(|| down.end(SOON));
    assert_eq!(run.code, 130, "{}", run.stderr);
    assert!(took < Duration::from_secs(2), "{took:?}");
    scene.ok(&["down"]);
    scene.assert_nothing_left();
}

#[test]
fn a_second_banyan_says_who_is_at_work_and_changes_nothing() {
    let scene = Scene::new("two", SLOW);
    let mut first = scene.start(&["up"]);
    first.until(&["slow", "waiting"]);
    let pid = format!("pid {}", first.pid());
    let before = scene.containers();
    for args in [&["up"][..], &["down", "-v"], &["reset", "--yes"]] {
        scene.fails(10, args, &["E1001", &pid]);
    }
    assert_eq!(scene.containers(), before);
    for args in [&["status"][..], &["logs", "--tail", "1"], &["up", "--dry-run"]] {
        scene.ok(args);
    }
    scene.exec("slow", "touch /tmp/go");
    let run = first.end(Duration::from_secs(20));
    assert_eq!(run.code, 0, "{}", run.stderr);
    scene.ok(&["down", "-v"]);
}
