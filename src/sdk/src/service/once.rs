//! Once: a message that comes twice takes effect once.
//!
//! | what | how |
//! |---|---|
//! | a command that caused events | their ids follow from its own, so the store refuses them the second time |
//! | a command with an idempotency key | the key is claimed in the store, together with the caller and the type |
//! | an event | its id is claimed in the store, by each handler for itself |
//! | a command whose answer is secret | not at all: nothing of it is kept |
//! | queries | change nothing |
//!
//! Without a store nothing is claimed, and handlers should be able to bear a repetition.
//!
//! What the store does is boxed: every message pays for the size of what could be waited for.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    aggregate::store_fault,
    flow::Flow,
    handler::Handler,
    protocol::{Envelope, Fault, FaultCode, Kind, Payload, names::ServiceName},
    store::{Claim, Companion, Complete, EventStore, Json, Lease, StoreError},
};

/// How long a process that died keeps others from its messages. One that lives keeps them for as long as it takes.
const LEASE: Duration = Duration::from_secs(10);

/// How long somebody waits for another's work where nobody waits for the answer, before the message is tried later.
const WAIT: Duration = Duration::from_secs(30);

/// How often somebody who waits for another's work looks for its end.
const LOOK: Duration = Duration::from_millis(200);

/// What the handlers of one service claim.
pub(super) struct Once {
    store: Option<EventStore>,
    service: ServiceName,
}

/// Whether there is anything to do.
pub(super) enum Turn {
    /// It is to be handled here.
    Ours(Held),
    /// It was handled before, and this was the answer.
    Before(Payload),
}

/// The right to handle a message.
pub(super) struct Held(Option<(EventStore, Lease)>);

impl Once {
    pub(super) fn new(store: Option<EventStore>, service: ServiceName) -> Self {
        Self { store, service }
    }

    /// Waits while somebody else is at it, as long as anybody waits for the answer.
    pub(super) async fn turn<S>(&self, handler: &Handler<S>, envelope: &Envelope, flow: &Flow) -> Result<Turn, Fault> {
        let (Some(store), Some((scope, key))) = (&self.store, self.names(handler, envelope)) else {
            return Ok(Turn::Ours(Held(None)));
        };
        let patience = Instant::now() + flow.remaining(Instant::now().into_std()).unwrap_or(WAIT);
        loop {
            match Box::pin(store.claim(&scope, &key, LEASE)).await.map_err(|error| store_fault(&error))? {
                Claim::First(lease) => return Ok(Turn::Ours(Held(Some((store.clone(), lease))))),
                Claim::Done(reply) => return Ok(Turn::Before(reply.map_or_else(Payload::null, |it| payload(&it)))),
                Claim::InProgress if Instant::now() + LOOK < patience => sleep(LOOK).await,
                Claim::InProgress => {
                    let message = format!("another {} with the same key is still being handled", handler.message_type);
                    return Err(Fault::new(FaultCode::OperationTimeout, message));
                }
            }
        }
    }

    fn names<S>(&self, handler: &Handler<S>, envelope: &Envelope) -> Option<(String, String)> {
        match handler.kind {
            Kind::Event => Some((format!("{} {}", self.service, handler.identity), envelope.id.clone())),
            Kind::Command if handler.settings.secret => None,
            Kind::Command => envelope.metadata.idempotency_key.as_ref().map(|key| {
                let caller = envelope.metadata.auth.as_ref().map_or("", |auth| auth.user_id.as_str());
                (format!("{} {} {caller}", self.service, handler.message_type), key.clone())
            }),
            _ => None,
        }
    }
}

impl Held {
    /// Does `work` to its end, and keeps the right to it meanwhile.
    pub(super) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let Some((store, lease)) = &self.0 else { return work.await };
        let keeping = Box::pin(async {
            loop {
                sleep(LEASE / 3).await;
                if let Err(error) = store.renew(lease, LEASE).await {
                    tracing::debug!("a claim is not renewed: {error}");
                }
            }
        });
        tokio::select! {
            biased;
            done = work => done,
            () = keeping => unreachable!("it is kept until the work is done"),
        }
    }

    /// What goes into the transaction of the outcome, so that both happen or neither.
    pub(super) fn finish(&self, reply: &Payload) -> Option<Arc<dyn Companion>> {
        let (_, lease) = self.0.as_ref()?;
        Some(Arc::new(Complete { lease: lease.clone(), reply: Some(json(reply)) }))
    }

    /// Remembers the answer of what had no transaction.
    pub(super) async fn done(&self, reply: &Payload) -> Result<(), Fault> {
        let Some((store, lease)) = &self.0 else { return Ok(()) };
        match Box::pin(store.complete(lease, Some(&json(reply)))).await {
            // The time was up: whoever took over has done the same.
            Ok(()) | Err(StoreError::ClaimLost { .. }) => Ok(()),
            Err(error) => Err(store_fault(&error)),
        }
    }

    /// Lets others try.
    pub(super) async fn abandon(&self) {
        let Some((store, lease)) = &self.0 else { return };
        if let Err(error) = Box::pin(store.release(lease)).await {
            tracing::debug!("a claim stays until its time is up: {error}");
        }
    }
}

fn json(payload: &Payload) -> Json {
    Json::from_text(payload.text()).expect("a payload is JSON")
}

fn payload(json: &Json) -> Payload {
    json.read().unwrap_or_else(|_| Payload::null())
}
