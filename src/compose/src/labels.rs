//! The labels of what we create: Compose's own, so that Compose sees it, and ours, in which all state lives.

use std::collections::BTreeMap;
use std::path::Path;

use crate::digest;
use crate::observed::{
    COMPOSE_CONFIG_FILES, COMPOSE_DEPENDS_ON, COMPOSE_HASH, COMPOSE_NETWORK, COMPOSE_PROJECT, COMPOSE_SERVICE,
    COMPOSE_VOLUME, COMPOSE_WORKING_DIR, LABEL_INSTANCE, LABEL_READY, LABEL_SOURCE, LABEL_SPEC, LABEL_TIER,
    LABEL_VERSION,
};
use crate::plan::Chosen;
use crate::project::{Network, Project, Service, Volume};

/// The release of Docker Compose whose labels and hashes ours equal.
pub const COMPOSE_VERSION: &str = "2.26.1";

type Labels = BTreeMap<String, String>;

/// Labels of a service's container.
pub fn of_container(project: &Project, service: &Service, image: &Chosen) -> Labels {
    let mut labels = service.labels.clone();
    let edges: Vec<String> = service
        .depends_on
        .iter()
        .map(|(name, edge)| format!("{name}:{}:{}", edge.condition.as_str(), edge.restart))
        .collect();
    let files: Vec<_> = project.files.iter().map(|p| text(p)).collect();
    let groups = digest::groups(project, service, &image.reference);
    let spec = serde_json::to_string(&groups).expect("a map of strings is JSON");
    for (key, value) in [
        (COMPOSE_PROJECT, project.name.clone()),
        (COMPOSE_SERVICE, service.name.clone()),
        ("com.docker.compose.container-number", "1".into()),
        ("com.docker.compose.oneoff", "False".into()),
        (COMPOSE_HASH, service.config_hash.clone()),
        ("com.docker.compose.image", image.id.clone()),
        (COMPOSE_DEPENDS_ON, edges.join(",")),
        (COMPOSE_WORKING_DIR, text(&project.working_dir)),
        (COMPOSE_CONFIG_FILES, files.join(",")),
        ("com.docker.compose.version", COMPOSE_VERSION.into()),
        (LABEL_SPEC, spec),
        (LABEL_SOURCE, image.source.clone()),
        (LABEL_VERSION, image.version.clone()),
    ] {
        labels.insert(key.into(), value);
    }
    if !project.env_files.is_empty() {
        let files: Vec<_> = project.env_files.iter().map(|p| text(p)).collect();
        labels.insert("com.docker.compose.project.environment_file".into(), files.join(","));
    }
    if let Some(instance) = &project.instance {
        labels.insert(LABEL_INSTANCE.into(), instance.clone());
    }
    if let Some(ready) = &service.extension.ready {
        labels.insert(LABEL_READY.into(), format!("{}:{}", ready.protocol.as_str(), ready.port));
    }
    if let Some(tier) = &service.extension.tier {
        labels.insert(LABEL_TIER.into(), tier.clone());
    }
    labels
}

/// Labels of a network.
pub fn of_network(project: &Project, key: &str, network: &Network) -> Labels {
    owned(project, COMPOSE_NETWORK, key, &network.config_hash, &network.labels)
}

/// Labels of a volume; `extra` says whose data it will hold.
pub fn of_volume(project: &Project, key: &str, volume: &Volume, extra: &Labels) -> Labels {
    let mut labels = owned(project, COMPOSE_VOLUME, key, &volume.config_hash, &volume.labels);
    labels.extend(extra.clone());
    labels
}

fn owned(project: &Project, kind: &str, key: &str, hash: &str, user: &Labels) -> Labels {
    let mut labels = user.clone();
    for (name, value) in [
        (COMPOSE_PROJECT, project.name.as_str()),
        (kind, key),
        (COMPOSE_HASH, hash),
        ("com.docker.compose.version", COMPOSE_VERSION),
    ] {
        labels.insert(name.into(), value.into());
    }
    labels
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
