//! Which host ports are wanted, and who holds them.

use super::{Docker, of, project, running};
use crate::observed::{COMPOSE_PROJECT, Container, PublishedPort, State};
use crate::plan::{clashes, wanted_ports};

fn published(host_ip: &str, host: u16, protocol: &str) -> PublishedPort {
    PublishedPort { host_ip: host_ip.into(), host, container: 80, protocol: protocol.into() }
}

#[test]
fn every_published_port_of_the_chosen_services_is_wanted() {
    let project = project(
        "services:
           web: {image: web, ports: ['127.0.0.1:8080:80', '53:53/udp', '9000', '7000-7001:7000-7001']}
           db: {image: db, ports: ['5432:5432']}
           hidden: {image: hidden, expose: ['1234']}",
    );
    let services = ["web".to_owned(), "hidden".to_owned()];
    let wanted: Vec<String> = wanted_ports(&project, &Docker::default().observed, &services)
        .iter()
        .map(|w| format!("{} {}:{}/{}", w.service, w.host_ip, w.host, w.protocol))
        .collect();
    // 9000 is any host port: the engine picks one
    assert_eq!(wanted, ["web 127.0.0.1:8080/tcp", "web :53/udp", "web :7000/tcp", "web :7001/tcp"]);
}

#[test]
fn what_our_own_running_containers_hold_is_not_wanted_again() {
    let project = project("services: {db: {image: db, ports: ['5432:5432']}}");
    let services = ["db".to_owned()];
    let mut docker = running(&project);
    of(&mut docker, "db").ports = vec![published("0.0.0.0", 5432, "tcp")];
    for (state, wanted) in
        [(State::Running, 0), (State::Paused, 0), (State::Restarting, 0), (State::Exited, 1), (State::Created, 1)]
    {
        of(&mut docker, "db").state = state;
        assert_eq!(wanted_ports(&project, &docker.observed, &services).len(), wanted, "{state:?}");
    }
    of(&mut docker, "db").state = State::Running;
    of(&mut docker, "db").ports = vec![published("0.0.0.0", 5432, "udp")];
    assert_eq!(wanted_ports(&project, &docker.observed, &services).len(), 1, "another protocol");
}

#[test]
fn the_variable_that_changes_a_port_is_known() {
    let project = project("services: {db: {image: db, ports: ['127.0.0.1:${DB_PORT:-5432}:5432']}}");
    let wanted = wanted_ports(&project, &Docker::default().observed, &["db".to_owned()]);
    assert_eq!(wanted[0].variable.as_deref(), Some("DB_PORT"));
}

#[test]
fn a_wildcard_clashes_with_every_address_and_an_address_with_itself() {
    for (wanted, held, protocol, clash) in [
        ("127.0.0.1", "127.0.0.1", "tcp", true),
        ("127.0.0.1", "127.0.0.2", "tcp", false),
        ("127.0.0.1", "0.0.0.0", "tcp", true),
        ("127.0.0.1", "::", "tcp", true),
        ("127.0.0.1", "", "tcp", true),
        ("0.0.0.0", "127.0.0.9", "tcp", true),
        ("127.0.0.1", "127.0.0.1", "udp", false),
    ] {
        let project = project(&format!("services: {{db: {{image: db, ports: ['{wanted}:5432:5432']}}}}"));
        let mut docker = Docker::default();
        docker.observed.others.push(Container {
            name: "other".into(),
            ports: vec![published(held, 5432, protocol)],
            ..Container::default()
        });
        let wanted_here = wanted_ports(&project, &docker.observed, &["db".to_owned()]);
        let found = clashes(&wanted_here, &docker.observed);
        assert_eq!(!found.is_empty(), clash, "{wanted} against {held}/{protocol}");
    }
}

#[test]
fn all_clashes_are_told_with_who_holds_the_port() {
    let project = project("services: {db: {image: db, ports: ['1:1', '2:2', '3:3']}}");
    let mut docker = Docker::default();
    let mut holder = |name: &str, port: u16, project: Option<&str>| {
        docker.observed.others.push(Container {
            name: name.into(),
            ports: vec![published("", port, "tcp")],
            labels: project.iter().map(|p| (COMPOSE_PROJECT.to_owned(), (*p).to_owned())).collect(),
            ..Container::default()
        });
    };
    holder("mine", 1, Some("bakery"));
    holder("stray", 3, None);
    let wanted = wanted_ports(&project, &docker.observed, &["db".to_owned()]);
    let told: Vec<_> =
        clashes(&wanted, &docker.observed).iter().map(|c| format!("{}: {}", c.wanted.host, c.holder)).collect();
    assert_eq!(told, ["1: container mine (project bakery)", "3: container stray"]);
}

#[test]
fn a_port_of_another_container_of_the_project_is_a_clash_unless_it_is_given_up() {
    let before = project("services: {old: {image: db, ports: ['1:1']}, web: {image: web, ports: ['2:2']}}");
    let mut docker = running(&before);
    of(&mut docker, "old").ports = vec![published("0.0.0.0", 1, "tcp")];
    of(&mut docker, "web").ports = vec![published("0.0.0.0", 2, "tcp")];
    let told = |yaml: &str, services: &[&str]| -> Vec<String> {
        let services: Vec<String> = services.iter().map(|s| (*s).to_owned()).collect();
        let wanted = wanted_ports(&project(yaml), &docker.observed, &services);
        let found = clashes(&wanted, &docker.observed);
        found
            .iter()
            .map(|c| format!("{} {}: {}", c.wanted.service, c.wanted.host, c.own_service.as_deref().unwrap()))
            .collect()
    };
    // a service that got another name: its old container is nobody's
    let renamed = "services: {new: {image: db, ports: ['1:1']}, web: {image: web, ports: ['2:2']}}";
    assert_eq!(told(renamed, &["new", "web"]), ["new 1: old"]);
    // one that moves away in the same run, and one that does not, because it was not asked for
    let moved = "services: {old: {image: db, ports: ['2:1']}, web: {image: web, ports: ['3:2']}}";
    assert_eq!(told(moved, &["old", "web"]), [""; 0]);
    assert_eq!(told(moved, &["old"]), ["old 2: web"]);
}
