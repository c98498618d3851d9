//! The cache: answers that are kept for a while, in Redis, shared by all processes of a service.
//!
//! [`Cache::fetch`] gives what is kept, or loads it. However many ask at once, a process loads a key once, and processes
//! take turns by a short lock in Redis. Redis is never a reason to fail: while it is gone or slow, everything is loaded,
//! still once at a time in each process, and what was invalidated meanwhile is remembered until it is back.
//!
//! | key in Redis | holds |
//! |---|---|
//! | `cache:{service}:{type}:{key}` | the stamps of its tags, then the value as JSON |
//! | `cache-lock:{service}:{type}:{key}` | the process that loads it right now |
//! | `cache-tag:{service}:…` | the stamp of a tag (`tag/{tag}`), of a type (`type/{type}`), of everything (`all`) |
//! | `shared:{service}:{key}` | nothing of the cache's: what instances share beside it, see [`Cache::shared`] |
//!
//! Keys that are longer than 128 bytes are replaced by their SHA-256, in hex.
//!
//! Forgetting a tag gives it a new stamp, however many values carry it. A value counts only while the stamps that it was
//! loaded under are the current ones, so a value that was being loaded when its tag was forgotten does not count either.
//! A stamp that is lost makes its values count as missing; it never brings one back.

mod breaker;
mod entry;
mod flight;
mod key;
pub(crate) mod link;
mod load;
mod memory;
mod pending;
mod redis;
pub(crate) mod shelf;

pub use memory::Memory;

use std::{
    collections::{BTreeSet, HashMap},
    future::{Future, pending},
    panic,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    config::Endpoint,
    flow,
    metrics::{Counter, Metrics},
    protocol,
    shared::Shared,
    telemetry::Tracer,
};
use flight::{Begun, Flights, Pilot, Purpose};
use key::Keys;
use link::Link;
use load::Load;
use pending::Pending;
use shelf::Shelf;

/// How long one exchange with Redis may take, unless told otherwise.
const DEADLINE: Duration = Duration::from_millis(100);

const MEMORY: &str = "What the cache holds, in bytes: all that is in Redis, or the values in this process.";
const EVICTIONS: &str = "Values that made room for others, in all of Redis or in this process.";

/// How long a value is kept, and what it is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// How long a value is fresh; a value without any time is not kept.
    pub ttl: Duration,
    /// How long after that it may still be given while a fresh one is loaded.
    pub stale_while_revalidate: Duration,
    /// What the value is about; everything with a tag can be forgotten at once.
    pub tags: Vec<String>,
}

impl Policy {
    /// Values that are fresh for `ttl`, and then gone.
    #[must_use]
    pub fn fresh_for(ttl: Duration) -> Self {
        Self { ttl, ..Self::default() }
    }

    /// The same for a query that says how long its answers are kept.
    #[must_use]
    pub fn of(query: protocol::Cache, tags: Vec<String>) -> Self {
        Self {
            ttl: Duration::from_secs(query.ttl.into()),
            stale_while_revalidate: Duration::from_secs(query.stale_while_revalidate.into()),
            tags,
        }
    }

    /// The same, but given for `time` longer while a fresh value is loaded.
    #[must_use]
    pub fn stale_for(self, time: Duration) -> Self {
        Self { stale_while_revalidate: time, ..self }
    }

    /// The same with one more tag.
    #[must_use]
    pub fn tagged(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }
}

/// The cache of one service. Clones share it.
#[derive(Clone)]
pub struct Cache(Arc<Inner>);

struct Inner {
    service: String,
    shelf: Shelf,
    flights: Flights,
    metrics: Metrics,
    counters: RwLock<HashMap<String, Counters>>,
}

#[derive(Clone)]
struct Counters {
    hits: Counter,
    misses: Counter,
}

impl Cache {
    /// The cache of `service` in the Redis at `endpoint`. It connects when it is first used, and again by itself.
    #[must_use]
    pub fn redis(endpoint: &Endpoint, service: &str, metrics: &Metrics) -> Self {
        Self::redis_within(endpoint, service, metrics, DEADLINE)
    }

