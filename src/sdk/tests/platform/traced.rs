//! What a running service tells of itself to the outside: one trace from the call to the stores, the numbers of the
//! platform, and no secret in any of it.

use std::fs;

use banyan_sdk::FaultCode;

use crate::{
    World,
    collector::{Collector, attributes},
    service::{CancelOrder, GetOrder, PlaceOrder},
    stage::{Instance, Stage},
    until,
};

/// Must not be seen anywhere.
const CANARY: &str = "canary7f3a91";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trace_leads_to_the_stores_and_no_secret_leaves() {
    let (stage, collector) = (Stage::set().await, Collector::start().await);
    let log = tempfile::NamedTempFile::new().unwrap();
    let endpoint = format!("http://{}/v1/traces", collector.address);
    let settings = [("JAEGER_ENDPOINT", endpoint.as_str()), ("LOG_LEVEL", "debug")];
    let mut instance = Instance::start_logged(&stage, &settings, log.reopen().unwrap());
    instance.ready().await;
    let world = World::traced(&stage);
    let id = world.call(PlaceOrder { article: "book".to_owned(), price: 5 }, None).await.unwrap();
    until("the read model", async || world.call(GetOrder { id: id.clone() }, None).await.ok()).await;
    let secret = CancelOrder { id: format!("password={CANARY}") };
    let fault = world.call(secret, None).await.unwrap_err();
    assert_eq!(fault.code, FaultCode::AggregateNotFound);
    let (_, metrics) = instance.get("/metrics").await.unwrap();
    assert!(instance.stop().await, "it sends its last spans");

    let spans = collector.spans();
    let named = |name: &str| spans.iter().filter(|it| it.name == name).collect::<Vec<_>>();
    let [handled] = named("command/PlaceOrder")[..] else { panic!("{:?}", names(&spans)) };
    let below: Vec<_> = spans.iter().filter(|it| it.parent_span_id == handled.span_id).collect();
    let [stored] = below.iter().filter(|it| it.name == "sql append events").collect::<Vec<_>>()[..] else {
        panic!("{:?}", names(&spans))
    };
    assert_eq!(stored.trace_id, handled.trace_id);
    let found = attributes(&stored.attributes);
    assert_eq!((found["db.type"].as_str(), found["db.statement"].as_str()), ("sql", "append events"));
    assert_eq!(found["db.instance"], stage.database());
    assert!(
        spans.iter().any(|it| it.name.starts_with("redis ") && it.trace_id == handled.trace_id),
        "{:?}",
        names(&spans)
    );
    let published = named("event/OrderPlaced");
    assert!(published.iter().any(|it| it.trace_id == handled.trace_id), "{:?}", names(&spans));
    let failed = named("command/CancelOrder");
    assert_eq!(attributes(&failed[0].attributes)["error.kind"], "AGGREGATE_NOT_FOUND");

    for name in [
        "db_queries_total",
        "db_connections_total",
        "outbox_lag_events",
        "projection_lag_events",
        "queue_messages",
        "queue_oldest_age_seconds",
        "cache_memory_bytes",
        "cache_misses_total",
        "requests_total",
        "handler_duration_seconds_count",
    ] {
        assert!(metrics.lines().any(|line| line.starts_with(&format!("{name}{{"))), "{name} in {metrics}");
    }

    let logged = fs::read_to_string(log.path()).unwrap();
    assert!(logged.contains("failed: AGGREGATE_NOT_FOUND"), "the failure is in the log: {logged}");
    let told: Vec<_> = spans.iter().map(|it| format!("{it:?}")).collect();
    for (what, text) in [("log", &logged), ("metrics", &metrics), ("spans", &told.concat())] {
        assert!(!text.contains(CANARY), "the secret is in the {what}");
        assert!(!text.contains("redis123") && !text.contains("guest:guest"), "a password is in the {what}");
    }
    println!("{} spans, {} lines, {} metrics: no secret", spans.len(), logged.lines().count(), metrics.lines().count());
}

fn names(spans: &[opentelemetry_proto::tonic::trace::v1::Span]) -> Vec<&str> {
    spans.iter().map(|it| it.name.as_str()).collect()
}
