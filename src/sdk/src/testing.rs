//! Tests of services: the whole platform in this process, and aggregates without any platform.
//!
//! [`TestService`] runs a service on an in-memory bus, store and cache, which pass the same tests as the real ones, and
//! calls it as users or other services would. [`Scenario`] asks an aggregate for decisions without running anything.

mod recording;
mod scenario;

pub use scenario::{Decided, Scenario};

use recording::Recording;

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::timeout};

use crate::{
    Calling, Client, Context, Error, Incoming, Platform, Published, Running, Service,
    bus::{
        Bus, Topology,
        memory::{MemoryBroker, SystemClock},
        packing,
    },
    cache::{Cache, Memory},
    clock::Now,
    flow::Flow,
    ids,
    metrics::Metrics,
    protocol::{Auth, Envelope, Event, Fault, Kind, Payload, Request, names::ServiceName},
    runtime::{Runtime, Work},
    store::{EventStore, Filter, Position, Recorded},
};

/// How long something that must happen may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(10);

/// A service that runs in this process, and a stranger who calls it.
pub struct TestService {
    broker: MemoryBroker,
    store: EventStore,
    runtime: Arc<Runtime>,
    published: Tap,
    calls: watch::Receiver<Vec<Envelope>>,
    metrics: Metrics,
    running: Running,
}

/// Everything that is published, as it comes.
struct Tap {
    envelopes: watch::Receiver<Vec<Envelope>>,
    _bus: Arc<dyn Bus>,
}

