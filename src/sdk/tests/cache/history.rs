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

use crate::{
    dice::{Dice, rounds},
    support::Caches,
};

/// The truth, and the oldest version of it that may still be read.
#[derive(Clone, Default)]
struct Truth {
    version: Arc<AtomicU64>,
    known: Arc<AtomicU64>,
    reads: Arc<AtomicU64>,
    loads: Arc<AtomicU64>,
}

async fn pause(turns: u64) {
    for _ in 0..turns {
        yield_now().await;
    }
}

async fn read(cache: Cache, truth: Truth, mut dice: Dice, reads: u64) {
    let policy = Policy::fresh_for(Duration::from_secs(600)).tagged("t");
    for _ in 0..reads {
        let oldest = truth.known.load(SeqCst);
        let (source, turns) = (truth.clone(), dice.below(4));
        let load = async move {
            source.loads.fetch_add(1, SeqCst);
            let version = source.version.load(SeqCst);
            pause(turns).await;
            Ok::<_, String>(version)
        };
        let version = cache.fetch("Q", "1", &policy, load).await.unwrap();
        assert!(version >= oldest, "read version {version} after version {oldest} was known");
        truth.reads.fetch_add(1, SeqCst);
        pause(dice.below(3)).await;
    }
}

async fn write(cache: Cache, truth: Truth, mut dice: Dice, writes: u64) {
    for _ in 0..writes {
        let version = truth.version.fetch_add(1, SeqCst) + 1;
        match dice.below(4) {
            0 => cache.invalidate("Q", "1").await,
            1 => cache.invalidate_tag("t").await,
            2 => cache.invalidate_type("Q").await,
            _ => cache.invalidate_all().await,
        }
        truth.known.fetch_max(version, SeqCst);
        pause(dice.below(40)).await;
    }
}

async fn nothing_is_read_that_was_out_of_date(caches: Caches, mut dice: Dice) {
    let truth = Truth::default();
    let mut tasks = JoinSet::new();
    for _ in 0..6 {
        tasks.spawn(read(caches.first.clone(), truth.clone(), dice.for_another(), 600));
    }
    // one at a time in the other process, whose loads hear nothing of what is forgotten here
    tasks.spawn(read(caches.second.clone(), truth.clone(), dice.for_another(), 600));
    tasks.spawn(write(caches.first.clone(), truth.clone(), dice.for_another(), 300));
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let (reads, loads) = (truth.reads.load(SeqCst), truth.loads.load(SeqCst));
    println!("reads {reads}, loads {loads}, out of date 0");
    assert_eq!(reads, 7 * 600);
    assert!(loads < reads, "nothing was kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_out_of_date_is_read_from_memory() {
    for dice in rounds(5) {
        nothing_is_read_that_was_out_of_date(Caches::memory(), dice).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_out_of_date_is_read_from_redis() {
    for dice in rounds(3) {
        nothing_is_read_that_was_out_of_date(Caches::redis(), dice).await;
    }
}
