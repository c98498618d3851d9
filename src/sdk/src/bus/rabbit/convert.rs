//! Between our words and lapin's.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use lapin::{
    BasicProperties, ErrorKind,
    types::{AMQPValue, ByteArray, FieldArray, FieldTable, LongString, ShortString},
};

use crate::{
    bus::{BusError, HeaderValue, Headers, Message},
    dependency::trouble,
};

const PERSISTENT: u8 = 2;
const TRANSIENT: u8 = 1;

/// Codes of the protocol.
const NOT_FOUND: u16 = 404;
const PRECONDITION_FAILED: u16 = 406;

/// A text that has to fit into 255 bytes.
pub(super) fn short(what: &'static str, text: impl Into<String>) -> Result<ShortString, BusError> {
    let text = text.into();
    let size = text.len();
    ShortString::try_new(text).map_err(|_| BusError::TooLong { what, size })
}

/// All of a message but its body, in lapin's words; texts are moved, not copied.
pub(super) fn properties(message: Message) -> Result<(BasicProperties, Bytes), BusError> {
    let mut properties =
        BasicProperties::default().with_delivery_mode(if message.persistent { PERSISTENT } else { TRANSIENT });
    if let Some(text) = message.message_id {
        properties = properties.with_message_id(short("the message id", text)?);
    }
    if let Some(text) = message.correlation_id {
        properties = properties.with_correlation_id(short("the correlation id", text)?);
    }
    if let Some(text) = message.reply_to {
        properties = properties.with_reply_to(short("the reply address", text)?);
    }
    if let Some(text) = message.content_type {
        properties = properties.with_content_type(short("the content type", text)?);
    }
    if let Some(text) = message.content_encoding {
        properties = properties.with_content_encoding(short("the content encoding", text)?);
    }
    if let Some(time) = message.expiration {
        properties = properties.with_expiration(time.as_millis().to_string().into());
    }
    if let Some(priority) = message.priority {
        properties = properties.with_priority(priority);
    }
    if let Some(timestamp) = message.timestamp {
        properties = properties.with_timestamp(timestamp);
    }
    if !message.headers.is_empty() {
        properties = properties.with_headers(table(message.headers)?);
    }
    Ok((properties, message.body))
}

pub(super) fn message(properties: &BasicProperties, body: Vec<u8>) -> Message {
    let text = |value: &Option<ShortString>| value.as_ref().map(|text| text.as_str().to_owned());
    let milliseconds = properties.expiration().as_ref().and_then(|text| text.as_str().parse().ok());
    Message {
        message_id: text(properties.message_id()),
        correlation_id: text(properties.correlation_id()),
        reply_to: text(properties.reply_to()),
        content_type: text(properties.content_type()),
        content_encoding: text(properties.content_encoding()),
        priority: *properties.priority(),
        expiration: milliseconds.map(Duration::from_millis),
        persistent: *properties.delivery_mode() == Some(PERSISTENT),
        timestamp: *properties.timestamp(),
        headers: properties.headers().as_ref().map(headers).unwrap_or_default(),
        body: body.into(),
    }
}

pub(super) fn table(headers: Headers) -> Result<FieldTable, BusError> {
    let mut fields = BTreeMap::new();
    for (name, value) in headers {
        fields.insert(short("the name of a header", name)?, field(value)?);
    }
    Ok(fields.into())
}

pub(super) fn field(value: HeaderValue) -> Result<AMQPValue, BusError> {
    Ok(match value {
        HeaderValue::Null => AMQPValue::Void,
        HeaderValue::Bool(value) => AMQPValue::Boolean(value),
        HeaderValue::Int(value) => AMQPValue::LongLongInt(value),
        HeaderValue::Float(value) => AMQPValue::Double(value),
        HeaderValue::Time(value) => AMQPValue::Timestamp(value),
        HeaderValue::Text(value) => AMQPValue::LongString(LongString::from(value)),
        HeaderValue::Bytes(value) => AMQPValue::ByteArray(ByteArray::from(value)),
        HeaderValue::List(values) => {
            AMQPValue::FieldArray(FieldArray::from(values.into_iter().map(field).collect::<Result<Vec<_>, _>>()?))
        }
        HeaderValue::Table(values) => AMQPValue::FieldTable(table(values)?),
    })
}

fn headers(table: &FieldTable) -> Headers {
    table.inner().iter().map(|(name, value)| (name.as_str().to_owned(), header(value))).collect()
}

