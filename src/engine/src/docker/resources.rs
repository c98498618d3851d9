//! Requests about networks and volumes.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{NetworkCreateRequest, VolumeCreateRequest};
use bollard::query_parameters::{DataUsageOptions, InspectNetworkOptions, RemoveVolumeOptions};
use compose::project::{Network, Volume};

use super::connect::Engine;
use super::error::{Error, doing};

impl Engine {
    /// Creates a network; one of the same name that came up meanwhile is as good.
    pub async fn create_network(&self, network: &Network, labels: BTreeMap<String, String>) -> Result<(), Error> {
        let request = NetworkCreateRequest {
            name: network.name.clone(),
            driver: Some(network.driver.clone()),
            internal: network.internal.then_some(true),
            labels: Some(labels.into_iter().collect()),
            ..Default::default()
        };
        match self.docker.create_network(request).await.map_err(doing(|| format!("create network {}", network.name))) {
            Err(e) if e.is_conflict() => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// Removes a network; `Ok(Some(names))` when containers of somebody else still use it and it stays.
    pub async fn remove_network(&self, name: &str) -> Result<Option<Vec<String>>, Error> {
        match self.docker.remove_network(name).await.map_err(doing(|| format!("remove network {name}"))) {
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) if e.message().contains("active endpoints") => Ok(Some(self.attached(name).await)),
            other => other.map(|()| None),
        }
    }

    async fn attached(&self, network: &str) -> Vec<String> {
        let found = self.docker.inspect_network(network, None::<InspectNetworkOptions>).await;
        let containers = found.ok().and_then(|n| n.containers).unwrap_or_default();
        containers.into_values().filter_map(|c| c.name).collect()
    }

    /// Creates a volume; one of the same name that came up meanwhile is as good.
    pub async fn create_volume(&self, volume: &Volume, labels: BTreeMap<String, String>) -> Result<(), Error> {
        let request = VolumeCreateRequest {
            name: Some(volume.name.clone()),
            driver: Some(volume.driver.clone()),
            labels: Some(labels.into_iter().collect::<HashMap<_, _>>()),
            ..Default::default()
        };
        let created = self.docker.create_volume(request).await;
        created.map(|_| ()).map_err(doing(|| format!("create volume {}", volume.name)))
    }

    /// Deletes a volume and its data; one that is gone already is no error.
    pub async fn remove_volume(&self, name: &str) -> Result<(), Error> {
        match self
            .docker
            .remove_volume(name, None::<RemoveVolumeOptions>)
            .await
            .map_err(doing(|| format!("remove volume {name}")))
        {
            Err(e) if e.is_not_found() => Ok(()),
            other => other,
        }
    }

    /// The folder on the engine's host that holds a volume's data.
    pub async fn volume_mountpoint(&self, name: &str) -> Result<String, Error> {
        let found = self.docker.inspect_volume(name).await;
        found.map(|v| v.mountpoint).map_err(doing(|| format!("inspect volume {name}")))
    }

    /// Bytes in each volume, for those that can be told: by the engine, or by looking where it keeps them.
    pub async fn volume_sizes(&self, names: &[String]) -> BTreeMap<String, u64> {
        let usage = self.docker.df(None::<DataUsageOptions>).await.ok().and_then(|u| u.volume_usage);
        let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
        for item in usage.and_then(|u| u.items).unwrap_or_default() {
            if let (Some(name), Some(size)) = (item["Name"].as_str(), item["UsageData"]["Size"].as_u64()) {
                sizes.insert(name.to_owned(), size);
            }
        }
        for name in names.iter().filter(|n| !sizes.contains_key(*n)).cloned().collect::<Vec<_>>() {
            let folder = if self.is_local() { self.volume_mountpoint(&name).await.ok() } else { None };
            if let Some(size) = folder.and_then(|f| folder_size(std::path::Path::new(&f)).ok()) {
                sizes.insert(name, size);
            }
        }
        sizes
    }
}

/// Bytes of all files below a folder; links are not followed.
fn folder_size(folder: &std::path::Path) -> std::io::Result<u64> {
    let mut size = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        size += if kind.is_dir() { folder_size(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(size)
}
