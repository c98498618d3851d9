//! An event on its way to clients, and its texts: each written once, however many clients get it.

use std::{
    fmt::Write as _,
    sync::{Mutex, OnceLock, PoisonError},
};

use axum::extract::ws::Utf8Bytes;
use banyan_sdk::protocol::{Envelope, Payload, Timestamp, names};
use serde::Serialize;
use serde_json::Value;

/// How many spellings of an event's name have their text kept; nobody needs more than the short and the long one.
const SPELLINGS: usize = 4;

/// Something that happened, as it is handed to every client that asked for it.
#[derive(Debug)]
pub(crate) struct Event {
    /// Names it and its place among those of this instance: `UserCreated-1700000000000-12`.
    pub id: String,
    /// What it is called on the wire: `UserCreated`.
    pub event_type: String,
    /// The service that published it.
    pub service: String,
    /// What happened, as it came.
    pub payload: Payload,
    /// When it happened.
    pub timestamp: Timestamp,
    /// Names the request that it is part of.
    pub correlation_id: String,
    pub(super) message_id: String,
    pub(super) sequence: u64,
    value: OnceLock<Value>,
    messages: Texts,
    parts: Texts,
}

/// A text for each spelling of an event's name.
#[derive(Debug, Default)]
struct Texts(Mutex<Vec<(Box<str>, Utf8Bytes)>>);

impl Texts {
    fn get(&self, name: &str, write: impl FnOnce() -> String) -> Utf8Bytes {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, text)) = kept.iter().find(|(spelling, _)| **spelling == *name) {
            return text.clone();
        }
        let text = Utf8Bytes::from(write());
        if kept.len() < SPELLINGS {
            kept.push((name.into(), text.clone()));
        }
        text
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    r#type: &'static str,
    event_type: &'a str,
    payload: &'a Payload,
    timestamp: Timestamp,
    correlation_id: &'a str,
    id: &'a str,
}

impl Event {
    /// The event in an envelope, as number `sequence` of this instance.
    pub(super) fn new(envelope: Envelope, sequence: u64) -> Self {
        let id = format!("{}-{}-{sequence}", envelope.message_type, envelope.timestamp.millis());
        Self {
            id,
            event_type: envelope.message_type,
            service: envelope.service_name,
            payload: one_line(envelope.payload),
            timestamp: envelope.timestamp,
            correlation_id: envelope.correlation_id,
            message_id: envelope.id,
            sequence,
            value: OnceLock::new(),
            messages: Texts::default(),
            parts: Texts::default(),
        }
    }

    /// The word of its routing key.
    pub(super) fn word(&self) -> String {
        names::event_word(&self.event_type)
    }

    /// The payload, read once.
    pub(crate) fn value(&self) -> &Value {
        self.value.get_or_init(|| serde_json::from_str(self.payload.text()).unwrap_or_default())
    }

    /// The WebSocket message for whoever asked for it as `name`.
    pub(super) fn message(&self, name: &str) -> Utf8Bytes {
        self.messages.get(name, || {
            let message = Message {
                r#type: "event",
                event_type: name,
                payload: &self.payload,
                timestamp: self.timestamp,
                correlation_id: &self.correlation_id,
                id: &self.id,
            };
            // every field has a JSON form
            serde_json::to_string(&message).unwrap_or_default()
        })
    }

    /// The part of a stream of server-sent events for whoever asked for it as `name`.
    pub(super) fn part(&self, name: &str) -> Utf8Bytes {
        self.parts.get(name, || part(Some(name), Some(&self.id), self.payload.text()))
    }

    /// About how many bytes it takes, with its texts.
    pub(super) fn size(&self) -> usize {
        2 * self.payload.text().len() + 512
    }
}

/// One server-sent event; `data` is one line.
pub(super) fn part(name: Option<&str>, id: Option<&str>, data: &str) -> String {
    let mut text = String::with_capacity(data.len() + 96);
    for (field, value) in [("event", name), ("id", id), ("data", Some(data))] {
        if let Some(value) = value {
            // writing to a string cannot fail
            let _ = writeln!(text, "{field}: {value}");
        }
    }
    text.push('\n');
    text
}

/// The same JSON without line breaks, which mean nothing there and end a field of a server-sent event.
fn one_line(payload: Payload) -> Payload {
    if !payload.text().contains(['\r', '\n']) {
        return payload;
    }
    let text = payload.text().replace(['\r', '\n'], " ");
    Payload::parse(text).unwrap_or(payload)
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// An event of `user-service`, for tests.
    pub(in crate::events) fn envelope(event_type: &str, id: &str, payload: &str) -> Envelope {
        let envelope = json!({
            "id": id,
            "correlationId": "cor_1",
            "timestamp": "2030-01-01T00:00:00.000Z",
            "serviceName": "user-service",
            "messageType": event_type,
            "payload": null,
            "metadata": {},
        });
        let envelope = Envelope::read(envelope.to_string().as_bytes()).unwrap();
        Envelope { payload: Payload::parse(payload.to_owned()).unwrap(), ..envelope }
    }

    #[test]
    fn texts_are_written_once_for_each_spelling() {
        let event = Event::new(envelope("UserCreated", "evt_1", "{\"a\":\n1}"), 7);
        assert_eq!(
            event.message("UserCreated").as_str(),
            r#"{"type":"event","eventType":"UserCreated","payload":{"a": 1},"timestamp":"2030-01-01T00:00:00.000Z","correlationId":"cor_1","id":"UserCreated-1893456000000-7"}"#
        );
        let (once, again) = (event.message("UserCreated"), event.message("UserCreated"));
        assert_eq!(once.as_str().as_ptr(), again.as_str().as_ptr());
        assert!(event.message("User.Events.UserCreated").contains(r#""eventType":"User.Events.UserCreated""#));
        for spelling in 0..100 {
            event.message(&spelling.to_string());
        }
        assert_eq!(event.messages.0.lock().unwrap().len(), SPELLINGS);
    }

    #[test]
    fn a_part_of_a_stream_has_one_line_for_each_field() {
        let event = Event::new(envelope("UserCreated", "evt_1", "{\r\n \"a\":\n\"x\\ny\"}"), 7);
        assert_eq!(
            event.part("UserCreated").as_str(),
            "event: UserCreated\nid: UserCreated-1893456000000-7\ndata: {   \"a\": \"x\\ny\"}\n\n"
        );
        assert_eq!(event.value(), &json!({ "a": "x\ny" }));
    }
}
