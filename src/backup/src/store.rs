//! The stores of a project: the services that keep data, what they speak, and where the data lies.

use archive::{Image, Kind, Skipped};
use compose::observed::{Container, LABEL_VERSION, Observed, State, VolumeMount};
use compose::project::{Mount, MountSource, Project, Protocol, Ready, Service};

/// A volume that keeps data, with the service that it belongs to and the container of that.
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
    /// Further containers that the volume is mounted in.
    pub users: Vec<String>,
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

/// Everything that services with a container keep in named volumes, in the order of the file; each volume once.
pub fn stores(project: &Project, observed: &Observed) -> Vec<Store> {
    let mut all: Vec<Store> = Vec::new();
    for store in project.services.values().flat_map(|service| of(service, observed)) {
        match all.iter_mut().find(|known| known.volume == store.volume) {
            None => all.push(store),
            // it belongs to the server that keeps its data there, rather than to who looks into it
            Some(known) if known.kind == Kind::Volume && store.kind != Kind::Volume => *known = store,
            Some(_) => {}
        }
    }
    for store in &mut all {
        let mounts = |c: &&Container| c.name != store.container && c.volumes.iter().any(|v| v.name == store.volume);
        store.users = observed.containers.iter().filter(mounts).map(|c| c.name.clone()).collect();
    }
    all
}

/// What services keep where no backup looks, and why.
pub(crate) fn out_of_reach(project: &Project, observed: &Observed, known: &[Store]) -> Vec<Skipped> {
    let mut skipped = Vec::new();
    for service in project.services.values() {
        for mount in &service.mounts {
            let reason = match &mount.source {
                MountSource::Volume(key) => {
                    let there = project.volumes.get(key).filter(|v| observed.volumes.contains_key(&v.name));
                    let lost = there.is_some_and(|v| !known.iter().any(|s| s.volume == v.name));
                    lost.then(|| "its volume is there and its container is not".to_owned())
                }
                MountSource::Bind(folder) if is_data(service, &mount.target) => {
                    Some(format!("its data is in a folder, not in a volume: {folder}"))
                }
                _ => None,
            };
            let name = service.name.clone();
            if let Some(reason) = reason.filter(|_| !skipped.iter().any(|s: &Skipped| s.name == name)) {
                skipped.push(Skipped { name, reason });
            }
        }
    }
    skipped
}

fn of(service: &Service, observed: &Observed) -> Vec<Store> {
    let containers = observed.of_service(&service.name, &service.container_name);
    let Some(container) = containers.first() else { return Vec::new() };
    // what has no name goes with its container
    let mut volumes: Vec<&VolumeMount> = container.volumes.iter().filter(|v| !v.is_unnamed()).collect();
    volumes.sort_by_key(|v| (place(service, &v.target), v.target.clone()));
    volumes.iter().enumerate().map(|(index, volume)| store(service, container, volume, index, observed)).collect()
}

fn store(service: &Service, container: &Container, volume: &VolumeMount, index: usize, observed: &Observed) -> Store {
    let image = observed.images.iter().find(|i| i.id == container.image_id);
    let label = container.labels.get(LABEL_VERSION).or_else(|| image.and_then(|i| i.labels.get(LABEL_VERSION)));
    Store {
        name: name(&service.name, index),
        service: service.name.clone(),
        kind: kind_of_volume(service, index, &volume.target),
        container: container.name.clone(),
        users: Vec::new(),
        state: container.state,
        volume: volume.name.clone(),
        path: volume.target.trim_end_matches('/').to_owned(),
        image: Image { reference: container.image.clone(), digest: Some(container.image_id.clone()) },
        version: label.cloned().unwrap_or_default(),
        ready: service.extension.ready.clone(),
    }
}

/// Where a volume stands among those of its service: the server's data first, then as in the file.
fn place(service: &Service, target: &str) -> (bool, usize) {
    let target = target.trim_end_matches('/');
    let in_file = service.mounts.iter().position(|m| m.target.trim_end_matches('/') == target);
    (!is_data(service, target), in_file.unwrap_or(usize::MAX))
}

