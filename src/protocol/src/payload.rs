//! The part of a message that belongs to the services: JSON that is not looked at on the way.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::read::{self, ReadError};

/// JSON text that is carried as it is and read only by its receiver.
///
/// Two payloads are equal when their texts are: `{"a":1}` and `{ "a": 1 }` are not.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Payload(Box<RawValue>);

/// A value cannot be written as JSON.
#[derive(Debug, thiserror::Error)]
#[error("cannot write a {what} as JSON")]
pub struct WriteError {
    /// The Rust type of the value.
    pub what: &'static str,
    /// What serde said: for example a map whose keys are not text.
    #[source]
    pub source: serde_json::Error,
}

impl Payload {
    /// Writes a value as JSON.
    ///
    /// # Errors
    /// [`WriteError`] when the value has no JSON form, such as a map whose keys are not text.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, WriteError> {
        let raw = serde_json::value::to_raw_value(value);
        raw.map(Self).map_err(|source| WriteError { what: std::any::type_name::<T>(), source })
    }

    /// Takes JSON text as it is.
    ///
    /// # Errors
    /// [`ReadError`] when the text is not one JSON value.
    pub fn parse(text: String) -> Result<Self, ReadError> {
        read::depth(text.as_bytes())?;
        RawValue::from_string(text).map(Self).map_err(|error| read::syntax(&error))
    }

    /// The JSON value `null`.
    #[must_use]
    pub fn null() -> Self {
        Self(RawValue::NULL.to_owned())
    }

    /// The JSON text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// The JSON text, without a copy.
    #[must_use]
    pub fn into_text(self) -> String {
        Box::<str>::from(self.0).into_string()
    }

    /// Reads the value.
    ///
    /// # Errors
    /// [`ReadError`] names the field that does not fit, as a path that begins with `payload`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ReadError> {
        read::text(self.text(), "payload")
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Payload {}