    /// The same, where one exchange with Redis may take as long as `deadline`, in place of 100 ms.
    #[must_use]
    pub fn redis_within(endpoint: &Endpoint, service: &str, metrics: &Metrics, deadline: Duration) -> Self {
        let help = "Exchanges with Redis that failed or took too long.";
        let link = Link::new(endpoint, deadline, metrics.counter("cache_errors_total", help, &[]));
        Self::new(Shelf::Redis(redis::Redis::new(link, key::all(service))), service, metrics)
    }

    /// The cache of `service` in the memory of this process: for tests, and for services that run without Redis. Caches
    /// over one [`Memory`] share what they keep, like processes over one Redis.
    #[must_use]
    pub fn memory(memory: &Memory, service: &str, metrics: &Metrics) -> Self {
        metrics.show("cache_evictions_total", EVICTIONS, &[], &memory.evictions);
        let kept = memory.clone();
        metrics.watched("cache_memory_bytes", MEMORY, &[], move || kept.size() as f64);
        Self::new(Shelf::Memory(memory.clone()), service, metrics)
    }

    fn new(shelf: Shelf, service: &str, metrics: &Metrics) -> Self {
        Self(Arc::new(Inner {
            service: service.to_owned(),
            shelf,
            flights: Flights::default(),
            metrics: metrics.clone(),
            counters: RwLock::default(),
        }))
    }

    /// What the instances of the service share beside their cache, over the same connection.
    #[must_use]
    pub fn shared(&self) -> Shared {
        let link = match &self.0.shelf {
            Shelf::Redis(redis) => Some(redis.link()),
            Shelf::Memory(_) => None,
        };
        Shared::new(link, &self.0.service)
    }

    /// Records a span of everything that Redis is asked for; the first tracer wins.
    pub fn trace(&self, tracer: &Tracer) {
        self.0.shelf.trace(tracer);
    }

    /// Reads how much Redis holds into the metrics.
    pub(crate) async fn measure(&self) {
        let Shelf::Redis(redis) = &self.0.shelf else { return };
        if let Ok((bytes, evicted)) = redis.size().await {
            self.0.metrics.gauge("cache_memory_bytes", MEMORY, &[]).set(bytes as f64);
            let evictions = self.0.metrics.counter("cache_evictions_total", EVICTIONS, &[]);
            evictions.add(evicted.saturating_sub(evictions.value()));
        }
    }

