//! What a running service holds: its name, the bus, the store, the cache, and how outcomes become facts.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use serde::Serialize;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{
    aggregate::store_fault,
    cache::Cache,
    client::{Client, Published},
    context::Incoming,
    flow::Flow,
    ids,
    metrics::Metrics,
    outcome::{Changes, Emitted},
    projection::Runner,
    protocol::{Auth, Fault, FaultCode, Kind, limits, names::ServiceName},
    store::{Append, Companion, EventStore, Expected, Json, NewEvent, StoreError, Stream},
};

/// What a running service holds.
pub(crate) struct Runtime {
    pub(crate) service: ServiceName,
    pub(crate) client: Client,
    pub(crate) store: Option<EventStore>,
    pub(crate) cache: Cache,
    pub(crate) metrics: Metrics,
    /// What keeps the read models up to date, by their names.
    pub(crate) projections: BTreeMap<String, Runner>,
    /// The commands and queries that this service handles itself.
    pub(crate) handled: HashSet<&'static str>,
    /// What is to be finished before the service stops.
    pub(crate) work: Work,
}

/// What a service has begun, and whether it is to begin anything more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Work {
    /// Nothing new is taken.
    pub(crate) stop: CancellationToken,
    /// What was taken.
    pub(crate) tasks: TaskTracker,
}

/// What became of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Committed {
    /// It is a fact now, and what was to finish it with it.
    WithFinish,
    /// It is a fact, or there was nothing to store; what was to finish it is left to do.
    Bare,
}

impl Runtime {
    pub(crate) fn handles(&self, message_type: &str) -> bool {
        self.handled.contains(message_type)
    }

    pub(crate) async fn rebuild(&self, projection: &str) -> Result<(), StoreError> {
        let missing = || StoreError::NoSuchProjection { name: projection.to_owned() };
        self.projections.get(projection).ok_or_else(missing)?.rebuild().await
    }

    /// Makes an outcome a fact: the events and whatever goes with them are stored, all or nothing; without a store, the
    /// events are published. What has the same `origin`, a handler and a message, never does it twice: the ids of its
    /// events follow from that.
    pub(crate) async fn commit(
        &self,
        changes: Changes,
        origin: &str,
        message: &Incoming,
        flow: &Flow,
        finish: Option<Arc<dyn Companion>>,
    ) -> Result<Committed, Fault> {
        let Some(store) = &self.store else {
            return self.publish_all(changes, origin, message, flow).await;
        };
        let Some(append) = self.append(changes, origin, message, flow, finish)? else { return Ok(Committed::Bare) };
        match store.append(append).await {
            Ok(_) => Ok(Committed::WithFinish),
            Err(error) => match cause(&error) {
                // The message was handled before, and its events are stored.
                StoreError::DuplicateEvent { .. } => Ok(Committed::Bare),
                // A companion may refuse in words that are meant for the caller.
                StoreError::Companion { source, .. } if source.is::<Fault>() => {
                    Err(source.downcast_ref().cloned().unwrap_or_else(|| store_fault(&error)))
                }
                cause => Err(store_fault(cause)),
            },
        }
    }

    async fn publish_all(
        &self,
        changes: Changes,
        origin: &str,
        message: &Incoming,
        flow: &Flow,
    ) -> Result<Committed, Fault> {
        if !changes.companions.is_empty() {
            return Err(Fault::new(FaultCode::EventStore, "this service was started without an event store"));
        }
        for (index, event) in changes.events.into_iter().enumerate() {
            let payload = event.data.map_err(|error| Fault::internal(error.to_string()))?;
            let id = ids::derived(origin, message.sent, index).to_string();
            let (event_type, version) = (event.event_type.to_owned(), event.event_version);
            self.client.publish(Published { id, event_type, version, payload }, flow).await?;
        }
        Ok(Committed::Bare)
    }

    /// The append of an outcome: the events of its first aggregate, and in the same transaction those of the others.
    fn append(
        &self,
        changes: Changes,
        origin: &str,
        message: &Incoming,
        flow: &Flow,
        finish: Option<Arc<dyn Companion>>,
    ) -> Result<Option<Append>, Fault> {
        let Changes { events, companions } = changes;
        if events.is_empty() {
            let refused = "an outcome without events has no transaction for what should go with them";
            return if companions.is_empty() { Ok(None) } else { Err(Fault::internal(refused)) };
        }
        let mut appends: Vec<Append> = Vec::new();
        for (index, event) in events.into_iter().enumerate() {
            let stream = self.stream_of(&event, &message.id);
            let expected = event.expected;
            let new = new_event(event, ids::derived(origin, message.sent, index), message, flow)?;
            match appends.iter_mut().find(|append| append.stream == stream) {
                Some(append) => {
                    append.expected = both(append.expected, expected, &append.stream)?;
                    append.events.push(new);
                }
                None => appends.push(Append::new(self.service.as_str(), stream, expected, vec![new])),
            }
        }
        let mut appends = appends.into_iter();
        let first = appends.next();
        Ok(first.map(|mut first| {
            first.companions.extend(appends.map(|append| Arc::new(append) as Arc<dyn Companion>));
            first.companions.extend(companions);
            first.companions.extend(finish);
            first
        }))
    }

    /// Events that happened to no aggregate are the story of the message that caused them.
    fn stream_of(&self, event: &Emitted, message_id: &str) -> Stream {
        match &event.aggregate {
            Some((kind, id)) => Stream::new(*kind, id.as_str()),
            None => Stream::new(self.service.as_str(), message_id),
        }
    }
}

/// The error of whichever of several streams it was.
fn cause(error: &StoreError) -> &StoreError {
    match error {
        StoreError::Companion { source, .. } => source.downcast_ref().unwrap_or(error),
        other => other,
    }
}

/// What the store keeps of a flow beside an event, so that the event carries it on when it is published.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Carried<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<&'a Auth>,
    traceparent: String,
}

/// What a stream must be like for two events of one outcome.
fn both(first: Expected, second: Expected, stream: &Stream) -> Result<Expected, Fault> {
    match (first, second) {
        (Expected::Any, guard) | (guard, Expected::Any) => Ok(guard),
        (first, second) if first == second => Ok(first),
        (first, second) => {
            Err(Fault::internal(format!("the outcome expects two things of {stream}: {first}, and {second}")))
        }
    }
}

/// What an envelope holds beside the payload and the metadata of an event, in bytes, amply.
const ENVELOPE: usize = 4096;

fn new_event(event: Emitted, id: Uuid, message: &Incoming, flow: &Flow) -> Result<NewEvent, Fault> {
    let data = event.data.map_err(|error| Fault::internal(error.to_string()))?;
    let data = Json::from_text(data.text()).map_err(|error| Fault::internal(error.to_string()))?;
    let metadata = Json::write(&Carried { auth: flow.auth.as_deref(), traceparent: flow.trace.traceparent() })
        .map_err(|error| Fault::internal(error.to_string()))?;
    // Once stored it must be published, and nothing larger can be.
    limits::check(Kind::Event, data.as_str().len() + metadata.as_str().len() + ENVELOPE)?;
    Ok(NewEvent {
        id,
        event_type: event.event_type.to_owned(),
        event_version: event.event_version,
        data,
        metadata: Some(metadata),
        occurred_at: None,
        correlation_id: Some(flow.correlation_id.clone()),
        causation_id: Some(message.id.clone()),
    })
}