fn header(value: &AMQPValue) -> HeaderValue {
    match value {
        AMQPValue::Boolean(value) => HeaderValue::Bool(*value),
        AMQPValue::ShortShortInt(value) => HeaderValue::Int((*value).into()),
        AMQPValue::ShortShortUInt(value) => HeaderValue::Int((*value).into()),
        AMQPValue::ShortInt(value) => HeaderValue::Int((*value).into()),
        AMQPValue::ShortUInt(value) => HeaderValue::Int((*value).into()),
        AMQPValue::LongInt(value) => HeaderValue::Int((*value).into()),
        AMQPValue::LongUInt(value) => HeaderValue::Int((*value).into()),
        AMQPValue::LongLongInt(value) => HeaderValue::Int(*value),
        AMQPValue::Float(value) => HeaderValue::Float((*value).into()),
        AMQPValue::Double(value) => HeaderValue::Float(*value),
        AMQPValue::DecimalValue(value) => {
            HeaderValue::Float(f64::from(value.value) / 10_f64.powi(i32::from(value.scale)))
        }
        AMQPValue::ShortString(value) => HeaderValue::Text(value.as_str().to_owned()),
        AMQPValue::LongString(value) => match str::from_utf8(value.as_bytes()) {
            Ok(text) => HeaderValue::Text(text.to_owned()),
            Err(_) => HeaderValue::Bytes(value.as_bytes().to_owned()),
        },
        AMQPValue::FieldArray(values) => HeaderValue::List(values.as_slice().iter().map(header).collect()),
        AMQPValue::Timestamp(value) => HeaderValue::Time(*value),
        AMQPValue::FieldTable(values) => HeaderValue::Table(headers(values)),
        AMQPValue::ByteArray(value) => HeaderValue::Bytes(value.as_slice().to_owned()),
        AMQPValue::Void => HeaderValue::Null,
    }
}

/// What an answer of the broker about a queue or exchange means.
pub(super) fn trouble(error: lapin::Error, name: &str, doing: &str) -> BusError {
    if let ErrorKind::ProtocolError(answer) = error.kind() {
        let words = answer.get_message().as_str();
        match answer.get_id() {
            PRECONDITION_FAILED => {
                return BusError::Mismatch { name: name.to_owned(), difference: difference(words).to_owned() };
            }
            NOT_FOUND => return BusError::NoSuchQueue { queue: name.to_owned() },
            _ => {}
        }
    }
    if is_loss(&error) {
        return BusError::Disconnected { reason: words(&error) };
    }
    BusError::Broker { doing: format!("{doing} `{name}`"), source: Arc::new(error) }
}

/// Whether the error is that the connection, or the channel with it, is gone; an unreadable answer ends it too.
pub(super) fn is_loss(error: &lapin::Error) -> bool {
    match error.kind() {
        ErrorKind::ProtocolError(_) => error.is_amqp_hard_error(),
        ErrorKind::ChannelsLimitReached | ErrorKind::SerialisationError(_) | ErrorKind::AuthProviderError(_) => false,
        _ => true,
    }
}

/// The error in words for people, without the client library's own prefix.
pub(super) fn words(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::IOError(error) | ErrorKind::RuntimeShutdownError(error) => trouble::words(error),
        ErrorKind::ProtocolError(answer) => answer.get_message().to_string(),
        ErrorKind::MissingHeartbeatError => "the broker went silent".to_owned(),
        ErrorKind::InvalidConnectionState(_) | ErrorKind::InvalidChannelState(..) => "connection closed".to_owned(),
        _ => error.to_string(),
    }
}

/// "PRECONDITION_FAILED - inequivalent arg 'x' for queue 'q' in vhost '/': received A but current is B" without its
/// head.
fn difference(words: &str) -> &str {
    words.strip_prefix("PRECONDITION_FAILED - ").unwrap_or(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_as_it_went() {
        let inner = Headers::from([("n".to_owned(), HeaderValue::Null), ("b".to_owned(), HeaderValue::Bool(true))]);
        let sent = Message {
            correlation_id: Some("c".into()),
            reply_to: Some("r".into()),
            content_type: Some("application/json".into()),
            content_encoding: Some("utf-8".into()),
            priority: Some(2),
            expiration: Some(Duration::from_millis(1500)),
            timestamp: Some(7),
            ..Message::durable("m", "body")
        }
        .header("text", "ä")
        .header("number", -3)
        .header("list", HeaderValue::List(vec![HeaderValue::Int(1), HeaderValue::Table(inner)]))
        .header("bytes", HeaderValue::Bytes(vec![0xff]))
        .header("time", HeaderValue::Time(9))
        .header("float", HeaderValue::Float(0.5));
        let (properties, body) = properties(sent.clone()).unwrap();
        assert_eq!(message(&properties, body.to_vec()), sent);
    }

    #[test]
    fn a_text_that_does_not_fit_is_refused() {
        let message = Message::durable("x".repeat(256), "");
        let error = properties(message).unwrap_err();
        assert_eq!(error.to_string(), "cannot send the message id: 256 bytes, at most 255");
    }
}
