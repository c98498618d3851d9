//! From a delivery to its end: read, admit, check, handle, commit, answer.

use std::{collections::HashMap, sync::Arc};

use tokio::time::{Duration, Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    bus::{
        Bus, Deliveries, Delivery, Message, Sending, Target, packing,
        redelivery::{self, Redelivery},
    },
    client::wire,
    clock::Now,
    context::{Context, Incoming},
    flow::Flow,
    handler::{Handled, Handler},
    ids,
    metrics::{HandlerMetrics, OperationMetrics},
    protocol::{
        Envelope, Fault, FaultCode, Kind, Metadata, Payload,
        dead_letter::{HEADER_REPLAY_COUNT, Reason},
        names, permission,
    },
    runtime::{Committed, Runtime},
};

use super::{
    checker::Checker,
    once::{Once, Turn},
    panics::{self, Panic},
    watch::Taken,
};

/// How long an answer may take to leave.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// The handlers of one queue with everything that they need. Commands and queries have one, events any number.
pub(super) struct Intake<S> {
    pub(super) runtime: Arc<Runtime>,
    pub(super) bus: Arc<dyn Bus>,
    pub(super) state: Arc<S>,
    pub(super) handlers: Vec<(Handler<S>, Checker)>,
    pub(super) once: Once,
    pub(super) redelivery: Redelivery,
    pub(super) operation: OperationMetrics,
    /// By the handler's name.
    pub(super) runs: HashMap<&'static str, HandlerMetrics>,
    pub(super) taken: Arc<Taken>,
}

/// Why a message was not handled.
struct Failed {
    fault: Box<Fault>,
    /// Names the place of a panic; for the dead letters and never for callers.
    stack_hash: Option<String>,
    reason: Reason,
}

impl Failed {
    fn may_pass(&self) -> bool {
        self.fault.code.is_transient()
    }
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self { fault: Box::new(fault), stack_hash: None, reason: Reason::Permanent }
    }
}

