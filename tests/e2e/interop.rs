//! Docker Compose and banyan on the same project: each one sees the other's containers as its own.

use super::images::recipe;
use super::{Small, changed};
use crate::support::{Run, Stage};
use ::compose as compose_crate;

/// Runs `docker compose ARGS`, which must end with 0.
#[track_caller]
pub fn compose(stage: &Stage, args: &str) -> Run {
    let run = stage.sh(&format!("docker compose {args}"));
    assert_eq!(run.code, 0, "docker compose {args} (tests/run gets Docker Compose)\n{}{}", run.stdout, run.stderr);
    run
}

/// A project that Compose can run as it is: its images are named exactly, and are there.
fn shared(name: &str) -> Small {
    let small = Small::new(name);
    let image = recipe(&small.stage, "redis");
    let small = small
        .cache(
            "first",
            "command: [redis-server, --appendonly, \"yes\"]
volumes: [\"data:/data\"]
environment: { A: b, C: \"${D:-d}\" }
labels: { team: ours }
healthcheck: { test: [CMD, redis-cli, ping], interval: 1s, timeout: 2s, retries: 5 }
stop_grace_period: 20s
",
        )
        .cache(
            "second",
            "depends_on: { first: { condition: service_healthy } }\nnetworks: { default: { aliases: [two] } }\n",
        )
        .rest("volumes: { data: {} }\n");
    let path = small.stage.folder().join("compose.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, text.replace("banyan-local/redis", &image)).unwrap();
    small
}

#[test]
fn compose_leaves_alone_what_banyan_made() {
    let small = shared("ours");
    small.ok(&["up"]);
    let before = small.containers();
    compose(&small.stage, "-f compose.yaml up -d --wait");
    assert_eq!(changed(&before, &small.containers()), [""; 0]);

    // the hash that Compose would give each service is the one on its container
    for line in compose(&small.stage, "-f compose.yaml config --hash '*'").stdout.lines() {
        let (service, hash) = line.split_once(' ').unwrap();
        let label = small.inspect(service, "{{index .Config.Labels \"com.docker.compose.config-hash\"}}");
        assert_eq!(label, hash, "{service}");
    }
    let ps = compose(&small.stage, "-f compose.yaml ps --services").stdout;
    assert_eq!(ps.lines().collect::<Vec<_>>(), ["first", "second"]);
    let ls = compose(&small.stage, "ls --format json").stdout;
    assert!(ls.contains(small.project()), "{ls}");
    assert!(compose(&small.stage, "-f compose.yaml logs").stdout.contains("Ready to accept connections"));

    let down = compose(&small.stage, "-f compose.yaml down -v");
    assert!(!down.stderr.contains("warn"), "{}", down.stderr);
    assert_eq!(small.leftovers(), [""; 0]);
}

#[test]
fn banyan_leaves_alone_what_compose_made() {
    let small = shared("theirs");
    compose(&small.stage, "-f compose.yaml up -d --wait");
    let before = small.containers();
    let run = small.ok(&["up"]);
    assert_eq!(changed(&before, &small.containers()), [""; 0], "{}", run.stderr);
    small.ok(&["health"]);
    assert!(small.ok(&["logs", "first"]).stdout.contains("Ready to accept connections"));
    let status = small.ok(&["status", "--output", "json"]).json();
    assert_eq!(status["items"][1]["state"], "running");
    small.ok(&["down", "-v"]);
    assert_eq!(small.leftovers(), [""; 0]);
}

#[test]
fn they_can_take_turns() {
    let mut small = shared("turns");
    compose(&small.stage, "-f compose.yaml up -d --wait");
    let before = small.containers();
    small.stage.set("D", "changed");
    small.ok(&["up"]);
    let after = small.containers();
    assert_eq!(changed(&before, &after), ["first"]);
    compose(&small.stage, "-f compose.yaml up -d --wait");
    assert_eq!(changed(&after, &small.containers()), [""; 0]);
    small.stage.set("D", "again");
    compose(&small.stage, "-f compose.yaml up -d --wait");
    let after = small.containers();
    small.ok(&["up"]);
    assert_eq!(changed(&after, &small.containers()), [""; 0]);
}

#[test]
fn compose_gives_the_built_in_stack_the_same_hashes() {
    let stage = Stage::core("stack-hashes");
    let text = include_str!("../../compose/docker-compose.yml");
    let path = stage.write("docker-compose.yml", text);
    let sources = compose_crate::Sources {
        files: vec![path.clone()],
        working_dir: stage.folder().to_owned(),
        process_env: stage.env().clone(),
        profiles: ["*".to_owned()].into(),
        ..Default::default()
    };
    let project = compose_crate::load(&sources, &|path| std::fs::read_to_string(path)).unwrap();
    let theirs = compose(&stage, "-f docker-compose.yml --profile '*' config --hash '*'").stdout;
    let theirs: std::collections::BTreeMap<&str, &str> = theirs.lines().filter_map(|l| l.split_once(' ')).collect();
    assert_eq!(theirs.len(), 10);
    for service in project.services.values() {
        assert_eq!(theirs[service.name.as_str()], service.config_hash, "{}", service.name);
    }
}
