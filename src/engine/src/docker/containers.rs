//! Requests about one container.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HealthConfig, HostConfig, NetworkConnectRequest,
    NetworkingConfig, PortBinding, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptions, InspectContainerOptions, RemoveContainerOptions, RenameContainerOptions,
    StopContainerOptions, UploadToContainerOptions,
};
use compose::project::{ConfigFile, Healthcheck, MountSource, Port, Project, Restart, Service};

use super::connect::Engine;
use super::error::{Error, doing};

/// What the engine knows about one container, as far as waiting and reporting need it.
#[derive(Debug, Clone, Default)]
pub struct Detail {
    /// Full id.
    pub id: String,
    /// The engine's state word.
    pub state: String,
    /// True while the main process runs.
    pub running: bool,
    /// True between two runs.
    pub restarting: bool,
    /// Exit code of the last run.
    pub exit_code: i64,
    /// True when the kernel killed it for memory.
    pub oom_killed: bool,
    /// The engine's error text, if a start failed.
    pub error: String,
    /// Start of the last run, as the engine writes it (RFC 3339).
    pub started_at: String,
    /// Number of restarts by the engine.
    pub restarts: i64,
    /// The engine's verdict: `starting`, `healthy`, `unhealthy`; `None` without a check.
    pub health: Option<String>,
    /// Output of the engine's last checks, oldest first.
    pub health_log: Vec<String>,
    /// The check in force: the file's, or else the image's.
    pub healthcheck: Option<Healthcheck>,
    /// The engine starts it again when it ends.
    pub restart_always: bool,
    /// Published address by container port (tcp).
    pub published: BTreeMap<u16, (String, u16)>,
    /// Address of the container in its first network.
    pub address: String,
    /// Its host name.
    pub host_name: String,
    /// Variables of the main process, with the image's own.
    pub env: BTreeMap<String, String>,
    /// Command line of the main process, as the container was created with it.
    pub command: Vec<String>,
    /// Id of its image.
    pub image_id: String,
}

/// Everything that a container is created from.
pub struct NewContainer<'a> {
    /// Name in Docker.
    pub name: &'a str,
    /// Image id or reference.
    pub image: &'a str,
    /// The project.
    pub project: &'a Project,
    /// The service.
    pub service: &'a Service,
    /// Complete set of labels.
    pub labels: BTreeMap<String, String>,
    /// Unnamed volumes to take over: name and path.
    pub inherit: &'a [(String, String)],
}

impl Engine {
    /// Creates a container, attached to all its networks, not started.
    pub async fn create_container(&self, new: NewContainer<'_>) -> Result<(), Error> {
        let options = CreateContainerOptions { name: Some(new.name.to_owned()), ..Default::default() };
        let what = || format!("create container {}", new.name);
        self.docker.create_container(Some(options), body(&new)).await.map_err(doing(what))?;
        // engines before API 1.44 take one network at creation; one more request each works on all of them
        for (key, attachment) in new.service.networks.iter().skip(1) {
            let Some(network) = new.project.networks.get(key) else { continue };
            let request = NetworkConnectRequest {
                container: new.name.to_owned(),
                endpoint_config: Some(endpoint(new.service, new.name, attachment)),
            };
            let what = || format!("connect {} to network {}", new.name, network.name);
            self.docker.connect_network(&network.name, request).await.map_err(doing(what))?;
        }
        Ok(())
    }

    /// Copies files into a container, also a stopped one.
    pub async fn copy_files(&self, name: &str, files: &[ConfigFile]) -> Result<(), Error> {
        let what = || format!("copy configuration into {name}");
        let archive = archive(files).map_err(|e| Error::Stream { doing: what(), message: e.to_string() })?;
        let options = UploadToContainerOptions { path: "/".to_owned(), ..Default::default() };
        let body = bollard::body_full(archive.into());
        self.docker.upload_to_container(name, Some(options), body).await.map_err(doing(what))
    }

