//! What a handler decided: an answer, and the events that it caused.

use std::sync::Arc;

use crate::{
    protocol::{Event, Payload, WriteError},
    store::{Companion, Expected},
};

/// What a handler decided. Nothing of it has happened yet: the platform stores the events together with whatever goes
/// with them, publishes them and sends the answer.
#[must_use]
pub struct Outcome<R> {
    pub(crate) reply: R,
    pub(crate) changes: Changes,
}

/// What happens, all of it or nothing.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) events: Vec<Emitted>,
    pub(crate) companions: Vec<Arc<dyn Companion>>,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.companions.is_empty()
    }
}

/// An event that a handler caused.
pub(crate) struct Emitted {
    pub(crate) event_type: &'static str,
    pub(crate) event_version: u32,
    /// Type and id of the aggregate that it happened to.
    pub(crate) aggregate: Option<(&'static str, String)>,
    pub(crate) expected: Expected,
    pub(crate) data: Result<Payload, WriteError>,
}

impl Emitted {
    pub(crate) fn new<E: Event>(event: &E, expected: Expected) -> Self {
        let aggregate = E::AGGREGATE.and_then(|kind| event.aggregate_id().map(|id| (kind, id)));
        let (event_type, event_version) = (E::EVENT_TYPE, E::VERSION);
        Self { event_type, event_version, aggregate, expected, data: Payload::of(event) }
    }
}

impl<R> Outcome<R> {
    /// An answer without events.
    pub fn reply(reply: R) -> Self {
        Self { reply, changes: Changes::default() }
    }

    /// The same with one more event. It is stored in the stream of its aggregate, whatever version that is at; see
    /// [`Outcome::emit_expecting`] for a guard.
    pub fn emit<E: Event>(self, event: E) -> Self {
        self.emit_expecting(Expected::Any, event)
    }

    /// The same with one more event, for an aggregate that must be as `expected`; otherwise nothing happens, and the
    /// caller is told that somebody else was first. Several events for one aggregate must agree on what they
    /// expect; those that expect nothing agree with all.
    pub fn emit_expecting<E: Event>(mut self, expected: Expected, event: E) -> Self {
        self.changes.events.push(Emitted::new(&event, expected));
        self
    }

    /// The same with several more events of one type.
    pub fn emit_all<E: Event>(self, events: impl IntoIterator<Item = E>) -> Self {
        events.into_iter().fold(self, Self::emit)
    }

    /// The same with something that is done in the transaction that stores the events. Without events there is no such
    /// transaction, and the outcome is refused.
    pub fn with(mut self, companion: impl Companion + 'static) -> Self {
        self.changes.companions.push(Arc::new(companion));
        self
    }

    /// The same with another answer.
    pub fn map<T>(self, change: impl FnOnce(R) -> T) -> Outcome<T> {
        Outcome { reply: change(self.reply), changes: self.changes }
    }
}

impl Outcome<()> {
    /// No answer but that it is done.
    pub fn done() -> Self {
        Self::reply(())
    }
}

impl<R> From<R> for Outcome<R> {
    fn from(reply: R) -> Self {
        Self::reply(reply)
    }
}
