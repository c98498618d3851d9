//! Calls to other services: one envelope out, one answer back, with time-outs, a circuit breaker and retries.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use crate::{
    breaker::{Breaker, BreakerPolicy, BreakerState, CallEnd, Permit},
    bus::{Bus, BusError, Message, Sending, Target, packing},
    clock::Now,
    flow::Flow,
    ids,
    metrics::Metrics,
    protocol::{
        Envelope, Fault, FaultCode, Kind, Metadata, Payload, Priority, Reply, Routing, limits,
        names::{self, ServiceName},
    },
    retry::{Failure, Next, RetryPolicy},
    telemetry::Tracer,
};

/// How long a command may take when nobody says.
pub const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a query may take when nobody says.
pub const QUERY_TIMEOUT: Duration = Duration::from_secs(5);

/// Who does not answer within this counts as failing, also when the caller's own time was over.
const FAIR: Duration = Duration::from_secs(1);

/// Sends commands and queries, and publishes events, in the name of one service.
pub struct Client {
    service: ServiceName,
    bus: Arc<dyn Bus>,
    tracer: Tracer,
    metrics: Option<Metrics>,
    policy: BreakerPolicy,
    breakers: Mutex<HashMap<ServiceName, Arc<Mutex<Breaker>>>>,
    called: Mutex<BTreeMap<ServiceName, BTreeSet<String>>>,
}

/// A command or query on its way out, its types forgotten.
#[derive(Debug, Clone)]
pub struct Call {
    /// Command or query.
    pub kind: Kind,
    /// What it is called on the wire.
    pub message_type: String,
    /// Who handles it.
    pub service: ServiceName,
    /// What it says.
    pub payload: Payload,
    /// How long the answer may take; the flow's deadline may be earlier.
    pub timeout: Duration,
    /// Commands with the same key take effect once.
    pub idempotency_key: Option<String>,
    /// Whether it may be sent again when it is not known whether it arrived.
    pub repeatable: bool,
    /// How urgent it is, where somebody says so; carried, without effect.
    pub priority: Option<Priority>,
}

impl Client {
    /// A client that speaks for `service`.
    pub fn new(service: ServiceName, bus: Arc<dyn Bus>) -> Self {
        let (tracer, policy) = (Tracer::off(), BreakerPolicy::default());
        Self { service, bus, tracer, metrics: None, policy, breakers: Mutex::default(), called: Mutex::default() }
    }

    /// The same with other circuit breakers; there is one for each service that is called.
    #[must_use]
    pub fn with_breakers(self, policy: BreakerPolicy) -> Self {
        Self { policy, ..self }
    }

    /// The same, recording a span of everything that it sends.
    #[must_use]
    pub fn traced(self, tracer: Tracer) -> Self {
        Self { tracer, ..self }
    }

    /// The same, showing the state of each circuit breaker: `circuit_breaker_state{target}`.
    #[must_use]
    pub fn measured(self, metrics: &Metrics) -> Self {
        Self { metrics: Some(metrics.clone()), ..self }
    }

    pub(crate) fn bus(&self) -> &Arc<dyn Bus> {
        &self.bus
    }

    pub(crate) fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    /// Which services were called so far, and with what.
    #[must_use]
    pub fn called(&self) -> BTreeMap<ServiceName, BTreeSet<String>> {
        lock(&self.called).clone()
    }

    fn note(&self, call: &Call) {
        let mut called = lock(&self.called);
        if called.get(&call.service).is_none_or(|types| !types.contains(&call.message_type)) {
            called.entry(call.service.clone()).or_default().insert(call.message_type.clone());
        }
    }