    /// Starts a container; one that runs already is no error.
    pub async fn start_container(&self, name: &str) -> Result<(), Error> {
        self.docker.start_container(name, None).await.map_err(doing(|| format!("start container {name}")))
    }

    /// Thaws a container.
    pub async fn unpause_container(&self, name: &str) -> Result<(), Error> {
        self.docker.unpause_container(name).await.map_err(doing(|| format!("unpause container {name}")))
    }

    /// Stops a container with its own signal and grace period; the result is true when it had to be killed.
    pub async fn stop_container(&self, name: &str) -> Result<bool, Error> {
        // its exit code would be the one of a death that has nothing to do with this stop
        match self.inspect(name).await {
            Ok(detail) if !detail.running && !detail.restarting => return Ok(false),
            Err(e) if e.is_not_found() => return Ok(false),
            _ => {}
        }
        let stopped = self.docker.stop_container(name, None::<StopContainerOptions>).await;
        match stopped.map_err(doing(|| format!("stop container {name}"))) {
            Err(e) if e.is_not_found() => return Ok(false),
            other => other?,
        }
        let detail = self.inspect(name).await;
        Ok(detail.is_ok_and(|d| d.exit_code == 137 && !d.oom_killed))
    }

    /// Removes a container; one that is gone already is no error. Volumes stay.
    pub async fn remove_container(&self, name: &str) -> Result<(), Error> {
        let options = RemoveContainerOptions { force: true, ..Default::default() };
        match self
            .docker
            .remove_container(name, Some(options))
            .await
            .map_err(doing(|| format!("remove container {name}")))
        {
            Err(e) if e.is_not_found() => Ok(()),
            // somebody else is removing it: the end is the same
            Err(e) if e.is_conflict() && e.message().contains("already in progress") => Ok(()),
            other => other,
        }
    }

    /// Gives a container another name.
    pub async fn rename_container(&self, from: &str, to: &str) -> Result<(), Error> {
        let options = RenameContainerOptions { name: to.to_owned() };
        self.docker.rename_container(from, options).await.map_err(doing(|| format!("rename container {from} to {to}")))
    }

    /// All about one container.
    pub async fn inspect(&self, name: &str) -> Result<Detail, Error> {
        let found = self.docker.inspect_container(name, None::<InspectContainerOptions>).await;
        found.map(detail).map_err(doing(|| format!("inspect container {name}")))
    }
}

fn body(new: &NewContainer<'_>) -> ContainerCreateBody {
    let s = new.service;
    let first = s.networks.iter().find_map(|(key, a)| Some((new.project.networks.get(key)?, a)));
    let networking = first.map(|(network, attachment)| NetworkingConfig {
        endpoints_config: Some(HashMap::from([(network.name.clone(), endpoint(s, new.name, attachment))])),
    });
    ContainerCreateBody {
        image: Some(new.image.to_owned()),
        hostname: s.hostname.clone(),
        user: s.user.clone(),
        tty: s.tty.then_some(true),
        open_stdin: s.stdin_open.then_some(true),
        env: (!s.environment.is_empty()).then(|| s.environment.iter().map(environment_line).collect()),
        cmd: s.command.clone(),
        entrypoint: s.entrypoint.clone(),
        working_dir: s.working_dir.clone(),
        healthcheck: s.healthcheck.as_ref().map(health_config),
        labels: Some(new.labels.clone().into_iter().collect()),
        stop_signal: s.stop_signal.clone(),
        stop_timeout: s.stop_grace_period.map(|t| i64::try_from(t.as_secs()).unwrap_or(i64::MAX)),
        exposed_ports: Some(s.ports.iter().map(|p| format!("{}/{}", p.container, p.protocol)).collect()),
        volumes: Some(
            s.mounts.iter().filter(|m| m.source == MountSource::Anonymous).map(|m| m.target.clone()).collect(),
        ),
        host_config: Some(host_config(new, first.map(|(n, _)| n.name.clone()))),
        networking_config: networking,
        ..Default::default()
    }
}

