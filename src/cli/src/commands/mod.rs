//! One file per command.

pub mod backup;
mod broker;
pub mod contracts;
pub mod dlq;
pub mod down;
pub mod health;
pub mod images;
pub mod init;
pub mod logs;
pub mod new_service;
pub mod remove_service;
pub mod reset;
pub mod restore;
pub mod serve;
pub mod services;
pub mod status;
pub mod up;
pub mod users;

use compose::Problem;
use compose::observed::{Container, State};
use compose::project::Service;

use crate::failure::Failure;

/// An error that names the service and the one that was probably meant; the same that a load gives.
fn unknown_service(name: &str, known: &[&str]) -> Failure {
    let problem = Problem::new(format!("there is no service `{name}`"));
    let hint = match compose::suggest(name, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("services: {}", known.join(", ")),
    };
    Failure::problems(&[problem.hint(hint)])
}

/// Refuses a name that no service has.
pub fn check_names(named: &[String], known: &[&str]) -> Result<(), Failure> {
    match named.iter().find(|n| !known.contains(&n.as_str())) {
        Some(unknown) => Err(unknown_service(unknown, known)),
        None => Ok(()),
    }
}

/// The container of a service, the one that runs if an interrupted run left two.
pub fn container_of<'a>(containers: &'a [Container], service: &str) -> Option<&'a Container> {
    let own = containers.iter().filter(|c| c.service() == service && !c.is_one_off());
    own.max_by_key(|c| c.state == State::Running)
}

/// The service's addresses as people reach them: name, URL with the published port, login.
///
/// A service that names none has those of its published ports.
pub fn addresses(service: &Service) -> Vec<(String, String, Option<String>)> {
    let named = &service.extension.addresses;
    if !named.is_empty() {
        return named
            .iter()
            .filter_map(|a| Some((a.name.clone(), service.public_url(&a.url)?, a.login.clone())))
            .collect();
    }
    let published = service.ports.iter().filter_map(|p| Some((p, p.host.filter(|&h| h != 0)?)));
    published.map(|(p, host)| (p.protocol.clone(), format!("localhost:{host}"), None)).collect()
}
