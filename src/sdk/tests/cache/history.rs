//! Readers and writers at random: nobody reads what was out of date before he asked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use banyan_sdk::cache::{Cache, Policy};
use tokio::task::{JoinSet, yield_now};

use crate::support::Caches;

/// The truth, and the oldest version of it that may still be read.
#[derive(Clone, Default)]
struct Truth {
    version: Arc<AtomicU64>,
    known: Arc<AtomicU64>,
    reads: Arc<AtomicU64>,
    loads: Arc<AtomicU64>,
}

/// A small generator of numbers, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

async fn pause(turns: u64) {
    for _ in 0..turns {
        yield_now().await;
    }
}

async fn read(cache: Cache, truth: Truth, mut numbers: Numbers, reads: u64) {
    let policy = Policy::fresh_for(Duration::from_secs(600)).tagged("t");
    for _ in 0..reads {
        let oldest = truth.known.load(SeqCst);
        let (source, turns) = (truth.clone(), numbers.below(4));
        let load = async move {
            source.loads.fetch_add(1, SeqCst);
            let version = source.version.load(SeqCst);
            pause(turns).await;
            Ok::<_, String>(version)
        };
        let version = cache.fetch("Q", "1", &policy, load).await.unwrap();
        assert!(version >= oldest, "read version {version} after version {oldest} was known");
        truth.reads.fetch_add(1, SeqCst);
        pause(numbers.below(3)).await;
    }
}

async fn write(cache: Cache, truth: Truth, mut numbers: Numbers, writes: u64) {
    for _ in 0..writes {
        let version = truth.version.fetch_add(1, SeqCst) + 1;
        match numbers.below(4) {
            0 => cache.invalidate("Q", "1").await,
            1 => cache.invalidate_tag("t").await,
            2 => cache.invalidate_type("Q").await,
            _ => cache.invalidate_all().await,
        }
        truth.known.fetch_max(version, SeqCst);
        pause(numbers.below(40)).await;
    }
}

async fn nothing_is_read_that_was_out_of_date(caches: Caches, seed: u64) {
    let truth = Truth::default();
    let mut tasks = JoinSet::new();
    for reader in 0..6 {
        tasks.spawn(read(caches.first.clone(), truth.clone(), Numbers(seed + reader), 600));
    }
    // one at a time in the other process, whose loads hear nothing of what is forgotten here
    tasks.spawn(read(caches.second.clone(), truth.clone(), Numbers(seed + 7), 600));
    tasks.spawn(write(caches.first.clone(), truth.clone(), Numbers(seed + 8), 300));
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let (reads, loads) = (truth.reads.load(SeqCst), truth.loads.load(SeqCst));
    println!("seed {seed}: reads {reads}, loads {loads}, out of date 0");
    assert_eq!(reads, 7 * 600);
    assert!(loads < reads, "nothing was kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_out_of_date_is_read_from_memory() {
    for seed in 0..5 {
        nothing_is_read_that_was_out_of_date(Caches::memory(), seed * 100).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_out_of_date_is_read_from_redis() {
    for seed in 0..3 {
        nothing_is_read_that_was_out_of_date(Caches::redis(), seed * 100).await;
    }
}
