//! What queues, exchanges, routing keys and headers are called.
//!
//! Commands and queries are published to the default exchange with the queue's name as the key; events to
//! [`EVENTS_EXCHANGE`]. Queues of events are bound to it by their pattern, dead-letter queues to
//! [`DEAD_LETTER_EXCHANGE`] by their own name.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::Kind;

/// Where events are published: durable, of type topic.
pub const EVENTS_EXCHANGE: &str = "exchange.platform.events";
/// Where the broker puts what a queue gives up: durable, of type direct.
pub const DEAD_LETTER_EXCHANGE: &str = "dlx.platform";
/// Binds to every event.
pub const EVERY_EVENT: &str = "#";

/// The content type of every body.
pub const CONTENT_TYPE: &str = "application/json";
/// The content encoding of every body, compressed or not.
pub const CONTENT_ENCODING: &str = "utf-8";

/// The header with the name of the sending service.
pub const HEADER_SERVICE_NAME: &str = "x-service-name";
/// The header with the message type.
pub const HEADER_MESSAGE_TYPE: &str = "x-message-type";
/// The header with the trace id (32 hex digits), or the correlation id where there is no trace.
pub const HEADER_TRACE_ID: &str = "x-trace-id";
/// The header with the number of attempts that failed so far.
pub const HEADER_RETRY_COUNT: &str = "x-retry-count";
/// The header that says [`GZIP`] when the body is compressed.
pub const HEADER_COMPRESSION: &str = "x-compression";
/// The value of [`HEADER_COMPRESSION`].
pub const GZIP: &str = "gzip";

/// A service has a name that is no DNS label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no service name: lower-case letters, digits and hyphens, starting with a letter, at most 63")]
pub struct NotAServiceName {
    /// The name as it was given.
    pub name: String,
}

/// The name of a service: lower-case letters, digits and hyphens, starting with a letter and not ending in a hyphen, at
/// most 63 of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ServiceName(String);

impl ServiceName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`NotAServiceName`] repeats the name and says the rule.
    pub fn new(name: impl Into<String>) -> Result<Self, NotAServiceName> {
        let name = name.into();
        if is_service_name(&name) { Ok(Self(name)) } else { Err(NotAServiceName { name }) }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text may name a service.
#[must_use]
pub fn is_service_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(allowed)
        && !text.ends_with('-')
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ServiceName {
    type Err = NotAServiceName;

    fn from_str(text: &str) -> Result<Self, NotAServiceName> {
        Self::new(text)
    }
}

impl AsRef<str> for ServiceName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl JsonSchema for ServiceName {
    fn schema_name() -> Cow<'static, str> {
        "ServiceName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$" })
    }
}

impl<'de> Deserialize<'de> for ServiceName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let rule = "not a service name: lower-case letters, digits and hyphens, starting with a letter, at most 63";
        Self::new(text).map_err(|_| de::Error::custom(rule))
    }
}

/// Whether a text may be a message type: letters, digits, `_`, `-` and `.`, 1 to 100 of them, so that every queue name
/// made of it is one that AMQP can carry (255 bytes).
#[must_use]
pub fn is_message_type(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    (1..=100).contains(&text.len()) && text.bytes().all(allowed) && !text.ends_with('.')
}

/// The message type of a command, query or event: `CreateUser` becomes `CreateUserCommand`.
///
/// A name that has the ending already keeps it. Events have none and lose the ending `Event`.
#[must_use]
pub fn message_type(kind: Kind, name: &str) -> String {
    match kind {
        Kind::Event => match name.strip_suffix("Event") {
            Some(rest) if !rest.is_empty() => rest.to_owned(),
            _ => name.to_owned(),
        },
        _ if name != kind.suffix() && name.ends_with(kind.suffix()) => name.to_owned(),
        _ => format!("{name}{}", kind.suffix()),
    }
}

/// The message type without its ending, without the segments before the last dot: `CreateUserCommand` and
/// `Users.Commands.CreateUser` become `CreateUser`.
#[must_use]
pub fn operation(kind: Kind, message_type: &str) -> &str {
    let last = message_type.rsplit('.').next().unwrap_or(message_type);
    match last.strip_suffix(kind.suffix()) {
        Some(rest) if !rest.is_empty() => rest,
        _ => last,
    }
}

/// The message type of the answer to a message type.
#[must_use]
pub fn response_type(message_type: &str) -> String {
    format!("{message_type}{}", Kind::Response.suffix())
}

/// The queue of a command: `service.user-service.commands.CreateUser`.
#[must_use]
pub fn command_queue(service: &ServiceName, message_type: &str) -> String {
    format!("service.{service}.commands.{}", operation(Kind::Command, message_type))
}

/// The queue of a query: `service.user-service.queries.GetUser`.
#[must_use]
pub fn query_queue(service: &ServiceName, message_type: &str) -> String {
    format!("service.{service}.queries.{}", operation(Kind::Query, message_type))
}

/// The queue of a subscriber to an event: `exchange.platform.events.email-service.usercreated`.
#[must_use]
pub fn event_queue(subscriber: &ServiceName, event: &str) -> String {
    format!("{EVENTS_EXCHANGE}.{subscriber}.{}", event_word(event))
}

