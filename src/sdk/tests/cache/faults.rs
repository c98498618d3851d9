//! Redis dead, silent, flushed, or robbed: callers get what they asked for, no later than they must.

use std::time::{Duration, Instant};

use banyan_sdk::{
    cache::{Cache, Policy},
    metrics::Metrics,
};

use crate::{
    server::Server,
    support::{Caches, History, LONG, Source, service, until},
};

/// As a service has them, with the usual deadline.
fn caches(server: &Server) -> Caches {
    let (service, metrics) = (service(), Metrics::new("tested"));
    let cache = || Cache::redis(&server.endpoint(), &service, &metrics);
    Caches { first: cache(), second: cache(), metrics }
}

/// How long each of `calls` takes, for as many keys, sorted.
async fn times(cache: &Cache, source: &Source, calls: usize, name: &str) -> Vec<Duration> {
    let mut times = Vec::new();
    for call in 0..calls {
        let begun = Instant::now();
        source.fetch(cache, &format!("{name} {call}")).await;
        times.push(begun.elapsed());
    }
    times.sort();
    times
}

/// Waits until values are kept, and found again.
async fn until_it_is_kept(cache: &Cache) -> Duration {
    let source = Source::open();
    until("values are kept again", async || {
        let before = source.loads();
        source.fetch(cache, "probe").await;
        source.fetch(cache, "probe").await;
        source.loads() <= before + 1
    })
    .await
}

/// What holds while Redis is gone, however it is gone.
async fn works_without_redis(caches: &Caches, how: &str) {
    let source = Source::open();
    let first = times(&caches.first, &source, 5, how).await;
    let later = times(&caches.first, &source, 500, &format!("{how} later")).await;
    println!("{how}: slowest of the first {:?}, then median {:?}", first[4], later[250]);
    assert_eq!(source.loads(), 505, "{how}");
    assert!(first[4] < Duration::from_millis(600), "{how}: {first:?}");
    assert!(later[250] < Duration::from_millis(5), "{how}: {:?}", later[250]);

    let (source, key, mut history) = (Source::shut(), format!("{how} crowd"), History::default());
    history.crowd(&source, 500, |_| source.fetch(&caches.first, &key)).await;
    println!("{how}: {history}");
    assert!(history.is_clean(), "{how}: {history}");
}

/// The planted bug: without Redis, everybody loads for himself.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_that_does_not_share_its_load_is_seen() {
    let (source, mut history) = (Source::shut(), History::default());
    history.crowd(&source, 500, |_| async { source.load().await.unwrap() }).await;
    println!("each for himself: {history}");
    assert!(!history.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_was_never_there_is_used_once_it_is() {
    let server = Server::absent();
    let caches = caches(&server);
    works_without_redis(&caches, "absent").await;
    assert!(caches.metric("cache_errors_total") >= 3);
    server.tell("start");
    until_it_is_kept(&caches.first).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_dies_is_missed_by_nobody() {
    let server = Server::start();
    let caches = caches(&server);
    until_it_is_kept(&caches.first).await;
    for round in 0..3 {
        server.tell("kill");
        works_without_redis(&caches, &format!("killed {round}")).await;
        server.tell("start");
        let back = until_it_is_kept(&caches.first).await;
        println!("kept again {back:?} after the start");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_does_not_answer_holds_nobody_up() {
    let server = Server::start();
    let caches = caches(&server);
    until_it_is_kept(&caches.first).await;
    server.tell("pause");
    works_without_redis(&caches, "paused").await;
    server.tell("resume");
    until_it_is_kept(&caches.first).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_flush_everything_is_loaded_once() {
    let server = Server::start();
    let caches = caches(&server);
    until_it_is_kept(&caches.first).await;
    until_it_is_kept(&caches.second).await;
    let (source, mut history) = (Source::open(), History::default());
    source.fetch(&caches.first, "1").await;
    for _ in 0..3 {
        server.tell("flush");
        history.crowd(&source, 500, |caller| source.fetch(caches.both()[caller % 2], "1")).await;
    }
    println!("flushed: {history}");
    assert!(history.is_clean(), "{history}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_forgotten_while_redis_was_silent_does_not_come_back() {
    let server = Server::start();
    let caches = caches(&server);
    until_it_is_kept(&caches.first).await;
    until_it_is_kept(&caches.second).await;
    let source = Source::open();
    for (at, way) in (1..).zip(["key", "tag", "type", "all"]) {
        // earlier rounds were forgotten
        until("it is kept", async || source.fetch(&caches.first, "1").await == source.fetch(&caches.second, "1").await)
            .await;
        let old = source.fetch(&caches.second, "1").await;
        server.tell("pause");
        // what is sent now would be done later; so that nothing is, Redis must be known to be silent
        times(&caches.first, &Source::open(), 4, &format!("before {way}")).await;
        let begun = Instant::now();
        match way {
            "key" => caches.first.invalidate("Q", "1").await,
            "tag" => caches.first.invalidate_tag("t").await,
            "type" => caches.first.invalidate_type("Q").await,
            _ => caches.first.invalidate_all().await,
        }
        assert!(begun.elapsed() < Duration::from_secs(1), "{way}: {:?}", begun.elapsed());
        server.tell("resume");
        let new = source.fetch(&caches.first, "1").await;
        assert!(new > old, "round {at}, {way}: {new} is not newer than {old}");
        until("the other process hears of it", async || source.fetch(&caches.second, "1").await > old).await;
        until_it_is_kept(&caches.first).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stamps_that_are_lost_bring_nothing_back() {
    let server = Server::start();
    let service = service();
    let metrics = Metrics::new("tested");
    let cache = Cache::redis_within(&server.endpoint(), &service, &metrics, Duration::from_secs(5));
    let source = Source::open();
    assert_eq!(source.fetch(&cache, "1").await, 1);
    for (at, tag) in (2..).zip(["all", "type/Q", "tag/t"]) {
        let answer = server.command(&format!("DEL cache-tag:{service}:{tag}")).await;
        assert!(answer.starts_with(":1"), "{answer}");
        assert_eq!(source.fetch(&cache, "1").await, at, "{tag}");
    }
    // forgotten, and then the stamp lost: as in a Redis that makes room
    cache.invalidate_tag("t").await;
    server.command(&format!("DEL cache-tag:{service}:tag/t")).await;
    assert_eq!(source.fetch(&cache, "1").await, 5);
    assert_eq!(source.fetch(&cache, "1").await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_kept_for_ever() {
    let server = Server::start();
    let metrics = Metrics::new("tested");
    let cache = Cache::redis_within(&server.endpoint(), "s", &metrics, Duration::from_secs(5));
    let policy = Policy::fresh_for(LONG).stale_for(2 * 3_600 * Duration::from_secs(1)).tagged("t");
    cache.fetch("Q", "1", &policy, async { Ok::<_, String>(1) }).await.unwrap();
    let life = async |name: &str| -> i64 {
        let answer = server.command(&format!("TTL {name}")).await;
        answer.lines().next().unwrap().trim_start_matches(':').parse().unwrap()
    };
    assert!(server.command("EXISTS cache-lock:s:Q:1").await.starts_with(":0"));
    let value = life("cache:s:Q:1").await;
    assert!((7_700..=7_800).contains(&value), "{value}");
    for stamp in ["all", "type/Q", "tag/t"] {
        assert!(life(&format!("cache-tag:s:{stamp}")).await >= value, "{stamp}");
    }
    cache.invalidate_tag("u").await;
    assert!((3_500..=3_600).contains(&life("cache-tag:s:tag/u").await));
}
