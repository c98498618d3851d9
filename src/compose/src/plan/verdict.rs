//! What a service's container needs, and why.

use super::{Because, Chosen};
use crate::digest::{self, Groups};
use crate::observed::{COMPOSE_HASH, Container, LABEL_SPEC, Observed, State};
use crate::project::{Condition, MountSource, Project, Service};

/// What a service's container needs.
pub(super) enum Verdict {
    Create {
        because: Because,
    },
    Replace {
        because: Because,
    },
    Start {
        because: &'static str,
    },
    /// Made by a run that may have ended before its files were copied.
    Finish,
    Unpause,
    Leave,
}

pub(super) fn verdict(
    project: &Project,
    observed: &Observed,
    service: &Service,
    current: Option<&Container>,
    image: &Chosen,
) -> Verdict {
    let Some(c) = current else { return Verdict::Create { because: Because::New } };
    if let Some(because) = difference(project, observed, service, c, image) {
        return Verdict::Replace { because: because.into() };
    }
    match c.state {
        State::Running | State::Restarting => Verdict::Leave,
        State::Paused => Verdict::Unpause,
        State::Exited if is_done_job(project, service, c) => Verdict::Leave,
        State::Exited => Verdict::Start { because: "was stopped" },
        State::Created => Verdict::Finish,
        State::Removing | State::Dead => Verdict::Replace { because: "the engine could not remove it".into() },
    }
}

/// A job that ran to its end with 0 is not run again.
///
/// It is a job when another service waits for its end, or when nothing says that it should go on running. A server
/// that was stopped in good order ended with 0 as well, and that one is started again.
pub fn is_done_job(project: &Project, service: &Service, container: &Container) -> bool {
    use crate::project::Restart;
    let wanted = |condition: Condition| {
        project.services.values().any(|s| s.depends_on.get(&service.name).is_some_and(|e| e.condition == condition))
    };
    let serves = service.extension.ready.is_some()
        || service.healthcheck.is_some()
        || service.ports.iter().any(|p| p.host.is_some())
        || wanted(Condition::Healthy);
    matches!(service.restart, Restart::No | Restart::OnFailure(_))
        && container.status.starts_with("Exited (0)")
        && (wanted(Condition::Completed) || !serves)
}

/// What differs between the container and the project, in words.
fn difference(
    project: &Project,
    observed: &Observed,
    service: &Service,
    c: &Container,
    image: &Chosen,
) -> Option<String> {
    if c.name != service.container_name {
        return Some(format!("it is called {}", c.name));
    }
    let recorded = c.labels.get(LABEL_SPEC).and_then(|l| serde_json::from_str::<Groups>(l).ok());
    match recorded {
        Some(before) => {
            let groups = digest::changed(&before, &digest::groups(project, service, &image.reference));
            if !groups.is_empty() {
                return Some(format!("changed: {}", groups.join(", ")));
            }
        }
        None if c.labels.get(COMPOSE_HASH) != Some(&service.config_hash) => {
            return Some("made by another tool from other settings".into());
        }
        None => {}
    }
    if !image.id.is_empty() && c.image_id != image.id {
        return Some(format!("image {} is another one now", image.reference));
    }
    for network in service.networks.keys().filter_map(|k| project.networks.get(k)) {
        if !c.networks.contains_key(&network.name) {
            return Some(format!("not attached to {}", network.name));
        }
        // a new network of the same name is another one to the engine
        if !observed.networks.contains_key(&network.name) {
            return Some(format!("network {} is not there any more", network.name));
        }
    }
    service.mounts.iter().find_map(|m| {
        let MountSource::Volume(key) = &m.source else { return None };
        let name = &project.volumes.get(key)?.name;
        (!c.volumes.iter().any(|v| v.name == *name)).then(|| format!("volume {name} is not mounted"))
    })
}

/// Unnamed volumes of the old container that the new one goes on using, so that a recreation loses nothing.
pub(super) fn anonymous_volumes(service: &Service, old: &Container) -> Vec<(String, String)> {
    old.volumes
        .iter()
        .filter(|v| v.is_unnamed())
        .filter(|v| !service.mounts.iter().any(|m| m.target == v.target && m.source != MountSource::Anonymous))
        .map(|v| (v.name.clone(), v.target.clone()))
        .collect()
}