    /// The value of `kind` (a message type, or any name for values of one sort) under `key`: the one that is kept, or
    /// the one that `load` gives, which is then kept as `policy` says.
    ///
    /// `load` runs as a task of its own, with the caller's [`Flow`](crate::Flow), so that it ends even if this caller
    /// does not wait for it; others that ask meanwhile get its result. It is dropped without running when the value is
    /// there. A panic in it is passed on to the caller that started it; the others try again.
    ///
    /// # Errors
    /// What `load` fails with; failures are not kept.
    pub async fn fetch<T, E>(
        &self,
        kind: &str,
        key: &str,
        policy: &Policy,
        load: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
        E: Clone + Send + Sync + 'static,
    {
        let keys = Keys::new(&self.0.service, kind, key, &policy.tags);
        let counters = self.counters(kind);
        loop {
            let running = match self.0.flights.joined(&keys.entry) {
                Some(running) => running,
                None => {
                    if let Some((value, fresh)) = self.kept::<T>(&keys, policy).await {
                        counters.hits.add(1);
                        if !fresh {
                            self.revalidate(keys, policy, load);
                        }
                        return Ok(value);
                    }
                    match self.0.flights.begin(&keys, Purpose::Answer) {
                        Begun::Joined(running) => running,
                        Begun::Leads(pilot) => {
                            counters.misses.add(1);
                            return self.lead(pilot, keys, policy, load).await;
                        }
                    }
                }
            };
            match running.result().await {
                None => {}
                Some(result) => {
                    counters.misses.add(1);
                    // values of two types under one key: that is the other one
                    let Some(result) = result.downcast_ref::<Result<T, E>>() else { return load.await };
                    return result.clone();
                }
            }
        }
    }

    /// What is kept, and whether it is fresh.
    async fn kept<T: DeserializeOwned>(&self, keys: &Keys, policy: &Policy) -> Option<(T, bool)> {
        if policy.ttl.is_zero() {
            return None;
        }
        let found = self.0.shelf.look(keys, policy.stale_while_revalidate).await.ok()?;
        load::read(&found).map(|value| (value, found.fresh))
    }

    /// Loads a value for those who ask later.
    fn revalidate<T, E>(&self, keys: Keys, policy: &Policy, load: impl Future<Output = Result<T, E>> + Send + 'static)
    where
        T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
        E: Clone + Send + Sync + 'static,
    {
        if let Begun::Leads(pilot) = self.0.flights.begin(&keys, Purpose::Refresh) {
            let task = Load { cache: self.clone(), keys, policy: policy.clone(), purpose: Purpose::Refresh };
            tokio::spawn(flow::carried(task.run(pilot, load)));
        }
    }

    /// Loads a value for this caller and those who join.
    async fn lead<T, E>(
        &self,
        pilot: Pilot,
        keys: Keys,
        policy: &Policy,
        load: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
        E: Clone + Send + Sync + 'static,
    {
        let landing = pilot.passenger();
        let task = Load { cache: self.clone(), keys, policy: policy.clone(), purpose: Purpose::Answer };
        let task = tokio::spawn(flow::carried(task.run(pilot, load)));
        if let Some(result) = landing.result().await {
            let result = result.downcast_ref::<Result<T, E>>().expect("the task lands what it loads");
            return result.clone();
        }
        match task.await {
            Err(ended) if ended.is_panic() => panic::resume_unwind(ended.into_panic()),
            // the runtime is being shut down, and this task with it
            _ => pending().await,
        }
    }

    /// Forgets one value. Who asks this cache after this call gets what is loaded after it. Other processes may still
    /// get the result of a load that is under way there. If Redis cannot be told, it is as soon as it can, and until
    /// then this process reads nothing from it.
    pub async fn invalidate(&self, kind: &str, key: &str) {
        let Keys { entry, lock, .. } = Keys::new(&self.0.service, kind, key, &[]);
        self.0.flights.forget(&entry);
        self.forget(Pending { names: BTreeSet::from([entry, lock]), tags: BTreeSet::new() }).await;
    }

    /// Forgets every value with a tag, whatever its type, at the cost of one.
    pub async fn invalidate_tag(&self, tag: &str) {
        self.forget_tag(key::tag(&self.0.service, tag)).await;
    }

    /// Forgets every value of one type, at the cost of one.
    pub async fn invalidate_type(&self, kind: &str) {
        self.forget_tag(key::kind(&self.0.service, kind)).await;
    }

    /// Forgets everything that the service keeps, at the cost of one.
    pub async fn invalidate_all(&self) {
        self.forget_tag(key::all(&self.0.service)).await;
    }

    async fn forget_tag(&self, tag: String) {
        self.0.flights.forget_tag(&tag);
        self.forget(Pending { names: BTreeSet::new(), tags: BTreeSet::from([tag]) }).await;
    }

    /// Runs as a task of its own, so that a caller who gives up half-way does not undo it.
    async fn forget(&self, what: Pending) {
        let cache = self.clone();
        let task = tokio::spawn(async move { cache.0.shelf.forget(what).await });
        if let Err(ended) = task.await
            && ended.is_panic()
        {
            panic::resume_unwind(ended.into_panic());
        }
    }

    fn counters(&self, kind: &str) -> Counters {
        let known = self.0.counters.read().unwrap_or_else(PoisonError::into_inner).get(kind).cloned();
        known.unwrap_or_else(|| {
            let labels = [("type", kind)];
            let hits = "Values that were given without loading them.";
            let misses = "Values that had to be loaded, for everyone who waited.";
            let counters = Counters {
                hits: self.0.metrics.counter("cache_hits_total", hits, &labels),
                misses: self.0.metrics.counter("cache_misses_total", misses, &labels),
            };
            let mut all = self.0.counters.write().unwrap_or_else(PoisonError::into_inner);
            all.entry(kind.to_owned()).or_insert(counters).clone()
        })
    }
}