    /// Sends a call and waits for its answer.
    ///
    /// # Errors
    /// The handler's fault; `HANDLER_NOT_FOUND` when no service has such a handler, `REQUEST_TIMEOUT` when there was no
    /// answer in time, `CIRCUIT_BREAKER_OPEN` when that service failed so often that it is given a rest,
    /// `MESSAGE_BUS_ERROR` when the bus failed, `MESSAGE_TOO_LARGE`.
    pub async fn call(&self, call: Call, flow: &Flow) -> Result<Payload, Fault> {
        self.note(&call);
        let now = Instant::now();
        let left = flow.remaining(now.into_std()).unwrap_or(call.timeout);
        if left.is_zero() {
            let message = format!("nobody waits for the answer to {} any more", call.message_type);
            return Err(Fault::new(FaultCode::RequestTimeout, message));
        }
        let deadline = now + left.min(call.timeout);
        // A service is not to blame for a caller who came late.
        let fair = left >= call.timeout.min(FAIR);
        let policy = RetryPolicy::default();
        let mut attempt = 1;
        loop {
            let result = self.attempt(&call, flow, deadline, fair).await;
            let Err(fault) = result else { return result };
            let failure = if call.repeatable && retryable(&fault) { Failure::Transient } else { Failure::Permanent };
            let Next::Again(step) = policy.next(attempt, failure, rand::random()) else { return Err(fault) };
            if Instant::now() + step.delay >= deadline {
                return Err(fault);
            }
            sleep(step.delay).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, call: &Call, flow: &Flow, deadline: Instant, fair: bool) -> Result<Payload, Fault> {
        let breaker = self.breaker(&call.service);
        let permit = lock(&breaker).ask(Instant::now().into_std()).map_err(|open| {
            let message = format!("{} failed too often and is given a rest: {open}", call.service);
            Fault::new(FaultCode::CircuitBreakerOpen, message)
        })?;
        let mut asking = Asking { breaker: &breaker, permit: Some(permit), end: CallEnd::Abandoned };
        let result = self.exchange(call, flow, deadline).await;
        asking.end = match &result {
            Err(fault) if fault.code == FaultCode::RequestTimeout && !fair => CallEnd::Abandoned,
            // The message never got there, so nothing is known of who would have answered.
            Err(fault) if matches!(fault.code, FaultCode::MessageBus | FaultCode::MessageTooLarge) => {
                CallEnd::Abandoned
            }
            Err(fault) if counts_against_the_service(fault) => CallEnd::Failure,
            _ => CallEnd::Success,
        };
        result
    }

    async fn exchange(&self, call: &Call, flow: &Flow, deadline: Instant) -> Result<Payload, Fault> {
        let now = Now::read();
        let mut envelope = self.envelope(&call.message_type, call.payload.clone(), flow, now);
        envelope.metadata.idempotency_key.clone_from(&call.idempotency_key);
        if call.priority.is_some() {
            envelope.metadata.routing = Some(Routing { priority: call.priority, ..Routing::default() });
        }
        envelope.metadata.deadline = Some(now.wall_at(deadline.into_std()));
        let queue = match call.kind {
            Kind::Query => names::query_queue(&call.service, &call.message_type),
            _ => names::command_queue(&call.service, &call.message_type),
        };
        let mut span = self.tracer.sending(call.kind, &envelope, "", &queue);
        if span.is_recorded() {
            envelope.trace_context = Some(span.context().clone());
        }
        let result = self.answered(call, &envelope, queue, deadline).await;
        if let Err(fault) = &result {
            span.fail(fault.code.as_str(), &fault.message);
        }
        result
    }

    async fn answered(
        &self,
        call: &Call,
        envelope: &Envelope,
        queue: String,
        deadline: Instant,
    ) -> Result<Payload, Fault> {
        let message = wire(call.kind, envelope, call.kind != Kind::Query)?;
        let answer = self.bus.request(&Target::Queue(queue), message, deadline).await;
        let answer = answer.map_err(|error| bus_fault(&error, &call.service, &call.message_type))?;
        let body = packing::unpack(Kind::Response, &answer)
            .map_err(|error| Fault::new(FaultCode::ContractViolation, format!("the answer cannot be read: {error}")))?;
        let reply = Reply::read(&body)
            .map_err(|error| Fault::new(FaultCode::ContractViolation, format!("the answer cannot be read: {error}")))?;
        reply.into_outcome()
    }

    /// Publishes an event that no store knows. It has arrived when this returns.
    ///
    /// # Errors
    /// `MESSAGE_BUS_ERROR`, `MESSAGE_TOO_LARGE`.
    pub async fn publish(&self, event: Published, flow: &Flow) -> Result<(), Fault> {
        let envelope = self.event(event, flow);
        self.publish_envelope(envelope, Instant::now() + COMMAND_TIMEOUT).await
    }

    pub(crate) async fn publish_envelope(&self, mut envelope: Envelope, deadline: Instant) -> Result<(), Fault> {
        let key = names::event_key(&self.service, &envelope.message_type);
        let span = self.tracer.sending(Kind::Event, &envelope, names::EVENTS_EXCHANGE, &key);
        if span.is_recorded() {
            envelope.trace_context = Some(span.context().clone());
        }
        let message = wire(Kind::Event, &envelope, true)?;
        let target = Target::event(key);
        let sent = self.bus.send(&target, message, Sending::at_least_once(deadline).optional()).await;
        sent.map_err(|error| bus_fault(&error, &self.service, &envelope.message_type))
    }

    fn event(&self, event: Published, flow: &Flow) -> Envelope {
        let mut envelope = self.envelope(&event.event_type, event.payload, flow, Now::read());
        envelope.version = event.version;
        envelope.id = event.id;
        // Whoever hears of it is not who was waited for.
        envelope.metadata.deadline = None;
        envelope
    }

    fn envelope(&self, message_type: &str, payload: Payload, flow: &Flow, now: Now) -> Envelope {
        let mut envelope = Envelope {
            id: ids::message(ids::random()),
            correlation_id: String::new(),
            trace_context: None,
            timestamp: now.wall,
            service_name: self.service.as_str().to_owned(),
            message_type: message_type.to_owned(),
            payload,
            metadata: Metadata::default(),
            version: 1,
        };
        flow.apply(&mut envelope, now);
        envelope
    }

    fn breaker(&self, service: &ServiceName) -> Arc<Mutex<Breaker>> {
        let mut breakers = lock(&self.breakers);
        match breakers.get(service) {
            Some(breaker) => Arc::clone(breaker),
            None => {
                let breaker = Arc::new(Mutex::new(Breaker::new(self.policy)));
                breakers.insert(service.clone(), Arc::clone(&breaker));
                if let Some(metrics) = &self.metrics {
                    show(metrics, service, Arc::clone(&breaker));
                }
                breaker
            }
        }
    }
}

fn show(metrics: &Metrics, service: &ServiceName, breaker: Arc<Mutex<Breaker>>) {
    let help = "What a circuit breaker does with calls to a service: 0 lets them through, 1 tries a few, 2 refuses.";
    metrics.watched("circuit_breaker_state", help, &[("target", service.as_str())], move || {
        match lock(&breaker).state(Instant::now().into_std()) {
            BreakerState::Closed => 0.0,
            BreakerState::HalfOpen => 1.0,
            BreakerState::Open => 2.0,
        }
    });
}

/// An event on its way out, its type forgotten.
#[derive(Debug, Clone)]
pub struct Published {
    /// What names it; subscribers handle it once.
    pub id: String,
    /// What it is called on the wire.
    pub event_type: String,
    /// The version of its schema, from 1.
    pub version: u32,
    /// What it says.
    pub payload: Payload,
}

/// A call that the breaker hears the end of, also when it is given up in the middle.
struct Asking<'a> {
    breaker: &'a Mutex<Breaker>,
    permit: Option<Permit>,
    end: CallEnd,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            lock(self.breaker).finish(permit, self.end, Instant::now().into_std());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing panics while it holds one of these.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Types of messages that were larger than they should be; each is worth one line in the log.
static LARGE: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The message that carries an envelope.
pub(crate) fn wire(kind: Kind, envelope: &Envelope, durable: bool) -> Result<Message, Fault> {
    let body = envelope.write();
    if body.len() > limits::recommended(kind) && lock(&LARGE).insert(envelope.message_type.clone()) {
        let (bytes, recommended, message_type) = (body.len(), limits::recommended(kind), &envelope.message_type);
        tracing::warn!(
            bytes,
            recommended,
            "a {message_type} is larger than is good for a {kind}; it is sent all the same"
        );
    }
    let mut message =
        if durable { Message::durable(&*envelope.id, body) } else { Message::transient(&*envelope.id, body) };
    // AMQP carries so many bytes and no more; the envelope has it in any case.
    message.correlation_id = Some(envelope.correlation_id.clone()).filter(|it| it.len() <= limits::ID);
    message.content_type = Some(names::CONTENT_TYPE.to_owned());
    message.content_encoding = Some(names::CONTENT_ENCODING.to_owned());
    message.priority = Some(envelope.metadata.routing.as_ref().and_then(|it| it.priority).unwrap_or_default().number());
    message.timestamp = u64::try_from(envelope.timestamp.millis() / 1000).ok();
    // Headers are for whoever looks at a queue from outside. Queries and answers do not stay in one, and a table of them
    // costs the broker and both ends time.
    if !matches!(kind, Kind::Query | Kind::Response) {
        let trace = envelope.trace_context.as_ref();
        let trace = trace.map_or_else(|| envelope.correlation_id.clone(), |it| format!("{:032x}", it.trace_id()));
        message = message
            .header(names::HEADER_SERVICE_NAME, envelope.service_name.as_str())
            .header(names::HEADER_MESSAGE_TYPE, envelope.message_type.as_str())
            .header(names::HEADER_TRACE_ID, trace);
    }
    packing::pack(kind, message).map_err(|error| Fault::new(FaultCode::MessageTooLarge, error.to_string()))
}

fn bus_fault(error: &BusError, service: &ServiceName, message_type: &str) -> Fault {
    let (code, message) = match error {
        BusError::Unroutable { .. } => (FaultCode::HandlerNotFound, format!("{service} handles no {message_type}")),
        BusError::TimedOut { waited, .. } => {
            (FaultCode::RequestTimeout, format!("no answer to {message_type} from {service} within {waited:.1?}"))
        }
        BusError::TooLong { .. } => (FaultCode::MessageTooLarge, error.to_string()),
        BusError::Closed => (FaultCode::ServiceUnavailable, "this service is shutting down".to_owned()),
        other => (FaultCode::MessageBus, other.to_string()),
    };
    Fault::new(code, message)
}

/// Whether another attempt could have another end, and harms nobody who asks only.
fn retryable(fault: &Fault) -> bool {
    matches!(fault.code, FaultCode::MessageBus | FaultCode::ServiceUnavailable)
}

/// Whether it tells that the other service is in trouble, rather than the request.
fn counts_against_the_service(fault: &Fault) -> bool {
    matches!(
        fault.code,
        FaultCode::RequestTimeout | FaultCode::ServiceUnavailable | FaultCode::Internal | FaultCode::Unknown
    )
}
