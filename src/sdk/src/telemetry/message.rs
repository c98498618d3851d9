//! Spans of messages, with the platform's names and attributes.

use std::borrow::Cow;

use super::{Span, SpanKind, Tracer};
use crate::{
    Flow,
    protocol::{Envelope, Kind, names},
};

impl Tracer {
    /// The span in which `handler` handles a message: `command/CreateUser`. Its context belongs into the
    /// [`Flow`] of the handler.
    #[must_use]
    pub fn handling(&self, kind: Kind, envelope: &Envelope, handler: &str) -> Span {
        let role = if kind == Kind::Event { SpanKind::Consumer } else { SpanKind::Server };
        let mut span = self.of_message(role, kind, envelope);
        if span.is_recorded() {
            span.attribute("handler.name", handler.to_owned());
            if let Some(auth) = &envelope.metadata.auth {
                span.attribute("user.id", auth.user_id.clone());
                span.attribute("permissions", auth.permissions.clone());
            }
        }
        span
    }

    /// The span in which a message is sent to a queue or an exchange and, where it is answered, the answer is waited
    /// for. Its context belongs into the envelope, in place of the one that names its parent.
    #[must_use]
    pub fn sending(&self, kind: Kind, envelope: &Envelope, exchange: &str, routing_key: &str) -> Span {
        let role = if kind == Kind::Event { SpanKind::Producer } else { SpanKind::Client };
        let mut span = self.of_message(role, kind, envelope);
        if span.is_recorded() {
            span.attribute("message.exchange", exchange.to_owned());
            span.attribute("message.routing_key", routing_key.to_owned());
            span.attribute("message.correlation_id", envelope.correlation_id.clone());
        }
        span
    }

    /// The span in which a store is asked for something, below the work that is done for a message; none outside of that.
    pub(crate) fn asking(&self, store: &'static str, statement: &'static str, instance: &str) -> Option<Span> {
        // Asked first, since it is cheaper.
        let parent = self.0.as_ref().and_then(|_| Flow::look(|flow| flow.trace.clone()))?;
        let mut span = self.begin(SpanKind::Client, Some(&parent), || Cow::Owned(format!("{store} {statement}")));
        span.attribute("db.type", store);
        span.attribute("db.statement", statement);
        if span.is_recorded() {
            span.attribute("db.instance", instance.to_owned());
        }
        Some(span)
    }

    fn of_message(&self, role: SpanKind, kind: Kind, envelope: &Envelope) -> Span {
        let operation = names::operation(kind, &envelope.message_type);
        let name = || Cow::Owned(format!("{kind}/{operation}"));
        let mut span = self.begin(role, envelope.trace_context.as_ref(), name);
        if span.is_recorded() {
            span.attribute("operation.type", kind.to_string());
            span.attribute("operation.name", operation.to_owned());
            span.attribute("correlation.id", envelope.correlation_id.clone());
            span.attribute("message.type", envelope.message_type.clone());
        }
        span
    }
}
