//! What a handler is given beside its message: the service's state, who asks, and the platform.

use std::{fmt, future::IntoFuture, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::{
    aggregate::{Aggregate, Loaded},
    bus::Bus,
    cache::Cache,
    client::{COMMAND_TIMEOUT, Call, Published, QUERY_TIMEOUT},
    clock::Now,
    flow::Flow,
    ids,
    metrics::Metrics,
    outcome::Outcome,
    projection::View,
    protocol::{
        Auth, Event, Fault, FaultCode, Kind, Payload, Priority, Query, Request, Timestamp, names::ServiceName,
        permission,
    },
    runtime::Runtime,
    store::{EventStore, Stream},
    telemetry::Tracer,
};

/// What a handler is given beside its message. Cheap to clone.
pub struct Context<S> {
    /// The service's own state.
    pub state: Arc<S>,
    /// The message that is handled.
    pub message: Arc<Incoming>,
    pub(crate) flow: Arc<Flow>,
    pub(crate) runtime: Arc<Runtime>,
    /// Whether its calls carry the permissions that they need, whoever asked.
    pub(crate) for_itself: bool,
}

/// What is known of the message that is handled, beside what it says.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Names it.
    pub id: String,
    /// What it is called on the wire.
    pub message_type: String,
    /// The service that sent it.
    pub sender: String,
    /// When it was made.
    pub sent: Timestamp,
    /// Which attempt at it this is, from 1.
    pub attempt: u32,
}

/// What a service is called that acts for itself.
fn itself(service: &ServiceName) -> Auth {
    Auth { user_id: format!("service:{service}"), ..Auth::default() }
}

impl<S> Clone for Context<S> {
    fn clone(&self) -> Self {
        Self {
            state: Arc::clone(&self.state),
            message: Arc::clone(&self.message),
            flow: Arc::clone(&self.flow),
            runtime: Arc::clone(&self.runtime),
            for_itself: self.for_itself,
        }
    }
}

impl<S> fmt::Debug for Context<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("message", &self.message).finish_non_exhaustive()
    }
}

impl<S> Context<S> {
    /// For work that no message caused: the service itself does it.
    pub(crate) fn alone(state: Arc<S>, runtime: Arc<Runtime>) -> Self {
        let message = Incoming {
            id: ids::message(ids::random()),
            message_type: String::new(),
            sender: runtime.service.to_string(),
            sent: Now::read().wall,
            attempt: 1,
        };
        let flow = Flow { auth: Some(Arc::new(itself(&runtime.service))), ..Flow::begin(ids::random) };
        Self { state, message: Arc::new(message), flow: Arc::new(flow), runtime, for_itself: true }
    }

    /// The name of this service.
    pub fn service(&self) -> &ServiceName {
        &self.runtime.service
    }

    /// On whose behalf this happens; none for anonymous callers.
    pub fn auth(&self) -> Option<&Auth> {
        self.flow.auth.as_deref()
    }

    /// On whose behalf this happens.
    ///
    /// # Errors
    /// `UnauthorizedError` for anonymous callers.
    pub fn user(&self) -> Result<&Auth, Fault> {
        self.auth().ok_or_else(|| Fault::unauthorized("authentication is required"))
    }

    /// Refuses callers who do not hold `permission`.
    ///
    /// # Errors
    /// `UnauthorizedError` for anonymous callers, `AUTHORIZATION_ERROR` for others.
    pub fn require(&self, permission: &str) -> Result<(), Fault> {
        permission::admit(false, &[permission], self.auth())
    }

    /// Names the request that this is part of.
    pub fn correlation_id(&self) -> &str {
        &self.flow.correlation_id
    }

    /// How long somebody still waits for this; none when nobody said.
    pub fn time_left(&self) -> Option<Duration> {
        self.flow.remaining(std::time::Instant::now())
    }

    /// The same context, acting for the service itself: its calls carry the service's name and the permissions that they
    /// need, whoever asked.
    #[must_use]
    pub fn on_own_behalf(&self) -> Self {
        let flow = Flow { auth: Some(Arc::new(itself(self.service()))), ..Flow::clone(&self.flow) };
        Self { flow: Arc::new(flow), for_itself: true, ..self.clone() }
    }

    /// Sends a command or query; await it for the answer.
    ///
    /// `cx.call(GetUser { id }).timeout(Duration::from_secs(1)).await?` is the user.
    pub fn call<M: Request>(&self, request: M) -> Calling<M> {
        let with = With { for_itself: self.for_itself, ..With::default() };
        Calling { flow: Arc::clone(&self.flow), runtime: Arc::clone(&self.runtime), request, with }
    }