/// The volumes of a service as the file names them, in the order of their stores.
pub(crate) fn mounts_in_order(service: &Service) -> Vec<&Mount> {
    let mut mounts: Vec<&Mount> =
        service.mounts.iter().filter(|m| matches!(m.source, MountSource::Volume(_))).collect();
    mounts.sort_by_key(|m| place(service, &m.target));
    mounts
}

/// True for the folder that the service's server keeps its data in.
fn is_data(service: &Service, target: &str) -> bool {
    let set = |name: &str| service.environment.get(name).cloned().flatten();
    let folder = match kind(service) {
        Kind::Postgres => set("PGDATA").unwrap_or_else(|| "/var/lib/postgresql".to_owned()),
        Kind::Rabbitmq => "/var/lib/rabbitmq".to_owned(),
        Kind::Redis => "/data".to_owned(),
        Kind::Elasticsearch => "/usr/share/elasticsearch/data".to_owned(),
        Kind::Grafana => "/var/lib/grafana".to_owned(),
        _ => return false,
    };
    let within =
        |path: &str, folder: &str| path.strip_prefix(folder).is_some_and(|r| r.is_empty() || r.starts_with('/'));
    let target = target.trim_end_matches('/');
    within(target, &folder) || within(&folder, target)
}

fn is_configuration(target: &str) -> bool {
    ["/etc/", "/docker-entrypoint", "/run/secrets"].iter().any(|start| target.starts_with(start))
}

