//! What `up` refuses, and what it does about optional services. What goes wrong on the way is told in `faults`.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{Small, changed};
use crate::faults::Running;
use crate::support::{eventually, free_port};

#[test]
fn the_same_project_from_another_folder() {
    let small = Small::new("origin").cache("cache", "").rest("");
    small.ok(&["up"]);
    let before = small.containers();
    std::fs::create_dir(small.stage.folder().join("copy")).unwrap();
    std::fs::copy(small.stage.folder().join("compose.yaml"), small.stage.folder().join("copy/compose.yaml")).unwrap();
    let run = crate::support::run(small.stage.bare(&["--file", "copy/compose.yaml", "up"]));
    assert_eq!(run.code, 5, "{}", run.stderr);
    assert!(run.stderr.contains(small.stage.folder().to_str().unwrap()), "{}", run.stderr);
    assert_eq!(super::changed(&before, &small.containers()), [""; 0]);
}

#[test]
fn data_of_another_server_is_not_opened() {
    let small = Small::new("foreign").cache("cache", "volumes: [\"data:/data\"]\n").rest("volumes: { data: {} }\n");
    let volume = format!("{}_data", small.project());
    for (source, version, opens) in
        [("official", "7.0.15", false), ("recipe", "8.2.0", false), ("recipe", "7.0.1", true)]
    {
        small.stage.docker(&[
            "volume",
            "create",
            "--label",
            &format!("com.docker.compose.project={}", small.project()),
            "--label",
            "com.docker.compose.volume=data",
            "--label",
            &format!("dev.banyan.source={source}"),
            "--label",
            &format!("dev.banyan.version={version}"),
            &volume,
        ]);
        let run = small.ends(&["up"], if opens { 0 } else { 12 });
        if opens {
            small.ok(&["down", "-v"]);
            continue;
        }
        for part in [volume.as_str(), version, source, "reset cache"] {
            assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
        }
        assert_eq!(small.leftovers(), [volume.as_str()], "nothing was made");
        // the hint is the way out, also where no container shows whose volume it is
        small.ok(&["reset", "cache", "--yes"]);
        small.ok(&["down", "-v"]);
    }
    // what banyan makes it labels, so the guard has something to go by
    small.ok(&["up"]);
    let labels = small.stage.docker(&["volume", "inspect", "--format", "{{json .Labels}}", &volume]);
    assert!(labels.contains("\"dev.banyan.source\":\"recipe\""), "{labels}");
    assert!(labels.contains("\"dev.banyan.version\":\"7.0"), "{labels}");
}

/// A required cache, an optional one, and one whose image cannot be had.
fn tiers(name: &str) -> Small {
    let small = Small::new(name).cache("main", "");
    let (port, gone) = (free_port(), "127.0.0.1:1/nobody/gone:1");
    small.rest(&format!(
        "  seen:
    image: banyan-local/redis
    ports: [\"127.0.0.1:{port}:6379\"]
    x-banyan: {{ recipe: redis, tier: observability, ready: {{ protocol: redis, port: 6379 }} }}
  gone:
    image: {gone}
    x-banyan: {{ tier: observability }}
  behind:
    image: banyan-local/redis
    depends_on: [gone]
    x-banyan: {{ recipe: redis, tier: observability }}
"
    ))
}

#[test]
fn optional_services_may_be_missing() {
    let small = tiers("tiers");
    let run = small.ok(&["up"]);
    let (required, optional) = run.stdout.split_once("\nOptional\n").unwrap();
    assert!(required.contains("main ") && !required.contains("seen"), "{}", run.stdout);
    assert!(optional.lines().any(|l| l.starts_with("seen ") && l.contains("started")), "{}", run.stdout);
    assert!(run.stdout.contains("Optional services that are not there:"), "{}", run.stdout);
    assert!(run.stdout.contains("gone: ") && run.stdout.contains("up --pull"), "{}", run.stdout);
    assert_eq!(small.containers().into_keys().collect::<Vec<_>>(), ["main", "seen"]);
    // the optional one was made only when the required one was there
    assert!(small.inspect("seen", "{{.Created}}") > small.inspect("main", "{{.State.StartedAt}}"));
    let health = small.ok(&["health"]);
    let (required, optional) = health.stdout.split_once("\nOptional\n").unwrap();
    assert!(required.contains("main") && !required.contains("seen"), "{}", health.stdout);
    assert!(optional.contains("seen") && optional.contains("not there"), "{}", health.stdout);

    // it is not asked for again, until somebody says so or the service changes
    let json = |args: &[&str]| small.ok(&[&["--output", "json"], args].concat()).json();
    let tried = |value: &serde_json::Value| {
        let items = value["unavailable"].as_array().unwrap();
        items.iter().find(|u| u["name"] == "gone").unwrap_or_else(|| panic!("{value}"))["tried"].clone()
    };
    assert_eq!(tried(&json(&["up"])), false);
    assert_eq!(tried(&json(&["up", "--pull", "--no-wait"])), true);
    assert_eq!(tried(&json(&["up"])), false);
    let path = small.stage.folder().join("compose.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("nobody/gone:1\n", "nobody/gone:1\n    user: \"1\"\n")).unwrap();
    assert_eq!(tried(&json(&["up"])), true);

    let strict = small.ends(&["up", "--strict"], 6);
    assert!(strict.stderr.contains("--strict"), "{}", strict.stderr);

    // one that is dead makes nothing unhealthy
    small.stage.docker(&["stop", "-t", "5", &small.container("seen")]);
    small.ok(&["health"]);
}

/// A required cache, and an optional service that does what `how` says.
fn watched(name: &str, how: &str) -> Small {
    let small = Small::new(name).cache("main", "");
    small.rest(&format!(
        "  seen:\n    image: banyan-local/redis\n    x-banyan: {{ recipe: redis, tier: observability }}\n    {how}\n"
    ))
}

