//! The engine itself stops, freezes, or runs out of disk: an engine that the test started.

use std::time::Duration;

use super::own_engine::{OwnEngine, image};
use super::{Scene, eventually, rounds, timed};

const SERVICES: &str = "
services:
  slow:
    @REDIS
    @GATED
    restart: unless-stopped
  web:
    @REDIS
    restart: unless-stopped
    depends_on: {slow: {condition: service_healthy}}
";

fn scene(engine: &OwnEngine, name: &str, services: &str) -> Scene {
    let mut scene = Scene::new(name, services);
    scene.stage.set("DOCKER_HOST", &engine.host()).set("REDIS_IMAGE", &image());
    scene
}

#[test]
fn an_engine_that_restarts_or_freezes_in_the_middle() {
    let mut engine = OwnEngine::new();
    for _ in 0..rounds(1, 5) {
        restarted_during_up(&mut engine);
        restarted_while_idle(&mut engine);
        frozen_during_up(&engine);
        frozen_during_a_wait(&engine);
        stopped_for_good(&mut engine);
    }
}

fn restarted_during_up(engine: &mut OwnEngine) {
    let scene = scene(engine, "restart", SERVICES);
    let mut up = scene.start(&["up"]);
    up.until(&["slow", "waiting"]);
    engine.stop();
    engine.start();
    // its restart policy brings the container back
    eventually(Duration::from_secs(20), "slow runs again", || scene.inspect("slow", "{{.State.Running}}") == "true");
    scene.exec("slow", "touch /tmp/go");
    let run = up.end(Duration::from_secs(30));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(scene.containers(), ["slow running", "web running"]);
    scene.ok(&["down", "-v"]);
    scene.assert_nothing_left();
}

fn restarted_while_idle(engine: &mut OwnEngine) {
    let services = SERVICES.replace("@GATED", "");
    let scene = scene(engine, "idle", &(services + "  plain:\n    @REDIS\n"));
    scene.ok(&["up"]);
    engine.stop();
    engine.start();
    // no policy brings this one back: that is told, and put right
    scene.fails(8, &["health", "plain"], &["plain", "Exited"]);
    scene.ok(&["up"]);
    assert_eq!(scene.containers(), ["plain running", "slow running", "web running"]);
    scene.ok(&["health"]);
    scene.ok(&["down", "-v"]);
    scene.assert_nothing_left();
}

fn frozen_during_up(engine: &OwnEngine) {
    let scene = scene(engine, "freeze", &SERVICES.replace("@GATED", ""));
    let mut up = scene.start(&["up"]);
    up.until(&["creating"]);
    let frozen = engine.freeze();
    // the fault itself: nobody answers for so long
    std::thread::sleep(Duration::from_secs(rounds(3, 10)));
    assert!(up.child.try_wait().unwrap().is_none(), "it did not wait\n{}", up.seen);
    drop(frozen);
    let run = up.end(Duration::from_secs(60));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(scene.containers(), ["slow running", "web running"]);
    scene.ok(&["down", "-v"]);
}

fn frozen_during_a_wait(engine: &OwnEngine) {
    let scene = scene(engine, "hung", SERVICES);
    let mut up = scene.start(&["up", "--wait-timeout", "4s"]);
    up.until(&["slow", "waiting"]);
    let frozen = engine.freeze();
    let (took, run) = timed(|| up.end(Duration::from_secs(20)));
    drop(frozen);
    assert_eq!(run.code, 9, "an engine that says nothing does not make a wait endless\n{}", run.stderr);
    assert!(took < Duration::from_secs(15), "{took:?}");
    scene.ok(&["down", "-v"]);
}

fn stopped_for_good(engine: &mut OwnEngine) {
    let scene = scene(engine, "off", SERVICES);
    let mut up = scene.start(&["up", "--wait-timeout", "3s"]);
    up.until(&["slow", "waiting"]);
    engine.stop();
    let run = up.end(Duration::from_secs(30));
    assert!([7, 9].contains(&run.code), "{}: {}", run.code, run.stderr);
    scene.fails(4, &["up"], &["E0401"]);
    engine.start();
    scene.ok(&["down", "-v"]);
    scene.assert_nothing_left();
}

#[test]
fn a_disk_that_is_full_is_called_full_and_the_next_up_goes_on() {
    let engine = OwnEngine::small(500);
    let scene = scene(
        &engine,
        "full",
        "services:\n  web:\n    @REDIS\n    volumes: ['web-data:/data']\nvolumes: {web-data: {}}\n",
    );
    let ballast = engine.data().join("ballast");
    let fill = format!("head -c 1G /dev/zero > {}", ballast.display());
    assert_ne!(scene.stage.sh(&fill).code, 0, "the disk is meant to be full");
    let run = scene.banyan(&["up"]);
    assert_ne!(run.code, 0, "{}", run.stdout);
    assert!(run.stderr.contains("disk is full") || run.stderr.contains("no space left"), "{}", run.stderr);
    assert!(run.stderr.contains("docker system prune"), "{}", run.stderr);
    std::fs::remove_file(&ballast).unwrap();
    scene.ok(&["up"]);
    assert_eq!(scene.containers(), ["web running"]);
    scene.ok(&["down", "-v"]);
    scene.assert_nothing_left();
}
