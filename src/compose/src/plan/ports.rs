//! Which host ports a project wants, and who holds them already.

use std::net::IpAddr;

use crate::observed::{Container, Observed, State};
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

/// A wanted port that a container of somebody else holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// What was wanted.
    pub wanted: Wanted,
    /// Who holds it: `container web (project shop)`.
    pub holder: String,
}

/// The ports that `services` want, without those that the project's own running containers hold.
pub fn wanted_ports(project: &Project, observed: &Observed, services: &[String]) -> Vec<Wanted> {
    let ours = |host: u16, protocol: &str| {
        observed
            .containers
            .iter()
            .filter(|c| c.state != State::Exited && c.state != State::Created)
            .flat_map(|c| &c.ports)
            .any(|p| p.host == host && p.protocol == protocol)
    };
    project
        .services
        .values()
        .filter(|s| services.contains(&s.name))
        .flat_map(|s| s.ports.iter().map(move |p| (s, p)))
        .filter_map(|(s, p)| {
            let host = p.host.filter(|&h| h != 0)?;
            (!ours(host, &p.protocol)).then(|| Wanted {
                service: s.name.clone(),
                host_ip: p.host_ip.clone(),
                host,
                protocol: p.protocol.clone(),
                variable: p.variable.clone(),
            })
        })
        .collect()
}

/// Wanted ports that containers of other projects hold.
pub fn clashes(wanted: &[Wanted], observed: &Observed) -> Vec<Clash> {
    wanted
        .iter()
        .filter_map(|w| {
            let holder = observed.others.iter().find(|c| {
                c.ports
                    .iter()
                    .any(|p| p.host == w.host && p.protocol == w.protocol && addresses_overlap(&p.host_ip, &w.host_ip))
            })?;
            Some(Clash { wanted: w.clone(), holder: describe(holder) })
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
