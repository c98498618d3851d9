//! What travels beside the payload: caller, retries, routing, deadline, and whatever else a sender adds.

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::read::{IdempotencyKey, Optional};
use crate::{Auth, Timestamp};

/// What travels beside the payload.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The caller; none for anonymous callers and for work that a service began by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// What was tried before, where the sender's SDK writes it here; the Rust SDK has it in headers, so that a body stays
    /// as it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// What the sender wishes of the bus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
    /// Commands with the same key (and the same caller and type) take effect once within 24 hours; 1 to 255 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// When nobody waits for the answer any more: work that has not begun by then is not begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// The id of the message that caused this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<String>,
    /// Whatever else the sender put there, kept as it is.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// By hand: with `rest` among the fields, serde would take every field in as a value of any kind before it reads it.
impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Metadata;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Metadata, A::Error> {
                let mut metadata = Metadata::default();
                let mut seen = 0_u8;
                let mut first = |number: u8, name: &'static str| {
                    let before = seen & (1 << number) != 0;
                    seen |= 1 << number;
                    if before { Err(A::Error::duplicate_field(name)) } else { Ok(()) }
                };
                while let Some(name) = fields.next_key::<String>()? {
                    match name.as_str() {
                        "auth" => {
                            first(0, "auth")?;
                            metadata.auth = fields.next_value::<Optional<_>>()?.0;
                        }
                        "retry" => {
                            first(1, "retry")?;
                            metadata.retry = fields.next_value::<Optional<_>>()?.0;
                        }
                        "routing" => {
                            first(2, "routing")?;
                            metadata.routing = fields.next_value::<Optional<_>>()?.0;
                        }
                        "idempotencyKey" => {
                            first(3, "idempotencyKey")?;
                            metadata.idempotency_key = fields.next_value::<Option<IdempotencyKey>>()?.map(|key| key.0);
                        }
                        "deadline" => {
                            first(4, "deadline")?;
                            metadata.deadline = fields.next_value()?;
                        }
                        "causationId" => {
                            first(5, "causationId")?;
                            metadata.causation_id = fields.next_value()?;
                        }
                        _ => {
                            metadata.rest.insert(name, fields.next_value()?);
                        }
                    }
                }
                Ok(metadata)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// What was tried before this delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// How many attempts were made.
    pub attempt_count: u32,
    /// How many attempts are made before the message is dead-lettered.
    pub max_attempts: u32,
    /// When the first attempt began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_attempt: Option<Timestamp>,
    /// When the latest attempt began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_attempt: Option<Timestamp>,
    /// Why the latest attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// How long the message was held back before this attempt, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_delay: Option<u64>,
}

/// What the sender wishes of the bus.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Routing {
    /// How urgent it is; carried, without effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// How long the sender waits for the answer, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Another routing key than the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing_key: Option<String>,
    /// Another exchange than the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<String>,
    /// Another queue than the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
}

/// How urgent a message is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// May wait.
    Low,
    /// As usual.
    #[default]
    Normal,
    /// Before others.
    High,
}

impl Priority {
    /// The AMQP property `priority`: 0, 1 or 2.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Low => 0,
            Self::Normal => 1,
            Self::High => 2,
        }
    }
}
