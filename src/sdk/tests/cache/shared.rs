//! What instances share beside the cache.

use std::time::{Duration, Instant};

use banyan_sdk::{
    cache::{Cache, Memory},
    metrics::Metrics,
    shared::{Away, Script, Shared},
};
use futures_util::future::join_all;

use crate::{
    server::Server,
    support::{Caches, LONG, service, until},
};

/// Two instances of one service.
fn instances() -> (Shared, Shared) {
    let caches = Caches::redis();
    (caches.first.shared(), caches.second.shared())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_instance_keeps_is_taken_once() {
    let (first, second) = instances();
    assert!(first.is_there());
    assert_eq!(second.take("ticket").await, Ok(None));
    first.set_for("ticket", "old", LONG).await.unwrap();
    first.set_for("ticket", [0, 255, 10], LONG).await.unwrap();
    let takers = join_all((0..20).map(|at| if at % 2 == 0 { first.take("ticket") } else { second.take("ticket") }));
    let taken: Vec<_> = takers.await.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(taken, [[0, 255, 10]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn services_share_nothing_with_each_other() {
    let (first, other) = (instances().0, instances().0);
    first.set_for("ticket", "mine", LONG).await.unwrap();
    assert_eq!(other.take("ticket").await, Ok(None));
    assert_eq!(first.take("ticket").await, Ok(Some(b"mine".to_vec())));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_ends() {
    let (first, second) = instances();
    first.set_for("ticket", "short", Duration::ZERO).await.unwrap();
    let gone = Script::new("return { redis.call('EXISTS', KEYS[1]) }");
    until("it ends", async || second.eval::<&str>(&gone, &["ticket"], &[]).await == Ok(vec![0])).await;
}

const ADD: &str = "
redis.call('INCRBY', KEYS[1], ARGV[1])
return { tonumber(redis.call('INCRBY', KEYS[2], ARGV[2])), tonumber(redis.call('GET', KEYS[1])) }";

#[tokio::test(flavor = "multi_thread")]
async fn a_script_is_sent_to_each_redis_that_does_not_know_it() {
    let server = Server::start();
    let (service, metrics) = (service(), Metrics::new("tested"));
    let shared = Cache::redis_within(&server.endpoint(), &service, &metrics, Duration::from_secs(5)).shared();
    let script = Script::new(ADD);
    let added = async || shared.eval(&script, &["a", "b"], &["2", "-3"]).await;
    assert_eq!(added().await, Ok(vec![-3, 2]));
    assert_eq!(added().await, Ok(vec![-6, 4]));
    let known = server.command("SCRIPT FLUSH").await;
    assert!(known.starts_with("+OK"), "{known}");
    let all = join_all((0..10).map(|_| added())).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(added().await, Ok(vec![-39, 26]));
    let text = metrics.text();
    assert!(text.lines().any(|line| line.starts_with("cache_errors_total{") && line.ends_with(" 0")), "{text}");
    let kept = server.command(&format!("GET shared:{service}:a")).await;
    assert!(kept.starts_with("$2\r\n26\r\n"), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_redis_that_is_away() {
    let server = Server::start();
    let metrics = Metrics::new("tested");
    let shared = Cache::redis(&server.endpoint(), &service(), &metrics).shared();
    let script = Script::new("return { 7 }");
    for (away, back) in [("kill", "start"), ("pause", "resume")] {
        until("it is there", async || shared.set_for("k", "v", LONG).await.is_ok()).await;
        server.tell(away);
        let begun = Instant::now();
        assert_eq!(shared.set_for("k", "v", LONG).await, Err(Away), "{away}");
        assert_eq!(shared.take("k").await, Err(Away), "{away}");
        assert_eq!(shared.eval::<&str>(&script, &[], &[]).await, Err(Away), "{away}");
        for _ in 0..500 {
            assert_eq!(shared.take("k").await, Err(Away), "{away}");
        }
        assert!(begun.elapsed() < Duration::from_secs(2), "{away}: {:?}", begun.elapsed());
        server.tell(back);
        until("it is back", async || shared.eval::<&str>(&script, &[], &[]).await == Ok(vec![7])).await;
    }
}

#[tokio::test]
async fn without_a_redis_nothing_is_shared() {
    let shared = Cache::memory(&Memory::new(), "s", &Metrics::new("s")).shared();
    assert!(!shared.is_there());
    assert_eq!(shared.set_for("k", "v", LONG).await, Err(Away));
    assert_eq!(shared.take("k").await, Err(Away));
    assert_eq!(shared.eval::<&str>(&Script::new("return {}"), &[], &[]).await, Err(Away));
}
