//! How the rest of the platform knows about this service: it says what it offers, how it is, and when it goes.

use std::{collections::BTreeMap, sync::Arc};

use tokio::time::{Duration, Instant, interval_at, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    bus::{Bus, BusError, Delivery, Topology, packing},
    client::{Client, Published},
    clock::Now,
    flow::Flow,
    health::{Board, Status},
    ids,
    protocol::{
        Contract, Envelope, Event, Kind, Payload, Timestamp, contract,
        discovery::{
            self, DependencyHealth, HealthCheckRequest, HealthCheckResponse, HealthStatus, ServiceContractsRegistered,
            ServiceDeregistered,
        },
        names::{self, ServiceName},
    },
    runtime::Runtime,
};

/// How often the contracts are published again: discovery may have missed them.
const AGAIN: Duration = Duration::from_secs(60);

/// How long the last word may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// The pause between two attempts to hear questions.
const PAUSE: Duration = Duration::from_secs(1);

/// One instance of a service, as others see it.
pub(super) struct Presence {
    runtime: Arc<Runtime>,
    instance: String,
    version: String,
    contracts: Vec<Contract>,
    board: Board,
    since: Timestamp,
}

impl Presence {
    /// An instance that is about to be ready.
    pub(super) fn new(
        runtime: Arc<Runtime>,
        instance: String,
        version: String,
        contracts: Vec<Contract>,
        board: Board,
    ) -> Self {
        Self { runtime, instance, version, contracts, board, since: Timestamp::MIN }
    }

    /// Names an instance: `user-service-v1-7f3a…`.
    pub(super) fn instance(service: &ServiceName, version: &str) -> String {
        let major = version.split('.').next().unwrap_or("0");
        format!("{service}-v{major}-{}", &ids::message(ids::random())["msg_".len()..])
    }

    /// Says what the service offers, now and from time to time, and answers questions about its health, until `stop`.
    pub(super) async fn keep(mut self, bus: Arc<dyn Bus>, stop: CancellationToken) {
        self.since = Now::read().wall;
        stop.run_until_cancelled(async { tokio::join!(self.tell(), self.listen(bus.as_ref())) }).await;
        // Others find out by themselves when this does not arrive.
        let _ = timeout(FAREWELL, self.deregister()).await;
    }

    async fn tell(&self) {
        let mut again = interval_at(Instant::now(), AGAIN);
        loop {
            again.tick().await;
            self.register().await;
        }
    }

    async fn listen(&self, bus: &dyn Bus) {
        while let Err(error) = self.answer_all(bus).await {
            tracing::warn!("cannot hear questions about this service's health: {error}");
            sleep(PAUSE).await;
        }
    }

    /// Answers questions until the bus is closed.
    async fn answer_all(&self, bus: &dyn Bus) -> Result<(), BusError> {
        let queue = names::event_queue(&self.runtime.service, HealthCheckRequest::EVENT_TYPE);
        let discovery = ServiceName::new(discovery::SERVICE).ok();
        let pattern = names::event_pattern(discovery.as_ref(), Some(HealthCheckRequest::EVENT_TYPE));
        bus.declare(&Topology::default().events(&queue, pattern)).await?;
        // Whoever asked while nobody listened has asked again since. The clock of the question would not tell: it is
        // somebody else's.
        bus.purge(&queue).await?;
        let mut questions = bus.consume(&queue, 1).await?;
        while let Some(question) = questions.next().await {
            self.answer(question).await;
        }
        Ok(())
    }

    async fn register(&self) {
        let event = ServiceContractsRegistered {
            service_name: self.runtime.service.to_string(),
            version: self.version.clone(),
            service_id: self.instance.clone(),
            checksum: Some(contract::checksum(&self.contracts)),
            contracts: self.contracts.clone(),
            endpoint: None,
            timestamp: self.since,
        };
        publish(&self.runtime.client, &event).await;
    }

    async fn deregister(&self) {
        let event = ServiceDeregistered {
            service_name: self.runtime.service.to_string(),
            service_id: self.instance.clone(),
            reason: "shutdown".to_owned(),
            timestamp: Now::read().wall,
        };
        publish(&self.runtime.client, &event).await;
    }

    async fn answer(&self, question: Delivery) {
        let body = packing::unpack(Kind::Event, &question.message);
        let request = body.ok().and_then(|body| Envelope::read(&body).ok());
        let request: Option<HealthCheckRequest> = request.and_then(|envelope| envelope.payload.read().ok());
        question.ack();
        if request.is_none_or(|it| it.service_name != self.runtime.service.as_str()) {
            return;
        }
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
            status: on_the_wire(self.board.status()),
            timestamp: Now::read().wall.millis(),
            response_time: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            dependencies: Some(dependencies),
            errors: (!errors.is_empty()).then_some(errors),
        };
        publish(&self.runtime.client, &event).await;
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

async fn publish<E: Event>(client: &Client, event: &E) {
    let Ok(payload) = Payload::of(event) else { return };
    let (id, event_type) = (ids::event().to_string(), E::EVENT_TYPE.to_owned());
    let published = Published { id, event_type, version: E::VERSION, payload };
    if let Err(fault) = client.publish(published, &Flow::begin(ids::random)).await {
        tracing::warn!("cannot publish {}: {fault}", E::EVENT_TYPE);
    }
}
