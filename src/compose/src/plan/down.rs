//! From what runs and the wish to take it down, to steps; needs no compose file, labels say everything.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Down, Plan};
use crate::observed::{COMPOSE_PROJECT, Container, Observed};
use crate::project::{MountSource, Project};

/// Stops and removes in reverse dependency order, what has no edge in parallel; then networks, then volumes if asked.
///
/// `services` empty means everything; else those services and whatever depends on them. Data goes only of the services
/// that were named, not of those that go along.
pub fn down(project: &str, observed: &Observed, wish: &Down) -> Plan {
    let mut plan = Plan::default();
    let going: Vec<&Container> = selected(observed, &wish.services);
    let staying: Vec<&Container> = observed.containers.iter().filter(|c| !going.iter().any(|g| g.id == c.id)).collect();

    let mut stop_of: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut removals = Vec::new();
    for container in dependents_first(&going) {
        let service = container.service();
        let after = going
            .iter()
            .filter(|c| c.depends_on().iter().any(|d| d == service))
            .flat_map(|c| stop_of.get(c.service()).cloned().unwrap_or_default())
            .collect();
        let because = if wish.services.is_empty() || wish.services.iter().any(|s| s == service) {
            "asked for".to_owned()
        } else {
            "depends on a service that goes".to_owned()
        };
        let (service, name) = (service.to_owned(), container.name.clone());
        let stop =
            plan.push(Action::StopContainer { service: service.clone(), name: name.clone() }, after, because.clone());
        stop_of.entry(container.service()).or_default().push(stop);
        removals.push(plan.push(Action::RemoveContainer { service, name }, vec![stop], because));
    }

    for name in owned(project, &observed.networks) {
        if !staying.iter().any(|c| c.networks.contains_key(name)) {
            plan.push(
                Action::RemoveNetwork { name: name.to_owned() },
                removals.clone(),
                "no container of the project is left on it",
            );
        }
    }
    if wish.volumes {
        for name in owned(project, &observed.volumes) {
            let used = |c: &&Container| c.volumes.iter().any(|v| v.name == name);
            let named = |c: &&Container| wish.services.iter().any(|s| s == c.service());
            let concerned = wish.services.is_empty()
                || wish.data.iter().any(|d| d == name)
                || going.iter().filter(|c| named(c)).any(used);
            if let Some(user) = staying.iter().find(|c| concerned && used(c)) {
                plan.notes.push(format!("volume {name} stays: {} uses it too", user.service()));
            } else if concerned {
                plan.push(Action::RemoveVolume { name: name.to_owned() }, removals.clone(), "its data was asked to go");
            }
        }
        for name in unnamed(&going) {
            let used = |c: &&Container| c.volumes.iter().any(|v| v.name == name);
            if !staying.iter().any(used) && !observed.others.iter().any(|c| used(&c)) {
                plan.push(
                    Action::RemoveVolume { name: name.to_owned() },
                    removals.clone(),
                    "unnamed, its container goes",
                );
            }
        }
    }
    plan
}

/// Names of the project's own volumes that the files give to these services.
pub fn data_of(project: &Project, services: &[String]) -> Vec<String> {
    let mounts = services.iter().filter_map(|s| project.services.get(s)).flat_map(|s| &s.mounts);
    let names = mounts.filter_map(|m| match &m.source {
        MountSource::Volume(key) => project.volumes.get(key).filter(|v| !v.external).map(|v| v.name.clone()),
        _ => None,
    });
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Names of the objects that carry the project's label.
fn owned<'a>(
    project: &'a str,
    objects: &'a BTreeMap<String, crate::observed::Labelled>,
) -> impl Iterator<Item = &'a str> {
    objects
        .iter()
        .filter(move |(_, o)| o.labels.get(COMPOSE_PROJECT).is_some_and(|p| p == project))
        .map(|(name, _)| name.as_str())
}

/// Volumes that the engine made for these containers alone; no label says whose they are.
fn unnamed<'a>(containers: &[&'a Container]) -> BTreeSet<&'a str> {
    containers.iter().flat_map(|c| &c.volumes).filter(|v| v.is_unnamed()).map(|v| v.name.as_str()).collect()
}

/// The containers of the named services and of everything that depends on them; all of them if none is named.
fn selected<'a>(observed: &'a Observed, named: &[String]) -> Vec<&'a Container> {
    if named.is_empty() {
        return observed.containers.iter().collect();
    }
    let mut services: BTreeSet<String> = named.iter().cloned().collect();
    loop {
        let before = services.len();
        for c in &observed.containers {
            if c.depends_on().iter().any(|d| services.contains(d)) {
                services.insert(c.service().to_owned());
            }
        }
        if services.len() == before {
            break;
        }
    }
    observed.containers.iter().filter(|c| services.contains(c.service())).collect()
}

/// Every container after all those that depend on it. A cycle (labels are not ours to trust) is cut where it is met.
fn dependents_first<'a>(containers: &[&'a Container]) -> Vec<&'a Container> {
    fn visit<'a>(c: &'a Container, all: &[&'a Container], seen: &mut BTreeSet<&'a str>, out: &mut Vec<&'a Container>) {
        if !seen.insert(&c.id) {
            return;
        }
        for other in all.iter().filter(|o| o.depends_on().iter().any(|d| d == c.service())) {
            visit(other, all, seen, out);
        }
        out.push(c);
    }
    let (mut seen, mut out) = (BTreeSet::new(), Vec::new());
    for c in containers {
        visit(c, containers, &mut seen, &mut out);
    }
    out
}
