//! What an archive says about itself: where it comes from, which stores are in it and how, which members they have.

mod check;

use std::{collections::BTreeMap, fmt, str::FromStr};

use banyan_protocol::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub(crate) use check::MOST;
pub use check::{Contradiction, Names, check};

/// The version of the manifest that this crate writes. Fields that are added raise the minor number; an older reader
/// does without them. Anything that it would misunderstand raises the major number.
pub const SCHEMA: Schema = Schema { major: 1, minor: 0 };

/// `manifest.json` of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this description.
    pub schema_version: Schema,
    /// What wrote it.
    pub tool: Tool,
    /// When the backup was made.
    pub created: Timestamp,
    /// The instance that it is of.
    pub instance: String,
    /// The project that it is of.
    pub project: String,
    /// The hash of the project's configuration.
    pub config_hash: String,
    /// Whether the stores fit together.
    pub consistency: Consistency,
    /// The stores that are in it.
    pub stores: Vec<Store>,
    /// The stores that are not, and why.
    #[serde(default)]
    pub skipped: Vec<Skipped>,
    /// What is in the file, in the order in which it is there.
    pub members: Vec<Member>,
}

/// A program and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// `banyan`
    pub name: String,
    /// `0.1.0`
    pub version: String,
}

/// A version of the manifest, `1.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Schema {
    /// Another one means that older readers would misunderstand it.
    pub major: u32,
    /// A greater one has fields that older readers can do without.
    pub minor: u32,
}

/// Whether the stores are of the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// Everything that writes was paused while the copies were begun.
    Paused,
    /// Each store is consistent by itself.
    PerStore,
    /// Something that a newer version wrote.
    #[serde(other)]
    Unknown,
}

/// What a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Kind {
    Postgres,
    Rabbitmq,
    Redis,
    Elasticsearch,
    Grafana,
    Volume,
    /// Something that a newer version wrote.
    #[serde(other)]
    Unknown,
}

/// How a store was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// What is in it, in the server's own words: any version that understands them can take it.
    Logical,
    /// Its files, in a way that the server allows: for the same image only.
    Physical,
    /// Its own snapshots.
    SnapshotApi,
    /// Its volume, while nothing ran.
    ColdCopy,
    /// Something that a newer version wrote.
    #[serde(other)]
    Unknown,
}

/// An image that a container was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// `postgres:16-alpine`
    pub reference: String,
    /// `sha256:…`, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// A store that is in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Store {
    /// The service or volume: `postgres`
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// How it was copied.
    pub method: Method,
    /// What the server said of itself; empty where no server was asked.
    #[serde(default)]
    pub server_version: String,
    /// What it ran on.
    pub image: Image,
    /// The names of its members.
    pub members: Vec<String>,
    /// The bytes in its members. [`crate::Writer::finish`] fills it in.
    #[serde(default)]
    pub size: u64,
    /// What can be counted again after a restore: rows, global position, messages, keys.
    #[serde(default)]
    pub counts: BTreeMap<String, u64>,
    /// What can be computed again after a restore.
    #[serde(default)]
    pub digests: BTreeMap<String, String>,
    /// What a restore has to know: the name of a broker's node.
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
}

/// A store that is not in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The service or volume.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// A stream of bytes in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// `postgres/dump.tar`
    pub name: String,
    /// How many bytes it has.
    pub size: u64,
    /// Of its bytes, 64 lower-case digits.
    pub sha256: String,
    /// How many entries of the tar it is cut into.
    pub parts: u64,
    /// Where the first one begins, after decryption.
    pub at: u64,
    /// How many bytes of the file they take, before encryption.
    pub stored: u64,
}

impl Manifest {
    /// A manifest without stores.
    #[must_use]
    pub fn new(
        tool: Tool,
        created: Timestamp,
        instance: impl Into<String>,
        project: impl Into<String>,
        config_hash: impl Into<String>,
        consistency: Consistency,
    ) -> Self {
        Self {
            schema_version: SCHEMA,
            tool,
            created,
            instance: instance.into(),
            project: project.into(),
            config_hash: config_hash.into(),
            consistency,
            stores: Vec::new(),
            skipped: Vec::new(),
            members: Vec::new(),
        }
    }

    /// The member of this name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    /// The store of this name.
    #[must_use]
    pub fn store(&self, name: &str) -> Option<&Store> {
        self.stores.iter().find(|store| store.name == name)
    }

    /// The bytes in all members.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.members.iter().map(|member| member.size).sum()
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A text is not a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a version: expected two numbers, such as `1.0`")]
pub struct NotASchema;

impl FromStr for Schema {
    type Err = NotASchema;

    fn from_str(text: &str) -> Result<Self, NotASchema> {
        let (major, minor) = text.split_once('.').ok_or(NotASchema)?;
        let number = |text: &str| text.parse().map_err(|_| NotASchema);
        let schema = Self { major: number(major)?, minor: number(minor)? };
        if schema.to_string() == text { Ok(schema) } else { Err(NotASchema) }
    }
}

impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
