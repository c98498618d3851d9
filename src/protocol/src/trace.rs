//! W3C trace context, as it travels in envelopes and in HTTP headers.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where in a distributed trace a message was sent. A value is always valid: neither id is zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    flags: u8,
    state: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    trace_id: String,
    span_id: String,
    trace_flags: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace_state: Option<String>,
}

impl TraceContext {
    /// A context from its numbers; none when one of the ids is zero.
    #[must_use]
    pub const fn new(trace_id: u128, span_id: u64, flags: u8) -> Option<Self> {
        if trace_id == 0 || span_id == 0 { None } else { Some(Self { trace_id, span_id, flags, state: None }) }
    }

    /// Reads the HTTP headers `traceparent` and `tracestate`; none when the first is not valid.
    ///
    /// Only version `00` is known. Invalid input is not an error: the request begins a trace of its own.
    #[must_use]
    pub fn parse(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        let mut parts = traceparent.trim().split('-');
        let (version, trace_id, span_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if version != "00" || parts.next().is_some() {
            return None;
        }
        let state = tracestate.filter(|it| !it.is_empty()).map(str::to_owned);
        Some(Self { state, ..Self::from_hex(trace_id, span_id, flags)? })
    }

    fn from_hex(trace_id: &str, span_id: &str, flags: &str) -> Option<Self> {
        let number = |text: &str, length: usize| {
            // `from_str_radix` would accept a sign
            let hex = text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit());
            hex.then(|| u128::from_str_radix(text, 16).ok()).flatten()
        };
        let span_id = u64::try_from(number(span_id, 16)?).ok()?;
        Self::new(number(trace_id, 32)?, span_id, u8::try_from(number(flags, 2)?).ok()?)
    }

    /// The value of the HTTP header `traceparent`.
    #[must_use]
    pub fn traceparent(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }

    /// The value of the HTTP header `tracestate`, as it came in.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The id of the whole trace; never zero.
    #[must_use]
    pub const fn trace_id(&self) -> u128 {
        self.trace_id
    }

    /// The id of the span that sent the message; never zero.
    #[must_use]
    pub const fn span_id(&self) -> u64 {
        self.span_id
    }

    /// The flags; bit 0 means that the trace is recorded.
    #[must_use]
    pub const fn flags(&self) -> u8 {
        self.flags
    }

    /// Whether the trace is recorded.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }

    /// The same trace, seen from another span; none when the id is zero.
    #[must_use]
    pub fn at(&self, span_id: u64) -> Option<Self> {
        (span_id != 0).then(|| Self { span_id, ..self.clone() })
    }
}

impl Serialize for TraceContext {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let wire = Wire {
            trace_id: format!("{:032x}", self.trace_id),
            span_id: format!("{:016x}", self.span_id),
            trace_flags: format!("{:02x}", self.flags),
            trace_state: self.state.clone(),
        };
        wire.serialize(serializer)
    }
}

/// Reads an optional trace context; whatever is no valid one counts as none.
pub(crate) fn tolerant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TraceContext>, D::Error> {
    let raw = Box::<serde_json::value::RawValue>::deserialize(deserializer)?;
    let wire: Option<Wire> = serde_json::from_str(raw.get()).ok();
    Ok(wire.and_then(|wire| {
        let context = TraceContext::from_hex(&wire.trace_id, &wire.span_id, &wire.trace_flags)?;
        Some(TraceContext { state: wire.trace_state, ..context })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_header_goes_through_unchanged() {
        let context = TraceContext::parse(PARENT, Some("vendor=1,other=2")).unwrap();
        assert_eq!(context.traceparent(), PARENT);
        assert_eq!(context.state(), Some("vendor=1,other=2"));
        assert!(context.is_sampled());
        assert_eq!(TraceContext::parse(&PARENT.to_ascii_uppercase(), None).unwrap().traceparent(), PARENT);
        assert_eq!(context.at(7).unwrap().traceparent(), "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000007-01");
        assert_eq!(context.at(0), None);
    }

    #[test]
    fn an_invalid_header_is_dropped() {
        let wrong = [
            "",
            "00",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-gbf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ];
        for header in wrong {
            assert_eq!(TraceContext::parse(header, None), None, "{header}");
        }
    }
}
