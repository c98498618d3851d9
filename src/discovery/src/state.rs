//! What all handlers, the monitor and the HTTP routes share.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use banyan_sdk::{
    Fault,
    metrics::{Counter, Metrics},
    protocol::discovery::HealthStatus,
    tokens::Verifier,
};
use serde_json::{Map, Value};

use crate::{
    monitor::{Limits, Monitor},
    registry::Registry,
};

/// What all parts of service discovery share. Clones are the same.
#[derive(Clone)]
pub struct State(Arc<Shared>);

struct Shared {
    limits: Limits,
    verifier: Verifier,
    monitor: Mutex<Monitor>,
    /// There as soon as the stores are.
    open: OnceLock<Open>,
}

struct Open {
    registry: Registry,
    hits: Counter,
    misses: Counter,
}

impl State {
    pub(crate) fn new(limits: Limits, verifier: Verifier) -> Self {
        let monitor = Mutex::new(Monitor::new(limits));
        Self(Arc::new(Shared { limits, verifier, monitor, open: OnceLock::new() }))
    }

    pub(crate) fn limits(&self) -> Limits {
        self.0.limits
    }

    pub(crate) fn verifier(&self) -> &Verifier {
        &self.0.verifier
    }

    pub(crate) fn monitor(&self) -> MutexGuard<'_, Monitor> {
        // Nothing panics while it holds it.
        self.0.monitor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stores are there.
    pub(crate) fn open(&self, registry: Registry, metrics: &Metrics) {
        let counter = |name, help| metrics.counter(name, help, &[("type", "contracts")]);
        let hits = counter("cache_hits_total", "Values that were given without loading them.");
        let misses = counter("cache_misses_total", "Values that had to be loaded, for everyone who waited.");
        let _ = self.0.open.set(Open { registry, hits, misses });
    }

    /// The registry, as soon as the stores are there.
    pub(crate) fn registry(&self) -> Result<&Registry, Fault> {
        let open = self.0.open.get().map(|it| &it.registry);
        open.ok_or_else(|| Fault::unavailable("service discovery is still starting; its /health tells why"))
    }

    /// Which share of the look-ups of contracts was answered from the cache; 0 before the first.
    pub(crate) fn hit_ratio(&self) -> f64 {
        let Some(open) = self.0.open.get() else { return 0.0 };
        let (hits, all) = (open.hits.value(), open.hits.value() + open.misses.value());
        if all == 0 { 0.0 } else { hits as f64 / all as f64 }
    }

    /// What `/health` tells beside the dependencies.
    pub(crate) fn facts(&self) -> Map<String, Value> {
        let all = self.monitor().all();
        let healthy = all.values().filter(|it| it.status == HealthStatus::Healthy).count();
        Map::from_iter([
            ("registeredServices".to_owned(), all.len().into()),
            ("healthyServices".to_owned(), healthy.into()),
        ])
    }
}
