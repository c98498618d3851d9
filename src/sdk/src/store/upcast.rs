//! Brings events that were stored in an older form to the current one.

use std::{collections::HashMap, fmt, sync::Arc};

use serde_json::Value;

use super::event::Recorded;

type Step = Arc<dyn Fn(Value) -> Value + Send + Sync>;

/// The way from each old form of an event to the one that the program knows. Events of other types stay as they are.
#[derive(Clone, Default)]
pub struct Upcasters {
    steps: HashMap<String, HashMap<u32, (u32, Step)>>,
    current: HashMap<String, u32>,
}

/// Why an event could not be brought to its current form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpcastError {
    /// There is no step that begins at the version.
    #[error("there is no way from version {from} of {event_type} to version {to}")]
    MissingPath {
        /// The event's name.
        event_type: String,
        /// The version that the way ends at.
        from: u32,
        /// The version that it should end at.
        to: u32,
    },
    /// The event was stored by a newer program.
    #[error("version {found} of {event_type} is newer than {known}, the newest that is known")]
    FromTheFuture {
        /// The event's name.
        event_type: String,
        /// The version that it was stored in.
        found: u32,
        /// The newest version that is known.
        known: u32,
    },
    /// The event's data is not JSON that can be read.
    #[error("version {version} of {event_type} holds what cannot be read: {reason}")]
    Unreadable {
        /// The event's name.
        event_type: String,
        /// The version that it was stored in.
        version: u32,
        /// Why it cannot be read.
        reason: String,
    },
}

impl Upcasters {
    /// The same with a step from version `from` of `event_type` to version `to`, which must be larger. The newest version
    /// that a step leads to is the current one.
    pub fn step(
        mut self,
        event_type: impl Into<String>,
        from: u32,
        to: u32,
        step: impl Fn(Value) -> Value + Send + Sync + 'static,
    ) -> Self {
        assert!(from < to, "an upcaster leads to a newer version");
        let event_type = event_type.into();
        self.steps.entry(event_type.clone()).or_default().insert(from, (to, Arc::new(step)));
        self.current(event_type, to)
    }

    /// The same with `version` of `event_type` known, so that a way to it is needed and a newer one refused.
    pub fn current(mut self, event_type: impl Into<String>, version: u32) -> Self {
        let current = self.current.entry(event_type.into()).or_default();
        *current = version.max(*current);
        self
    }

    /// Brings `event` to the current form of its type.
    ///
    /// # Errors
    /// When there is no way to it; the event is as it was then.
    pub fn apply(&self, event: &mut Recorded) -> Result<(), UpcastError> {
        let Some(&current) = self.current.get(&event.event_type) else { return Ok(()) };
        if event.event_version == current {
            return Ok(());
        }
        let event_type = || event.event_type.clone();
        if event.event_version > current {
            let found = event.event_version;
            return Err(UpcastError::FromTheFuture { event_type: event_type(), found, known: current });
        }
        let mut data = event.data.read::<Value>().map_err(|error| UpcastError::Unreadable {
            event_type: event_type(),
            version: event.event_version,
            reason: error.to_string(),
        })?;
        let mut version = event.event_version;
        while version < current {
            let step = self.steps.get(&event.event_type).and_then(|steps| steps.get(&version));
            let Some((to, step)) = step else {
                return Err(UpcastError::MissingPath { event_type: event_type(), from: version, to: current });
            };
            data = step(data);
            version = *to;
        }
        event.data = data.into();
        event.event_version = version;
        Ok(())
    }
}

impl fmt::Debug for Upcasters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upcasters").field("current", &self.current).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::store::{Position, Stream};

    fn stored(event_version: u32, data: Value) -> Recorded {
        Recorded {
            position: Position(1),
            id: Uuid::nil(),
            service: "users".to_owned(),
            stream: Stream::new("User", "1"),
            version: 1,
            event_type: "UserCreated".to_owned(),
            event_version,
            data: data.into(),
            metadata: json!({}).into(),
            occurred_at: SystemTime::UNIX_EPOCH,
            correlation_id: None,
            causation_id: None,
        }
    }

    fn upcasters() -> Upcasters {
        Upcasters::default().step("UserCreated", 1, 2, |old| json!({ "name": old["fullName"] })).step(
            "UserCreated",
            2,
            4,
            |old| json!({ "name": old["name"], "locale": "en" }),
        )
    }

    #[test]
    fn steps_are_chained() {
        let mut event = stored(1, json!({ "fullName": "Ada" }));
        upcasters().apply(&mut event).unwrap();
        assert_eq!(event.data.read::<Value>().unwrap(), json!({ "name": "Ada", "locale": "en" }));
        assert_eq!(event.event_version, 4);
    }

    #[test]
    fn a_missing_path_changes_nothing() {
        let mut event = stored(3, json!({ "name": "Ada" }));
        let before = event.clone();
        let missing = UpcastError::MissingPath { event_type: "UserCreated".to_owned(), from: 3, to: 4 };
        assert_eq!(upcasters().apply(&mut event), Err(missing));
        assert_eq!(event, before);
    }

    #[test]
    fn a_newer_form_is_refused_and_an_unknown_type_left_alone() {
        let mut event = stored(5, json!({}));
        assert!(matches!(upcasters().apply(&mut event), Err(UpcastError::FromTheFuture { found: 5, known: 4, .. })));
        event.event_type = "Other".to_owned();
        upcasters().apply(&mut event).unwrap();
    }
}
