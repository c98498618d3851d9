//! Health that comes and goes.

use std::time::Duration;

use super::{Scene, eventually, rounds};

const FLAP: &str = "
services:
  flap:
    image: ${REDIS_IMAGE:-redis:7-alpine}
    x-banyan: {recipe: redis}
    command: [sh, -c, 'touch /tmp/well; exec docker-entrypoint.sh redis-server']
    healthcheck: {test: ['CMD', 'test', '-e', '/tmp/well'], interval: 1s, retries: 1}
  web:
    @REDIS
    depends_on: {flap: {condition: service_healthy, restart: true}}
";

fn engine_says(scene: &Scene, health: &str) {
    eventually(Duration::from_secs(20), health, || scene.inspect("flap", "{{.State.Health.Status}}") == health);
}

#[test]
fn health_tells_this_moment_and_nobody_restarts_the_dependents() {
    let scene = Scene::new("flap", FLAP);
    scene.ok(&["up"]);
    let state = "{{.Id}} {{.State.StartedAt}} {{.RestartCount}}";
    let before = (scene.inspect("flap", state), scene.inspect("web", state));
    for _ in 0..rounds(2, 20) {
        scene.exec("flap", "rm /tmp/well");
        // asked at once: the engine still says healthy
        scene.fails(8, &["health"], &["E0801", "flap"]);
        engine_says(&scene, "unhealthy");
        scene.exec("flap", "touch /tmp/well");
        // asked at once: the engine still says unhealthy
        scene.ok(&["health"]);
        scene.ok(&["up"]);
        engine_says(&scene, "healthy");
    }
    assert_eq!((scene.inspect("flap", state), scene.inspect("web", state)), before);
}

#[test]
fn an_old_unhealthy_of_a_restarted_container_does_not_count() {
    // in each of its lives it is well only once it is told so
    let late = "command: [sh, -c, 'until [ -e /tmp/go ]; do sleep 0.05; done; rm /tmp/go; touch /tmp/well; exec docker-entrypoint.sh redis-server']
    init: true";
    let scene = Scene::new(
        "stale",
        &FLAP.replace("command: [sh, -c, 'touch /tmp/well; exec docker-entrypoint.sh redis-server']", late),
    );
    for life in 0..2 {
        if life > 0 {
            scene.exec("flap", "rm /tmp/well");
            engine_says(&scene, "unhealthy");
            scene.stage.docker(&["restart", "-t", "5", &scene.container("flap")]);
        }
        let mut up = scene.start(&["up"]);
        up.until(&["flap", "waiting"]);
        engine_says(&scene, "unhealthy");
        assert!(up.is_running(), "the engine's word alone is no end of the wait");
        scene.exec("flap", "touch /tmp/go");
        let run = up.end(Duration::from_secs(60));
        assert_eq!(run.code, 0, "{}", run.stderr);
        scene.ok(&["health"]);
    }
}

#[test]
fn a_service_that_was_stopped_is_not_healthy_and_up_starts_it() {
    let scene = Scene::new("stopped", "services:\n  web:\n    @REDIS\n");
    scene.ok(&["up"]);
    scene.stage.docker(&["stop", &scene.container("web")]);
    scene.fails(8, &["health"], &["web", "Exited (0)"]);
    scene.ok(&["up"]);
    scene.ok(&["health"]);
}
