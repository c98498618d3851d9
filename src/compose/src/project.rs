//! The resolved set of services to run: what a compose file means once nothing is left to look up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;
use serde::Serialize;

use crate::problem::Problem;

/// Everything that the compose files, the environment and the profiles resolve to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Project {
    /// Project name: the label by which everything that belongs to it is found again.
    pub name: String,
    /// Folder against which relative paths resolve; label `com.docker.compose.project.working_dir`.
    pub working_dir: PathBuf,
    /// Absolute paths of the compose files, first to last; label `…project.config_files`.
    pub files: Vec<PathBuf>,
    /// Value of label `…project.environment_file`: only when `--env-file` was given.
    pub env_files: Vec<PathBuf>,
    /// Name of this copy when it is one beside the first; label `dev.banyan.instance`.
    pub instance: Option<String>,
    /// Services to run, in file order.
    pub services: IndexMap<String, Service>,
    /// Services that exist in the files but whose profiles are not active.
    pub disabled: BTreeSet<String>,
    /// Networks by key; only those that an enabled service uses.
    pub networks: IndexMap<String, Network>,
    /// Volumes by key; all that the files declare.
    pub volumes: IndexMap<String, Volume>,
    /// Credentials whose default is for development only (top-level `x-banyan.secrets`).
    pub secrets: Vec<SecretDefault>,
    /// `NODE_ENV` as the files see it, to decide whether development credentials are acceptable.
    pub production: bool,
    /// Things worth telling that are no mistakes (an unset variable, an ignored `version:`).
    pub warnings: Vec<Problem>,
}

/// A credential that has a default in the compose file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretDefault {
    /// Name of the environment variable that sets it.
    pub variable: String,
    /// True when the value in force is the default.
    pub is_default: bool,
}

/// One service of the project, resolved.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Service {
    /// Key in the compose file; also its network alias.
    pub name: String,
    /// Name of the container: `container_name`, or `<project>-<service>-1`.
    pub container_name: String,
    /// True when the file set `container_name`.
    pub named: bool,
    /// Image reference as written.
    pub image: String,
    /// `None`: as the image has it.
    pub command: Option<Vec<String>>,
    /// `None`: as the image has it.
    pub entrypoint: Option<Vec<String>>,
    /// `None` value: unset whatever the image has.
    pub environment: BTreeMap<String, Option<String>>,
    /// Published and exposed ports.
    pub ports: Vec<Port>,
    /// Named volumes, bind mounts and tmpfs.
    pub mounts: Vec<Mount>,
    /// Files copied into the container before it starts.
    pub configs: Vec<ConfigFile>,
    /// Attachments by network key, in priority order.
    pub networks: IndexMap<String, Attachment>,
    /// What must be there first.
    pub depends_on: IndexMap<String, Dependency>,
    /// The check that the engine runs; `None`: as the image has it.
    pub healthcheck: Option<Healthcheck>,
    /// What the engine does when the main process exits.
    pub restart: Restart,
    /// Host name inside the container.
    pub hostname: Option<String>,
    /// `user:group`.
    pub user: Option<String>,
    /// Working directory inside the container.
    pub working_dir: Option<String>,
    /// Run a reaper as PID 1.
    pub init: Option<bool>,
    /// Allocate a terminal.
    pub tty: bool,
    /// Keep standard input open.
    pub stdin_open: bool,
    /// Root file system is read-only.
    pub read_only: bool,
    /// Signal that asks the main process to stop.
    pub stop_signal: Option<String>,
    /// Time between that signal and SIGKILL.
    pub stop_grace_period: Option<Duration>,
    /// Memory in bytes, CPU in billionths.
    pub resources: Resources,
    /// Name to soft and hard limit.
    pub ulimits: BTreeMap<String, Ulimit>,
    /// The user's own labels.
    pub labels: BTreeMap<String, String>,
    /// `host:address` lines for /etc/hosts.
    pub extra_hosts: Vec<String>,
    /// Capabilities to add.
    pub cap_add: Vec<String>,
    /// Capabilities to drop.
    pub cap_drop: Vec<String>,
    /// `pull_policy`.
    pub pull_policy: PullPolicy,
    /// Profiles that bring it up; empty: it is always brought up.
    pub profiles: Vec<String>,
    /// The keys under `x-banyan`.
    pub extension: Extension,
    /// Compose's hash of the service, label `com.docker.compose.config-hash`.
    pub config_hash: String,
}

