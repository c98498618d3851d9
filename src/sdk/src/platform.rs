//! What a service is run on: a bus, and whatever else it needs.

use std::sync::Arc;

use crate::{
    bus::{
        Bus,
        memory::{MemoryBroker, SystemClock},
    },
    cache::{Cache, Memory},
    metrics::Metrics,
    store::EventStore,
    telemetry::Tracer,
};

/// What a service is run on.
#[derive(Clone)]
pub struct Platform {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) store: Option<EventStore>,
    pub(crate) cache: Cache,
    pub(crate) metrics: Metrics,
    pub(crate) tracer: Tracer,
}

impl Platform {
    /// A bus and nothing else: events are published and not stored, answers are kept in this process.
    pub fn new(bus: impl Bus) -> Self {
        let metrics = Metrics::new("service");
        let cache = Cache::memory(&Memory::default(), "service", &metrics);
        Self { bus: Arc::new(bus), store: None, cache, metrics, tracer: Tracer::off() }
    }

    /// Everything in this process; gone with it. For tests, and for trying things out.
    pub fn in_memory() -> Self {
        Self::on(&MemoryBroker::new(SystemClock))
    }

    /// Everything in this process, with a broker that other services of this process use as well.
    pub fn on(broker: &MemoryBroker) -> Self {
        Self::new(broker.connect()).with_store(EventStore::in_memory())
    }

    /// The same with an event store.
    #[must_use]
    pub fn with_store(self, store: EventStore) -> Self {
        Self { store: Some(store), ..self }
    }

    /// The same with metrics that are shown elsewhere.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// The same, recording a span of everything that is handled and sent.
    #[must_use]
    pub fn with_tracer(self, tracer: Tracer) -> Self {
        Self { tracer, ..self }
    }

    /// The same with another cache.
    #[must_use]
    pub fn with_cache(self, cache: Cache) -> Self {
        Self { cache, ..self }
    }
}