fn host_config(new: &NewContainer<'_>, network: Option<String>) -> HostConfig {
    let s = new.service;
    let r = &s.resources;
    let list = |v: &[String]| (!v.is_empty()).then(|| v.to_vec());
    let mut binds: Vec<String> = s
        .mounts
        .iter()
        .filter_map(|m| {
            let source = match &m.source {
                MountSource::Volume(key) => new.project.volumes.get(key)?.name.clone(),
                MountSource::Bind(path) => path.clone(),
                MountSource::Anonymous | MountSource::Tmpfs => return None,
            };
            Some(format!("{source}:{}:{}", m.target, if m.read_only { "ro" } else { "rw" }))
        })
        .collect();
    binds.extend(new.inherit.iter().map(|(name, target)| format!("{name}:{target}:rw")));
    HostConfig {
        binds: Some(binds),
        network_mode: network,
        port_bindings: Some(port_bindings(&s.ports)),
        restart_policy: Some(restart_policy(s.restart)),
        memory: r.memory,
        memory_reservation: r.memory_reservation,
        nano_cpus: r.nano_cpus,
        pids_limit: r.pids,
        shm_size: r.shm_size,
        init: s.init,
        readonly_rootfs: s.read_only.then_some(true),
        cap_add: list(&s.cap_add),
        cap_drop: list(&s.cap_drop),
        extra_hosts: list(&s.extra_hosts),
        tmpfs: Some(
            s.mounts
                .iter()
                .filter(|m| m.source == MountSource::Tmpfs)
                .map(|m| (m.target.clone(), String::new()))
                .collect(),
        ),
        ulimits: (!s.ulimits.is_empty()).then(|| {
            s.ulimits
                .iter()
                .map(|(name, u)| ResourcesUlimits { name: Some(name.clone()), soft: Some(u.soft), hard: Some(u.hard) })
                .collect()
        }),
        ..Default::default()
    }
}

/// `KEY=value`; a bare `KEY` makes the engine remove the image's value.
fn environment_line((key, value): (&String, &Option<String>)) -> String {
    value.as_ref().map_or_else(|| key.clone(), |v| format!("{key}={v}"))
}

fn endpoint(service: &Service, name: &str, attachment: &compose::project::Attachment) -> EndpointSettings {
    // a container that is made beside the one that it replaces is found under its final name
    let name = name.split_once('_').filter(|(id, _)| id.len() == 12).map_or(name, |(_, rest)| rest);
    let mut aliases = vec![service.name.clone(), name.to_owned()];
    aliases.extend(attachment.aliases.iter().cloned());
    let ipam =
        attachment.ipv4_address.clone().map(|ip| EndpointIpamConfig { ipv4_address: Some(ip), ..Default::default() });
    EndpointSettings { aliases: Some(aliases), ipam_config: ipam, ..Default::default() }
}

fn port_bindings(ports: &[Port]) -> HashMap<String, Option<Vec<PortBinding>>> {
    let mut bindings: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for p in ports.iter().filter(|p| p.host.is_some()) {
        let host_port = p.host.filter(|&h| h != 0).map_or(String::new(), |h| h.to_string());
        let binding = PortBinding { host_ip: Some(p.host_ip.clone()), host_port: Some(host_port) };
        bindings.entry(format!("{}/{}", p.container, p.protocol)).or_default().get_or_insert_default().push(binding);
    }
    bindings
}

fn restart_policy(restart: Restart) -> RestartPolicy {
    let (name, count) = match restart {
        Restart::No => (RestartPolicyNameEnum::NO, None),
        Restart::Always => (RestartPolicyNameEnum::ALWAYS, None),
        Restart::UnlessStopped => (RestartPolicyNameEnum::UNLESS_STOPPED, None),
        Restart::OnFailure(count) => (RestartPolicyNameEnum::ON_FAILURE, Some(count)),
    };
    RestartPolicy { name: Some(name), maximum_retry_count: count }
}

fn nanoseconds(d: Duration) -> i64 {
    i64::try_from(d.as_nanos()).unwrap_or(i64::MAX)
}

