//! Records spans with OpenTelemetry.

use std::{borrow::Cow, sync::Arc, time::Duration};

use opentelemetry::{
    Array, Context, InstrumentationScope, KeyValue, StringValue, Value,
    trace::{
        self, Span as _, SpanBuilder, SpanContext, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
    },
};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracer, SdkTracerProvider, Span},
};

use super::{
    Attribute, SpanKind,
    exporter::{self, Outbox},
};
use crate::{config::Endpoint, metrics::Metrics, protocol::TraceContext};

#[derive(Clone)]
pub(super) struct Recorder(Arc<Inner>);

struct Inner {
    tracer: SdkTracer,
    outbox: Outbox,
    // the tracer ends with it
    _provider: SdkTracerProvider,
}

pub(super) struct Recording(Span);

impl Recorder {
    pub(super) fn new(
        endpoint: &Endpoint,
        sample_ratio: f64,
        service: &str,
        version: &str,
        metrics: &Metrics,
    ) -> Option<Self> {
        let resource = Resource::builder_empty()
            .with_service_name(service.to_owned())
            .with_attribute(KeyValue::new("service.version", version.to_owned()))
            .with_attribute(KeyValue::new("component", "banyan-sdk"))
            .build();
        let (queue, outbox) = exporter::start(endpoint, &resource, metrics)?;
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(sample_ratio))))
            .with_resource(resource)
            .with_span_processor(queue)
            .build();
        let scope = InstrumentationScope::builder("banyan-sdk").with_version(env!("CARGO_PKG_VERSION")).build();
        let tracer = provider.tracer_with_scope(scope);
        Some(Self(Arc::new(Inner { tracer, outbox, _provider: provider })))
    }

    /// Begins a span; none when it is not among those that are recorded.
    pub(super) fn begin(
        &self,
        kind: SpanKind,
        parent: Option<&TraceContext>,
        name: impl FnOnce() -> Cow<'static, str>,
    ) -> Option<(Recording, TraceContext)> {
        let around = match parent {
            None => Context::new(),
            Some(parent) => Context::new().with_remote_span_context(SpanContext::new(
                parent.trace_id().into(),
                parent.span_id().into(),
                trace::TraceFlags::new(parent.flags()),
                true,
                parent.state().and_then(|state| state.parse().ok()).unwrap_or_default(),
            )),
        };
        let span = self.0.tracer.build_with_context(SpanBuilder::from_name(name()).with_kind(kind.into()), &around);
        let context = span.span_context();
        let id = u64::from_be_bytes(context.span_id().to_bytes());
        let context = match parent {
            Some(parent) => parent.at(id),
            None => {
                let trace_id = u128::from_be_bytes(context.trace_id().to_bytes());
                TraceContext::new(trace_id, id, context.trace_flags().to_u8())
            }
        };
        span.is_recording().then_some(Recording(span)).zip(context)
    }

    pub(super) async fn flush(&self, limit: Duration) {
        self.0.outbox.flush(limit).await;
    }
}

impl Recording {
    pub(super) fn attribute(&mut self, key: &'static str, value: Attribute) {
        let value = match value {
            Attribute::Text(text) => Value::String(text.into()),
            Attribute::Number(number) => Value::I64(number),
            Attribute::Float(number) => Value::F64(number),
            Attribute::Switch(switch) => Value::Bool(switch),
            Attribute::Texts(texts) => Value::Array(Array::String(texts.into_iter().map(StringValue::from).collect())),
        };
        self.0.set_attribute(KeyValue::new(key, value));
    }

    pub(super) fn fail(&mut self, kind: String, message: String) {
        self.0.set_attribute(KeyValue::new("error", true));
        self.0.set_attribute(KeyValue::new("error.kind", kind));
        self.0.set_attribute(KeyValue::new("error.message", message.clone()));
        self.0.set_status(Status::error(message));
    }
}

impl From<SpanKind> for trace::SpanKind {
    fn from(kind: SpanKind) -> Self {
        match kind {
            SpanKind::Server => Self::Server,
            SpanKind::Client => Self::Client,
            SpanKind::Producer => Self::Producer,
            SpanKind::Consumer => Self::Consumer,
            SpanKind::Internal => Self::Internal,
        }
    }
}
