//! One file per command.

pub mod down;
pub mod health;
pub mod images;
pub mod init;
pub mod logs;
pub mod reset;
pub mod serve;
pub mod status;
pub mod up;

use compose::project::{Project, Service};

/// An error that names the service and the one that was probably meant.
pub fn unknown_service(name: &str, known: &[&str]) -> crate::failure::Failure {
    use crate::failure::{Exit, Failure};
    let failure = Failure::new(Exit::Config, 4, format!("there is no service `{name}`"));
    match compose::suggest(name, known.iter().copied()) {
        Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
        None => failure.hint(format!("services: {}", known.join(", "))),
    }
}

/// The services that were named, or all that have a container.
pub fn check_names(named: &[String], known: &[&str]) -> Result<(), crate::failure::Failure> {
    match named.iter().find(|n| !known.contains(&n.as_str())) {
        Some(unknown) => Err(unknown_service(unknown, known)),
        None => Ok(()),
    }
}

/// The service's addresses as people reach them: container ports replaced by published ones.
pub fn addresses(project: &Project, service: &Service) -> Vec<(String, String, Option<String>)> {
    let _ = project;
    service
        .extension
        .addresses
        .iter()
        .filter_map(|a| Some((a.name.clone(), service.public_url(&a.url)?, a.login.clone())))
        .collect()
}
