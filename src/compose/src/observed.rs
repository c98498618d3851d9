//! What Docker has now, in our words.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Digest per field group of the service that a container was made from, as JSON.
pub const LABEL_SPEC: &str = "dev.banyan.spec";
/// Where the image of a container or the data of a volume comes from: `image`, `recipe` or `executable`.
pub const LABEL_SOURCE: &str = "dev.banyan.source";
/// Version of the server in an image, or of the one that made a volume's data.
pub const LABEL_VERSION: &str = "dev.banyan.version";
/// How to ask the service in its own protocol: `sql:5432` …; for other programs.
pub const LABEL_READY: &str = "dev.banyan.ready";
/// Optional tier of the service.
pub const LABEL_TIER: &str = "dev.banyan.tier";
/// Name of the copy that a container belongs to; the first copy has none.
pub const LABEL_INSTANCE: &str = "dev.banyan.instance";
/// Name of the recipe that an image was built from.
pub const LABEL_RECIPE: &str = "dev.banyan.recipe";

/// The packages in an image that a recipe made: `name=version`, with spaces between.
pub const LABEL_PACKAGES: &str = "dev.banyan.packages";

/// Compose's label for the project name.
pub const COMPOSE_PROJECT: &str = "com.docker.compose.project";
/// Compose's label for the service name.
pub const COMPOSE_SERVICE: &str = "com.docker.compose.service";
/// Compose's label for its hash.
pub const COMPOSE_HASH: &str = "com.docker.compose.config-hash";
/// Compose's label for the edges of a service.
pub const COMPOSE_DEPENDS_ON: &str = "com.docker.compose.depends_on";
/// Compose's label for the project's folder.
pub const COMPOSE_WORKING_DIR: &str = "com.docker.compose.project.working_dir";
/// Compose's label for the project's files.
pub const COMPOSE_CONFIG_FILES: &str = "com.docker.compose.project.config_files";
/// Compose's label for a network's key.
pub const COMPOSE_NETWORK: &str = "com.docker.compose.network";
/// Compose's label for a volume's key.
pub const COMPOSE_VOLUME: &str = "com.docker.compose.volume";

/// What one look at Docker saw.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// Containers that carry the project's label.
    pub containers: Vec<Container>,
    /// All other containers of the engine: they may hold ports and names.
    pub others: Vec<Container>,
    /// Networks of the engine, by name.
    pub networks: BTreeMap<String, Labelled>,
    /// Volumes of the engine, by name.
    pub volumes: BTreeMap<String, Labelled>,
    /// Images of the engine.
    pub images: Vec<Image>,
}

/// A network or a volume: all that matters of it is its labels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Labelled {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// A container.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Container {
    /// Full id.
    pub id: String,
    /// Name without the leading slash.
    pub name: String,
    /// Image reference that it was created with.
    pub image: String,
    /// Id of the image that it was created from.
    pub image_id: String,
    /// What it does.
    pub state: State,
    /// The engine's one-line status: `Up 2 minutes (healthy)`.
    pub status: String,
    /// Creation time, seconds since 1970.
    pub created: i64,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Address by network name.
    pub networks: BTreeMap<String, String>,
    /// Mounted volumes.
    pub volumes: Vec<VolumeMount>,
    /// Ports published on the host.
    pub ports: Vec<PublishedPort>,
}

/// A volume in a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VolumeMount {
    /// Name of the volume.
    pub name: String,
    /// Path in the container.
    pub target: String,
}

impl VolumeMount {
    /// True for a volume that the engine made, and named, for one container.
    pub fn is_unnamed(&self) -> bool {
        self.name.len() == 64 && self.name.bytes().all(|b| b.is_ascii_hexdigit())
    }
}

/// A port that is published now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishedPort {
    /// Address on the host.
    pub host_ip: String,
    /// Port on the host.
    pub host: u16,
    /// Port in the container.
    pub container: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
}

/// The engine's states.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum State {
    /// Made, never started.
    #[default]
    Created,
    /// Running.
    Running,
    /// Frozen.
    Paused,
    /// Between two runs.
    Restarting,
    /// On its way out.
    Removing,
    /// Ended.
    Exited,
    /// Could not be removed.
    Dead,
}

impl State {
    /// The engine's word.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Created => "created",
            State::Running => "running",
            State::Paused => "paused",
            State::Restarting => "restarting",
            State::Removing => "removing",
            State::Exited => "exited",
            State::Dead => "dead",
        }
    }
}

/// An image.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Image {
    /// Id, `sha256:…`.
    pub id: String,
    /// Names: `postgres:16-alpine`.
    pub tags: Vec<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Bytes, with the layers that it shares with others.
    pub size: u64,
    /// Creation time, seconds since 1970.
    pub created: i64,
}

impl Image {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }
}

impl Container {
    /// The service that it belongs to.
    pub fn service(&self) -> &str {
        self.labels.get(COMPOSE_SERVICE).map_or("", String::as_str)
    }

    /// The project that it belongs to, if any.
    pub fn project(&self) -> Option<&str> {
        self.labels.get(COMPOSE_PROJECT).map(String::as_str)
    }

    /// True for a container of `run`, which no `up` touches.
    pub fn is_one_off(&self) -> bool {
        self.labels.get("com.docker.compose.oneoff").is_some_and(|v| v == "True")
    }

    /// Services that it depends on, from its label: `svc:condition:restart`, joined by commas.
    pub fn depends_on(&self) -> Vec<String> {
        let label = self.labels.get(COMPOSE_DEPENDS_ON).map_or("", String::as_str);
        label.split(',').filter_map(|d| d.split(':').next()).filter(|d| !d.is_empty()).map(str::to_owned).collect()
    }
}

impl Observed {
    /// The image with this name; a name without a tag means `latest`.
    pub fn image(&self, reference: &str) -> Option<&Image> {
        let wanted = with_tag(reference);
        self.images.iter().find(|i| i.id == reference || i.tags.iter().any(|t| *t == wanted || *t == reference))
    }

    /// The containers of one service, the one with the wanted name first.
    pub fn of_service(&self, service: &str, wanted_name: &str) -> Vec<&Container> {
        let mut found: Vec<_> = self.containers.iter().filter(|c| c.service() == service && !c.is_one_off()).collect();
        found.sort_by_key(|c| (c.name != wanted_name, c.state != State::Running, c.name.clone()));
        found
    }

    /// The folder that the project's containers were made from, when it is another than `working_dir`.
    pub fn other_origin(&self, working_dir: &std::path::Path) -> Option<PathBuf> {
        self.containers
            .iter()
            .filter_map(|c| c.labels.get(COMPOSE_WORKING_DIR))
            .map(PathBuf::from)
            .find(|dir| dir != working_dir)
    }
}

/// The reference as the engine lists it: Docker Hub's own prefixes go, a missing tag becomes `latest`.
pub fn with_tag(reference: &str) -> String {
    let short = reference
        .strip_prefix("docker.io/library/")
        .or_else(|| reference.strip_prefix("docker.io/"))
        .unwrap_or(reference);
    let name = short.rsplit('/').next().unwrap_or(short);
    if name.contains(':') || name.contains('@') { short.to_owned() } else { format!("{short}:latest") }
}