fn health_config(h: &Healthcheck) -> HealthConfig {
    HealthConfig {
        test: (!h.test.is_empty()).then(|| h.test.clone()),
        interval: h.interval.map(nanoseconds),
        timeout: h.timeout.map(nanoseconds),
        retries: h.retries.map(|r| i64::try_from(r).unwrap_or(i64::MAX)),
        start_period: h.start_period.map(nanoseconds),
        start_interval: h.start_interval.map(nanoseconds),
    }
}

/// A tar archive of the files; folders on the way exist in the image or are made by the engine.
fn archive(files: &[ConfigFile]) -> std::io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for file in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.content.len() as u64);
        header.set_mode(file.mode);
        header.set_uid(file.uid);
        header.set_gid(file.gid);
        builder.append_data(&mut header, file.target.trim_start_matches('/'), file.content.as_bytes())?;
    }
    builder.into_inner()
}

fn detail(c: bollard::models::ContainerInspectResponse) -> Detail {
    let state = c.state.unwrap_or_default();
    let health = state.health.unwrap_or_default();
    let settings = c.network_settings.unwrap_or_default();
    let config = c.config.unwrap_or_default();
    let host_name = config.hostname.clone().unwrap_or_default();
    let check = config.healthcheck;
    let variables = config.env.unwrap_or_default().into_iter();
    let duration = |ns: Option<i64>| ns.filter(|&n| n > 0).map(|n| Duration::from_nanos(n.unsigned_abs()));
    Detail {
        id: c.id.unwrap_or_default(),
        state: state.status.map(|s| s.to_string()).unwrap_or_default(),
        running: state.running.unwrap_or_default(),
        restarting: state.restarting.unwrap_or_default(),
        exit_code: state.exit_code.unwrap_or_default(),
        oom_killed: state.oom_killed.unwrap_or_default(),
        error: state.error.unwrap_or_default(),
        started_at: state.started_at.unwrap_or_default(),
        restarts: c.restart_count.unwrap_or_default(),
        health: health.status.map(|s| s.to_string()).filter(|s| !s.is_empty() && s != "none"),
        health_log: health.log.unwrap_or_default().into_iter().filter_map(|l| l.output).collect(),
        healthcheck: check.filter(|h| h.test.as_ref().is_some_and(|t| !t.is_empty())).map(|h| Healthcheck {
            test: h.test.unwrap_or_default(),
            interval: duration(h.interval),
            timeout: duration(h.timeout),
            retries: h.retries.map(i64::unsigned_abs),
            start_period: duration(h.start_period),
            start_interval: duration(h.start_interval),
        }),
        restart_always: c.host_config.and_then(|h| h.restart_policy).and_then(|p| p.name).is_some_and(|n| {
            matches!(
                n,
                RestartPolicyNameEnum::ALWAYS
                    | RestartPolicyNameEnum::UNLESS_STOPPED
                    | RestartPolicyNameEnum::ON_FAILURE
            )
        }),
        published: settings.ports.unwrap_or_default().into_iter().filter_map(published).collect(),
        address: settings
            .networks
            .unwrap_or_default()
            .into_values()
            .find_map(|n| n.ip_address.filter(|ip| !ip.is_empty()))
            .unwrap_or_default(),
        host_name,
        env: variables.filter_map(|line| line.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()))).collect(),
        command: config.cmd.unwrap_or_default(),
        image_id: c.image.unwrap_or_default(),
    }
}

/// The first tcp binding of a container port, IPv4 before IPv6.
fn published((port, bindings): (String, Option<Vec<PortBinding>>)) -> Option<(u16, (String, u16))> {
    let port = port.strip_suffix("/tcp")?.parse().ok()?;
    let mut bindings: Vec<_> = bindings?
        .into_iter()
        .filter_map(|b| Some((b.host_ip.unwrap_or_default(), b.host_port?.parse::<u16>().ok()?)))
        .collect();
    bindings.sort_by_key(|(ip, _)| ip.contains(':'));
    bindings.into_iter().next().map(|b| (port, b))
}
