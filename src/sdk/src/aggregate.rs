//! Aggregates: things whose state follows from their events, and that decide synchronously.

use crate::{
    outcome::Outcome,
    protocol::{Event, Fault, FaultCode},
    store::{EventStore, Expected, Json, Recorded, Snapshot, StoreError, Stream},
};

/// A thing whose state follows from its events. It does no I/O: it decides, and it changes.
pub trait Aggregate: Default + Send + Sync + 'static {
    /// What its streams are called: `Order`.
    const TYPE: &'static str;

    /// After how many events a snapshot is worth it; 0 for never.
    const SNAPSHOT_EVERY: u32 = 0;

    /// Takes an event into the state. Events that it does not know are none of its business.
    ///
    /// # Errors
    /// When the event's data is not what its type says.
    fn apply(&mut self, event: &Recorded) -> Result<(), serde_json::Error>;

    /// The state as JSON, for a snapshot; none when it keeps none.
    fn save(&self) -> Option<Json> {
        None
    }

    /// The state from a snapshot.
    ///
    /// # Errors
    /// When it is not one of this type; the state is then made from all events.
    fn restore(state: &Json) -> Result<Self, serde_json::Error> {
        state.read::<serde::de::IgnoredAny>().map(|_| Self::default())
    }
}

/// An aggregate as it was when it was loaded, and which version that was.
#[derive(Debug, Clone)]
pub struct Loaded<A> {
    /// The state.
    pub state: A,
    /// How many events it is made of; 0 when there is no such aggregate yet.
    pub version: u32,
    stream: Stream,
}

impl<A: Aggregate> Loaded<A> {
    pub(crate) async fn load(store: &EventStore, stream: Stream) -> Result<Self, Fault> {
        let history = store.history(&stream).await.map_err(|error| store_fault(&error))?;
        let version = history.version();
        let kept = history.snapshot.as_ref().filter(|_| A::SNAPSHOT_EVERY > 0);
        let mut state = A::default();
        let mut events = history.events;
        match kept.map(|snapshot| A::restore(&snapshot.state)) {
            Some(Ok(restored)) => state = restored,
            Some(Err(_)) => events = all(store, &stream).await?,
            None if history.snapshot.is_some() => events = all(store, &stream).await?,
            None => {}
        }
        for event in &events {
            state.apply(event).map_err(|source| unreadable(event, &source))?;
        }
        let loaded = Self { state, version, stream };
        loaded.keep(store, u32::try_from(events.len()).unwrap_or(u32::MAX)).await;
        Ok(loaded)
    }

    /// Whether there is such an aggregate.
    pub fn exists(&self) -> bool {
        self.version > 0
    }

    /// The same, or a fault that says that there is none.
    ///
    /// # Errors
    /// `AGGREGATE_NOT_FOUND`.
    pub fn existing(self) -> Result<Self, Fault> {
        let missing = format!("there is no {} {}", self.stream.aggregate_type, self.stream.aggregate_id);
        if self.exists() { Ok(self) } else { Err(Fault::new(FaultCode::AggregateNotFound, missing)) }
    }

    /// What the stream must be like for a decision that was made on this state.
    pub fn expected(&self) -> Expected {
        if self.version == 0 { Expected::NoStream } else { Expected::Version(self.version) }
    }

    /// An outcome with an event that was decided on this state: when somebody else was first, nothing happens.
    pub fn emit<R, E: Event>(&self, outcome: Outcome<R>, event: E) -> Outcome<R> {
        outcome.emit_expecting(self.expected(), event)
    }

    /// Saves a snapshot when loading took long enough. It only makes the next one faster, so a failure is none.
    async fn keep(&self, store: &EventStore, applied: u32) {
        if A::SNAPSHOT_EVERY == 0 || applied < A::SNAPSHOT_EVERY {
            return;
        }
        if let Some(state) = self.state.save() {
            let saved = store.save_snapshot(&self.stream, &Snapshot { version: self.version, state }).await;
            if let Err(error) = saved {
                tracing::debug!("no snapshot of {}: {error}", self.stream);
            }
        }
    }
}

async fn all(store: &EventStore, stream: &Stream) -> Result<Vec<Recorded>, Fault> {
    store.load(stream, 1, crate::store::Until::Now).await.map_err(|error| store_fault(&error))
}

fn unreadable(event: &Recorded, source: &serde_json::Error) -> Fault {
    tracing::error!(position = event.position.0, "cannot apply a {}: {source}", event.event_type);
    Fault::new(FaultCode::EventStore, format!("a stored {} cannot be read", event.event_type))
}

/// What a caller learns of a store that did not do what it was asked.
pub(crate) fn store_fault(error: &StoreError) -> Fault {
    match error {
        StoreError::Conflict { stream, expected, actual } => {
            let message = format!("{stream} was changed by somebody else: expected {expected}, found version {actual}");
            let details = serde_json::json!({
                "aggregateType": stream.aggregate_type, "aggregateId": stream.aggregate_id, "actualVersion": actual
            });
            Fault::new(FaultCode::Concurrency, message).with_details(details)
        }
        StoreError::NoSuchProjection { .. } => Fault::not_found(error.to_string()),
        StoreError::AlreadyHandled { key } => Fault::conflict(format!("{key} was there before")),
        StoreError::Invalid { reason, .. } => Fault::internal(format!("the outcome cannot be stored: {reason}")),
        other => {
            tracing::error!("{}", described(other));
            Fault::new(FaultCode::EventStore, other.to_string())
        }
    }
}

/// What a handler says when the store did not do what it was asked.
impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        store_fault(&error)
    }
}

/// An error with its causes.
fn described(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