/// When to ask the registry for an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// Only when there is no local image.
    #[default]
    Missing,
    /// At every `up`.
    Always,
    /// Never.
    Never,
}

/// A port of the container, published on the host or only exposed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Port {
    /// Port inside the container.
    pub container: u16,
    /// Port on the host; `Some(0)`: the engine picks one; `None`: not published.
    pub host: Option<u16>,
    /// Address on the host; empty: all of them.
    pub host_ip: String,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Variable that sets the host port (`${NAME:-5432}`), when the file uses one.
    #[serde(skip)]
    pub variable: Option<String>,
}

/// What is mounted where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Mount {
    /// Volume key, host path, or nothing.
    pub source: MountSource,
    /// Path in the container.
    pub target: String,
    /// Mounted read-only.
    pub read_only: bool,
}

/// Where the content of a mount comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum MountSource {
    /// Key of a volume of the project.
    Volume(String),
    /// A folder or file of the engine's host.
    Bind(String),
    /// An unnamed volume that belongs to the container.
    Anonymous,
    /// Memory.
    Tmpfs,
}

/// A file that is copied into the container before it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigFile {
    /// Key under top-level `configs`.
    pub source: String,
    /// Path in the container.
    pub target: String,
    /// Content.
    pub content: String,
    /// Permission bits.
    pub mode: u32,
    /// Owner in the container.
    pub uid: u64,
    /// Group in the container.
    pub gid: u64,
}

/// How a service is attached to a network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Attachment {
    /// Extra names, beside the service's and the container's.
    pub aliases: Vec<String>,
    /// Fixed address, if any.
    pub ipv4_address: Option<String>,
}

/// One edge of the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// What must be true of the other service before this one starts.
    pub condition: Condition,
    /// False: a missing or failed dependency is only warned about.
    pub required: bool,
    /// True: restarted when the other one is recreated.
    pub restart: bool,
}

/// What must be true of a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Its container runs.
    Started,
    /// It is ready.
    Healthy,
    /// It ran and ended with 0.
    Completed,
}

impl Condition {
    /// The word of the compose file.
    pub fn as_str(self) -> &'static str {
        match self {
            Condition::Started => "service_started",
            Condition::Healthy => "service_healthy",
            Condition::Completed => "service_completed_successfully",
        }
    }
}

/// The engine's own check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Healthcheck {
    /// `["CMD", …]`, `["CMD-SHELL", …]`, `["NONE"]`; empty: as the image has it.
    pub test: Vec<String>,
    /// Time between checks.
    pub interval: Option<Duration>,
    /// Time after which a check counts as failed.
    pub timeout: Option<Duration>,
    /// Failures before unhealthy.
    pub retries: Option<u64>,
    /// Time in which failures do not count.
    pub start_period: Option<Duration>,
    /// Time between checks during `start_period`.
    pub start_interval: Option<Duration>,
}

impl Healthcheck {
    /// True for `disable: true` and `["NONE"]`.
    pub fn is_disabled(&self) -> bool {
        self.test.first().is_some_and(|t| t == "NONE")
    }
}

/// What the engine does when the main process exits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub enum Restart {
    /// Nothing.
    #[default]
    No,
    /// Start it again, always.
    Always,
    /// Start it again unless a person stopped it.
    UnlessStopped,
    /// Start it again after a failure, at most so many times (0: no limit).
    OnFailure(i64),
}

/// Limits and reservations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Resources {
    /// Bytes.
    pub memory: Option<i64>,
    /// Bytes.
    pub memory_reservation: Option<i64>,
    /// Billionths of a CPU.
    pub nano_cpus: Option<i64>,
    /// Processes.
    pub pids: Option<i64>,
    /// Size of /dev/shm in bytes.
    pub shm_size: Option<i64>,
}

/// A resource limit of the main process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Ulimit {
    /// Soft limit.
    pub soft: i64,
    /// Hard limit.
    pub hard: i64,
}

