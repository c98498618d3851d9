//! Ports and images that cannot be had: known before anything is touched.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use super::{GATED, REDIS, Running, Scene};
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
    let json = banyan(&["--output", "json", "--quiet", "up"]);
    let error: serde_json::Value = serde_json::from_str(json.stderr.trim()).unwrap();
    assert_eq!((json.code, &error["error"]["code"]), (5, &"E0501".into()), "{error}");
    let told = |service: &str, key: &str| {
        let clashes = error["error"]["data"].as_array().unwrap();
        clashes.iter().find(|c| c["service"] == service).unwrap_or_else(|| panic!("{service}: {error}"))[key].clone()
    };
    assert_eq!((told("first", "port"), told("second", "port")), (by_process.into(), by_container.into()));
    assert!(
        told("first", "holder").to_string().contains(&pid) && told("second", "holder").to_string().contains(&holder)
    );
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
    scene.fails(6, &["up"], &["E0601", reference, "missing", "no registry answers"]);
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
fn a_port_that_is_taken_between_the_check_and_the_start() {
    let scene = Scene::new("late", "services:\n  web:\n    @REDIS\n");
    let port = free_port();
    // no instance, which would have a port of its own
    let services = format!(
        "name: {}
services:
  slow:
    @REDIS
    @GATED
  web:
    @REDIS
    ports: ['127.0.0.1:{port}:6379']
    depends_on: {{slow: {{condition: service_healthy}}}}
  behind:
    @REDIS
    depends_on: [web]
",
        scene.project()
    );
    scene.stage.write("late.yaml", &services.replace("@REDIS", REDIS).replace("@GATED", GATED));
    let command = |args: &[&str]| scene.stage.bare(&[&["--file", "late.yaml", "--progress", "json"], args].concat());
    let mut up = Running::new(command(&["up"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    up.until(&["slow", "waiting"]);
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    scene.exec("slow", "touch /tmp/go");
    let failed = up.end(Duration::from_secs(30));
    assert_eq!(failed.code, 5, "{}", failed.stderr);
    let error: serde_json::Value = serde_json::from_str(failed.stderr.lines().last().unwrap()).unwrap();
    let text = error.to_string();
    for word in ["E0501", "`web`: a port of it was taken meanwhile", &port.to_string(), "removed again", "up --dry-run"]
    {
        assert!(text.contains(word), "`{word}` is not in {text}");
    }
    assert_eq!(error["error"]["data"]["failures"][0]["blocks"], serde_json::json!(["behind"]));
    // what could not start is gone, what runs goes on, and the hint names the holder
    assert_eq!(scene.containers(), ["behind created", "slow running"]);
    let dry = run(command(&["up", "--dry-run"]));
    assert_eq!(dry.code, 5, "{}", dry.stderr);
    assert!(dry.stderr.contains(&format!("pid {}", std::process::id())), "{}", dry.stderr);
    drop(listener);
    let before = scene.inspect("slow", "{{.Id}} {{.State.StartedAt}}");
    let again = run(command(&["up"]));
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(scene.containers(), ["behind running", "slow running", "web running"]);
    assert_eq!(scene.inspect("slow", "{{.Id}} {{.State.StartedAt}}"), before);
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