impl<S: Send + Sync + 'static> Intake<S> {
    /// Takes deliveries until `stop`; what was begun goes on in `tasks`.
    pub(super) async fn run(self: Arc<Self>, mut deliveries: Deliveries, stop: CancellationToken, tasks: TaskTracker) {
        loop {
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                next = deliveries.next() => next,
            };
            let Some(delivery) = next else { return };
            let intake = Arc::clone(&self);
            tasks.spawn(async move { intake.take(delivery).await });
        }
    }

    fn kind(&self) -> Kind {
        self.handlers[0].0.kind
    }

    fn message_type(&self) -> &'static str {
        self.handlers[0].0.message_type
    }

    async fn take(&self, delivery: Delivery) {
        let began = Instant::now();
        self.taken.note(&delivery.message);
        let succeeded = self.deal_with(delivery).await;
        let time = began.elapsed();
        if succeeded { self.operation.succeeded(time) } else { self.operation.failed(time) }
    }

    /// Whether it ended as the sender wished.
    async fn deal_with(&self, delivery: Delivery) -> bool {
        let envelope = match self.read(&delivery) {
            Ok(envelope) => envelope,
            Err(failed) => {
                tracing::warn!(queue = delivery.queue, "refused a message: {}", failed.fault);
                if delivery.message.reply_to.is_some() {
                    self.answer_unread(&delivery, *failed.fault).await;
                    delivery.ack();
                } else {
                    Box::pin(self.put_back(delivery, &failed)).await;
                }
                return false;
            }
        };
        let now = Now::read();
        let mut flow = Flow::of(&envelope, delivery.message.expiration, now, ids::random);
        // What happened has happened, however long ago; and what somebody replays is wanted now.
        if self.kind() == Kind::Event || delivery.message.headers.contains_key(HEADER_REPLAY_COUNT) {
            flow.deadline = None;
        }
        if flow.remaining(now.steady) == Some(Duration::ZERO) {
            Box::pin(self.too_late(delivery, &envelope)).await;
            return false;
        }
        let flow = Arc::new(flow);
        let scope = Arc::clone(&flow);
        scope.scope(self.attend(delivery, envelope, flow)).await
    }

    fn read(&self, delivery: &Delivery) -> Result<Box<Envelope>, Failed> {
        let unreadable = |error: String| {
            let fault = Fault::new(FaultCode::MessageUnreadable, error);
            Failed { reason: Reason::Unreadable, ..fault.into() }
        };
        let body = packing::unpack(self.kind(), &delivery.message).map_err(|error| match error {
            packing::PackingError::TooLarge(error) => Failed { reason: Reason::TooLarge, ..Fault::from(error).into() },
            other => unreadable(other.to_string()),
        })?;
        let envelope = Box::new(Envelope::read(&body).map_err(|error| unreadable(error.to_string()))?);
        let (found, wanted) = (envelope.message_type.as_str(), self.message_type());
        let operation = |message_type| names::operation(self.kind(), message_type).to_lowercase();
        if found != wanted && operation(found) != operation(wanted) {
            return Err(Fault::validation(format!("`messageType`: {found} in the queue of {wanted}")).into());
        }
        Ok(envelope)
    }

    /// The time for it was over before it began.
    async fn too_late(&self, delivery: Delivery, envelope: &Envelope) {
        tracing::info!(message_id = envelope.id, "did not begin a {} that nobody waits for", envelope.message_type);
        let message = format!("the deadline of {} passed before it was begun", envelope.message_type);
        let fault = Fault::new(FaultCode::RequestTimeout, message);
        if delivery.message.reply_to.is_none() && self.kind() == Kind::Command {
            // As the broker does with what gets too old in its queue: people decide what becomes of it.
            return self.give_up(delivery, &fault, &Reason::Expired).await;
        }
        self.answer(&delivery, envelope, Err(fault)).await;
        delivery.ack();
    }

    async fn attend(&self, delivery: Delivery, envelope: Box<Envelope>, flow: Arc<Flow>) -> bool {
        let message = Arc::new(Incoming {
            id: envelope.id.clone(),
            message_type: envelope.message_type.clone(),
            sender: envelope.service_name.clone(),
            sent: envelope.timestamp,
            attempt: Redelivery::attempt(&delivery.message),
        });
        let mut answer = Payload::null();
        let mut failed: Option<Failed> = None;
        for (handler, checker) in self.handlers.iter().filter(|(handler, _)| self.concerns(handler, &envelope)) {
            match self.handled(handler, checker, &message, &envelope, &flow).await {
                Ok(reply) => answer = reply,
                Err(failure) => {
                    tracing::warn!(message_id = envelope.id, handler = handler.name, "failed: {}", failure.fault);
                    // One failure keeps no other handler from its event; one that may pass has the event come again.
                    if failed.as_ref().is_none_or(|it| !it.may_pass() && failure.may_pass()) {
                        failed = Some(failure);
                    }
                }
            }
        }
        let succeeded = failed.is_none();
        match failed {
            None => {
                self.answer(&delivery, &envelope, Ok(answer)).await;
                delivery.ack();
            }
            Some(failed) if delivery.message.reply_to.is_some() => {
                self.answer(&delivery, &envelope, Err(*failed.fault)).await;
                delivery.ack();
            }
            // Nobody waits: it is tried again later, or put aside for people to look at.
            Some(failed) => Box::pin(self.put_back(delivery, &failed)).await,
        }
        succeeded
    }

    /// Handlers of one queue may wish for an event of the same name from different services.
    fn concerns(&self, handler: &Handler<S>, envelope: &Envelope) -> bool {
        self.handlers.len() == 1 || handler.publisher.is_none_or(|it| it == envelope.service_name)
    }

    /// One handler's part, in a span of its own.
    async fn handled(
        &self,
        handler: &Handler<S>,
        checker: &Checker,
        message: &Arc<Incoming>,
        envelope: &Envelope,
        flow: &Arc<Flow>,
    ) -> Result<Payload, Failed> {
        let mut span = self.runtime.client.tracer().handling(handler.kind, envelope, handler.name);
        if !span.is_recorded() {
            return self.effect(handler, checker, message, envelope, flow).await;
        }
        let flow = Arc::new(Flow::clone(flow).in_span(span.context().clone()));
        let scope = Arc::clone(&flow);
        let result = scope.scope(self.effect(handler, checker, message, envelope, &flow)).await;
        if let Err(failed) = &result {
            span.fail(failed.fault.code.as_str(), &failed.fault.message);
            if let Some(hash) = &failed.stack_hash {
                // The place of the panic, the same for the same place; what it said may be a secret.
                span.attribute("error.stack", hash.clone());
            }
        }
        result
    }

    /// It takes effect once, however often the message comes.
    async fn effect(
        &self,
        handler: &Handler<S>,
        checker: &Checker,
        message: &Arc<Incoming>,
        envelope: &Envelope,
        flow: &Arc<Flow>,
    ) -> Result<Payload, Failed> {
        if handler.kind != Kind::Event {
            permission::admit(handler.public, handler.permissions, flow.auth.as_deref())?;
        }
        checker.check(&envelope.payload)?;
        let claim = match self.once.turn(handler, envelope, flow).await? {
            Turn::Ours(claim) => claim,
            Turn::Before(reply) => return Ok(reply),
        };
        let cx = Context {
            state: Arc::clone(&self.state),
            message: Arc::clone(message),
            flow: Arc::clone(flow),
            runtime: Arc::clone(&self.runtime),
            for_itself: false,
        };
        let began = Instant::now();
        let decision = claim.during(self.decide(handler, cx, envelope)).await;
        let (runs, time) = (&self.runs[handler.name], began.elapsed());
        if decision.is_ok() {
            runs.succeeded(time)
        } else {
            runs.failed(time)
        }
        let decided = match decision {
            Ok(Handled { reply, changes }) if changes.is_empty() => Ok((reply, Committed::Bare)),
            Ok(Handled { reply, changes }) => {
                let origin = format!("{} {} {}", self.runtime.service, handler.identity, message.id);
                let commit = self.runtime.commit(changes, &origin, message, flow, claim.finish(&reply));
                Box::pin(commit).await.map(|committed| (reply, committed)).map_err(Failed::from)
            }
            Err(failed) => Err(failed),
        };
        match decided {
            Ok((reply, committed)) => {
                if committed != Committed::WithFinish {
                    claim.done(&reply).await?;
                }
                Ok(reply)
            }
            Err(failed) => {
                claim.abandon().await;
                Err(failed)
            }
        }
    }

    /// What the service's own code says: its policies, then its handler.
    async fn decide(&self, handler: &Handler<S>, cx: Context<S>, envelope: &Envelope) -> Result<Handled, Failed> {
        let deciding = panics::caught(async {
            for policy in &handler.settings.policies {
                policy.check(&cx, &envelope.payload).await?;
            }
            handler.inner.handle(cx, &envelope.payload).await
        });
        match deciding.await {
            Ok(decided) => decided.map_err(Failed::from),
            Err(Panic { words, stack_hash }) => {
                tracing::error!(handler = handler.name, stack_hash, "a handler panicked: {words}");
                Err(Failed { stack_hash, ..Fault::internal("the handler failed unexpectedly").into() })
            }
        }
    }

    async fn put_back(&self, delivery: Delivery, failed: &Failed) {
        let permanent = (!failed.may_pass()).then_some(&failed.reason);
        self.failed(delivery, &failed.fault, permanent, failed.stack_hash.as_deref()).await;
    }

    async fn give_up(&self, delivery: Delivery, fault: &Fault, reason: &Reason) {
        self.failed(delivery, fault, Some(reason), None).await;
    }

    async fn failed(&self, delivery: Delivery, fault: &Fault, permanent: Option<&Reason>, stack_hash: Option<&str>) {
        // What one instance did not hear is gone.
        if self.handlers[0].0.settings.listens {
            return delivery.ack();
        }
        let (code, message) = (&fault.code, fault.message.as_str());
        let attempt = redelivery::Attempt { code, message, permanent, at: Now::read().wall, stack_hash };
        if let Err(error) = self.redelivery.failed(delivery, attempt, rand::random()).await {
            // It was not acknowledged, so the broker hands it out again.
            tracing::error!("cannot put a message back: {error}");
        }
    }

    async fn answer(&self, delivery: &Delivery, envelope: &Envelope, outcome: Result<Payload, Fault>) {
        let id = ids::message(ids::random());
        let answer = || envelope.answer(id, self.runtime.service.as_str(), Now::read().wall, outcome);
        self.send_answer(delivery, answer).await;
    }

    /// The answer to a message that could not be read: its properties say where it goes.
    async fn answer_unread(&self, delivery: &Delivery, fault: Fault) {
        let given = delivery.message.correlation_id.as_deref().and_then(crate::flow::correlation_id);
        let correlation_id = given.map_or_else(|| ids::correlation(ids::random()), str::to_owned);
        let now = Now::read().wall;
        let answer = || Envelope {
            id: ids::message(ids::random()),
            payload: fault.stamped(&correlation_id, now).to_payload(),
            correlation_id,
            trace_context: None,
            timestamp: now,
            service_name: self.runtime.service.as_str().to_owned(),
            message_type: names::response_type(self.message_type()),
            metadata: Metadata::default(),
            version: 1,
        };
        self.send_answer(delivery, answer).await;
    }

    /// Sends what `answer` makes, when somebody waits for it.
    async fn send_answer(&self, delivery: &Delivery, answer: impl FnOnce() -> Envelope) {
        let Some(reply_to) = &delivery.message.reply_to else { return };
        let Some(mut message) = answer_wire(answer()) else { return };
        // What the caller matches on is its own affair.
        message.correlation_id.clone_from(&delivery.message.correlation_id);
        let (target, sending) = (Target::queue(reply_to), Sending::sent(Instant::now() + ANSWER_LIMIT));
        if let Err(error) = self.bus.send(&target, message, sending).await {
            tracing::warn!("cannot send an answer: {error}");
        }
    }
}

/// The message that carries an answer; that it is too large for the wire when it is.
fn answer_wire(answer: Envelope) -> Option<Message> {
    let message = wire(Kind::Response, &answer, false).or_else(|fault| {
        let payload = fault.stamped(&answer.correlation_id, answer.timestamp).to_payload();
        wire(Kind::Response, &Envelope { payload, ..answer }, false)
    });
    message.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of what a call to an asynchronous function makes, without making it.
    fn size<A, F>(_: impl FnOnce(A) -> F) -> usize {
        size_of::<F>()
    }

    /// A task is made for every message, and its future is copied several times before it runs.
    #[test]
    fn a_message_costs_no_more_than_it_needs() {
        let size = size(|(intake, delivery): (&'static Intake<()>, Delivery)| intake.take(delivery));
        assert!(size < 4 * 1024, "{size} bytes; what is rarely waited for can be boxed");
    }
}
