//! A service over real sockets: what its neighbours' deaths and its own end look like from outside.

#![allow(clippy::unwrap_used)]

mod fakes;

use std::{net::SocketAddr, time::Duration};

use axum::{Router, routing::get};
use banyan_sdk::{
    Error,
    config::{Config, Endpoint, Reader},
    dependency::{Dependency, Kind},
    metrics::Metrics,
    server,
};
use fakes::{Fake, Speaks, ask, until_health, within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::{JoinHandle, spawn_blocking},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// What the platform promises for a death and for a return.
const PROMISED: Duration = Duration::from_secs(2);

struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

impl Running {
    async fn start(dependencies: Vec<Dependency>, routes: Router, shutdown_timeout: &str) -> Self {
        let env = |name: &str| (name == "SHUTDOWN_TIMEOUT").then(|| shutdown_timeout.to_owned());
        let mut reader = Reader::new(&env);
        let config = Config::read(&mut reader, "tested", 1);
        let config = reader.finish(config).ok().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let shutdown = stop.clone().cancelled_owned();
        let task = tokio::spawn(async move {
            let metrics = Metrics::new(&config.service);
            server::run(listener, &config, &metrics, dependencies, routes, shutdown).await
        });
        Self { address, stop, task }
    }

    /// How long it takes to stop.
    async fn stop(self) -> Duration {
        let asked = Instant::now();
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
        asked.elapsed()
    }
}

fn dependency(kind: Kind, fake: &Fake) -> Dependency {
    let (scheme, path) = match kind {
        Kind::Sql => ("postgresql", "/eventstore"),
        Kind::Amqp => ("amqp", ""),
        Kind::Redis => ("redis", ""),
        Kind::Http => ("http", "/"),
    };
    let url = format!("{scheme}://user:redis123@{}{path}", fake.address);
    Dependency::new("it", kind, Endpoint::parse(&url, &[scheme], 1).unwrap())
}

/// Absent, there, dead, back, frozen, thawed: each seen in time.
async fn is_watched(kind: Kind, speaks: Speaks) {
    let mut fake = Fake::absent(speaks).await;
    let service = Running::start(vec![dependency(kind, &fake)], Router::new(), "1000").await;
    until_health(service.address, 503, &["it"]).await;

    fake.come_back().await;
    let first = until_health(service.address, 200, &[]).await;
    fake.die();
    let death = until_health(service.address, 503, &["it"]).await;
    fake.come_back().await;
    let back = until_health(service.address, 200, &[]).await;
    fake.freeze();
    let freeze = until_health(service.address, 503, &["it"]).await;
    // The first attempt may be under way already, so several find it frozen before it thaws.
    fake.accepts(3).await;
    let (error, _) = error_and_latency(service.address).await;
    assert!(error.contains("no answer within"), "{error}");
    let threads = lapin_threads();
    // Two that are tried, and two that are just given up.
    assert!(threads <= 4, "{threads} connections are kept to a frozen broker");
    fake.thaw();
    let thaw = until_health(service.address, 200, &[]).await;
    for (what, time) in [("first", first), ("death", death), ("back", back), ("freeze", freeze), ("thaw", thaw)] {
        assert!(time < PROMISED, "{what} took {time:?}");
    }
    assert!(service.stop().await < Duration::from_millis(500));
}

/// lapin keeps one thread for each connection that it has not given up. Only one test here speaks AMQP.
fn lapin_threads() -> usize {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else {
        return 0;
    };
    threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok())
        .filter(|name| name.starts_with("lapin-io-loop"))
        .count()
}

async fn error_and_latency(address: SocketAddr) -> (String, bool) {
    let health = ask(address, "GET /health").await.unwrap().json();
    let state = &health["dependencies"]["it"];
    (state["error"].as_str().unwrap_or_default().to_owned(), state["latencyMs"].is_null())
}

#[tokio::test]
async fn postgres_is_watched() {
    is_watched(Kind::Sql, Speaks::Postgres).await;
}

#[tokio::test]
async fn rabbitmq_is_watched() {
    is_watched(Kind::Amqp, Speaks::Rabbitmq).await;
}

#[tokio::test]
async fn redis_is_watched() {
    is_watched(Kind::Redis, Speaks::Redis).await;
}

#[tokio::test]
async fn another_service_is_watched() {
    is_watched(Kind::Http, Speaks::Http).await;
}

#[tokio::test]
async fn a_refusal_is_shown_without_the_password() {
    let fake = Fake::start(Speaks::IndiscreetRedis).await;
    let service = Running::start(vec![dependency(Kind::Redis, &fake)], Router::new(), "1000").await;
    let error = within("the refusal is shown", async || {
        let (error, no_latency) = error_and_latency(service.address).await;
        (no_latency && error.contains("***")).then_some(error)
    })
    .await;
    assert!(!error.contains("redis123"), "{error}");
}