#[test]
fn nobody_waits_for_an_optional_service_but_strict_does() {
    let how =
        "command: [sleep, infinity]\n    init: true\n    healthcheck: { test: [CMD, \"false\"], start_period: 600s }";
    let small = watched("unready", how);
    // with the usual limit of three minutes, which is not waited for
    let began = Instant::now();
    let run = small.ok(&["up", "--output", "json"]);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    let state = |run: &crate::support::Run| {
        let json = run.json();
        let services = json["services"].as_array().unwrap();
        services
            .iter()
            .map(|s| format!("{} {}", s["name"].as_str().unwrap(), s["state"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(state(&run), ["main ready", "seen started"]);
    assert_eq!(state(&small.ok(&["up", "--output", "json"])), ["main ready", "seen running"]);
    let strict = small.ends(&["up", "--strict", "--wait-timeout", "1s"], 9);
    assert!(strict.stderr.contains("`seen`"), "{}", strict.stderr);
}

#[test]
fn what_depends_on_a_slow_optional_service_starts_beside_it() {
    // ready once somebody says so; the one that needs it ends until then, and the engine starts it again
    let gate = "test: [CMD, test, -e, /data/go]";
    let small = Small::new("beside")
        .cache("main", "")
        .service(
            "store",
            &format!("command: [redis-server]\nhealthcheck: {{ {gate}, interval: 1s, retries: 1000 }}\nvolumes: [\"data:/data\"]\n"),
        )
        .service(
            "seen",
            "command: [sh, -c, \"test -e /data/go && exec redis-server --dir /tmp\"]\nrestart: unless-stopped\nvolumes: [\"data:/data\"]\ndepends_on: { store: { condition: service_healthy } }\n",
        )
        .rest("volumes: { data: {} }\n");
    let path = small.stage.folder().join("compose.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let optional = "x-banyan: { recipe: redis, tier: observability }";
    std::fs::write(&path, text.replace("x-banyan: { recipe: redis }", optional)).unwrap();
    let began = Instant::now();
    let run = small.ok(&["up"]);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    let (_, optional) = run.stdout.split_once("\nOptional\n").unwrap();
    for service in ["store", "seen"] {
        let line = optional.lines().find(|l| l.starts_with(&format!("{service} "))).unwrap_or_default();
        assert!(line.contains("started"), "{service}: {}", run.stdout);
    }
    eventually(Duration::from_secs(20), "it came too early, and is started again", || {
        small.inspect("seen", "{{.RestartCount}}") != "0"
    });
    assert!(small.ok(&["health"]).stdout.contains("unhealthy"));
    // not even an unchanged `up` waits for them
    assert!(small.ok(&["up", "--dry-run"]).stdout.contains("nothing to do"));
    let strict = small.ends(&["up", "--strict", "--wait-timeout", "1s"], 9);
    assert!(strict.stderr.contains("`store`"), "{}", strict.stderr);

    // whoever waits for all of them does not hold it against the one that came too early
    let words = ["--file", "compose.yaml", "--progress", "json", "up", "--strict"];
    let mut command = small.stage.bare(&words);
    let mut strict = Running::new(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    strict.until(&["\"seen\"", "waiting"]);
    let restarts = || small.inspect("seen", "{{.RestartCount}}").parse::<u32>().unwrap();
    eventually(Duration::from_secs(30), "more restarts than are forgiven without an excuse", || restarts() >= 5);
    small.stage.docker(&["exec", &small.container("store"), "touch", "/data/go"]);
    let run = strict.end(Duration::from_secs(60));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!small.ok(&["health"]).stdout.contains("unhealthy"));
}

#[test]
fn an_optional_service_that_cannot_start_is_told_and_fails_only_when_strict() {
    let small = watched("unstartable", "entrypoint: [no-such-command]");
    let run = small.ok(&["up"]);
    let (required, optional) = run.stdout.split_once("\nOptional\n").unwrap();
    assert!(required.contains("main "), "{}", run.stdout);
    assert!(optional.lines().any(|l| l.starts_with("seen ") && l.contains("failed")), "{}", run.stdout);
    assert!(run.stderr.contains("no-such-command"), "{}", run.stderr);
    let json = small.ok(&["up", "--output", "json", "--progress", "json"]).json();
    let seen = &json["services"][1];
    assert_eq!((&seen["name"], &seen["state"], &seen["ready"]), (&"seen".into(), &"failed".into(), &false.into()));
    assert!(seen["error"].as_str().unwrap().contains("no-such-command"), "{seen}");
    let strict = small.ends(&["up", "--strict"], 7);
    assert!(
        strict.stderr.contains("`seen` in ") && strict.stderr.contains("up seen"),
        "what to do next: {}",
        strict.stderr
    );
}

#[test]
fn a_renamed_service_finds_its_port_held_by_its_old_container() {
    let small = Small::new("renamed").cache("old", "").rest("");
    small.ok(&["up"]);
    let before = small.containers();
    let path = small.stage.folder().join("compose.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("  old:", "  new:")).unwrap();
    let run = small.ends(&["up"], 5);
    assert!(run.stderr.contains("E0501") && run.stderr.contains(&small.container("old")), "{}", run.stderr);
    assert_eq!(changed(&before, &small.containers()), [""; 0]);
    // the hint is the way out
    let command = run.stderr.lines().find_map(|l| l.split_once("take down what holds them: ")).unwrap().1;
    let down = small.stage.sh(command);
    assert_eq!(down.code, 0, "{command}\n{}", down.stderr);
    small.ok(&["up"]);
    assert_eq!(small.containers().into_keys().collect::<Vec<_>>(), ["new"]);
}