/// What a service's volume holds: its server's data in the first one, if that is where such a server keeps it, or if the
/// service says that it is such a server. What is not known is copied as it is.
pub(crate) fn kind_of_volume(service: &Service, index: usize, target: &str) -> Kind {
    let says = service.extension.ready.is_some() && !is_configuration(target);
    if index == 0 && (says || is_data(service, target)) { kind(service) } else { Kind::Volume }
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

/// Its protocol tells what it is, or else the name of its image: not those of tools that work with one.
fn kind(service: &Service) -> Kind {
    let image = service.image.split('@').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    let image = image.split(':').next().unwrap_or_default();
    let word = service.extension.recipe.as_deref().unwrap_or(image);
    match service.extension.ready.as_ref().map(|r| r.protocol) {
        Some(Protocol::Sql) => Kind::Postgres,
        Some(Protocol::Amqp) => Kind::Rabbitmq,
        Some(Protocol::Redis) => Kind::Redis,
        _ => match word {
            "postgres" | "postgresql" | "postgis" | "pgvector" | "timescaledb" => Kind::Postgres,
            "rabbitmq" => Kind::Rabbitmq,
            "redis" => Kind::Redis,
            "elasticsearch" => Kind::Elasticsearch,
            "grafana" | "grafana-oss" | "grafana-enterprise" => Kind::Grafana,
            _ => Kind::Volume,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use compose::observed::COMPOSE_SERVICE;
    use compose::project::Volume;

    use super::*;

    fn service(name: &str, image: &str, mounts: &[(&str, &str)]) -> Service {
        let mount = |(source, target): &(&str, &str)| Mount {
            source: if source.starts_with('/') {
                MountSource::Bind((*source).to_owned())
            } else {
                MountSource::Volume((*source).to_owned())
            },
            target: (*target).to_owned(),
            read_only: false,
        };
        let mounts = mounts.iter().map(mount).collect();
        Service { name: name.to_owned(), image: image.to_owned(), mounts, ..Service::default() }
    }

    /// All services with a container each.
    fn project(services: &[Service]) -> (Project, Observed) {
        let mut project = Project::default();
        let mut observed = Observed::default();
        for service in services {
            let labels = BTreeMap::from([(COMPOSE_SERVICE.to_owned(), service.name.clone())]);
            let volume = |m: &Mount| match &m.source {
                MountSource::Volume(key) => Some(VolumeMount { name: key.clone(), target: m.target.clone() }),
                _ => None,
            };
            let volumes: Vec<VolumeMount> = service.mounts.iter().filter_map(volume).collect();
            for volume in &volumes {
                let name = volume.name.clone();
                project.volumes.insert(name.clone(), Volume { name: name.clone(), ..Volume::default() });
                observed.volumes.insert(name, Default::default());
            }
            let name = format!("c-{}", service.name);
            observed.containers.push(Container { name, labels, volumes, ..Container::default() });
            project.services.insert(service.name.clone(), service.clone());
        }
        (project, observed)
    }

    #[test]
    fn tools_are_not_what_they_work_with() {
        for (image, expected) in [
            ("postgres:16-alpine", Kind::Postgres),
            ("registry:5000/library/postgres@sha256:00", Kind::Postgres),
            ("bitnami/redis:7", Kind::Redis),
            ("redis", Kind::Redis),
            ("redis/redisinsight:2", Kind::Volume),
            ("quay.io/prometheuscommunity/postgres-exporter", Kind::Volume),
            ("postgres/tool", Kind::Volume),
            ("docker.elastic.co/elasticsearch/elasticsearch:8.11.0", Kind::Elasticsearch),
            ("grafana/grafana-oss", Kind::Grafana),
        ] {
            assert_eq!(kind(&service("s", image, &[])), expected, "{image}");
        }
    }

    #[test]
    fn a_volume_is_one_store_however_many_mount_it() {
        let reader = service("a-reader", "busybox", &[("pg", "/look")]);
        let db = service("db", "postgres", &[("pg", "/var/lib/postgresql/data")]);
        let other = service("other", "busybox", &[("pg", "/look")]);
        let (project, observed) = project(&[reader, db, other]);
        let all = stores(&project, &observed);
        assert_eq!(all.len(), 1);
        assert_eq!(
            (all[0].name.as_str(), all[0].kind, all[0].path.as_str()),
            ("db", Kind::Postgres, "/var/lib/postgresql/data")
        );
        assert_eq!(all[0].users, ["c-a-reader", "c-other"]);

        let first = service("first", "busybox", &[("files", "/a")]);
        let second = service("second", "busybox", &[("files", "/b")]);
        let (project, observed) = super::tests::project(&[first, second]);
        let all = stores(&project, &observed);
        assert_eq!((all.len(), all[0].name.as_str()), (1, "first"), "among equals the first in the file");
    }

    #[test]
    fn the_data_comes_first_whatever_the_file_names_first() {
        let db = service("db", "postgres", &[("conf", "/etc/postgresql"), ("pg", "/var/lib/postgresql/data/")]);
        let conf = service("conf", "postgres", &[("alone", "/etc/postgresql")]);
        let (project, observed) = project(&[db.clone(), conf]);
        let all = stores(&project, &observed);
        let told: Vec<_> = all.iter().map(|s| (s.name.as_str(), s.volume.as_str(), s.kind)).collect();
        let expected =
            [("db", "pg", Kind::Postgres), ("db.volume-2", "conf", Kind::Volume), ("conf", "alone", Kind::Volume)];
        assert_eq!(told, expected);
        let order: Vec<_> = mounts_in_order(&db).iter().map(|m| m.target.as_str()).collect();
        assert_eq!(order, ["/var/lib/postgresql/data/", "/etc/postgresql"]);
    }

    #[test]
    fn what_no_backup_reaches_is_named() {
        let bound = service("bound", "postgres", &[("/srv/pg", "/var/lib/postgresql/data")]);
        let settings = service("settings", "busybox", &[("/srv/x", "/x")]);
        let gone = service("gone", "redis", &[("data", "/data")]);
        let (project, mut observed) = project(&[bound, settings, gone]);
        let known = stores(&project, &observed);
        assert_eq!(out_of_reach(&project, &observed, &known).len(), 1);
        observed.containers.retain(|c| c.name != "c-gone");
        let skipped = out_of_reach(&project, &observed, &stores(&project, &observed));
        let names: Vec<_> = skipped.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["bound", "gone"]);
        assert!(skipped[0].reason.contains("/srv/pg"), "{}", skipped[0].reason);
    }
}