impl TestService {
    /// Runs `service` with everything in memory.
    ///
    /// # Errors
    /// The mistakes among the handlers.
    pub async fn start<S: Send + Sync + 'static>(service: Service<S>) -> Result<Self, Error> {
        Self::start_on(&MemoryBroker::new(SystemClock), service).await
    }

    /// The same with a broker that other services of the test use as well.
    ///
    /// # Errors
    /// The mistakes among the handlers.
    pub async fn start_on<S: Send + Sync + 'static>(broker: &MemoryBroker, service: Service<S>) -> Result<Self, Error> {
        let store = EventStore::in_memory();
        let (name, handled) = service.outline()?;
        let published = Tap::open(broker).await?;
        let (bus, metrics) = (Recording::new(broker.connect()), Metrics::new(name.as_str()));
        let calls = bus.calls();
        let platform = Platform::new(bus).with_store(store.clone()).with_metrics(metrics.clone());
        let running = service.start(platform).await?;
        let bus: Arc<dyn Bus> = Arc::new(broker.connect());
        let runtime = Arc::new(Runtime {
            client: Client::new(name.clone(), bus),
            metrics: Metrics::new(name.as_str()),
            service: name,
            store: Some(store.clone()),
            projections: BTreeMap::new(),
            cache: Cache::memory(&Memory::default(), "test", &Metrics::new("test")),
            handled,
            work: Work::default(),
        });
        Ok(Self { broker: broker.clone(), store, runtime, published, calls, metrics, running })
    }

    /// The broker, for other services of the test.
    pub fn broker(&self) -> &MemoryBroker {
        &self.broker
    }

    /// The service's event store.
    pub fn store(&self) -> &EventStore {
        &self.store
    }

    /// The service's metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The service itself, as [`Service::start`] gives it.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// Every command and query that the service under test has sent so far, to others or to itself, answered or not.
    pub fn calls(&self) -> Vec<Envelope> {
        self.calls.borrow().clone()
    }

    /// Somebody who holds these permissions.
    pub fn user(&self, id: &str, permissions: &[&str]) -> Caller {
        let permissions = permissions.iter().map(|it| (*it).to_owned()).collect();
        Caller(self.context(Some(Auth { user_id: id.to_owned(), permissions, ..Auth::default() })))
    }

    /// Somebody who did not log in.
    pub fn anonymous(&self) -> Caller {
        Caller(self.context(None))
    }

    /// Sends a command or query as somebody who holds every permission that it needs.
    pub fn call<M: Request>(&self, request: M) -> Calling<M> {
        self.user("test", M::PERMISSIONS).call(request)
    }

    /// Publishes an event as the service that it comes from would.
    ///
    /// # Errors
    /// When the event cannot be written, or its service's name is none.
    pub async fn publish<E: Event>(&self, event: &E) -> Result<(), Fault> {
        let service = ServiceName::new(E::SERVICE.unwrap_or("test")).map_err(|e| Fault::validation(e.to_string()))?;
        let payload = Payload::of(event).map_err(|error| Fault::internal(error.to_string()))?;
        let (id, event_type) = (ids::event().to_string(), E::EVENT_TYPE.to_owned());
        let published = Published { id, event_type, version: E::VERSION, payload };
        let client = Client::new(service, Arc::new(self.broker.connect()));
        client.publish(published, &Flow::begin(ids::random)).await
    }

    /// Everything that is stored, in order.
    ///
    /// # Errors
    /// When a stored event cannot be brought to its current form.
    pub async fn events(&self) -> Result<Vec<Recorded>, Error> {
        Ok(self.store.read(Position::START, usize::MAX, &Filter::default()).await?.events)
    }

    /// Every event that was published so far, with its envelope, whoever published it.
    pub fn envelopes(&self) -> Vec<Envelope> {
        self.published.envelopes.borrow().clone()
    }

    /// Waits until `wanted` finds what it looks for among the published events.
    ///
    /// # Panics
    /// When it does not within 10 seconds: it lists what was published instead.
    pub async fn published<T>(&self, mut wanted: impl FnMut(&Envelope) -> Option<T>) -> T {
        let mut envelopes = self.published.envelopes.clone();
        let found = Mutex::new(None);
        let looking = envelopes.wait_for(|all| {
            let hit = all.iter().find_map(&mut wanted);
            let is_there = hit.is_some();
            *found.lock().unwrap_or_else(PoisonError::into_inner) = hit;
            is_there
        });
        let in_time = timeout(PATIENCE, looking).await.is_ok_and(|it| it.is_ok());
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.filter(|_| in_time).unwrap_or_else(|| {
            let types: Vec<_> = self.envelopes().iter().map(|it| it.message_type.clone()).collect();
            panic!("it was not published within {PATIENCE:?}; published so far: {types:?}")
        })
    }

    /// Waits for an event of this type.
    ///
    /// # Panics
    /// When there is none within 10 seconds.
    pub async fn event<E: Event>(&self) -> E {
        self.published(|it| (it.message_type == E::EVENT_TYPE).then(|| it.payload.read().ok()).flatten()).await
    }

    /// Stops the service; whether everything that it had begun was finished.
    pub async fn stop(self) -> bool {
        self.running.stop(PATIENCE).await
    }

    fn context(&self, auth: Option<Auth>) -> Context<()> {
        let now = Now::read();
        let flow = Flow { auth: auth.map(Arc::new), ..Flow::begin(ids::random) };
        Context {
            state: Arc::new(()),
            message: Arc::new(Incoming {
                id: ids::message(ids::random()),
                message_type: "Test".to_owned(),
                sender: "test".to_owned(),
                sent: now.wall,
                attempt: 1,
            }),
            flow: Arc::new(flow),
            runtime: Arc::clone(&self.runtime),
            for_itself: false,
        }
    }
}

/// Somebody who calls a service under test.
pub struct Caller(Context<()>);

impl Caller {
    /// Sends a command or query; await it for the answer.
    pub fn call<M: Request>(&self, request: M) -> Calling<M> {
        self.0.call(request)
    }

    /// Names the request, as it will be found in events and logs.
    pub fn correlation_id(&self) -> &str {
        self.0.correlation_id()
    }
}

impl Tap {
    async fn open(broker: &MemoryBroker) -> Result<Self, Error> {
        // One of its own for each service under test, or they would share what is published.
        let queue = format!("test.everything.{:032x}", ids::random());
        let bus: Arc<dyn Bus> = Arc::new(broker.connect());
        bus.declare(&Topology::default().events(&queue, crate::protocol::names::EVERY_EVENT)).await?;
        let mut deliveries = bus.consume(&queue, 100).await?;
        let (sender, envelopes) = watch::channel(Vec::new());
        tokio::spawn(async move {
            while let Some(delivery) = deliveries.next().await {
                let body = packing::unpack(Kind::Event, &delivery.message).ok();
                let envelope = body.and_then(|body| Envelope::read(&body).ok());
                sender.send_modify(|all| all.extend(envelope));
                delivery.ack();
            }
        });
        Ok(Self { envelopes, _bus: bus })
    }
}

/// What a runtime needs to know of a service before it runs.
pub(crate) type Outline = (ServiceName, HashSet<&'static str>);
