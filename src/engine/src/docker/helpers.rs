//! Containers that work on the data of another one for a while: same image, same volumes, no network.

use std::collections::BTreeMap;

use bollard::models::{ContainerCreateBody, ContainerInspectResponse, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptions, InspectContainerOptions, RemoveContainerOptions, StopContainerOptions,
};

use super::connect::Engine;
use super::error::{Error, doing};

/// How a helper differs from the container that it is made after.
#[derive(Debug, Clone, Default)]
pub struct Helper {
    /// Its name.
    pub name: String,
    /// Its labels: none of the other one's.
    pub labels: BTreeMap<String, String>,
    /// Variables on top of the other one's.
    pub env: BTreeMap<String, String>,
    /// Instead of the other one's entrypoint; then without a command, unless there is one here.
    pub entrypoint: Option<Vec<String>>,
    /// Instead of the other one's command.
    pub command: Option<Vec<String>>,
    /// Volumes to mount, by name and path; empty: the other one's.
    pub volumes: Vec<(String, String)>,
}

impl Engine {
    /// Makes a helper after the image and the settings of `like`; it is not started. One of the same name is removed.
    pub async fn create_helper(&self, like: &str, helper: &Helper) -> Result<(), Error> {
        let other = self.docker.inspect_container(like, None::<InspectContainerOptions>).await;
        self.create_helper_after(other.map_err(doing(|| format!("create container {}", helper.name)))?, helper).await
    }

    /// Makes a helper of an image alone, for a volume whose container is gone; it is not started.
    pub async fn create_helper_of(&self, image: &str, helper: &Helper) -> Result<(), Error> {
        let other = ContainerInspectResponse { image: Some(image.to_owned()), ..Default::default() };
        self.create_helper_after(other, helper).await
    }

    async fn create_helper_after(&self, like: ContainerInspectResponse, helper: &Helper) -> Result<(), Error> {
        self.remove_helper(&helper.name).await?;
        let options = CreateContainerOptions { name: Some(helper.name.clone()), ..Default::default() };
        let created = self.docker.create_container(Some(options), body(like, helper)).await;
        created.map(|_| ()).map_err(doing(|| format!("create container {}", helper.name)))
    }

    /// Removes a helper, and the volumes that the engine made for it alone.
    pub async fn remove_helper(&self, name: &str) -> Result<(), Error> {
        let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
        let removed = self.docker.remove_container(name, Some(options)).await;
        match removed.map_err(doing(|| format!("remove container {name}"))) {
            Err(e) if e.is_not_found() => Ok(()),
            Err(e) if e.is_conflict() && e.message().contains("already in progress") => Ok(()),
            other => other,
        }
    }

    /// Stops a helper in good order, however long its server takes to write everything down.
    pub async fn stop_helper(&self, name: &str) -> Result<(), Error> {
        let options = StopContainerOptions { t: Some(600), ..Default::default() };
        self.docker.stop_container(name, Some(options)).await.map_err(doing(|| format!("stop container {name}")))
    }

    /// Freezes a container: none of its processes runs until it is thawed.
    pub async fn pause_container(&self, name: &str) -> Result<(), Error> {
        self.docker.pause_container(name).await.map_err(doing(|| format!("pause container {name}")))
    }
}

fn body(like: ContainerInspectResponse, helper: &Helper) -> ContainerCreateBody {
    let config = like.config.unwrap_or_default();
    let host = like.host_config.unwrap_or_default();
    let volumes = if helper.volumes.is_empty() {
        let mounts = like.mounts.unwrap_or_default().into_iter();
        mounts.filter_map(|m| Some((m.name.filter(|n| !n.is_empty())?, m.destination?))).collect()
    } else {
        helper.volumes.clone()
    };
    let is_set = |line: &String| line.split_once('=').is_some_and(|(name, _)| helper.env.contains_key(name));
    let mut env: Vec<String> = config.env.unwrap_or_default().into_iter().filter(|line| !is_set(line)).collect();
    env.extend(helper.env.iter().map(|(name, value)| format!("{name}={value}")));
    let host_name = config.hostname.clone().filter(|name| !name.is_empty());
    let short = host_name.as_deref().and_then(|name| name.split_once('.')).map(|(short, _)| short.to_owned());
    let own: Vec<String> = host_name.into_iter().chain(short).map(|name| format!("{name}:127.0.0.1")).collect();
    ContainerCreateBody {
        image: like.image.or(config.image),
        hostname: config.hostname,
        user: config.user,
        working_dir: config.working_dir,
        env: Some(env),
        entrypoint: helper.entrypoint.clone().or(config.entrypoint),
        // an entrypoint that is set, though to the image's own, is not completed by the image's command
        cmd: helper.command.clone().or(config.cmd.filter(|_| helper.entrypoint.is_none())),
        labels: Some(helper.labels.clone().into_iter().collect()),
        stop_signal: config.stop_signal,
        // the engine must not run the other one's checks here
        healthcheck: Some(bollard::models::HealthConfig { test: Some(vec!["NONE".to_owned()]), ..Default::default() }),
        host_config: Some(HostConfig {
            binds: Some(volumes.iter().map(|(name, path)| format!("{name}:{path}:rw")).collect()),
            // nothing but its own loopback, where it finds itself under its host name
            network_mode: Some("none".to_owned()),
            extra_hosts: (!own.is_empty()).then_some(own),
            ulimits: host.ulimits,
            shm_size: host.shm_size,
            tmpfs: host.tmpfs,
            ..Default::default()
        }),
        ..Default::default()
    }
}
