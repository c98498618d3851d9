//! Spans: what was done for which request, how long it took, and what it was part of, sent over OTLP/HTTP.
//!
//! A [`Tracer`] makes a [`Span`]; the span's [`context`](Span::context) goes into what is sent meanwhile; dropping the
//! span ends it. Ended spans wait in a bounded queue, from which one task sends them in batches. When the queue is full
//! or the collector does not take them, they are dropped and counted (`telemetry_spans_dropped_total`): nothing ever
//! waits for the collector but [`Tracer::shutdown`], and that not long.
//!
//! Whether a trace is recorded is decided where it begins and travels in its flags. A tracer that is off costs a branch;
//! the trace of the caller then goes through it unchanged. Without the feature `telemetry`, every tracer is off.

#[cfg(feature = "telemetry")]
mod exporter;
mod message;
#[cfg(not(feature = "telemetry"))]
#[path = "telemetry/absent.rs"]
mod recorder;
#[cfg(feature = "telemetry")]
mod recorder;

use std::{borrow::Cow, time::Duration};

use crate::{config, ids, logging, metrics::Metrics, protocol::TraceContext};
use recorder::{Recorder, Recording};

/// Makes the spans of one service. Clones send to the same collector.
#[derive(Clone)]
pub struct Tracer(Option<Recorder>);

/// What a span stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// Handles a request of somebody who waits.
    Server,
    /// Waits for somebody who handles a request.
    Client,
    /// Sends something that nobody answers.
    Producer,
    /// Handles something that nobody waits for.
    Consumer,
    /// Something inside of a service.
    Internal,
}

/// Something that is known of a span.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    /// Text.
    Text(Cow<'static, str>),
    /// A whole number.
    Number(i64),
    /// A number.
    Float(f64),
    /// Yes or no.
    Switch(bool),
    /// Several texts.
    Texts(Vec<String>),
}

impl Tracer {
    /// A tracer that records nothing.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// The tracer of a service: off, where the settings name no collector. One that is on starts a task, and must be
    /// made inside of a runtime.
    #[must_use]
    pub fn new(settings: &config::Telemetry, service: &str, version: &str, metrics: &Metrics) -> Self {
        let endpoint = settings.endpoint.as_ref();
        Self(endpoint.and_then(|endpoint| Recorder::new(endpoint, settings.sample_ratio, service, version, metrics)))
    }

    /// Begins a span, below `parent` or at the beginning of a trace.
    #[must_use]
    pub fn span(&self, kind: SpanKind, name: impl Into<Cow<'static, str>>, parent: Option<&TraceContext>) -> Span {
        self.begin(kind, parent, || name.into())
    }

    /// The same with a name that is made only when the span is recorded.
    fn begin(&self, kind: SpanKind, parent: Option<&TraceContext>, name: impl FnOnce() -> Cow<'static, str>) -> Span {
        if let Some(recorder) = &self.0
            && parent.is_none_or(TraceContext::is_sampled)
            && let Some((recording, context)) = recorder.begin(kind, parent, name)
        {
            return Span { context, recording: Some(recording) };
        }
        let context = parent.cloned().unwrap_or_else(|| ids::trace(ids::random(), ids::random()));
        Span { context, recording: None }
    }

    /// Sends what has ended so far, for at most `limit`. What ends later may be lost.
    pub async fn shutdown(&self, limit: Duration) {
        if let Some(recorder) = &self.0 {
            recorder.flush(limit).await;
        }
    }
}

/// Something that is being done. It ends when it is dropped.
pub struct Span {
    context: TraceContext,
    recording: Option<Recording>,
}

impl Span {
    /// What goes into messages that are sent from here, recorded or not.
    #[must_use]
    pub fn context(&self) -> &TraceContext {
        &self.context
    }

    /// Whether anything is recorded: what is costly to find out can be left out otherwise.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.recording.is_some()
    }

    /// Says more of the span.
    pub fn attribute(&mut self, key: &'static str, value: impl Into<Attribute>) {
        if let Some(recording) = &mut self.recording {
            recording.attribute(key, value.into());
        }
    }

    /// Says that it failed: `kind` is the fault's code or the error's name. Secrets in `message` are taken out.
    pub fn fail(&mut self, kind: &str, message: &str) {
        if let Some(recording) = &mut self.recording {
            recording.fail(kind.to_owned(), logging::redacted_text(message).into_owned());
        }
    }
}

impl From<&'static str> for Attribute {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Attribute {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Attribute {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<u16> for Attribute {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

impl From<f64> for Attribute {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<bool> for Attribute {
    fn from(switch: bool) -> Self {
        Self::Switch(switch)
    }
}

impl From<Vec<String>> for Attribute {
    fn from(texts: Vec<String>) -> Self {
        Self::Texts(texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tracer_that_is_off_lets_traces_through() {
        let tracer = Tracer::off();
        let parent = TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Some("a=1"));
        let mut span = tracer.span(SpanKind::Server, "x", parent.as_ref());
        span.attribute("key", "value");
        span.fail("TimeoutError", "too late");
        assert_eq!(Some(span.context()), parent.as_ref());
        assert!(!span.is_recorded());
    }

    #[test]
    fn without_a_parent_a_trace_begins_all_the_same() {
        let tracer = Tracer::off();
        let (one, two) = (tracer.span(SpanKind::Server, "x", None), tracer.span(SpanKind::Server, "x", None));
        assert_ne!(one.context().trace_id(), two.context().trace_id());
        assert!(!one.context().is_sampled());
    }
}
