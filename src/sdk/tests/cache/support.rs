//! Caches to test, and things to load.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use banyan_sdk::{
    cache::{Cache, Memory, Policy},
    config::Endpoint,
    ids,
    metrics::Metrics,
};
use futures_util::future::join_all;
use tokio::{sync::watch, time::timeout};

pub const LONG: Duration = Duration::from_secs(600);

/// Two caches of one service, as two processes have them.
pub struct Caches {
    pub first: Cache,
    pub second: Cache,
    pub metrics: Metrics,
}

impl Caches {
    pub fn memory() -> Self {
        let (memory, service, metrics) = (Memory::new(), service(), Metrics::new("tested"));
        let cache = || Cache::memory(&memory, &service, &metrics);
        Self { first: cache(), second: cache(), metrics }
    }

    pub fn redis() -> Self {
        let url = std::env::var("BANYAN_TEST_REDIS_URL").unwrap_or_else(|_| {
            panic!("set BANYAN_TEST_REDIS_URL to a Redis for tests, such as redis://127.0.0.1:6379")
        });
        let endpoint = Endpoint::parse(&url, &["redis"], 6379).expect("BANYAN_TEST_REDIS_URL is no address");
        let (service, metrics) = (service(), Metrics::new("tested"));
        // a busy machine is no dead Redis
        let cache = || Cache::redis_within(&endpoint, &service, &metrics, Duration::from_secs(5));
        Self { first: cache(), second: cache(), metrics }
    }

    pub fn both(&self) -> [&Cache; 2] {
        [&self.first, &self.second]
    }

    /// The sum of a metric over its series.
    pub fn metric(&self, name: &str) -> u64 {
        let text = self.metrics.text();
        let lines = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }
}

/// A name that no other test uses.
pub fn service() -> String {
    ids::message(ids::random()).replace("msg_", "t-")
}

/// Something to load, which counts how often it was.
#[derive(Clone)]
pub struct Source {
    loads: Arc<AtomicU64>,
    open: watch::Sender<bool>,
}

impl Source {
    /// Loads at once.
    pub fn open() -> Self {
        Self { loads: Arc::default(), open: watch::Sender::new(true) }
    }

    /// Loads are begun, but do not end.
    pub fn shut() -> Self {
        Self { loads: Arc::default(), open: watch::Sender::new(false) }
    }

    pub fn let_through(&self) {
        self.open.send_replace(true);
    }

    pub fn hold_back(&self) {
        self.open.send_replace(false);
    }

    /// How many loads were begun.
    pub fn loads(&self) -> u64 {
        self.loads.load(SeqCst)
    }

    /// The number of the load.
    pub fn load(&self) -> impl Future<Output = Result<u64, String>> + Send + use<> {
        let (loads, mut open) = (self.loads.clone(), self.open.subscribe());
        async move {
            let number = loads.fetch_add(1, SeqCst) + 1;
            open.wait_for(|open| *open).await.unwrap();
            Ok(number)
        }
    }

    pub async fn begun(&self, loads: u64) {
        until("the load begins", async || self.loads() >= loads).await;
    }

    pub async fn fetch(&self, cache: &Cache, key: &str) -> u64 {
        cache.fetch("Q", key, &Policy::fresh_for(LONG).tagged("t"), self.load()).await.unwrap()
    }
}

/// Crowds that asked for one value each, and what came of it.
#[derive(Debug, Default)]
pub struct History {
    asked: usize,
    /// Got no answer.
    lost: usize,
    /// Loads where one was under way or done.
    doubled: u64,
    newest: u64,
    /// Answers that were older than one that had been given before.
    reordered: usize,
}

impl History {
    /// So many callers ask at once, while one load would do for all.
    pub async fn crowd<F: Future<Output = u64>>(&mut self, source: &Source, callers: usize, ask: impl Fn(usize) -> F) {
        let before = source.loads();
        source.hold_back();
        let asking = join_all((0..callers).map(|caller| timeout(Duration::from_secs(10), ask(caller))));
        let (answers, ()) = tokio::join!(asking, async {
            source.begun(before + 1).await;
            source.let_through();
        });
        let answered: Vec<u64> = answers.into_iter().flatten().collect();
        self.asked += callers;
        self.lost += callers - answered.len();
        self.doubled += source.loads() - before - 1;
        self.reordered += answered.iter().filter(|answer| **answer < self.newest).count();
        self.newest = self.newest.max(before + 1);
    }

    pub fn is_clean(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.reordered == 0
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, lost, doubled, reordered, .. } = self;
        write!(f, "asked {asked}, lost {lost}, loads doubled {doubled}, reordered {reordered}")
    }
}

/// Asks again and again, for at most ten seconds.
pub async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !done().await {
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}: not within 10 s");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    begun.elapsed()
}
