//! When a container is replaced, and the reason that is printed.

use super::{all, images, of, plan, project, running};
use crate::observed::{COMPOSE_HASH, LABEL_SPEC, State, VolumeMount};
use crate::plan::{Action, Up};
use crate::project::Project;

const BEFORE: &str = "
services:
  db:
    image: db:1
    networks: [default]
    volumes: [data:/data]
volumes: {data: {}, other: {}}
networks: {lan: {}}
";

/// Why the service's container is replaced when the file becomes `after`; empty: it is left alone.
#[track_caller]
fn reason(before: &str, after: &str) -> String {
    let docker = running(&project(before));
    let after = project(after);
    because(&after, &docker.observed, &all(&after))
}

#[track_caller]
fn because(project: &Project, observed: &crate::Observed, wish: &Up) -> String {
    let plan = plan(project, observed, wish);
    let replaced = plan.steps.iter().find(|s| matches!(s.action, Action::RenameContainer { .. }));
    assert_eq!(replaced.is_none(), plan.changes_nothing(), "{plan}");
    replaced.map(|s| s.because.to_string()).unwrap_or_default()
}

#[test]
fn every_group_of_fields_is_named() {
    let service = |extra: &str| format!("services:\n  db:\n    image: db:1\n    {extra}\n");
    let configs = |content: &str| {
        service("configs: [{source: conf, target: /etc/conf}]")
            + &format!("configs: {{conf: {{content: '{content}'}}}}")
    };
    for (group, before, after) in [
        ("image", service(""), service("").replace("db:1", "db:2")),
        ("command", service(""), service("command: [serve]")),
        ("command", service(""), service("entrypoint: [serve]")),
        ("command", service(""), service("user: '70'")),
        ("command", service(""), service("working_dir: /tmp")),
        ("environment", service("environment: {A: '1'}"), service("environment: {A: '2'}")),
        ("ports", service("ports: ['127.0.0.1:1:1']"), service("ports: ['127.0.0.1:2:1']")),
        ("mounts", service("tmpfs: [/a]"), service("tmpfs: [/b]")),
        ("configs", configs("a"), configs("b")),
        ("networks", service(""), service("hostname: one")),
        ("networks", service(""), service("extra_hosts: ['a:10.0.0.1']")),
        ("healthcheck", service(""), service("healthcheck: {test: [CMD, 'true']}")),
        ("limits", service("mem_limit: 64m"), service("mem_limit: 65m")),
        ("limits", service(""), service("ulimits: {nofile: 1024}")),
        ("labels", service(""), service("labels: {a: b}")),
        ("options", service(""), service("restart: always")),
        ("options", service(""), service("init: true")),
        ("options", service(""), service("stop_signal: SIGINT")),
        ("options", service(""), service("stop_grace_period: 3s")),
        ("options", service(""), service("read_only: true")),
        ("options", service(""), service("cap_drop: [ALL]")),
    ] {
        assert_eq!(reason(&before, &after), format!("changed: {group}"), "{before} -> {after}");
        assert_eq!(reason(&after, &after), "", "{after}");
    }
}

#[test]
fn several_groups_are_named_together() {
    let after = BEFORE.replace("image: db:1", "image: db:2\n    environment: {A: b}");
    assert_eq!(reason(BEFORE, &after), "changed: environment, image");
}

#[test]
fn what_changes_nothing_in_the_container_is_no_reason() {
    for (before, after) in [
        ("networks: [default]", "networks: [default]\n    profiles: [x]"),
        ("networks: [default]", "networks: [default]\n    pull_policy: always"),
        ("networks: [default]", "networks: [default]\n    x-banyan: {boot: 3s, tier: extra}"),
        ("networks: [default]", "networks: {default: {}}"),
    ] {
        assert_eq!(reason(BEFORE, &BEFORE.replace(before, after)), "", "{after}");
    }
    let ports = "services: {db: {image: db, ports: ['1:1', '2:2']}}";
    assert_eq!(reason(ports, &ports.replace("'1:1', '2:2'", "'2:2', '1:1'")), "", "the order of ports");
}

