//! The wall clock, as text.

use tracing_subscriber::fmt::{
    format::Writer,
    time::{FormatTime, SystemTime},
};

/// The present moment in RFC 3339, UTC, with microseconds.
pub(crate) fn now() -> String {
    let mut text = String::with_capacity(32);
    // Writing to a `String` does not fail, and a clock without an answer is no reason to lose the line it belongs to.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn is_rfc_3339_in_utc() {
        let now = super::now();
        assert!(now.starts_with("20") && now.ends_with('Z'), "{now}");
        assert_eq!(now.as_bytes()[10], b'T', "{now}");
    }
}