/// The queue of one instance of a service that listens to an event, as all others do:
/// `exchange.platform.events.email-service.usercreated.{unique}`.
#[must_use]
pub fn listener_queue(subscriber: &ServiceName, event: &str, unique: &str) -> String {
    format!("{}.{unique}", event_queue(subscriber, event))
}

/// A queue for the answers to a service's calls: `response.user-service.{unique}`.
#[must_use]
pub fn reply_queue(caller: &ServiceName, unique: &str) -> String {
    format!("response.{caller}.{unique}")
}

/// The queue for what a queue gave up: `dlq.{queue}`. It is also the routing key.
#[must_use]
pub fn dead_letter_queue(queue: &str) -> String {
    format!("dlq.{queue}")
}

/// The queue that holds messages back before they are delivered again: `retry.{queue}.{step}`.
#[must_use]
pub fn retry_queue(queue: &str, step: u32) -> String {
    format!("retry.{queue}.{step}")
}

/// The key that an event is published with: `user-service.usercreated`.
#[must_use]
pub fn event_key(publisher: &ServiceName, event: &str) -> String {
    format!("{publisher}.{}", event_word(event))
}

/// What a subscriber's queue is bound with: by publisher, by event, by both, or by neither.
#[must_use]
pub fn event_pattern(publisher: Option<&ServiceName>, event: Option<&str>) -> String {
    match (publisher, event) {
        (Some(publisher), Some(event)) => event_key(publisher, event),
        (Some(publisher), None) => format!("{publisher}.*"),
        (None, Some(event)) => format!("*.{}", event_word(event)),
        (None, None) => EVERY_EVENT.to_owned(),
    }
}

/// An event's type as a word of a key: the segment after the last dot, lower case, without hyphens.
#[must_use]
pub fn event_word(event: &str) -> String {
    let last = event.rsplit('.').next().unwrap_or(event);
    last.chars().filter(|c| *c != '-').flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ServiceName {
        text.parse().unwrap()
    }

    #[test]
    fn names_of_queues_and_keys() {
        let (users, mail) = (name("user-service"), name("email-service"));
        assert_eq!(command_queue(&users, "CreateUserCommand"), "service.user-service.commands.CreateUser");
        assert_eq!(command_queue(&users, "Users.Commands.CreateUser"), "service.user-service.commands.CreateUser");
        assert_eq!(query_queue(&users, "GetUserQuery"), "service.user-service.queries.GetUser");
        let queue = event_queue(&mail, "UserCreated");
        assert_eq!(queue, "exchange.platform.events.email-service.usercreated");
        assert_eq!(listener_queue(&mail, "UserCreated", "x1"), format!("{queue}.x1"));
        assert_eq!(dead_letter_queue(&queue), "dlq.exchange.platform.events.email-service.usercreated");
        assert_eq!(retry_queue(&queue, 2), "retry.exchange.platform.events.email-service.usercreated.2");
        assert_eq!(reply_queue(&mail, "x1"), "response.email-service.x1");
        assert_eq!(event_key(&users, "UserCreated"), "user-service.usercreated");
        assert_eq!(event_key(&users, "User.Events.User-Created"), "user-service.usercreated");
        assert_eq!(event_pattern(Some(&users), None), "user-service.*");
        assert_eq!(event_pattern(None, Some("UserCreated")), "*.usercreated");
        assert_eq!(event_pattern(None, None), "#");
    }

    #[test]
    fn message_types_have_one_ending() {
        assert_eq!(message_type(Kind::Command, "CreateUser"), "CreateUserCommand");
        assert_eq!(message_type(Kind::Command, "CreateUserCommand"), "CreateUserCommand");
        assert_eq!(message_type(Kind::Command, "Command"), "CommandCommand");
        assert_eq!(message_type(Kind::Query, "GetUser"), "GetUserQuery");
        assert_eq!(message_type(Kind::Event, "UserCreatedEvent"), "UserCreated");
        assert_eq!(message_type(Kind::Event, "Event"), "Event");
        assert_eq!(operation(Kind::Command, "Command"), "Command");
        assert_eq!(operation(Kind::Event, "UserCreated"), "UserCreated");
        assert_eq!(response_type("GetUserQuery"), "GetUserQueryResponse");
    }

    #[test]
    fn the_longest_names_fit_into_amqp() {
        let service = name(&"s".repeat(63));
        let message_type = "M".repeat(100);
        assert!(is_message_type(&message_type) && !is_message_type(&format!("{message_type}M")));
        for queue in [command_queue(&service, &message_type), event_queue(&service, &message_type)] {
            assert!(dead_letter_queue(&queue).len() <= 255);
            assert!(retry_queue(&queue, u32::MAX).len() <= 255);
        }
        for wrong in ["", "a b", "ä", "a/b", "a*", "a#", "a."] {
            assert!(!is_message_type(wrong), "{wrong}");
        }
    }

    #[test]
    fn service_names_are_dns_labels() {
        for right in ["a", "user-service", "s3"] {
            assert_eq!(ServiceName::new(right).unwrap().as_str(), right);
        }
        let long = "a".repeat(64);
        for wrong in ["", "User", "user_service", "3s", "-a", "a-", "a.b", "ä", &long] {
            assert!(ServiceName::new(wrong).is_err(), "{wrong}");
        }
    }
}
