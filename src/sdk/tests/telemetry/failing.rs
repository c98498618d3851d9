//! Collectors that are gone, silent or unwilling: they cost a counter, and nothing else.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use banyan_sdk::{
    config::Telemetry,
    metrics::Metrics,
    telemetry::{SpanKind, Tracer},
};
use tokio::time::{sleep, timeout};

use crate::collector::{Collector, SILENCE, Service};

const SPANS: u64 = 20_000;

/// Makes spans, and tells how long one takes.
async fn make(tracer: &Tracer, spans: u64) -> Duration {
    let begun = Instant::now();
    for at in 0..spans {
        let mut span = tracer.span(SpanKind::Server, "work", None);
        span.attribute("number", at as i64);
        drop(span);
        if at % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    begun.elapsed() / u32::try_from(spans).unwrap()
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let waiting = async {
        while !done() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(10), waiting).await.unwrap_or_else(|_| panic!("{what}: not within 10 s"));
}

fn nowhere() -> SocketAddr {
    // bound and let go: nobody listens there
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_costs_a_counter() {
    let service = Service::of(nowhere(), 1.0);
    let each = make(&service.tracer, SPANS).await;
    let end = service.shutdown().await;
    println!("nobody listens: {each:?} for each of {SPANS} spans, {end:?} to shut down");
    assert!(end < Duration::from_millis(1_200), "{end:?}");
    assert!(each < Duration::from_micros(200), "{each:?}");
    assert_eq!(service.metric("telemetry_spans_dropped_total"), SPANS);
    assert_eq!(service.metric("telemetry_spans_exported_total"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_does_not_answer_holds_nobody_up() {
    let collector = Collector::start().await;
    collector.answers(SILENCE);
    let service = Service::of(collector.address, 1.0);
    let each = make(&service.tracer, SPANS).await;
    until("it is asked", || collector.arrived() > 0).await;
    let end = service.shutdown().await;
    println!("no answer: {each:?} for each of {SPANS} spans, {end:?} to shut down");
    assert!(each < Duration::from_micros(200), "{each:?}");
    assert!(end < Duration::from_millis(1_200), "{end:?}");
    // what does not fit into the queue is gone at once
    assert!(service.metric("telemetry_spans_dropped_total") >= SPANS - 4_096 - 2 * 512);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_refuses_is_tried_again() {
    let collector = Collector::start().await;
    let service = Service::of(collector.address, 1.0);
    for status in [500, 400, 429, 503] {
        collector.answers(status);
        let (dropped, arrived) = (service.metric("telemetry_spans_dropped_total"), collector.arrived());
        make(&service.tracer, 10).await;
        service.shutdown().await;
        assert_eq!(service.metric("telemetry_spans_dropped_total"), dropped + 10, "{status}");
        assert_eq!(collector.arrived(), arrived + 1, "{status}: one batch, one request");
    }
    collector.answers(200);
    make(&service.tracer, 10).await;
    service.shutdown().await;
    assert_eq!(service.metric("telemetry_spans_exported_total"), 10);
    assert_eq!(collector.spans().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_are_sent_in_batches_without_being_asked_for() {
    let collector = Collector::start().await;
    let service = Service::of(collector.address, 1.0);
    make(&service.tracer, 1_300).await;
    until("all of them arrive", || collector.spans().len() == 1_300).await;
    assert!(collector.arrived() <= 6, "{} requests", collector.arrived());
    assert_eq!(service.metric("telemetry_spans_dropped_total"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn off_costs_next_to_nothing() {
    let settings = Telemetry { endpoint: None, sample_ratio: 1.0 };
    let metrics = Metrics::new("user-service");
    let tracer = Tracer::new(&settings, "user-service", "1.2.3", &metrics);
    let each = make(&tracer, SPANS).await;
    println!("off: {each:?} for each of {SPANS} spans");
    assert!(each < Duration::from_micros(20), "{each:?}");
    assert!(!metrics.text().contains("telemetry_spans"));
    assert!(!tracer.span(SpanKind::Server, "x", None).is_recorded());
    let begun = Instant::now();
    tracer.shutdown(Duration::from_secs(1)).await;
    assert!(begun.elapsed() < Duration::from_millis(500));
}
