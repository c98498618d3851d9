//! Sends ended spans to the collector: a bounded queue, one task, batches.

use std::{fmt, mem, time::Duration};

use futures_util::future::BoxFuture;
use opentelemetry::Context;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{RetryPolicy, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanExporter as _, SpanProcessor},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout},
};
use tracing::{info, warn};

use crate::{
    config::Endpoint,
    http,
    metrics::{Counter, Metrics},
};

/// So many spans wait at most; 2 to 4 MB of them.
const QUEUE: usize = 4_096;
/// So many are sent at once.
const BATCH: usize = 512;
/// The first span of a batch waits no longer for the others.
const DELAY: Duration = Duration::from_secs(1);
/// How long the collector may take for a batch.
const LIMIT: Duration = Duration::from_secs(2);
/// Where collectors listen, unless the address says otherwise.
const PATH: &str = "v1/traces";

/// Where ended spans go in.
pub(super) struct Queue {
    spans: mpsc::Sender<SpanData>,
    dropped: Counter,
}

/// Asks for everything to be sent.
pub(super) struct Outbox(mpsc::Sender<oneshot::Sender<()>>);

struct Sending {
    spans: mpsc::Receiver<SpanData>,
    flushes: mpsc::Receiver<oneshot::Sender<()>>,
    exporter: opentelemetry_otlp::SpanExporter,
    batch: Vec<SpanData>,
    exported: Counter,
    dropped: Counter,
    /// Whether the collector took the last batch.
    taken: bool,
}

/// Starts the task that sends. None where the address cannot be used, which is logged.
pub(super) fn start(endpoint: &Endpoint, resource: &Resource, metrics: &Metrics) -> Option<(Queue, Outbox)> {
    let path = if endpoint.path.is_empty() { PATH } else { &endpoint.path };
    let address = format!("http://{}/{path}", endpoint.authority());
    let client = Client { host: endpoint.host.clone(), port: endpoint.port };
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(address)
        .with_timeout(LIMIT)
        // spans are not worth waiting for
        .with_retry_policy(RetryPolicy::disabled())
        .build();
    let mut exporter = match exporter {
        Ok(exporter) => exporter,
        Err(error) => {
            warn!("no spans are recorded: {error}");
            return None;
        }
    };
    exporter.set_resource(resource);
    let (spans, received) = mpsc::channel(QUEUE);
    let (flush, flushes) = mpsc::channel(1);
    let exported = metrics.counter("telemetry_spans_exported_total", "Spans that the collector took.", &[]);
    let dropped = metrics.counter("telemetry_spans_dropped_total", "Spans that nobody will see.", &[]);
    let sending = Sending {
        spans: received,
        flushes,
        exporter,
        batch: Vec::with_capacity(BATCH),
        exported,
        dropped: dropped.clone(),
        taken: true,
    };
    tokio::spawn(sending.run());
    Some((Queue { spans, dropped }, Outbox(flush)))
}

impl Outbox {
    /// Sends what is in the queue now, for at most `limit`.
    pub(super) async fn flush(&self, limit: Duration) {
        let flushed = async {
            let (done, sent) = oneshot::channel();
            if self.0.send(done).await.is_ok() {
                let _ = sent.await;
            }
        };
        // what is not sent by then is lost
        let _ = timeout(limit, flushed).await;
    }
}

impl Sending {
    async fn run(mut self) {
        let mut due = Instant::now();
        loop {
            let waiting = self.batch.len();
            tokio::select! {
                received = self.spans.recv_many(&mut self.batch, BATCH - waiting) => {
                    if received == 0 {
                        return self.send().await;
                    }
                    if waiting == 0 {
                        due = Instant::now() + DELAY;
                    }
                    if self.batch.len() >= BATCH {
                        self.send().await;
                    }
                }
                () = sleep_until(due), if waiting > 0 => self.send().await,
                Some(done) = self.flushes.recv() => {
                    while let Ok(span) = self.spans.try_recv() {
                        self.batch.push(span);
                        if self.batch.len() >= BATCH {
                            self.send().await;
                        }
                    }
                    self.send().await;
                    // nobody waits any more, if that fails
                    let _ = done.send(());
                }
            }
        }
    }

    async fn send(&mut self) {
        let batch = mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        let spans = batch.len() as u64;
        if spans == 0 {
            return;
        }
        match self.exporter.export(batch).await {
            Ok(()) => {
                self.exported.add(spans);
                if !mem::replace(&mut self.taken, true) {
                    info!("the collector takes spans again");
                }
            }
            Err(error) => {
                self.dropped.add(spans);
                if mem::replace(&mut self.taken, false) {
                    warn!("spans are lost until the collector takes them: {error}");
                }
            }
        }
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("free", &self.spans.capacity()).finish_non_exhaustive()
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.spans.try_send(span).is_err() {
            self.dropped.add(1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// As much of an HTTP client as a collector needs: one request, one status.
#[derive(Debug)]
struct Client {
    host: String,
    port: u16,
}

impl Client {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let authority = head.uri.authority().map(ToString::to_string).unwrap_or_default();
        let mut text = format!("POST {} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n", head.uri.path());
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        for (name, value) in &head.headers {
            text.push_str(&format!("{name}: {}\r\n", value.to_str()?));
        }
        text.push_str("\r\n");
        let mut stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.write_all(text.as_bytes()).await?;
        stream.write_all(&body).await?;
        let mut answer = Vec::new();
        stream.take(http::LONGEST_ANSWER).read_to_end(&mut answer).await?;
        let status = http::status(&answer).ok_or("not an HTTP answer")?;
        Ok(Response::builder().status(status).body(Bytes::new())?)
    }
}

impl HttpClient for Client {
    fn send_bytes<'a, 'b>(&'a self, request: Request<Bytes>) -> BoxFuture<'b, Result<Response<Bytes>, HttpError>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move { timeout(LIMIT, self.send(request)).await? })
    }
}
