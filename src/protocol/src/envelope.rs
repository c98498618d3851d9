//! The envelope that every message travels in.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::read::{self, ReadError};
use crate::{Fault, Metadata, Payload, Timestamp, TraceContext, names, trace};

/// One message with everything that travels around its payload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// Names this message and no other; 1 to 255 bytes.
    #[serde(deserialize_with = "read::id")]
    pub id: String,
    /// Names the request that this message is part of: opaque text of at most 128 characters.
    #[serde(deserialize_with = "read::correlation_id")]
    pub correlation_id: String,
    /// The trace that this message is part of. One that is not valid is read as none.
    #[serde(default, deserialize_with = "trace::tolerant", skip_serializing_if = "Option::is_none")]
    pub trace_context: Option<TraceContext>,
    /// When the message was made.
    pub timestamp: Timestamp,
    /// The service that sent it.
    pub service_name: String,
    /// What it says: `CreateUserCommand`, `GetUserQuery`, `UserCreated`, `GetUserQueryResponse`.
    #[serde(deserialize_with = "read::message_type")]
    pub message_type: String,
    /// The command, query, event or answer itself.
    pub payload: Payload,
    /// What travels beside the payload; empty when it is missing.
    #[serde(default, deserialize_with = "read::or_default")]
    pub metadata: Metadata,
    /// The version of an event's schema; 1 when it is missing.
    #[serde(default = "first", deserialize_with = "read::version", skip_serializing_if = "is_first")]
    pub version: u32,
}

const fn first() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_first(version: &u32) -> bool {
    *version == 1
}

impl Envelope {
    /// Reads an envelope from the body of a message.
    ///
    /// # Errors
    /// [`ReadError`] says which field is missing or wrong, or that it is no JSON at all.
    pub fn read(body: &[u8]) -> Result<Self, ReadError> {
        read::bytes::<read::Object<Self>>(body).map(|it| it.0)
    }

    /// When nobody waits for the answer any more: as the sender says, or its time-out counted from the timestamp.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let timeout = self.metadata.routing.as_ref().and_then(|it| it.timeout);
        self.metadata.deadline.or_else(|| timeout.map(|it| self.timestamp.plus(Duration::from_millis(it))))
    }

    /// The answer to this message: same correlation id, message type with `Response`, the fault in place of the payload.
    ///
    /// The trace and the metadata are the caller's to fill in; a fault is marked with the correlation id and `now`.
    #[must_use]
    pub fn answer(&self, id: String, service: &str, now: Timestamp, outcome: Result<Payload, Fault>) -> Self {
        let correlation_id = self.correlation_id.clone();
        let payload = outcome.unwrap_or_else(|fault| fault.stamped(&correlation_id, now).to_payload());
        Self {
            id,
            correlation_id,
            trace_context: None,
            timestamp: now,
            service_name: service.to_owned(),
            message_type: names::response_type(&self.message_type),
            payload,
            metadata: Metadata::default(),
            version: 1,
        }
    }

    /// The body of a message, as JSON without white space.
    ///
    /// # Panics
    /// Never: every field has a JSON form.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("every field has a JSON form and every key is text")
    }
}