#[tokio::test]
async fn answers_before_its_dependencies_do() {
    let fake = Fake::absent(Speaks::Redis).await;
    let service = Running::start(vec![dependency(Kind::Redis, &fake)], Router::new(), "1000").await;
    let health = ask(service.address, "GET /health").await.unwrap();
    assert_eq!(health.status, 503);
    assert!(health.head.contains("cache-control: no-store"), "{}", health.head);
    let live = ask(service.address, "GET /health/live").await.unwrap();
    assert_eq!((live.status, live.json()["service"].as_str()), (200, Some("tested")));
    let details = ask(service.address, "GET /health/dependencies").await.unwrap();
    assert_eq!(details.status, 503);
    assert_eq!(details.json()["dependencies"]["it"]["status"], "unhealthy");
}

#[tokio::test]
async fn tells_its_metrics() {
    let service = Running::start(vec![], Router::new(), "1000").await;
    let metrics = ask(service.address, "GET /metrics").await.unwrap();
    assert_eq!(metrics.status, 200);
    assert!(metrics.head.contains("content-type: text/plain; version=0.0.4"), "{}", metrics.head);
    assert!(metrics.body.contains("process_uptime_seconds{service=\"tested\"} "), "{}", metrics.body);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_refused_in_the_platforms_shape() {
    let service = Running::start(vec![], Router::new(), "1000").await;
    let request = "GET /no/such?token=x\nX-Correlation-ID: cor_1\r\n";
    let refusal = ask(service.address, request).await.unwrap();
    let body = refusal.json();
    assert_eq!(refusal.status, 404);
    assert_eq!(body["error"], "NotFound");
    assert_eq!(body["code"], "NOT_FOUND");
    assert_eq!(body["message"], "nothing is served at GET /no/such");
    assert_eq!(body["correlationId"], "cor_1");
    assert!(body["timestamp"].is_string());

    let refusal = ask(service.address, "POST /health").await.unwrap();
    assert_eq!((refusal.status, refusal.json()["code"].as_str()), (405, Some("METHOD_NOT_ALLOWED")));
    assert!(refusal.head.contains("allow: GET"), "{}", refusal.head);
}

#[tokio::test]
async fn requests_in_flight_are_answered_before_it_stops() {
    let (arrived, mut arrivals) = mpsc::channel(1);
    let release = CancellationToken::new();
    let held = release.clone();
    let routes = Router::new().route(
        "/slow",
        get(async move || {
            arrived.send(()).await.unwrap();
            held.cancelled().await;
            "done"
        }),
    );
    let service = Running::start(vec![], routes, "60000").await;
    let slow = tokio::spawn(ask(service.address, "GET /slow"));
    arrivals.recv().await.unwrap();
    service.stop.cancel();
    within("new connections are refused", async || TcpStream::connect(service.address).await.err()).await;
    assert!(!service.task.is_finished());
    release.cancel();
    assert_eq!(slow.await.unwrap().unwrap().body, "done");
    service.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_hold_it_forever() {
    let (arrived, mut arrivals) = mpsc::channel(1);
    let routes = Router::new().route(
        "/stuck",
        get(async move || {
            arrived.send(()).await.unwrap();
            std::future::pending::<()>().await;
        }),
    );
    let service = Running::start(vec![], routes, "50").await;
    let _stuck = tokio::spawn(ask(service.address, "GET /stuck"));
    arrivals.recv().await.unwrap();
    assert!(service.stop().await < Duration::from_secs(1));
}

#[tokio::test]
async fn idle_connections_do_not_delay_the_end() {
    let service = Running::start(vec![], Router::new(), "60000").await;
    let mut kept = TcpStream::connect(service.address).await.unwrap();
    kept.write_all(b"GET /live HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
    assert_ne!(kept.read(&mut [0; 1024]).await.unwrap(), 0);
    let _silent = TcpStream::connect(service.address).await.unwrap();
    assert_eq!(ask(service.address, "GET /live").await.unwrap().status, 200);
    assert!(service.stop().await < Duration::from_millis(500));
}

#[tokio::test]
async fn the_containers_check_says_what_health_says() {
    let fake = Fake::absent(Speaks::Redis).await;
    let sick = Running::start(vec![dependency(Kind::Redis, &fake)], Router::new(), "1000").await;
    let well = Running::start(vec![], Router::new(), "1000").await;
    let check = async |port| spawn_blocking(move || server::check(port)).await.unwrap();

    until_health(sick.address, 503, &["it"]).await;
    let error = check(sick.address.port()).await.unwrap_err();
    assert!(error.starts_with("503; it: "), "{error}");
    assert_eq!(check(well.address.port()).await, Ok(()));
    let error = check(fake.address.port()).await.unwrap_err();
    assert!(error.ends_with("connection refused"), "{error}");
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let error = check(silent.local_addr().unwrap().port()).await.unwrap_err();
    assert!(error.ends_with("no answer within 2 s"), "{error}");
}
