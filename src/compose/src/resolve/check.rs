//! What must hold between services: names that exist, no cycles, nothing claimed twice.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::service::Draft;
use crate::load::Sources;
use crate::node::Spot;
use crate::problem::Problem;
use crate::project::{Condition, MountSource, Network, Port, Volume};
use crate::report::Report;
use crate::suggest::did_you_mean;

/// Checks every reference; dependencies that are not required and not there are dropped.
pub(super) fn references(
    drafts: &mut IndexMap<String, Draft>,
    networks: &IndexMap<String, Network>,
    volumes: &IndexMap<String, Volume>,
    sources: &Sources,
    report: &mut Report,
) {
    named(drafts, sources, report);
    profiles(drafts, sources, report);
    dependencies(drafts, report);
    cycles(drafts, report);
    for draft in drafts.values().filter(|d| d.enabled) {
        for (key, spot) in draft.service.networks.keys().zip(&draft.networks) {
            defined("network", key, *spot, networks.keys(), report);
        }
        for (mount, spot) in draft.service.mounts.iter().zip(&draft.mounts) {
            if let MountSource::Volume(key) = &mount.source {
                defined("volume", key, *spot, volumes.keys(), report);
            }
        }
    }
    container_names(drafts, report);
    host_ports(drafts, report);
}

fn defined<'a>(
    what: &str,
    key: &str,
    spot: Spot,
    known: impl Iterator<Item = &'a String> + Clone,
    report: &mut Report,
) {
    if known.clone().any(|k| k == key) {
        return;
    }
    let hint = did_you_mean(key, known.map(String::as_str))
        .unwrap_or_else(|| format!("add `{key}:` under the top-level `{what}s:`"));
    report.problem_hint(spot, format!("{what} `{key}` is not defined"), Some(hint));
}

fn named(drafts: &IndexMap<String, Draft>, sources: &Sources, report: &mut Report) {
    for name in sources.named.iter().filter(|name| !drafts.contains_key(*name)) {
        let mut problem = Problem::new(format!("there is no service `{name}`"));
        problem.hint = did_you_mean(name, drafts.keys().map(String::as_str));
        report.problems.push(problem);
    }
}

/// A profile that was asked for and that no service has would bring up less than was meant. One in `COMPOSE_PROFILES` may
/// be meant for another project.
fn profiles(drafts: &IndexMap<String, Draft>, sources: &Sources, report: &mut Report) {
    let known: BTreeSet<&str> =
        drafts.values().flat_map(|d| &d.service.profiles).map(String::as_str).chain(["*"]).collect();
    for name in sources.profiles.iter().filter(|name| !known.contains(name.as_str())) {
        let mut problem = Problem::new(format!("no service has the profile `{name}`"));
        problem.hint = did_you_mean(name, known.iter().copied().filter(|known| *known != "*"));
        report.problems.push(problem);
    }
}

fn dependencies(drafts: &mut IndexMap<String, Draft>, report: &mut Report) {
    let known: IndexMap<String, (bool, bool)> = drafts
        .iter()
        .map(|(name, d)| (name.clone(), (d.enabled, d.service.healthcheck.as_ref().is_some_and(|h| h.is_disabled()))))
        .collect();
    for (name, draft) in drafts.iter_mut().filter(|(_, d)| d.enabled) {
        let spots = std::mem::take(&mut draft.depends_on);
        let edges = std::mem::take(&mut draft.service.depends_on);
        for ((other, edge), spot) in edges.into_iter().zip(spots) {
            let missing = match known.get(&other) {
                Some((true, unchecked)) => {
                    if *unchecked && edge.condition == Condition::Healthy {
                        report.problem(
                            spot,
                            format!("`{name}` waits for `{other}` to be healthy, but its health check is disabled"),
                        );
                    }
                    draft.service.depends_on.insert(other, edge);
                    draft.depends_on.push(spot);
                    continue;
                }
                Some((false, _)) => format!("`{other}`, whose profile is not active"),
                None => format!("`{other}`, which is not defined"),
            };
            let message = format!("service `{name}` depends on {missing}");
            if edge.required {
                let hint = match known.contains_key(&other) {
                    true => Some("activate its profile, or set `required: false`".to_owned()),
                    false => did_you_mean(&other, known.keys().map(String::as_str)),
                };
                report.problem_hint(spot, message, hint);
            } else {
                report.warn(spot, format!("{message}; the dependency is left out"));
            }
        }
    }
}

/// Every cycle once, written as `a → b → a`.
fn cycles(drafts: &IndexMap<String, Draft>, report: &mut Report) {
    let mut done = BTreeSet::new();
    for start in drafts.keys() {
        // (service, its next edge) from the start to where the walk stands
        let mut walk: Vec<(&str, usize)> = vec![(start, 0)];
        while let Some((name, edge)) = walk.last_mut() {
            let draft = &drafts[*name];
            let next = draft.service.depends_on.get_index(*edge).map(|(other, _)| other.as_str());
            let spot = draft.depends_on.get(*edge).copied();
            *edge += 1;
            let Some(next) = next.filter(|_| !done.contains(*name)) else {
                done.insert(*name);
                walk.pop();
                continue;
            };
            if let Some(at) = walk.iter().position(|(name, _)| *name == next) {
                let mut names: Vec<&str> = walk[at..].iter().map(|(name, _)| *name).collect();
                names.push(next);
                report
                    .problem(spot.unwrap_or_default(), format!("services depend on each other: {}", names.join(" → ")));
            } else if drafts.contains_key(next) && !done.contains(next) {
                walk.push((next, 0));
            }
        }
    }
}

fn container_names(drafts: &IndexMap<String, Draft>, report: &mut Report) {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, draft) in drafts.iter().filter(|(_, d)| d.enabled) {
        if let Some(other) = owners.insert(&draft.service.container_name, name) {
            let container = &draft.service.container_name;
            report.problem(draft.name, format!("container name `{container}` is also that of service `{other}`"));
        }
    }
}

fn host_ports(drafts: &IndexMap<String, Draft>, report: &mut Report) {
    let mut taken: Vec<(&Port, &str)> = Vec::new();
    for (name, draft) in drafts.iter().filter(|(_, d)| d.enabled) {
        for (port, spot) in draft.service.ports.iter().zip(&draft.ports) {
            let Some(host) = port.host.filter(|p| *p != 0) else { continue };
            if let Some((_, owner)) = taken.iter().find(|(other, _)| clash(port, other)) {
                report.problem(*spot, format!("port {host} is already published by service `{owner}`"));
            } else {
                taken.push((port, name));
            }
        }
    }
}

fn clash(a: &Port, b: &Port) -> bool {
    let everywhere = |ip: &str| matches!(ip, "" | "0.0.0.0" | "::");
    a.host == b.host
        && a.protocol == b.protocol
        && (a.host_ip == b.host_ip || everywhere(&a.host_ip) || everywhere(&b.host_ip))
}
