//! One look at Docker, in our words.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum, PortSummaryTypeEnum};
use bollard::query_parameters::{ListContainersOptions, ListNetworksOptions, ListVolumesOptions};
use compose::observed::{Container, Labelled, Observed, PublishedPort, State, VolumeMount};

use super::connect::Engine;
use super::error::{Error, doing};

impl Engine {
    /// Everything that a plan depends on; four list requests, at the same time.
    pub async fn observe(&self, project: &str) -> Result<Observed, Error> {
        let (all, networks, volumes, images) =
            tokio::try_join!(self.all_containers(), self.networks(), self.volumes(), self.images())?;
        let (containers, others) = all.into_iter().partition(|c| c.project() == Some(project));
        Ok(Observed { containers, others, networks, volumes, images })
    }

    /// The containers of one project alone, running or not.
    pub async fn containers(&self, project: &str) -> Result<Vec<Container>, Error> {
        let filter = format!("{}={project}", compose::observed::COMPOSE_PROJECT);
        let filters = Some(HashMap::from([("label".to_owned(), vec![filter])]));
        self.list(ListContainersOptions { all: true, filters, ..Default::default() }).await
    }

    /// The containers that were made from a folder, whatever their project.
    pub async fn containers_from(&self, folder: &std::path::Path) -> Result<Vec<Container>, Error> {
        let mut all = self.all_containers().await?;
        let folder = folder.to_string_lossy();
        all.retain(|c| c.labels.get(compose::observed::COMPOSE_WORKING_DIR).is_some_and(|d| *d == folder));
        Ok(all)
    }

    async fn all_containers(&self) -> Result<Vec<Container>, Error> {
        self.list(ListContainersOptions { all: true, ..Default::default() }).await
    }

    async fn list(&self, options: ListContainersOptions) -> Result<Vec<Container>, Error> {
        let list = self.docker.list_containers(Some(options)).await.map_err(doing(|| "list containers"))?;
        Ok(list.into_iter().map(container).collect())
    }

    async fn networks(&self) -> Result<BTreeMap<String, Labelled>, Error> {
        let list = self.docker.list_networks(None::<ListNetworksOptions>).await.map_err(doing(|| "list networks"))?;
        Ok(list.into_iter().filter_map(|n| Some((n.name?, labelled(n.labels)))).collect())
    }

    async fn volumes(&self) -> Result<BTreeMap<String, Labelled>, Error> {
        let list = self.docker.list_volumes(None::<ListVolumesOptions>).await.map_err(doing(|| "list volumes"))?;
        let volumes = list.volumes.unwrap_or_default();
        Ok(volumes.into_iter().map(|v| (v.name, labelled(Some(v.labels)))).collect())
    }
}

fn labelled(labels: Option<HashMap<String, String>>) -> Labelled {
    Labelled { labels: labels.unwrap_or_default().into_iter().collect() }
}

fn container(c: ContainerSummary) -> Container {
    let networks = c.network_settings.and_then(|s| s.networks).unwrap_or_default();
    Container {
        id: c.id.unwrap_or_default(),
        name: c.names.and_then(|n| n.first().map(|n| n.trim_start_matches('/').to_owned())).unwrap_or_default(),
        image: c.image.unwrap_or_default(),
        image_id: c.image_id.unwrap_or_default(),
        state: state(c.state),
        status: c.status.unwrap_or_default(),
        created: c.created.unwrap_or_default(),
        labels: c.labels.unwrap_or_default().into_iter().collect(),
        networks: networks.into_iter().map(|(name, e)| (name, e.ip_address.unwrap_or_default())).collect(),
        volumes: c
            .mounts
            .unwrap_or_default()
            .into_iter()
            .filter_map(|m| Some(VolumeMount { name: m.name?, target: m.destination? }))
            .collect(),
        ports: c
            .ports
            .unwrap_or_default()
            .into_iter()
            .filter_map(|p| {
                Some(PublishedPort {
                    host: p.public_port?,
                    container: p.private_port,
                    host_ip: p.ip.unwrap_or_default(),
                    protocol: if p.typ == Some(PortSummaryTypeEnum::UDP) { "udp" } else { "tcp" }.to_owned(),
                })
            })
            .collect(),
    }
}

fn state(state: Option<ContainerSummaryStateEnum>) -> State {
    match state {
        Some(ContainerSummaryStateEnum::RUNNING | ContainerSummaryStateEnum::STOPPING) => State::Running,
        Some(ContainerSummaryStateEnum::PAUSED) => State::Paused,
        Some(ContainerSummaryStateEnum::RESTARTING) => State::Restarting,
        Some(ContainerSummaryStateEnum::REMOVING) => State::Removing,
        Some(ContainerSummaryStateEnum::EXITED) => State::Exited,
        Some(ContainerSummaryStateEnum::DEAD) => State::Dead,
        _ => State::Created,
    }
}
