//! `down` among guests, the stubborn, the frozen and the dead.

use std::time::Duration;

use super::{Scene, timed};

const PAIR: &str = "
services:
  stubborn:
    image: ${REDIS_IMAGE:-redis:7-alpine}
    x-banyan: {recipe: redis}
    entrypoint: [sh, -c, 'trap \"\" TERM; while :; do sleep 0.1; done']
    healthcheck: {test: ['CMD', 'true']}
    stop_grace_period: 1s
  polite:
    @REDIS
";

#[test]
fn a_network_with_a_guest_is_kept_and_the_guest_is_named() {
    let scene = Scene::new("guest", "services:\n  web:\n    @REDIS\n");
    scene.ok(&["up"]);
    let image = scene.inspect("web", "{{.Config.Image}}");
    let (guest, network) = (format!("{}-guest", scene.stage.instance), format!("{}_default", scene.project()));
    scene.stage.docker(&["run", "-d", "--name", &guest, "--network", &network, &image]);
    let run = scene.ok(&["down"]);
    let line = run.stderr.lines().find(|l| l.contains("kept")).unwrap_or_else(|| panic!("{}", run.stderr));
    assert!(line.contains(&guest) && line.contains(&network), "{line}");
    assert_eq!(scene.containers(), [""; 0]);
    scene.stage.docker(&["network", "inspect", &network]);
    assert_eq!(scene.stage.docker(&["inspect", "--format", "{{.State.Running}}", &guest]), "true");

    scene.stage.docker(&["rm", "-f", "-v", &guest]);
    scene.ok(&["down"]);
    scene.assert_nothing_left();
}

#[test]
fn who_had_to_be_killed_is_told_and_nobody_else() {
    let scene = Scene::new("stub", PAIR);
    scene.ok(&["up"]);
    let (took, run) = timed(|| scene.ok(&["down"]));
    let killed: Vec<_> = run.stderr.lines().filter(|l| l.contains("killed")).collect();
    assert!(!killed.is_empty() && killed.iter().all(|l| l.contains("stubborn")), "{}", run.stderr);
    assert!(took < Duration::from_secs(15), "{took:?}");
    scene.assert_nothing_left();
}

#[test]
fn who_was_dead_before_was_not_killed_by_down() {
    let scene = Scene::new("dead", PAIR);
    scene.ok(&["up"]);
    scene.stage.docker(&["kill", &scene.container("stubborn")]);
    scene.stage.docker(&["kill", &scene.container("polite")]);
    let run = scene.ok(&["down"]);
    assert!(!run.stderr.contains("killed"), "{}", run.stderr);
    scene.assert_nothing_left();
}

#[test]
fn frozen_containers_go_too() {
    let scene = Scene::new("frozen", "services:\n  web:\n    @REDIS\n");
    scene.ok(&["up"]);
    scene.stage.docker(&["pause", &scene.container("web")]);
    let (took, _) = timed(|| scene.ok(&["down", "-v"]));
    assert!(took < Duration::from_secs(15), "{took:?}");
    scene.assert_nothing_left();
}

#[test]
fn a_frozen_container_is_thawed_by_up() {
    let scene = Scene::new("thaw", "services:\n  web:\n    @REDIS\n");
    scene.ok(&["up"]);
    let before = scene.inspect("web", "{{.Id}}");
    scene.stage.docker(&["pause", &scene.container("web")]);
    scene.fails(8, &["health"], &["web"]);
    scene.ok(&["up"]);
    assert_eq!(scene.inspect("web", "{{.Id}} {{.State.Paused}}"), format!("{before} false"));
}

#[test]
fn down_of_what_is_half_gone_already() {
    let scene = Scene::new("half", PAIR);
    scene.ok(&["up"]);
    scene.stage.docker(&["rm", "-f", &scene.container("stubborn")]);
    scene.ok(&["down", "-v"]);
    scene.assert_nothing_left();
    scene.ok(&["down", "-v"]);
}
