//! Which host ports a project wants, and who holds them already.

use std::net::IpAddr;

use crate::observed::{Container, Observed, PublishedPort, State};
use crate::project::Project;

/// A host port that a service wants and that none of its own containers holds yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The service.
    pub service: String,
    /// Address on the host; empty: all of them.
    pub host_ip: String,
    /// Port on the host.
    pub host: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Variable that changes it, when the file has one.
    pub variable: Option<String>,
}

/// A wanted port that another container holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// What was wanted.
    pub wanted: Wanted,
    /// Who holds it: `container web (project shop)`.
    pub holder: String,
    /// The service of the holder, when it belongs to this very project.
    pub own_service: Option<String>,
}

/// The ports that `services` want, without those that their own running containers hold, and those that a container
/// gives up in the same run, because its service wants another port now.
pub fn wanted_ports(project: &Project, observed: &Observed, services: &[String]) -> Vec<Wanted> {
    let wants = |service: &str, host: u16, protocol: &str| {
        let mut ports = project.services.get(service).into_iter().flat_map(|s| &s.ports);
        ports.any(|p| p.host == Some(host) && p.protocol == protocol)
    };
    let gives_up = |service: &str, host: u16, protocol: &str| {
        services.iter().any(|s| s == service) && !wants(service, host, protocol)
    };
    let held = |service: &str, host: u16, protocol: &str| {
        let running = observed.containers.iter().filter(|c| c.state != State::Exited && c.state != State::Created);
        let mut holders = running.filter(|c| c.ports.iter().any(|p| p.host == host && p.protocol == protocol));
        holders.any(|c| c.service() == service || gives_up(c.service(), host, protocol))
    };
    project
        .services
        .values()
        .filter(|s| services.contains(&s.name))
        .flat_map(|s| s.ports.iter().map(move |p| (s, p)))
        .filter_map(|(s, p)| {
            let host = p.host.filter(|&h| h != 0)?;
            (!held(&s.name, host, &p.protocol)).then(|| Wanted {
                service: s.name.clone(),
                host_ip: p.host_ip.clone(),
                host,
                protocol: p.protocol.clone(),
                variable: p.variable.clone(),
            })
        })
        .collect()
}

/// Wanted ports that other containers hold: of other projects, or of other services of this one.
pub fn clashes(wanted: &[Wanted], observed: &Observed) -> Vec<Clash> {
    let holds = |c: &&Container, w: &Wanted| {
        let same = |p: &PublishedPort| p.host == w.host && p.protocol == w.protocol;
        c.ports.iter().any(|p| same(p) && addresses_overlap(&p.host_ip, &w.host_ip))
    };
    wanted
        .iter()
        .filter_map(|w| {
            let other = observed.others.iter().find(|c| holds(c, w));
            let own = observed.containers.iter().find(|c| c.service() != w.service && holds(c, w));
            let own_service = own.filter(|_| other.is_none()).map(|c| c.service().to_owned());
            Some(Clash { wanted: w.clone(), holder: describe(other.or(own)?), own_service })
        })
        .collect()
}

fn describe(container: &Container) -> String {
    match container.project() {
        Some(project) => format!("container {} (project {project})", container.name),
        None => format!("container {}", container.name),
    }
}

/// A wildcard overlaps with everything; two addresses only with themselves.
fn addresses_overlap(a: &str, b: &str) -> bool {
    let wild = |s: &str| s.is_empty() || s.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
    wild(a) || wild(b) || a == b
}
