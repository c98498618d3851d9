//! The stores of a project: the services that keep data, what they speak, and where the data lies.

use archive::{Image, Kind};
use compose::observed::{Container, LABEL_VERSION, Observed, State, VolumeMount};
use compose::project::{Project, Protocol, Ready, Service};

/// A service that keeps data in a volume, with its container.
#[derive(Debug, Clone)]
pub struct Store {
    /// Its name in a backup: the service's, with a number for each further volume that the service has.
    pub name: String,
    /// The service.
    pub service: String,
    /// What it is.
    pub kind: Kind,
    /// Its container.
    pub container: String,
    /// What the container does.
    pub state: State,
    /// The volume that holds its data …
    pub volume: String,
    /// … and where that is mounted.
    pub path: String,
    /// The image that it runs.
    pub image: Image,
    /// Version of the server, as far as labels tell it.
    pub version: String,
    /// How to ask it.
    pub ready: Option<Ready>,
}

impl Store {
    /// The folder for data that is being prepared, inside of the volume, so that moving out of it is a rename.
    pub fn new_folder(&self) -> String {
        format!("{}/.banyan-new", self.path)
    }

    /// True for a store that is asked for its data while it runs, rather than stopped and copied.
    pub fn is_asked(&self) -> bool {
        matches!(self.kind, Kind::Postgres | Kind::Rabbitmq | Kind::Redis)
    }
}

/// Everything that services with a container keep in named volumes, in the order of the file.
pub fn stores(project: &Project, observed: &Observed) -> Vec<Store> {
    project.services.values().flat_map(|service| of(service, observed)).collect()
}

fn of(service: &Service, observed: &Observed) -> Vec<Store> {
    let containers = observed.of_service(&service.name, &service.container_name);
    let Some(container) = containers.first() else { return Vec::new() };
    // what has no name goes with its container
    let mut volumes: Vec<&VolumeMount> = container.volumes.iter().filter(|v| !v.is_unnamed()).collect();
    let place = |v: &VolumeMount| service.mounts.iter().position(|m| m.target.trim_end_matches('/') == v.target);
    volumes.sort_by_key(|v| (place(v).unwrap_or(usize::MAX), v.target.clone()));
    volumes.iter().enumerate().map(|(index, volume)| store(service, container, volume, index, observed)).collect()
}

fn store(service: &Service, container: &Container, volume: &VolumeMount, index: usize, observed: &Observed) -> Store {
    let image = observed.images.iter().find(|i| i.id == container.image_id);
    let label = container.labels.get(LABEL_VERSION).or_else(|| image.and_then(|i| i.labels.get(LABEL_VERSION)));
    Store {
        name: name(&service.name, index),
        service: service.name.clone(),
        kind: if index == 0 { kind(service) } else { Kind::Volume },
        container: container.name.clone(),
        state: container.state,
        volume: volume.name.clone(),
        path: volume.target.trim_end_matches('/').to_owned(),
        image: Image { reference: container.image.clone(), digest: Some(container.image_id.clone()) },
        version: label.cloned().unwrap_or_default(),
        ready: service.extension.ready.clone(),
    }
}

/// What divides a service's name from the number of its volume.
const NUMBER: &str = ".volume-";

/// The name of what a service keeps in its first volume, its second one …
pub(crate) fn name(service: &str, index: usize) -> String {
    if index == 0 { service.to_owned() } else { format!("{service}{NUMBER}{}", index + 1) }
}

/// The service of a store, by the store's name.
pub fn service_of(name: &str) -> &str {
    name.rsplit_once(NUMBER).filter(|(_, n)| n.parse::<usize>().is_ok()).map_or(name, |(service, _)| service)
}

/// Its protocol tells what it is, or else its image.
pub(crate) fn kind(service: &Service) -> Kind {
    let named = |word: &str| service.image.contains(word) || service.extension.recipe.as_deref() == Some(word);
    match service.extension.ready.as_ref().map(|r| r.protocol) {
        Some(Protocol::Sql) => Kind::Postgres,
        Some(Protocol::Amqp) => Kind::Rabbitmq,
        Some(Protocol::Redis) => Kind::Redis,
        _ if named("postgres") => Kind::Postgres,
        _ if named("rabbitmq") => Kind::Rabbitmq,
        _ if named("redis") => Kind::Redis,
        _ if named("elasticsearch") => Kind::Elasticsearch,
        _ if named("grafana") => Kind::Grafana,
        _ => Kind::Volume,
    }
}