#[test]
fn another_network_or_volume() {
    assert_eq!(reason(BEFORE, &BEFORE.replace("[default]", "[lan]")), "changed: networks");
    assert_eq!(reason(BEFORE, &BEFORE.replace("data:/data", "other:/data")), "changed: mounts");
    assert_eq!(reason(BEFORE, &BEFORE.replace("volumes: {data: {}", "volumes: {data: {name: x}")), "changed: mounts");
}

#[test]
fn an_image_of_the_same_name_that_is_another_one_now() {
    let project = project(BEFORE);
    let docker = running(&project);
    let mut wish = all(&project);
    wish.images.get_mut("db").unwrap().id = "sha256:new".into();
    assert_eq!(because(&project, &docker.observed, &wish), "image db:1 is another one now");
    wish.images.get_mut("db").unwrap().id.clear();
    assert_eq!(because(&project, &docker.observed, &wish), "", "an id that is not known yet is no difference");
}

#[test]
fn a_network_that_it_was_taken_off() {
    let project = project(BEFORE);
    let mut docker = running(&project);
    of(&mut docker, "db").networks.clear();
    assert_eq!(because(&project, &docker.observed, &all(&project)), "not attached to shop_default");
}

#[test]
fn a_stopped_container_whose_network_was_deleted_is_made_anew() {
    let project = project(BEFORE);
    let mut docker = running(&project);
    of(&mut docker, "db").state = State::Exited;
    docker.observed.networks.clear();
    assert_eq!(because(&project, &docker.observed, &all(&project)), "network shop_default is not there any more");
}

#[test]
fn a_volume_that_is_not_mounted() {
    let project = project(BEFORE);
    let mut docker = running(&project);
    of(&mut docker, "db").volumes.clear();
    assert_eq!(because(&project, &docker.observed, &all(&project)), "volume shop_data is not mounted");
}

#[test]
fn another_name() {
    let after = BEFORE.replace("image: db:1", "image: db:1\n    container_name: main-db");
    assert_eq!(reason(BEFORE, &after), "it is called shop-db-1");
}

#[test]
fn a_container_of_another_tool_stays_when_its_hash_is_equal() {
    let project = project(BEFORE);
    let mut docker = running(&project);
    of(&mut docker, "db").labels.remove(LABEL_SPEC);
    assert_eq!(because(&project, &docker.observed, &all(&project)), "");
    of(&mut docker, "db").labels.insert(COMPOSE_HASH.into(), "another".into());
    assert_eq!(because(&project, &docker.observed, &all(&project)), "made by another tool from other settings");
}

#[test]
fn a_label_that_nobody_can_read_counts_as_one_of_another_tool() {
    let project = project(BEFORE);
    let mut docker = running(&project);
    of(&mut docker, "db").labels.insert(LABEL_SPEC.into(), "{not json".into());
    assert_eq!(because(&project, &docker.observed, &all(&project)), "");
}

#[test]
fn a_container_that_the_engine_could_not_remove() {
    let project = project(BEFORE);
    let mut docker = running(&project);
    of(&mut docker, "db").state = State::Dead;
    assert_eq!(because(&project, &docker.observed, &all(&project)), "the engine could not remove it");
}

#[test]
fn unnamed_volumes_are_taken_over_unless_the_file_now_says_what_belongs_there() {
    let inherited = |yaml: &str| {
        let mut docker = running(&project("services: {db: {image: 'db:1'}}"));
        let unnamed = |c: char, target: &str| VolumeMount { name: c.to_string().repeat(64), target: target.into() };
        of(&mut docker, "db").volumes = vec![unnamed('a', "/data"), unnamed('b', "/log")];
        let after = project(yaml);
        let wish = Up { images: images(&after), ..all(&after) };
        let plan = plan(&after, &docker.observed, &wish);
        plan.steps
            .iter()
            .find_map(|s| match &s.action {
                Action::CreateContainer { inherit, .. } => Some(inherit.clone()),
                _ => None,
            })
            .unwrap()
            .into_iter()
            .map(|(name, target)| format!("{}…:{target}", &name[..1]))
            .collect::<Vec<_>>()
    };
    assert_eq!(inherited("services: {db: {image: 'db:2'}}"), ["a…:/data", "b…:/log"]);
    assert_eq!(inherited("services: {db: {image: 'db:2', volumes: ['data:/data']}}\nvolumes: {data: {}}"), ["b…:/log"]);
}
