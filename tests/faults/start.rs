//! Services that do not start: reported at once, with the reason, never by waiting for the time-out.

use std::time::Duration;

use super::{Scene, timed};

/// Far below the time-out of three minutes, far above what a busy machine needs.
const FAST: Duration = Duration::from_secs(30);

/// A service that does what `how` says, and one that depends on it.
fn broken(name: &str, how: &str) -> Scene {
    let services = format!(
        "
services:
  broken:
    @REDIS
    {how}
  web:
    @REDIS
    depends_on: {{broken: {{condition: service_healthy}}}}
"
    );
    Scene::new(name, &services)
}

/// `up` fails soon with exit code 7 and says all of `words`, who is blocked and what to type next.
#[track_caller]
fn fails_fast(scene: &Scene, words: &[&str]) {
    let next = "logs broken";
    let words = [&["`broken`", "blocked by it: web", next], words].concat();
    let (took, run) = timed(|| scene.fails(7, &["up"], &words));
    assert!(took < FAST, "{took:?}\n{}", run.stderr);
    let json = scene.banyan(&["--output", "json", "up"]);
    assert_eq!(json.code, 7, "a second time\n{}", json.stderr);
    let error = json.stderr.lines().rev().find_map(|l| serde_json::from_str::<serde_json::Value>(l).ok()).unwrap();
    assert_eq!(error["error"]["exit_code"], 7, "{error}");
    assert_eq!(error["error"]["data"]["failures"][0]["service"], "broken", "{error}");
    assert_eq!(error["error"]["data"]["failures"][0]["blocks"][0], "web", "{error}");
}

#[test]
fn a_process_that_ends_with_an_error() {
    let scene = broken("exit3", "entrypoint: [sh, -c, 'echo first; echo the last words >&2; exit 3']");
    fails_fast(&scene, &["E0701", "exited with code 3", "log: first", "log: the last words"]);
    // for programs, every line is a document, and the last one is the error
    let run = scene.fails(7, &["--progress", "json", "up"], &[]);
    let lines: Vec<serde_json::Value> = run.stderr.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.last().unwrap()["error"]["data"]["failures"][0]["exit_code"], 3, "{}", run.stderr);
}

#[test]
fn a_server_that_ends_with_0_at_once() {
    let scene = broken("exit0", "entrypoint: [sh, -c, 'echo done']");
    fails_fast(&scene, &["exited with code 0", "though it should go on running", "log: done"]);
}

#[test]
fn a_server_that_ends_with_0_after_a_moment() {
    let scene = broken("later0", "entrypoint: [sh, -c, 'sleep 1; echo done']");
    fails_fast(&scene, &["exited with code 0", "though it should go on running", "log: done"]);
}

#[test]
fn a_command_that_a_shell_does_not_find() {
    let scene = broken("sh127", "entrypoint: [sh, -c, no-such-command]");
    fails_fast(&scene, &["exited with code 127", "was not found"]);
}

#[test]
fn a_command_that_the_engine_does_not_find() {
    let scene = broken("run127", "entrypoint: [no-such-command]");
    let (took, run) = timed(|| scene.fails(7, &["up"], &["no-such-command", "not found", "blocked by it: web"]));
    assert!(took < FAST, "{took:?}\n{}", run.stderr);
    assert!(!scene.containers().iter().any(|c| c.starts_with("broken running")), "{:?}", scene.containers());
}

#[test]
fn a_process_that_the_kernel_kills_for_its_memory() {
    let scene = broken("oom", "entrypoint: [tail, /dev/zero]\n    mem_limit: 16m");
    fails_fast(&scene, &["137", "out of memory", "memory limit"]);
}

#[test]
fn a_process_that_crashes_again_and_again() {
    let scene = broken("loop", "entrypoint: [sh, -c, 'echo boom; exit 5']\n    restart: always");
    fails_fast(&scene, &["crashes again and again", "exit code 5", "log: boom"]);
}

#[test]
fn a_crash_loop_of_a_service_without_any_check() {
    let scene = Scene::new(
        "bare",
        "
services:
  broken:
    image: ${REDIS_IMAGE:-redis:7-alpine}
    x-banyan: {recipe: redis}
    entrypoint: [sh, -c, 'echo boom; exit 5']
    restart: unless-stopped
",
    );
    let (took, _) = timed(|| scene.fails(7, &["up"], &["crashes again and again", "exit code 5", "log: boom"]));
    assert!(took < FAST, "{took:?}");
}

#[test]
fn a_job_that_fails_blocks_what_waits_for_its_end() {
    let scene = Scene::new(
        "job",
        "
services:
  migrate:
    image: ${REDIS_IMAGE:-redis:7-alpine}
    x-banyan: {recipe: redis}
    entrypoint: [sh, -c, 'echo no such table; exit 1']
  web:
    @REDIS
    depends_on: {migrate: {condition: service_completed_successfully}}
",
    );
    scene.fails(7, &["up"], &["exited with code 1", "log: no such table", "blocked by it: web"]);
    assert!(scene.containers().contains(&"web created".to_owned()), "{:?}", scene.containers());
}

#[test]
fn a_check_that_never_passes_ends_with_the_time_out() {
    let scene = Scene::new(
        "never",
        "
services:
  broken:
    image: ${REDIS_IMAGE:-redis:7-alpine}
    x-banyan: {recipe: redis}
    healthcheck: {test: ['CMD-SHELL', 'echo not yet; exit 1'], interval: 30s}
  web:
    @REDIS
    depends_on: {broken: {condition: service_healthy}}
",
    );
    let words = ["E0901", "not ready after", "not yet", "blocked by it: web", "--wait-timeout"];
    let (took, run) = timed(|| scene.fails(9, &["up", "--wait-timeout", "3s"], &words));
    assert!(took >= Duration::from_secs(3) && took < FAST, "{took:?}\n{}", run.stderr);
    // it goes on running, and where nobody waits for it there is nothing to complain about
    assert!(scene.containers().contains(&"broken running".to_owned()), "{:?}", scene.containers());
    scene.ok(&["up", "--no-wait", "broken"]);
}

#[test]
fn a_server_that_listens_to_nobody_ends_with_the_time_out() {
    let scene = Scene::new("deaf", "services:\n  broken:\n    @REDIS\n    @GATED\n");
    let words = ["E0901", "waited for: Redis at", "Connection refused"];
    let (took, _) = timed(|| scene.fails(9, &["up", "--wait-timeout", "2s"], &words));
    assert!(took < FAST, "{took:?}");
}

#[test]
fn a_container_that_somebody_removes_meanwhile() {
    let scene = Scene::new("gone", "services:\n  broken:\n    @REDIS\n    @GATED\n");
    let mut up = scene.start(&["up"]);
    up.until(&["broken", "waiting"]);
    scene.stage.docker(&["rm", "-f", &scene.container("broken")]);
    let run = up.end(FAST);
    assert_eq!(run.code, 7, "{}", run.stderr);
}
