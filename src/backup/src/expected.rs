//! Stores as the files describe them, for services that have no container yet.

use archive::Image;
use compose::observed::{Observed, State};
use compose::plan::Images;
use compose::project::{MountSource, Project, Service};

use crate::store::{Store, kind_of_volume, mounts_in_order, name};

/// The stores that the services of the project would have, made of these images.
pub fn expected(project: &Project, observed: &Observed, images: &Images) -> Vec<Store> {
    let without = project.services.values().filter(|s| observed.of_service(&s.name, &s.container_name).is_empty());
    without.flat_map(|service| of(project, service, images)).collect()
}

fn of(project: &Project, service: &Service, images: &Images) -> Vec<Store> {
    let chosen = images.get(&service.name).cloned().unwrap_or_default();
    let volumes = mounts_in_order(service).into_iter().filter_map(|mount| match &mount.source {
        MountSource::Volume(key) => Some((project.volumes.get(key)?.name.clone(), &mount.target)),
        _ => None,
    });
    let store = |(index, (volume, target)): (usize, (String, &String))| Store {
        name: name(&service.name, index),
        service: service.name.clone(),
        kind: kind_of_volume(service, index, target),
        container: service.container_name.clone(),
        users: Vec::new(),
        state: State::Created,
        volume,
        path: target.trim_end_matches('/').to_owned(),
        image: Image { reference: service.image.clone(), digest: Some(chosen.id.clone()).filter(|id| !id.is_empty()) },
        version: chosen.version.clone(),
        ready: service.extension.ready.clone(),
    };
    volumes.enumerate().map(store).collect()
}
