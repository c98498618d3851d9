//! A collector: takes spans over OTLP/HTTP and shows what it got.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use banyan_sdk::{
    config::{Endpoint, Telemetry},
    metrics::Metrics,
    telemetry::Tracer,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;
use tokio::net::TcpListener;

#[derive(Clone, Default)]
struct Seen {
    requests: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    arrived: Arc<AtomicU64>,
    status: Arc<AtomicU16>,
}

/// The status of a collector that does not answer.
pub const SILENCE: u16 = 0;

pub struct Collector {
    pub address: SocketAddr,
    seen: Seen,
}

impl Collector {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Seen::default();
        seen.status.store(200, SeqCst);
        let routes = Router::new().route("/v1/traces", post(take)).with_state(seen.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { address, seen }
    }

    pub fn answers(&self, status: u16) {
        self.seen.status.store(status, SeqCst);
    }

    /// How many requests came in, taken or not.
    pub fn arrived(&self) -> u64 {
        self.seen.arrived.load(SeqCst)
    }

    /// All spans that it took.
    pub fn spans(&self) -> Vec<Span> {
        let requests = self.seen.requests.lock().unwrap();
        let resources = requests.iter().flat_map(|request| &request.resource_spans);
        resources.flat_map(|it| &it.scope_spans).flat_map(|it| it.spans.clone()).collect()
    }

    /// What the spans belong to.
    pub fn resource(&self) -> BTreeMap<String, String> {
        let requests = self.seen.requests.lock().unwrap();
        attributes(&requests[0].resource_spans[0].resource.as_ref().unwrap().attributes)
    }
}

async fn take(State(seen): State<Seen>, headers: HeaderMap, body: Bytes) -> StatusCode {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    seen.arrived.fetch_add(1, SeqCst);
    let status = seen.status.load(SeqCst);
    if status == SILENCE {
        std::future::pending::<()>().await;
    }
    if status == 200 {
        seen.requests.lock().unwrap().push(ExportTraceServiceRequest::decode(body).unwrap());
    }
    StatusCode::from_u16(status).unwrap()
}

pub fn attributes(of: &[KeyValue]) -> BTreeMap<String, String> {
    of.iter().map(|it| (it.key.clone(), shown(it.value.as_ref().unwrap().value.as_ref().unwrap()))).collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::StringValue(text) => text.clone(),
        Value::BoolValue(switch) => switch.to_string(),
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        Value::ArrayValue(values) => {
            let values: Vec<_> = values.values.iter().map(|it| shown(it.value.as_ref().unwrap())).collect();
            values.join(",")
        }
        other => format!("{other:?}"),
    }
}

/// A service whose spans go to `address`.
pub struct Service {
    pub tracer: Tracer,
    pub metrics: Metrics,
}

impl Service {
    pub fn of(address: SocketAddr, sample_ratio: f64) -> Self {
        let metrics = Metrics::new("user-service");
        let endpoint = Endpoint::parse(&format!("http://{address}/v1/traces"), &["http"], 4318);
        let settings = Telemetry { endpoint, sample_ratio };
        Self { tracer: Tracer::new(&settings, "user-service", "1.2.3", &metrics), metrics }
    }

    pub fn metric(&self, name: &str) -> u64 {
        let text = self.metrics.text();
        let line = text.lines().find(|line| line.starts_with(&format!("{name}{{"))).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// How long it takes to send what is left.
    pub async fn shutdown(&self) -> Duration {
        let begun = Instant::now();
        self.tracer.shutdown(Duration::from_secs(1)).await;
        begun.elapsed()
    }
}
