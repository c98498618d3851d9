//! Ports and images that cannot be had: known before anything is touched.

use std::net::TcpListener;

use super::{REDIS, Scene};
use crate::support::{free_port, run};

#[test]
fn all_ports_that_are_taken_are_told_in_one_table_before_anything_is_made() {
    let scene = Scene::new("ports", "services:\n  web:\n    @REDIS\n");
    let (by_process, by_container, free) = (free_port(), free_port(), free_port());
    // an instance has ports of its own, so this project is none: its name is unique anyway
    let services = format!(
        "name: {}
services:
  first:
    @REDIS
    ports: ['127.0.0.1:${{FIRST_PORT:-{by_process}}}:6379', '127.0.0.1:${{FREE_PORT:-{free}}}:6380']
  second:
    @REDIS
    ports: ['127.0.0.1:${{SECOND_PORT:-{by_container}}}:6379']
    volumes: ['second-data:/data']
volumes: {{second-data: {{}}}}
",
        scene.project()
    );
    scene.stage.write("ports.yaml", &services.replace("@REDIS", REDIS));
    let banyan = |args: &[&str]| run(scene.stage.bare(&[&["--file", "ports.yaml"], args].concat()));
    let listener = TcpListener::bind(("127.0.0.1", by_process)).unwrap();
    let holder = format!("{}-holder", scene.stage.instance);
    let publish = format!("127.0.0.1:{by_container}:6379");
    let network = format!("{}-net", scene.stage.instance);
    scene.stage.docker(&["network", "create", &network]);
    scene.stage.docker(&["run", "-d", "--name", &holder, "--network", &network, "-p", &publish, &image(&scene)]);

    let pid = format!("pid {}", std::process::id());
    let words = ["E0501", "2 ports are", &pid, &holder, "FIRST_PORT=", "SECOND_PORT=", "nothing was changed"];
    for args in [&["up"][..], &["up", "--dry-run"]] {
        let run = banyan(args);
        assert_eq!(run.code, 5, "{}", run.stderr);
        for word in words {
            assert!(run.stderr.contains(word), "`{word}` is not in\n{}", run.stderr);
        }
        assert!(!run.stderr.contains(&format!("{free}/tcp")), "the free port is no clash\n{}", run.stderr);
    }
    scene.assert_nothing_left();

    drop(listener);
    scene.stage.docker(&["rm", "-f", "-v", &holder]);
    for args in [&["up"][..], &["up"], &["down", "-v"]] {
        let run = banyan(args);
        assert_eq!(run.code, 0, "{args:?}\n{}", run.stderr);
    }
    scene.assert_nothing_left();
}

/// The image that stands behind the services of these tests.
fn image(scene: &Scene) -> String {
    let list = scene.ok(&["--output", "json", "images", "list"]).stdout;
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let text = list.to_string();
    let start = text.find("banyan-local/redis:").or_else(|| text.find("redis:7")).unwrap();
    text[start..].split('"').next().unwrap().to_owned()
}

#[test]
fn an_image_that_nobody_has_is_named_exactly_and_nothing_is_made() {
    let reference = "127.0.0.1:1/nobody/has-this:1.2.3";
    let scene = Scene::new("image", &format!("services:\n  here:\n    @REDIS\n  missing:\n    image: {reference}\n"));
    scene.fails(6, &["up"], &["E0601", reference, "missing"]);
    scene.assert_nothing_left();
    scene.ok(&["up", "here"]);
}

#[test]
fn a_container_name_that_somebody_else_has() {
    let scene = Scene::new("name", "services:\n  web:\n    @REDIS\n");
    let image = image(&scene);
    scene.stage.docker(&["create", "--name", &scene.container("web"), &image]);
    scene.fails(5, &["up"], &["E0502", &scene.container("web"), "docker ps -a"]);
    scene.assert_nothing_left();
    scene.stage.docker(&["rm", "-v", &scene.container("web")]);
    scene.ok(&["up"]);
}

#[test]
fn a_network_that_was_deleted_under_a_stopped_container_comes_back() {
    let scene = Scene::new("net", "services:\n  web:\n    @REDIS\n");
    scene.ok(&["up"]);
    scene.stage.docker(&["stop", &scene.container("web")]);
    scene.stage.docker(&["network", "rm", &format!("{}_default", scene.project())]);
    scene.ok(&["up"]);
    assert_eq!(scene.containers(), ["web running"]);
}