/// What banyan alone reads: the keys under `x-banyan` of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Extension {
    /// Name of an optional tier; `None`: the service is required.
    pub tier: Option<String>,
    /// Recipe that stands in for the image when no registry answers; `platform`: made from the executable.
    pub recipe: Option<String>,
    /// Program that an image without a tag is made from: one of the user's own, built outside Docker.
    pub executable: Option<PathBuf>,
    /// Typical time from start to first answer; only orders the work.
    pub boot: Duration,
    /// How the service proves that it is ready; `None`: by its health check.
    pub ready: Option<Ready>,
    /// What `up` prints at the end.
    pub addresses: Vec<Address>,
}

/// How to ask a service in its own protocol.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Ready {
    /// Which protocol.
    pub protocol: Protocol,
    /// Container port.
    pub port: u16,
    /// User name, if the protocol has one.
    pub user: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// Database name (sql) or virtual host (amqp).
    pub database: Option<String>,
    /// Path (http).
    pub path: String,
}

/// The password is left out, so that no log or error can show it.
impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ready({} {} {})", self.protocol.as_str(), self.port, self.path)
    }
}

/// A protocol that readiness probes speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Protocol {
    /// PostgreSQL: log in, `SELECT 1`.
    Sql,
    /// AMQP 0.9.1: handshake and login.
    Amqp,
    /// Redis: `PING` with the password.
    Redis,
    /// HTTP: a GET that answers 200.
    Http,
}

impl Protocol {
    /// The word of the compose file.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Sql => "sql",
            Protocol::Amqp => "amqp",
            Protocol::Redis => "redis",
            Protocol::Http => "http",
        }
    }
}

/// An address that people use; ports in `url` are container ports until [`Service::public_url`] maps them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Address {
    /// What it is: `SQL`, `management` …
    pub name: String,
    /// URL with the container port.
    pub url: String,
    /// `user / password`, if it takes one.
    pub login: Option<String>,
}

/// A network of the project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// Name in Docker.
    pub name: String,
    /// `bridge` unless set.
    pub driver: String,
    /// Not created or removed by us.
    pub external: bool,
    /// No way out.
    pub internal: bool,
    /// The user's own labels.
    pub labels: BTreeMap<String, String>,
    /// Compose's hash, label `com.docker.compose.config-hash`.
    pub config_hash: String,
}

/// A volume of the project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Volume {
    /// Name in Docker.
    pub name: String,
    /// Not created or removed by us.
    pub external: bool,
    /// `local` unless set.
    pub driver: String,
    /// The user's own labels.
    pub labels: BTreeMap<String, String>,
    /// Compose's hash, label `com.docker.compose.config-hash`.
    pub config_hash: String,
}

impl Service {
    /// True when the service belongs to no optional tier.
    pub fn is_required(&self) -> bool {
        self.extension.tier.is_none()
    }

    /// Where a container port is published; `None` when it is not.
    pub fn published(&self, container: u16) -> Option<&Port> {
        self.ports.iter().find(|p| p.container == container && p.host.is_some() && p.protocol == "tcp")
    }

    /// An address with its container port replaced by the published one; `None` when that port is not published.
    pub fn public_url(&self, url: &str) -> Option<String> {
        let (scheme, rest) = url.split_once("://")?;
        let end = rest.find('/').unwrap_or(rest.len());
        let (host, port) = rest[..end].rsplit_once(':')?;
        let published = self.published(port.parse().ok()?)?;
        let host = if published.is_loopback() { host } else { published.host_ip.as_str() };
        let host = if matches!(host, "" | "0.0.0.0" | "::") { "localhost" } else { host };
        Some(format!("{scheme}://{host}:{}{}", published.host?, &rest[end..]))
    }
}

impl Port {
    /// True when only this machine can reach the published port.
    pub fn is_loopback(&self) -> bool {
        self.host_ip.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl Project {
    /// Credentials that everybody knows, although others could reach the services; and why others could.
    pub fn exposed_defaults(&self) -> Option<(Vec<&str>, String)> {
        let defaults: Vec<&str> = self.secrets.iter().filter(|s| s.is_default).map(|s| s.variable.as_str()).collect();
        let open = self.services.values().find_map(|s| {
            let port = s.ports.iter().find(|p| p.host.is_some() && !p.is_loopback())?;
            Some(format!("`{}` publishes port {} beyond this machine", s.name, port.container))
        });
        let why = if self.production { Some("NODE_ENV is production".to_owned()) } else { open };
        (!defaults.is_empty()).then_some(defaults).zip(why)
    }
}
