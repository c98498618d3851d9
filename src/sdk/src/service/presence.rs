//! How the rest of the platform knows about this service: it says what it offers, how it is, and when it goes.

use std::{collections::BTreeMap, sync::Arc};

use tokio::{
    sync::Notify,
    time::{Duration, Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    bus::{Bus, BusError, Deliveries, Delivery, Topology, packing},
    client::{Client, Published},
    clock::Now,
    flow::Flow,
    health::{Board, Status},
    ids,
    protocol::{
        Contract, Envelope, Event, Kind, Payload, Timestamp, contract,
        discovery::{
            self, DependencyHealth, DependencyKind, HealthCheckRequest, HealthCheckResponse, HealthStatus,
            ServiceContractsRefused, ServiceContractsRegistered, ServiceDependency, ServiceDeregistered,
        },
        names::{self, ServiceName},
    },
    runtime::Runtime,
};

/// How often the contracts are published again: discovery may have missed them.
const AGAIN: Duration = Duration::from_secs(60);

/// How soon they are published again the first time; then after twice as long, until it is [`AGAIN`]. What starts together
/// with discovery may be ready before it is.
const FIRST_AGAIN: Duration = Duration::from_secs(1);

/// How long the last word may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// The pause between two attempts to hear questions.
const PAUSE: Duration = Duration::from_secs(1);

/// How many questions may wait.
const QUESTIONS: u16 = 10;

/// What is told of a service.
pub(super) struct Announced {
    pub(super) version: String,
    pub(super) contracts: Vec<Contract>,
    pub(super) listened_to: Vec<ServiceDependency>,
    /// Whether its contracts are to be accepted although they break others.
    pub(super) forced: bool,
}

/// One instance of a service, as others see it.
pub(super) struct Presence {
    runtime: Arc<Runtime>,
    unique: String,
    instance: String,
    announced: Announced,
    board: Board,
    since: Timestamp,
    /// It was taken for gone.
    forgotten: Notify,
}

impl Presence {
    /// An instance that is about to be ready, told from all others by `unique`.
    pub(super) fn new(runtime: Arc<Runtime>, unique: String, announced: Announced, board: Board) -> Self {
        let major = announced.version.split('.').next().unwrap_or("0");
        let instance = format!("{}-v{major}-{unique}", runtime.service);
        Self { runtime, unique, instance, announced, board, since: Timestamp::MIN, forgotten: Notify::new() }
    }

    /// Says what the service offers, now and from time to time, and answers questions about its health, until `stop`.
    pub(super) async fn keep(mut self, bus: Arc<dyn Bus>, stop: CancellationToken) {
        self.since = Now::read().wall;
        let staying = async {
            // First, so that whoever hears of it may ask at once.
            let questions = self.listen(bus.as_ref()).await;
            tokio::join!(self.tell(), self.answer_all(bus.as_ref(), questions))
        };
        stop.run_until_cancelled(staying).await;
        // Others find out by themselves when this does not arrive.
        let _ = timeout(FAREWELL, self.deregister()).await;
    }

    async fn tell(&self) {
        let mut pause = FIRST_AGAIN;
        loop {
            self.register().await;
            tokio::select! {
                () = sleep(pause) => {}
                () = self.forgotten.notified() => {}
            }
            pause = (pause * 2).min(AGAIN);
        }
    }

    async fn listen(&self, bus: &dyn Bus) -> Deliveries {
        loop {
            match self.questions(bus).await {
                Ok(questions) => return questions,
                Err(error) => tracing::warn!("cannot hear questions about this service's health: {error}"),
            }
            sleep(PAUSE).await;
        }
    }

    async fn questions(&self, bus: &dyn Bus) -> Result<Deliveries, BusError> {
        // Not the queue of a listener of the service's own.
        let unique = format!("{}.presence", self.unique);
        let queue = names::listener_queue(&self.runtime.service, HealthCheckRequest::EVENT_TYPE, &unique);
        let discovery = ServiceName::new(discovery::SERVICE).ok();
        let heard =
            [HealthCheckRequest::EVENT_TYPE, ServiceContractsRefused::EVENT_TYPE, ServiceDeregistered::EVENT_TYPE];
        let patterns = heard.map(|it| names::event_pattern(discovery.as_ref(), Some(it)));
        let topology = patterns.into_iter().fold(Topology::default(), |all, it| all.listener(&queue, it));
        bus.declare(&topology).await?;
        bus.consume(&queue, QUESTIONS).await
    }

    async fn answer_all(&self, bus: &dyn Bus, mut questions: Deliveries) {
        loop {
            while let Some(question) = questions.next().await {
                self.hear(question).await;
            }
            sleep(PAUSE).await;
            questions = self.listen(bus).await;
        }
    }

    async fn hear(&self, delivery: Delivery) {
        let body = packing::unpack(Kind::Event, &delivery.message);
        let envelope = body.ok().and_then(|body| Envelope::read(&body).ok());
        delivery.ack();
        let Some(envelope) = envelope else { return };
        match envelope.message_type.as_str() {
            ServiceContractsRefused::EVENT_TYPE => {
                if let Ok(refused) = envelope.payload.read() {
                    self.refused(&refused);
                }
            }
            ServiceDeregistered::EVENT_TYPE => {
                let gone: Option<ServiceDeregistered> = envelope.payload.read().ok();
                if gone.is_some_and(|it| it.service_id == self.instance) {
                    tracing::warn!("service discovery took this instance for gone; it registers anew");
                    self.forgotten.notify_one();
                }
            }
            _ => {
                let request: Option<HealthCheckRequest> = envelope.payload.read().ok();
                if request.is_some_and(|it| it.service_name == self.runtime.service.as_str()) {
                    self.answer(&envelope).await;
                }
            }
        }
    }

    /// Discovery does not accept the contracts: others see the old ones, or none.
    fn refused(&self, refused: &ServiceContractsRefused) {
        if refused.service_id != self.instance {
            return;
        }
        let faults = refused.faults.iter().map(|it| format!("{}: {}", it.field, it.message));
        let broken = refused.differences.iter().filter(|it| it.breaking);
        let broken = broken.map(|it| format!("{} {}: {}", it.message_type, it.path, it.reason));
        let reasons: Vec<String> = faults.chain(broken).collect();
        let told = format!("service discovery refuses the contracts: {}", reasons.join("; "));
        if self.board.remark(super::lifecycle::HANDLERS, Some(told.clone())) {
            tracing::error!("{told}; raise the version, or set FORCE_CONTRACTS=true to have them accepted as they are");
        }
    }

    async fn register(&self) {
        let Announced { version, contracts, listened_to, forced } = &self.announced;
        let calls = self.runtime.client.called().into_iter().map(|(service, types)| ServiceDependency {
            service_name: service.to_string(),
            kind: DependencyKind::Calls,
            message_types: types.into_iter().collect(),
        });
        let event = ServiceContractsRegistered {
            service_name: self.runtime.service.to_string(),
            version: version.clone(),
            service_id: self.instance.clone(),
            checksum: Some(contract::checksum(contracts)),
            contracts: contracts.clone(),
            endpoint: None,
            dependencies: calls
                .filter(|it| it.service_name != self.runtime.service.as_str())
                .chain(listened_to.iter().cloned())
                .collect(),
            forced: *forced,
            timestamp: self.since,
        };
        publish(&self.runtime.client, &event, &Flow::begin(ids::random)).await;
    }

    async fn deregister(&self) {
        let event = ServiceDeregistered {
            service_name: self.runtime.service.to_string(),
            service_id: self.instance.clone(),
            reason: "shutdown".to_owned(),
            timestamp: Now::read().wall,
        };
        publish(&self.runtime.client, &event, &Flow::begin(ids::random)).await;
    }

    async fn answer(&self, question: &Envelope) {
        let started = Instant::now();
        let mut dependencies = BTreeMap::new();
        let mut errors = Vec::new();
        for (name, state) in self.board.subscribe().borrow().iter() {
            let (name, status) = (called(name), on_the_wire(state.status));
            errors.extend(state.error.as_ref().map(|error| format!("{name}: {error}")));
            let response_time = state.latency.map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX));
            let health = DependencyHealth { status, response_time, error: state.error.clone() };
            dependencies.insert(name.to_owned(), health);
        }
        let event = HealthCheckResponse {
            service_name: self.runtime.service.to_string(),
            service_id: Some(self.instance.clone()),
            status: on_the_wire(self.board.status()),
            timestamp: Now::read().wall.millis(),
            response_time: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            dependencies: Some(dependencies),
            errors: (!errors.is_empty()).then_some(errors),
        };
        // The answer names the question.
        let flow = Flow::of(question, None, Now::read(), ids::random);
        publish(&self.runtime.client, &event, &Flow { auth: None, deadline: None, ..flow }).await;
    }
}

/// What discovery calls a dependency.
fn called(dependency: &str) -> &str {
    match dependency {
        "postgres" => "database",
        "rabbitmq" => "messageBus",
        "redis" => "cache",
        other => other,
    }
}

fn on_the_wire(status: Status) -> HealthStatus {
    match status {
        Status::Healthy => HealthStatus::Healthy,
        Status::Degraded => HealthStatus::Degraded,
        Status::Unhealthy => HealthStatus::Unhealthy,
    }
}

async fn publish<E: Event>(client: &Client, event: &E, flow: &Flow) {
    let Ok(payload) = Payload::of(event) else { return };
    let (id, event_type) = (ids::event().to_string(), E::EVENT_TYPE.to_owned());
    let published = Published { id, event_type, version: E::VERSION, payload };
    if let Err(fault) = client.publish(published, flow).await {
        tracing::warn!("cannot publish {}: {fault}", E::EVENT_TYPE);
    }
}
