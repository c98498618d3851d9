//! One message as it travels: properties, headers and a body of bytes.

use std::{collections::BTreeMap, fmt, time::Duration};

use bytes::Bytes;

/// Headers by name.
pub type Headers = BTreeMap<String, HeaderValue>;

/// What a header may hold.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum HeaderValue {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A fraction.
    Float(f64),
    /// Seconds since 1970.
    Time(u64),
    /// Text; bytes that are no UTF-8 come in as [`HeaderValue::Bytes`].
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Several values.
    List(Vec<HeaderValue>),
    /// Named values.
    Table(Headers),
}

impl HeaderValue {
    /// The text, when it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, when it is a whole one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The values, when there are several.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(values) => Some(values),
            _ => None,
        }
    }

    /// The named values, when it holds such.
    #[must_use]
    pub fn as_table(&self) -> Option<&Headers> {
        match self {
            Self::Table(table) => Some(table),
            _ => None,
        }
    }
}

impl From<&str> for HeaderValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for HeaderValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for HeaderValue {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

/// One message.
///
/// Its `Debug` shows the length of the body only: bodies hold what logs must not.
#[derive(Clone, PartialEq, Default)]
pub struct Message {
    /// Unique for each message, the same when it is sent again. At most 255 bytes, as every text among the properties.
    pub message_id: Option<String>,
    /// What an answer is matched on. [`super::Bus::request`] sets its own.
    pub correlation_id: Option<String>,
    /// Where the answer goes; opaque to whoever answers.
    pub reply_to: Option<String>,
    /// `application/json` everywhere on this platform.
    pub content_type: Option<String>,
    /// `utf-8` everywhere on this platform, compressed or not.
    pub content_encoding: Option<String>,
    /// Carried without effect: 0 low, 1 normal, 2 high.
    pub priority: Option<u8>,
    /// How long it may wait in a queue, in milliseconds on the wire. A work queue's broker dead-letters it afterwards.
    pub expiration: Option<Duration>,
    /// Whether it survives a restart of the broker.
    pub persistent: bool,
    /// Seconds since 1970.
    pub timestamp: Option<u64>,
    /// Headers.
    pub headers: Headers,
    /// The body, as it is on the wire.
    pub body: Bytes,
}

impl Message {
    /// A message that survives a restart of the broker.
    #[must_use]
    pub fn durable(message_id: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { message_id: Some(message_id.into()), persistent: true, body: body.into(), ..Self::default() }
    }

    /// A message that is gone when the broker restarts.
    #[must_use]
    pub fn transient(message_id: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { persistent: false, ..Self::durable(message_id, body) }
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<HeaderValue>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// The text of a header.
    #[must_use]
    pub fn header_text(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(HeaderValue::as_text)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("message_id", &self.message_id)
            .field("correlation_id", &self.correlation_id)
            .field("reply_to", &self.reply_to)
            .field("persistent", &self.persistent)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish_non_exhaustive()
    }
}