    /// Publishes an event at once, whatever becomes of the message that is handled. An event that belongs to the
    /// outcome of a handler is better emitted: see [`Outcome::emit`](crate::Outcome::emit).
    ///
    /// # Errors
    /// `MESSAGE_BUS_ERROR`, `MESSAGE_TOO_LARGE`.
    pub async fn publish<E: Event>(&self, event: &E) -> Result<(), Fault> {
        let payload = Payload::of(event).map_err(|error| Fault::internal(error.to_string()))?;
        let event = Published {
            id: ids::event().to_string(),
            event_type: E::EVENT_TYPE.to_owned(),
            version: E::VERSION,
            payload,
        };
        self.runtime.client.publish(event, &self.flow).await
    }

    /// The same context for another piece of work: a new request in a new trace, which nothing of before is part of. For
    /// work beside the handlers, which has no end.
    #[must_use]
    pub fn anew(&self) -> Self {
        let now = Now::read();
        let message = Incoming { id: ids::message(ids::random()), sent: now.wall, ..Incoming::clone(&self.message) };
        let flow = Flow { auth: self.flow.auth.clone(), ..Flow::begin(ids::random) };
        Self { message: Arc::new(message), flow: Arc::new(flow), ..self.clone() }
    }

    /// Makes an outcome a fact, as the platform does with those of handlers: its events are stored with whatever goes with
    /// them, all or nothing, and published from there. For work beside the handlers.
    ///
    /// # Errors
    /// `EVENT_STORE_ERROR`, `AGGREGATE_CONCURRENCY_ERROR`, `MESSAGE_BUS_ERROR` without a store, and what a companion said.
    pub async fn commit(&self, outcome: Outcome<()>) -> Result<(), Fault> {
        let origin = format!("{} {}", self.runtime.service, ids::event());
        self.runtime.commit(outcome.changes, &origin, &self.message, &self.flow, None).await.map(drop)
    }

    /// Sends what is not of a type of its own: a command or query that became known while the service ran. `flow` says on
    /// whose behalf, and until when.
    ///
    /// # Errors
    /// See [`Client::call`].
    pub async fn send(&self, call: Call, flow: &Flow) -> Result<Payload, Fault> {
        self.runtime.client.call(call, flow).await
    }

    /// The bus that the service is on, for queues of its own.
    pub fn bus(&self) -> &Arc<dyn Bus> {
        self.runtime.client.bus()
    }

    /// What records spans.
    pub fn tracer(&self) -> &Tracer {
        self.runtime.client.tracer()
    }

    /// Work that is to be finished before the service stops, until it is dropped: what came in otherwise than over the bus.
    #[must_use]
    pub fn unfinished(&self) -> Unfinished {
        Unfinished { _token: self.runtime.work.tasks.token() }
    }

    /// Waits until the service is told to stop.
    pub async fn stopping(&self) {
        self.runtime.work.stop.cancelled().await;
    }

    /// The cache of the service.
    pub fn cache(&self) -> &Cache {
        &self.runtime.cache
    }

    /// The metrics of the service.
    pub fn metrics(&self) -> &Metrics {
        &self.runtime.metrics
    }

    /// The event store.
    ///
    /// # Errors
    /// `EVENT_STORE_ERROR` when this service was started without one.
    pub fn store(&self) -> Result<&EventStore, Fault> {
        let missing = || Fault::new(FaultCode::EventStore, "this service was started without an event store");
        self.runtime.store.as_ref().ok_or_else(missing)
    }

    /// A read model, for reading.
    ///
    /// # Errors
    /// `EVENT_STORE_ERROR` when this service was started without a store.
    pub fn view(&self, name: impl Into<String>) -> Result<View, Fault> {
        Ok(View::new(self.store()?.clone(), name))
    }

    /// Builds a read model of this service anew, beside the present one, which is read and kept up to date meanwhile. It
    /// takes as long as reading all events.
    ///
    /// # Errors
    /// `NotFoundError` when this service has no such read model, `EVENT_STORE_ERROR` when it is built anew already, or
    /// the database or the projection fails.
    pub async fn rebuild(&self, projection: &str) -> Result<(), Fault> {
        self.runtime.rebuild(projection).await.map_err(Fault::from)
    }

