//! An event before and after it is stored, and the words for where it belongs.

use std::{fmt, sync::Arc, time::SystemTime};

use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{StoreError, companion::Companion};

/// Where an event is in the order of all events: from 1, without gaps, in the order of the commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub i64);

impl Position {
    /// Before the first event.
    pub const START: Self = Self(0);
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The events of one aggregate, numbered from 1 without gaps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stream {
    /// What kind of thing it is: `Order`.
    pub aggregate_type: String,
    /// Which of them.
    pub aggregate_id: String,
}

impl Stream {
    /// The stream of the aggregate `aggregate_id`.
    pub fn new(aggregate_type: impl Into<String>, aggregate_id: impl Into<String>) -> Self {
        Self { aggregate_type: aggregate_type.into(), aggregate_id: aggregate_id.into() }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.aggregate_type, self.aggregate_id)
    }
}

/// JSON as text; what it says is read by whoever knows its type.
#[derive(Clone, PartialEq, Eq)]
pub struct Json(Box<str>);

impl Json {
    /// `value` as JSON.
    ///
    /// # Errors
    /// When `value` cannot be written as JSON, such as a map whose keys are not text.
    pub fn write(value: &(impl Serialize + ?Sized)) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(|text| Self(text.into()))
    }

    /// `text`, once it is known to be JSON.
    ///
    /// # Errors
    /// When it is not.
    pub fn from_text(text: impl Into<String>) -> Result<Self, serde_json::Error> {
        let text = text.into();
        serde_json::from_str::<serde::de::IgnoredAny>(&text)?;
        Ok(Self(text.into()))
    }

    /// Text that a JSON writer has made.
    pub(crate) fn trusted(text: &str) -> Self {
        Self(text.into())
    }

    /// The value that the text describes.
    ///
    /// # Errors
    /// When it describes something other than a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        Self(value.to_string().into())
    }
}

/// Something that happened and is to be stored.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its identity, which is unique among all events.
    pub id: Uuid,
    /// Its name in the past tense: `OrderPlaced`.
    pub event_type: String,
    /// The form of `data`, from 1.
    pub event_version: u32,
    /// What happened.
    pub data: Json,
    /// What is known beside it: who did it, from where.
    pub metadata: Option<Json>,
    /// When it happened, kept to the microsecond; the moment of the append when nothing is said.
    pub occurred_at: Option<SystemTime>,
    /// The request or conversation that it belongs to.
    pub correlation_id: Option<String>,
    /// The message that it was caused by.
    pub causation_id: Option<String>,
}

impl NewEvent {
    /// An event of the first version of its form, with an id of its own.
    pub fn new(event_type: impl Into<String>, data: Json) -> Self {
        Self {
            id: Uuid::now_v7(),
            event_type: event_type.into(),
            event_version: 1,
            data,
            metadata: None,
            occurred_at: None,
            correlation_id: None,
            causation_id: None,
        }
    }
}

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Its place in the order of all events.
    pub position: Position,
    /// Its identity.
    pub id: Uuid,
    /// The service that stored it.
    pub service: String,
    /// The aggregate that it happened to.
    pub stream: Stream,
    /// Its place among the events of that aggregate, from 1.
    pub version: u32,
    /// Its name.
    pub event_type: String,
    /// The form of `data`, from 1.
    pub event_version: u32,
    /// What happened. The database orders the keys of objects in its own way.
    pub data: Json,
    /// What is known beside it; an empty object when nothing is.
    pub metadata: Json,
    /// When it happened, by the clock of whoever stored it.
    pub occurred_at: SystemTime,
    /// The request or conversation that it belongs to.
    pub correlation_id: Option<String>,
    /// The message that it was caused by.
    pub causation_id: Option<String>,
}

/// What a stream has to be like for an append to be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// As it may be.
    Any,
    /// Without events.
    NoStream,
    /// With this many events.
    Version(u32),
}

impl Expected {
    /// Whether a stream with `actual` events is as expected.
    pub fn allows(self, actual: u32) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => actual == 0,
            Self::Version(version) => version == actual,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any version"),
            Self::NoStream => f.write_str("no events"),
            Self::Version(version) => write!(f, "version {version}"),
        }
    }
}

/// Events that are stored together or not at all, in one stream.
#[derive(Clone)]
pub struct Append {
    /// The service whose events these are; its outbox publishes them.
    pub service: String,
    /// The aggregate that they happened to.
    pub stream: Stream,
    /// What that aggregate's stream has to be like.
    pub expected: Expected,
    /// What happened, in order; at least one event.
    pub events: Vec<NewEvent>,
    /// What else is done in the same transaction, or undone with it.
    pub companions: Vec<Arc<dyn Companion>>,
}

impl Append {
    /// An append without companions.
    pub fn new(service: impl Into<String>, stream: Stream, expected: Expected, events: Vec<NewEvent>) -> Self {
        Self { service: service.into(), stream, expected, events, companions: Vec::new() }
    }

    /// The same with one more companion, which runs after those that are there.
    pub fn with(mut self, companion: impl Companion + 'static) -> Self {
        self.companions.push(Arc::new(companion));
        self
    }
}

