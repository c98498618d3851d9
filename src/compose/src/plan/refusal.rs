//! Why nothing at all is done.

use std::path::PathBuf;

use super::{Chosen, Images};
use crate::observed::{LABEL_SOURCE, LABEL_VERSION, Observed};
use crate::project::{MountSource, Project, Service};

/// Why nothing at all is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Containers of this project name were made from another folder.
    OtherOrigin {
        /// That folder.
        origin: PathBuf,
    },
    /// A container that is not ours has the name that a service needs.
    NameTaken {
        /// The service.
        service: String,
        /// The name.
        name: String,
        /// The project of the container that has it, if it has one.
        project: Option<String>,
    },
    /// A volume holds data of another kind of server, or of a version that this one cannot read.
    VolumeMismatch {
        /// The service that would mount it.
        service: String,
        /// Name of the volume.
        volume: String,
        /// Source and version that made the data.
        has: (String, String),
        /// Source and version that would open it.
        wants: (String, String),
    },
}

pub(super) fn refusals(project: &Project, observed: &Observed, services: &[&Service], images: &Images) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if let Some(origin) = observed.other_origin(&project.working_dir) {
        refusals.push(Refusal::OtherOrigin { origin });
    }
    for service in services {
        if let Some(holder) = observed.others.iter().find(|c| c.name == service.container_name) {
            refusals.push(Refusal::NameTaken {
                service: service.name.clone(),
                name: holder.name.clone(),
                project: holder.project().map(str::to_owned),
            });
        }
        let Some(image) = images.get(&service.name) else { continue };
        for mount in &service.mounts {
            let MountSource::Volume(key) = &mount.source else { continue };
            let Some(volume) = project.volumes.get(key) else { continue };
            refusals.extend(volume_mismatch(service, &volume.name, observed, image));
        }
    }
    refusals
}

fn volume_mismatch(service: &Service, volume: &str, observed: &Observed, image: &Chosen) -> Option<Refusal> {
    let labels = &observed.volumes.get(volume)?.labels;
    let (source, version) = (labels.get(LABEL_SOURCE)?, labels.get(LABEL_VERSION)?);
    if image.source.is_empty() || (*source == image.source && can_open(version, &image.version)) {
        return None;
    }
    Some(Refusal::VolumeMismatch {
        service: service.name.clone(),
        volume: volume.to_owned(),
        has: (source.clone(), version.clone()),
        wants: (image.source.clone(), image.version.clone()),
    })
}

/// A server opens data of its own major version, made by the same or an earlier minor one; unknown versions pass.
fn can_open(data: &str, server: &str) -> bool {
    let parts = |v: &str| -> Option<(u32, u32)> {
        let mut numbers = v.split(|c: char| !c.is_ascii_digit()).filter(|p| !p.is_empty());
        let major = numbers.next()?.parse().ok()?;
        Some((major, numbers.next().and_then(|n| n.parse().ok()).unwrap_or(u32::MAX)))
    };
    match (parts(data), parts(server)) {
        (Some((data_major, data_minor)), Some((major, minor))) => {
            data_major == major && (data_minor <= minor || data_minor == u32::MAX)
        }
        _ => true,
    }
}