    /// An aggregate as its events tell, from its latest snapshot on.
    ///
    /// # Errors
    /// `EVENT_STORE_ERROR`.
    pub async fn load<A: Aggregate>(&self, id: impl Into<String>) -> Result<Loaded<A>, Fault> {
        let stream = Stream::new(A::TYPE, id);
        Loaded::load(self.store()?, stream).await
    }

    /// Forgets the answer to a query of this service that is kept; of a query whose answers are kept for each caller, the
    /// one for the present caller.
    pub async fn invalidate<Q: Query>(&self, query: &Q) {
        if let Ok(payload) = Payload::of(query) {
            let key = kept_under(query, &payload, self.auth());
            self.runtime.cache.invalidate(Q::MESSAGE_TYPE, &key).await;
        }
    }

    /// Forgets every kept answer with this tag.
    pub async fn invalidate_tag(&self, tag: &str) {
        self.runtime.cache.invalidate_tag(tag).await;
    }
}

/// See [`Context::unfinished`].
pub struct Unfinished {
    _token: TaskTrackerToken,
}

/// What the answer to a query is kept under: answers may depend on who asks, unless the query says what they depend on.
pub(crate) fn kept_under<Q: Query>(query: &Q, payload: &Payload, auth: Option<&Auth>) -> String {
    query.cache_key().unwrap_or_else(|| {
        let caller = auth.map_or("", |auth| auth.user_id.as_str());
        format!("{caller}\n{}", payload.text())
    })
}

/// A call that is sent when it is awaited.
#[must_use = "a call is sent when it is awaited"]
pub struct Calling<M> {
    flow: Arc<Flow>,
    runtime: Arc<Runtime>,
    request: M,
    with: With,
}

#[derive(Default)]
struct With {
    for_itself: bool,
    service: Option<String>,
    timeout: Option<Duration>,
    idempotency_key: Option<String>,
    priority: Option<Priority>,
}

impl<M: Request> Calling<M> {
    /// Asks this service, where the type of the message does not say which.
    pub fn to(mut self, service: impl Into<String>) -> Self {
        self.with.service = Some(service.into());
        self
    }

    /// Waits this long at most, instead of 30 s for a command and 5 s for a query.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.with.timeout = Some(timeout);
        self
    }

    /// Has the command take effect once, however often it is sent with this key within a day; so it is sent again when
    /// it is not known whether it arrived.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.with.idempotency_key = Some(key.into());
        self
    }

    /// Says how urgent it is. That is carried along, and has no effect on this broker's queues.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.with.priority = Some(priority);
        self
    }

    async fn send(self) -> Result<M::Reply, Fault> {
        let Self { mut flow, runtime, request, with } = self;
        let service = match with.service.as_deref().or(M::SERVICE) {
            Some(name) => ServiceName::new(name).map_err(|error| Fault::validation(error.to_string()))?,
            None if runtime.handles(M::MESSAGE_TYPE) => runtime.service.clone(),
            None => {
                let message = format!(
                    "{} does not say which service handles it: add `service = \"…\"` to its derive, or call it with \
                     `.to(\"…\")`",
                    M::MESSAGE_TYPE
                );
                return Err(Fault::new(FaultCode::HandlerNotFound, message));
            }
        };
        if with.for_itself {
            let auth = flow.auth.as_deref().map(|auth| {
                let permissions = M::PERMISSIONS.iter().map(|it| (*it).to_owned()).collect();
                Arc::new(Auth { permissions, ..auth.clone() })
            });
            flow = Arc::new(Flow { auth, ..Flow::clone(&flow) });
        }
        let usual = if M::KIND == Kind::Query { QUERY_TIMEOUT } else { COMMAND_TIMEOUT };
        let call = Call {
            kind: M::KIND,
            message_type: M::MESSAGE_TYPE.to_owned(),
            service,
            payload: Payload::of(&request).map_err(|error| Fault::internal(error.to_string()))?,
            timeout: with.timeout.unwrap_or(usual),
            repeatable: M::KIND == Kind::Query || M::IDEMPOTENT || with.idempotency_key.is_some(),
            idempotency_key: with.idempotency_key,
            priority: with.priority,
        };
        let reply = runtime.client.call(call, &flow).await?;
        reply.read().map_err(|error| {
            let message = format!("the answer to {} is not what its contract says: {error}", M::MESSAGE_TYPE);
            Fault::new(FaultCode::ContractViolation, message)
        })
    }
}

impl<M: Request> IntoFuture for Calling<M> {
    type Output = Result<M::Reply, Fault>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
