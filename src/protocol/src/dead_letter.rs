//! What a message carries when its handler failed: on its way back to the queue, and in the dead-letter queue.
//!
//! Body, properties and all other headers stay as they were. Each failed attempt adds one to
//! [`HEADER_RETRY_COUNT`](crate::names::HEADER_RETRY_COUNT) and an [`Attempt`] to [`HEADER_HISTORY`].

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{FaultCode, ReadError, Timestamp, read};

/// The header with the failed attempts: JSON text, an array of [`Attempt`], oldest first.
pub const HEADER_HISTORY: &str = "x-retry-history";
/// The header that says why the message is in the dead-letter queue: a [`Reason`].
pub const HEADER_REASON: &str = "x-dead-letter-reason";
/// The header with the queue that gave the message up.
pub const HEADER_QUEUE: &str = "x-dead-letter-queue";
/// The header with the time at which it was given up: a [`Timestamp`].
pub const HEADER_TIME: &str = "x-dead-letter-time";
/// The header with the number of times that the message was taken out of the dead-letter queue and sent again.
pub const HEADER_REPLAY_COUNT: &str = "x-replay-count";

/// The history holds this many attempts at most: the first, and the latest others.
pub const LONGEST_HISTORY: usize = 10;
/// The message of an attempt has this many characters at most.
pub const LONGEST_MESSAGE: usize = 500;

/// One attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Which one it was, from 1.
    pub attempt: u32,
    /// When it failed.
    pub timestamp: Timestamp,
    /// What went wrong, for programs.
    pub code: FaultCode,
    /// What went wrong, for people.
    pub message: String,
    /// The same for the same place in the code, where that is known: for panics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_hash: Option<String>,
}

/// Why a message was given up. Reasons that are not known here are kept as they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Every attempt failed.
    Exhausted,
    /// Another attempt would fail in the same way.
    Permanent,
    /// It is not JSON, no envelope, or wrongly compressed.
    Unreadable,
    /// It is larger than its kind may be.
    TooLarge,
    /// Its deadline passed before it was begun, and nobody waits for an answer who could be told.
    Expired,
    /// The broker gave it up: see its header `x-death`.
    Broker,
    /// A reason that this version does not know.
    Other(String),
}

impl Reason {
    /// The reason as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Permanent => "permanent",
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too-large",
            Self::Expired => "expired",
            Self::Broker => "broker",
            Self::Other(text) => text,
        }
    }
}

impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        let known = [Self::Exhausted, Self::Permanent, Self::Unreadable, Self::TooLarge, Self::Expired, Self::Broker];
        known.into_iter().find(|it| it.as_str() == text).unwrap_or_else(|| Self::Other(text.to_owned()))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::from(text.as_str()))
    }
}

/// Reads [`HEADER_HISTORY`].
///
/// # Errors
/// [`ReadError`] names the attempt and field that is wrong.
pub fn read_history(header: &str) -> Result<Vec<Attempt>, ReadError> {
    read::bytes(header.as_bytes())
}

/// Writes [`HEADER_HISTORY`] with one more attempt; what would make it too long is left out.
///
/// # Panics
/// Never: every field of an attempt has a JSON form.
#[must_use]
pub fn write_history(mut history: Vec<Attempt>, mut latest: Attempt) -> String {
    if let Some((end, _)) = latest.message.char_indices().nth(LONGEST_MESSAGE) {
        latest.message.truncate(end);
    }
    history.push(latest);
    if history.len() > LONGEST_HISTORY {
        history.drain(1..=history.len() - LONGEST_HISTORY);
    }
    serde_json::to_string(&history).expect("every field has a JSON form")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(number: u32) -> Attempt {
        let timestamp = Timestamp::from_millis(i64::from(number));
        let message = "ü".repeat(600);
        Attempt { attempt: number, timestamp, code: FaultCode::Internal, message, stack_hash: None }
    }

    #[test]
    fn the_history_keeps_the_first_and_the_latest() {
        let mut history = Vec::new();
        for number in 1..=25 {
            history = read_history(&write_history(history, attempt(number))).unwrap();
        }
        let numbers: Vec<u32> = history.iter().map(|it| it.attempt).collect();
        assert_eq!(numbers, [1, 17, 18, 19, 20, 21, 22, 23, 24, 25]);
        assert_eq!(history[0].message.chars().count(), LONGEST_MESSAGE);
    }

    #[test]
    fn a_history_that_is_none_says_where() {
        let error = read_history(r#"[{"attempt":1,"timestamp":"x","code":"y","message":"z"}]"#).unwrap_err();
        assert_eq!(error.to_string(), "`[0].timestamp`: not an RFC 3339 time");
    }

    #[test]
    fn reasons_there_and_back() {
        for text in ["exhausted", "permanent", "unreadable", "too-large", "expired", "broker", "of-tomorrow"] {
            assert_eq!(Reason::from(text).as_str(), text);
        }
        assert_eq!(Reason::from("exhausted"), Reason::Exhausted);
    }
}