/// Where an append's events are now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The position of the first of them.
    pub first_position: Position,
    /// The position of the last of them.
    pub last_position: Position,
    /// The version of the first of them.
    pub first_version: u32,
    /// The version of the last of them, and so of the stream.
    pub last_version: u32,
}

impl Appended {
    /// The place of `count` events behind `base` in a stream that was at version `actual`.
    pub(crate) fn behind(base: i64, actual: u32, count: usize) -> Self {
        let count = u32::try_from(count).expect("an append has fewer events than a version can count");
        Self {
            first_position: Position(base + 1),
            last_position: Position(base + i64::from(count)),
            first_version: actual + 1,
            last_version: actual + count,
        }
    }
}

/// Which events a reader wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those that this service stored.
    pub service: Option<String>,
    /// Only those with one of these names; those of every name when there is none.
    pub event_types: Vec<String>,
}

impl Filter {
    /// The events that `service` stored.
    pub fn service(service: impl Into<String>) -> Self {
        Self { service: Some(service.into()), event_types: Vec::new() }
    }

    /// Events with one of these names.
    pub fn types(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { service: None, event_types: names.into_iter().map(Into::into).collect() }
    }

    /// Whether every event is wanted.
    pub fn is_everything(&self) -> bool {
        self.service.is_none() && self.event_types.is_empty()
    }

    /// Whether `event` is wanted.
    pub fn wants(&self, event: &Recorded) -> bool {
        self.service.as_ref().is_none_or(|service| *service == event.service)
            && (self.event_types.is_empty() || self.event_types.contains(&event.event_type))
    }
}

/// A part of the order of all events.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The events that were wanted, in order.
    pub events: Vec<Recorded>,
    /// Everything up to here has been looked at; the next page begins behind it.
    pub read_to: Position,
}

/// Up to where a stream is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// All of it.
    Now,
    /// Up to this version, inclusive.
    Version(u32),
    /// The longest beginning in which every event happened at or before this moment.
    Time(SystemTime),
}

/// The state of an aggregate at a version.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// How many events went into it.
    pub version: u32,
    /// The state.
    pub state: Json,
}

/// What an aggregate is made of: a state, and the events since.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// The newest state that was saved.
    pub snapshot: Option<Snapshot>,
    /// The events behind it, in order.
    pub events: Vec<Recorded>,
}

impl History {
    /// The version of the stream, 0 when it has no events.
    pub fn version(&self) -> u32 {
        match (self.events.last(), &self.snapshot) {
            (Some(event), _) => event.version,
            (None, Some(snapshot)) => snapshot.version,
            (None, None) => 0,
        }
    }
}

/// The longest type or id of an aggregate, in bytes: longer ones do not fit into an index.
const LONGEST_NAME: usize = 512;

/// The largest append in bytes, as its events' data and metadata.
const LARGEST_APPEND: usize = 64 << 20;

/// Finds what no store takes, before others who arrive together with it have to wait for that.
pub(crate) fn check(append: &Append) -> Result<(), StoreError> {
    match flaw(append) {
        Some(reason) => Err(StoreError::Invalid { stream: append.stream.clone(), reason }),
        None => Ok(()),
    }
}

fn flaw(append: &Append) -> Option<String> {
    if append.events.is_empty() {
        return Some("there are no events".to_owned());
    }
    let Stream { aggregate_type, aggregate_id } = &append.stream;
    for (what, text) in
        [("aggregate type", aggregate_type), ("aggregate id", aggregate_id), ("service", &append.service)]
    {
        if text.is_empty() || text.len() > LONGEST_NAME || text.contains('\0') {
            return Some(format!("the {what} is empty, longer than {LONGEST_NAME} bytes or holds a NUL"));
        }
    }
    let mut size = 0;
    for event in &append.events {
        let texts = [Some(&event.event_type), event.correlation_id.as_ref(), event.causation_id.as_ref()];
        let jsons = [Some(&event.data), event.metadata.as_ref()];
        size += jsons.iter().flatten().map(|json| json.as_str().len()).sum::<usize>();
        let event_type = &event.event_type;
        if event_type.is_empty() || event_type.len() > LONGEST_NAME {
            return Some(format!("an event's type is empty or longer than {LONGEST_NAME} bytes"));
        }
        if event.event_version == 0 {
            return Some(format!("the form of {event_type} has no version"));
        }
        let nul = texts.iter().flatten().any(|text| text.contains('\0'))
            || jsons.iter().flatten().any(|json| escapes_nul(json.as_str()));
        if nul {
            return Some(format!("{event_type} holds a NUL"));
        }
    }
    (size > LARGEST_APPEND).then(|| format!("{size} bytes are more than {LARGEST_APPEND}"))
}

/// Whether a string within the JSON `text` has the character 0, which is always written as an escape.
fn escapes_nul(text: &str) -> bool {
    text.match_indices("u0000").any(|(at, _)| {
        let backslashes = text[..at].bytes().rev().take_while(|&byte| byte == b'\\').count();
        backslashes % 2 == 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_in_json_is_seen_and_its_picture_is_not() {
        assert!(escapes_nul(r#"{"a":"\u0000"}"#));
        assert!(escapes_nul(r#""\\\u0000""#));
        assert!(!escapes_nul(r#""\\u0000""#));
        assert!(!escapes_nul(r#""u0000""#));
    }
}
