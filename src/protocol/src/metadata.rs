//! What travels beside the payload: caller, retries, routing, deadline, and whatever else a sender adds.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Auth, Timestamp};

/// What travels beside the payload.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The caller; none for anonymous callers and for work that a service began by itself.
    #[serde(default, deserialize_with = "crate::read::optional_object", skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// What was tried before, where the sender's SDK writes it here; the Rust SDK has it in headers, so that a body stays
    /// as it was.
    #[serde(default, deserialize_with = "crate::read::optional_object", skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// What the sender wishes of the bus.
    #[serde(default, deserialize_with = "crate::read::optional_object", skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
    /// Commands with the same key (and the same caller and type) take effect once within 24 hours; 1 to 255 bytes.
    #[serde(
        default,
        deserialize_with = "crate::read::optional_idempotency_key",
        skip_serializing_if = "Option::is_none"
    )]
    pub idempotency_key: Option<String>,
    /// When nobody waits for the answer any more: work that has not begun by then is not begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// The id of the message that caused this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<String>,
    /// Whatever else the sender put there, kept as it is.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
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
