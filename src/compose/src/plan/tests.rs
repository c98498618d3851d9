//! The planner as text in, text out: a compose file, what Docker has, and the plan as the dry run prints it.

mod docker;
mod down;
mod graphs;
mod included;
mod ports;
mod recreate;
mod refusals;
mod resume;
mod up;

use std::io::{Error, ErrorKind};

use super::{Chosen, Images, Plan, Up, Waits};
use crate::load::{Sources, load};
use crate::observed::{Container, Observed};
use crate::project::Project;
use docker::Docker;

/// The project `shop` of a compose file in folder `/p`.
fn project(yaml: &str) -> Project {
    let sources = Sources {
        files: vec!["/p/compose.yaml".into()],
        working_dir: "/p".into(),
        project_name: Some("shop".into()),
        profiles: ["*".to_owned()].into(),
        ..Sources::default()
    };
    let read = |path: &std::path::Path| match path.ends_with("compose.yaml") {
        true => Ok(yaml.to_owned()),
        false => Err(Error::from(ErrorKind::NotFound)),
    };
    load(&sources, &read).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// An image for every service: what the file names, with an id that follows from the name.
fn images(project: &Project) -> Images {
    let chosen = |image: &str| Chosen {
        reference: image.to_owned(),
        id: format!("sha256:{image}"),
        source: "official".into(),
        version: "1.0".into(),
    };
    project.services.values().map(|s| (s.name.clone(), chosen(&s.image))).collect()
}

/// The wish to bring everything up.
fn all(project: &Project) -> Up {
    Up {
        services: project.services.keys().cloned().collect(),
        images: images(project),
        force_recreate: false,
        waits: Waits::All,
    }
}

/// The wish to bring some services up, and nothing else.
fn only(project: &Project, services: &[&str]) -> Up {
    Up { services: services.iter().map(|s| (*s).to_owned()).collect(), ..all(project) }
}

/// The plan that must be possible.
#[track_caller]
fn plan(project: &Project, observed: &Observed, wish: &Up) -> Plan {
    super::up(project, observed, wish).unwrap_or_else(|refusals| panic!("{refusals:#?}"))
}

/// Docker after the project came up.
#[track_caller]
fn running(project: &Project) -> Docker {
    let mut docker = Docker::default();
    docker.apply(project, &plan(project, &docker.observed, &all(project)));
    docker
}

/// The container of a service.
#[track_caller]
fn of<'a>(docker: &'a mut Docker, service: &str) -> &'a mut Container {
    docker.observed.containers.iter_mut().find(|c| c.service() == service).expect("the service has a container")
}

/// Compares a plan with what it should look like; the indentation of `expected` does not count.
#[track_caller]
fn shows(plan: &Plan, expected: &str) {
    let trimmed =
        |text: &str| -> String { text.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("\n") };
    let (actual, expected) = (trimmed(&plan.to_string()), trimmed(expected));
    assert!(actual == expected, "the plan is\n{actual}\n\nand should be\n{expected}");
}
