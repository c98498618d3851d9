//! Messages as Rust types: what the derives `Command`, `Query` and `Event` implement.

use std::fmt::Display;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::names::ServiceName;
use crate::{Contract, ContractMetadata, Kind, schema};

/// A command or query: something that is sent to one service and answered.
pub trait Request: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// The payload of the answer.
    type Reply: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static;

    /// [`Kind::Command`] or [`Kind::Query`].
    const KIND: Kind;
    /// What it is called on the wire: `CreateUserCommand`.
    const MESSAGE_TYPE: &'static str;
    /// The service that handles it, where the type knows; otherwise the caller must say.
    const SERVICE: Option<&'static str>;
    /// What the caller must hold, all of it.
    const PERMISSIONS: &'static [&'static str];
    /// Whether anonymous callers may send it.
    const PUBLIC: bool;
    /// What it does, for people.
    const DESCRIPTION: &'static str;
    /// The version of its contract: `1.0.0`.
    const VERSION: &'static str;
    /// Whether it may be handled twice without harm, so that it may be retried.
    const IDEMPOTENT: bool;

    /// What callers must know about it, as `service` offers it.
    #[must_use]
    fn contract(service: &ServiceName) -> Contract {
        Contract {
            message_type: Self::MESSAGE_TYPE.to_owned(),
            kind: Some(Self::KIND),
            target_service: service.clone(),
            description: Self::DESCRIPTION.to_owned(),
            input_schema: schema::input::<Self>(),
            output_schema: schema::output::<Self::Reply>(),
            required_permissions: Self::PERMISSIONS.iter().map(|it| (*it).to_owned()).collect(),
            is_public: Self::PUBLIC,
            version: Self::VERSION.to_owned(),
            metadata: ContractMetadata { idempotent: Self::IDEMPOTENT, ..ContractMetadata::default() },
        }
    }
}

/// A request that changes something.
pub trait Command: Request {}

/// A request that changes nothing, so that its answer may be kept for a while.
pub trait Query: Request {
    /// How long answers are kept; not at all when there is none.
    const CACHE: Option<Cache> = None;

    /// What the answer to this query is kept under, within its message type. When there is none, the whole payload
    /// decides.
    #[must_use]
    fn cache_key(&self) -> Option<String> {
        None
    }

    /// What the answer to this query is about; everything with a tag can be forgotten at once.
    #[must_use]
    fn cache_tags(&self) -> Vec<String> {
        Vec::new()
    }
}

/// How the answers to a query are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cache {
    /// How long an answer is fresh, in seconds.
    pub ttl: u32,
    /// How long after that it may still be given while a fresh one is fetched, in seconds.
    pub stale_while_revalidate: u32,
    /// The events after which no kept answer is given any more.
    pub invalidate_on: &'static [&'static str],
}

impl Cache {
    /// How long an answer is fresh when a query does not say, in seconds.
    pub const DEFAULT_TTL: u32 = 300;
}

/// Something that happened.
pub trait Event: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// What it is called on the wire and in the store: `UserCreated`.
    const EVENT_TYPE: &'static str;
    /// The service that publishes it, where the type knows; otherwise subscribers take it from any.
    const SERVICE: Option<&'static str>;
    /// The aggregate that it happened to: `User`. Events without one are stored, where there is a store,
    /// as the story of the message that caused them.
    const AGGREGATE: Option<&'static str>;
    /// The version of its schema, from 1.
    const VERSION: u32;
    /// What happened, for people.
    const DESCRIPTION: &'static str;
    /// What somebody outside who wants to be told of it must hold, all of it. Services that subscribe need nothing.
    const PERMISSIONS: &'static [&'static str] = &[];
    /// Whether anonymous callers may be told of it, too.
    const PUBLIC: bool = false;

    /// The id of the aggregate that it happened to; none for events without one.
    #[must_use]
    fn aggregate_id(&self) -> Option<String>;

    /// What subscribers must know about it, as `service` publishes it.
    #[must_use]
    fn contract(service: &ServiceName) -> Contract {
        Contract {
            message_type: Self::EVENT_TYPE.to_owned(),
            kind: Some(Kind::Event),
            target_service: service.clone(),
            description: Self::DESCRIPTION.to_owned(),
            input_schema: schema::output::<Self>(),
            output_schema: json!({ "type": "null" }),
            required_permissions: Self::PERMISSIONS.iter().map(|it| (*it).to_owned()).collect(),
            is_public: Self::PUBLIC,
            version: format!("{}.0.0", Self::VERSION),
            metadata: ContractMetadata::default(),
        }
    }
}

/// A value as part of a cache key: `%` and `:` are escaped, so that different values never make the same key.
#[must_use]
pub fn cache_key_part(value: &impl Display) -> String {
    value.to_string().replace('%', "%25").replace(':', "%3A")
}
