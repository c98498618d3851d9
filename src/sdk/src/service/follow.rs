//! What follows the store in the background: publishing its events, and the read models.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, interval};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    health::Board,
    metrics::Counter,
    protocol::{Auth, Envelope, Metadata, Payload, Timestamp, TraceContext},
    runtime::Runtime,
    store::{EventStore, Outbox, Publish, Recorded, Refusal},
};

use super::watch::DATABASE;

/// How long the broker may take to confirm a batch of events.
const CONFIRM_LIMIT: Duration = Duration::from_secs(30);

/// How often what was handled long ago is forgotten.
const PRUNE: Duration = Duration::from_secs(3600);

/// Follows a store, if there is one.
pub(super) fn spawn(tasks: &TaskTracker, runtime: &Arc<Runtime>, board: &Board, stop: &CancellationToken) {
    let Some(store) = &runtime.store else { return };
    let outbox = Outbox::new(store.clone(), runtime.service.as_str());
    let help = "Stored events that could not be published when they were due.";
    let refused = runtime.metrics.counter("outbox_refused_events_total", help, &[]);
    let (publisher, work) = (Publisher { runtime: Arc::clone(runtime), outbox: outbox.clone(), refused }, stop.clone());
    tasks.spawn(async move { outbox.run(publisher, work).await });
    for runner in runtime.projections.values() {
        let (runner, stopped) = (runner.clone(), stop.clone());
        tasks.spawn(async move { runner.run(stopped).await });
    }
    let (mut refusal, board, stopped) = (store.refusal(), board.clone(), stop.clone());
    tasks.spawn(async move {
        stopped
            .run_until_cancelled(async {
                while refusal.changed().await.is_ok() {
                    let reason = refusal.borrow_and_update().clone();
                    board.remark(DATABASE, reason);
                }
            })
            .await;
    });
    let (store, stopped) = (store.clone(), stop.clone());
    tasks.spawn(async move {
        stopped.run_until_cancelled(prune(store)).await;
    });
}

async fn prune(store: EventStore) {
    let mut again = interval(PRUNE);
    loop {
        again.tick().await;
        if let Err(error) = store.prune_handled().await {
            tracing::debug!("cannot forget what was handled long ago: {error}");
        }
    }
}

struct Publisher {
    runtime: Arc<Runtime>,
    outbox: Outbox,
    refused: Counter,
}

impl Publish for Publisher {
    async fn publish(&mut self, events: &[Recorded]) -> Result<(), Refusal> {
        let deadline = Instant::now() + CONFIRM_LIMIT;
        // All of a batch are under way at once; the client's bus keeps their order.
        let sent = events.iter().map(|event| self.one(event, deadline));
        futures_util::future::try_join_all(sent).await.map(drop)
    }
}

impl Publisher {
    async fn one(&self, event: &Recorded, deadline: Instant) -> Result<(), Refusal> {
        let reason = match envelope(event, self.runtime.service.as_str()) {
            Err(unreadable) => unreadable.to_string(),
            Ok(envelope) => match self.runtime.client.publish_envelope(envelope, deadline).await {
                Err(fault) if !fault.code.is_transient() => fault.to_string(),
                result => return result.map_err(Refusal::from),
            },
        };
        // No later attempt can end otherwise, and all that follow it wait. It is put aside, for people to look at.
        self.outbox.refuse(event, &reason).await?;
        self.refused.add(1);
        let (position, id) = (event.position.0, event.id.to_string());
        tracing::error!(position, id, "put aside a {} that cannot be published: {reason}", event.event_type);
        Ok(())
    }
}

/// The message that a stored event is published as: its id is the event's own, so that subscribers handle it once.
fn envelope(event: &Recorded, service: &str) -> Result<Envelope, Refusal> {
    #[derive(serde::Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct Carried {
        auth: Option<Auth>,
        traceparent: Option<String>,
    }
    // Other writers may keep other things there.
    let carried: Carried = event.metadata.read().unwrap_or_default();
    let since = event.occurred_at.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut metadata = Metadata { auth: carried.auth, causation_id: event.causation_id.clone(), ..Metadata::default() };
    let place = serde_json::json!({
        "type": event.stream.aggregate_type,
        "id": event.stream.aggregate_id,
        "version": event.version,
        "position": event.position.0,
    });
    metadata.rest.insert("aggregate".to_owned(), place);
    Ok(Envelope {
        id: event.id.to_string(),
        correlation_id: event.correlation_id.clone().unwrap_or_else(|| event.id.to_string()),
        trace_context: carried.traceparent.and_then(|it| TraceContext::parse(&it, None)),
        timestamp: Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
        service_name: service.to_owned(),
        message_type: event.event_type.clone(),
        payload: event.data.read::<Payload>()?,
        metadata,
        version: event.event_version,
    })
}
