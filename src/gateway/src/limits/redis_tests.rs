//! Instances over a real Redis, which dies and comes back.

use std::time::{Duration, Instant};

use banyan_sdk::{cache::Cache, metrics::Metrics};

use super::{Limits, Rule};
use crate::server_of_tests::Server;

/// Two instances of one gateway.
fn instances(server: &Server) -> [Limits; 2] {
    let metrics = Metrics::new("tested");
    let limits = || Limits::new(Cache::redis(&server.endpoint(), "gateway", &metrics).shared());
    [limits(), limits()]
}

/// Asks one after the other; how many requests were let through, and the longest that one took.
async fn burst(instances: &[Limits; 2], key: &str, rule: Rule, requests: usize) -> (usize, Duration) {
    let (mut admitted, mut longest) = (0, Duration::ZERO);
    for at in 0..requests {
        let begun = Instant::now();
        admitted += usize::from(instances[at % 2].take(key, rule, 1).await.retry_after.is_none());
        longest = longest.max(begun.elapsed());
    }
    (admitted, longest)
}

/// Waits until a new caller's cells are counted for both instances.
async fn until_shared(instances: &[Limits; 2]) {
    let begun = Instant::now();
    let hour = Rule { requests: 10, window: Duration::from_secs(3_600) };
    for round in 0.. {
        if burst(instances, &format!("probe {round} {begun:?}"), hour, 30).await.0 == 10 {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "not shared within 10 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_share_a_limit_whatever_becomes_of_redis() {
    let server = Server::start();
    let instances = instances(&server);
    until_shared(&instances).await;
    let rule = Rule { requests: 100, window: Duration::from_secs(3_600) };
    let (admitted, longest) = burst(&instances, "user:1", rule, 300).await;
    assert_eq!(admitted, 100);
    println!("shared: longest request {longest:?}");

    for (away, back) in [("kill", "start"), ("pause", "resume")] {
        server.tell(away);
        // each on its own account, which knows what it let through
        let (admitted, longest) = burst(&instances, "user:1", rule, 400).await;
        let own = if away == "kill" { 98..=102 } else { 0..=2 };
        assert!(own.contains(&admitted), "{away}: {admitted}");
        let (fresh, _) = burst(&instances, &format!("user:{away}"), rule, 400).await;
        println!("{away}: longest request {longest:?}");
        assert_eq!(fresh, 200, "{away}: two instances, each with a limit of its own");
        assert!(longest < Duration::from_secs(1), "{away}: {longest:?}");
        server.tell(back);
        until_shared(&instances).await;
        for key in ["user:1", &format!("user:{away}")] {
            let (admitted, _) = burst(&instances, key, rule, 300).await;
            assert!(admitted <= 1, "{away}: a burst of {admitted} for {key}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_usual_request_does_not_wait_for_redis() {
    let server = Server::start();
    let instances = instances(&server);
    until_shared(&instances).await;
    let rule = Rule { requests: 10_000, window: Duration::from_secs(60) };
    burst(&instances, "user:1", rule, 10).await;
    server.tell("pause");
    // what is on lease is there, whatever Redis does
    let mut slow = 0;
    for _ in 0..400 {
        let begun = Instant::now();
        assert_eq!(instances[0].take("user:1", rule, 1).await.retry_after, None);
        slow += usize::from(begun.elapsed() > Duration::from_millis(20));
    }
    server.tell("resume");
    assert!(slow <= 2, "{slow} of 400 waited");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_get_no_more_than_the_limit() {
    let server = Server::start();
    let instances = instances(&server);
    until_shared(&instances).await;
    let rule = Rule { requests: 500, window: Duration::from_secs(3_600) };
    let requests = (0..4_000).map(|at| {
        let limits = instances[at % 2].clone();
        tokio::spawn(async move { limits.take("user:1", rule, 1).await })
    });
    let mut admitted = 0;
    for request in requests.collect::<Vec<_>>() {
        admitted += u32::from(request.await.unwrap().retry_after.is_none());
    }
    assert!((480..=500).contains(&admitted), "{admitted}");
}
