//! No engine.

use super::{stage, transcript};
use crate::support::{Stage, run};

#[test]
fn the_engine_that_was_named_does_not_answer() {
    let stage = stage("engine");
    insta::assert_snapshot!(transcript(&stage, &["up"]), @"
    exit code 4
    ── stderr
    project flow-platform: [folder]/data/stacks/default/docker-compose.yml (built-in stack)
    error[E0401]: cannot reach a Docker engine
      unix:///nowhere/docker.sock (DOCKER_HOST): no such socket
      hint: correct the address (--host, DOCKER_HOST or the context), or take it away to use the engine of this machine
    ");
    insta::assert_snapshot!(transcript(&stage, &["--host", "tcp://127.0.0.1:1", "down"]), @"
    exit code 4
    ── stderr
    error[E0401]: cannot reach a Docker engine
      tcp://127.0.0.1:1 (--host): connection refused: nothing listens there
      hint: see whether the engine of tcp://127.0.0.1:1 runs
    ");
    insta::assert_snapshot!(transcript(&stage, &["--host", "gopher://here", "status"]), @"
    exit code 4
    ── stderr
    error[E0401]: cannot reach a Docker engine
      gopher://here (--host): not supported: `gopher` is no kind of address that Docker uses
      hint: correct the address (--host, DOCKER_HOST or the context), or take it away to use the engine of this machine
    ");
}

#[test]
fn every_command_that_needs_it_ends_with_4() {
    let stage = stage("commands");
    for command in [
        &["up"][..],
        &["down"],
        &["reset", "--yes"],
        &["status"],
        &["ps"],
        &["health"],
        &["logs"],
        &["services"],
        &["contracts", "list"],
        &["contracts", "show", "users"],
        &["contracts", "diff", "users", "--to", "2.0.0"],
        &["contracts", "graph"],
        &["images", "list"],
        &["images", "build"],
        &["images", "pull"],
    ] {
        let run = run(stage.bare(command));
        assert_eq!(run.code, 4, "{command:?}: {}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains("unix:///nowhere/docker.sock (DOCKER_HOST): no such socket"), "{}", run.stderr);
        assert_eq!(run.stdout, "", "{command:?}");
    }
}

#[test]
fn the_error_as_json() {
    let stage = stage("json");
    let json = run(stage.bare(&["--output", "json", "status"]));
    assert_eq!((json.code, json.stdout.as_str()), (4, ""));
    let value: serde_json::Value = serde_json::from_str(&json.stderr).unwrap();
    let mut value = value.clone();
    assert!(value["error"]["hint"].take().as_str().unwrap().contains("DOCKER_HOST"));
    let expected = serde_json::json!({
        "schema_version": 1,
        "error": {
            "code": "E0401", "exit_code": 4, "message": "cannot reach a Docker engine",
            "details": ["unix:///nowhere/docker.sock (DOCKER_HOST): no such socket"], "hint": null, "data": null,
        }
    });
    assert_eq!(value, expected);
}

#[test]
fn the_current_context_is_asked_next() {
    let stage = Stage::plain("context");
    stage.write("home/.docker/config.json", r#"{"currentContext": "gone"}"#);
    let run = run(stage.bare(&["status"]));
    assert_eq!(run.code, 4, "{}", run.stderr);
    assert!(run.stderr.contains("gone"), "{}", run.stderr);
}
