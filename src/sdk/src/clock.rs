//! The wall clock and the steady clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tracing_subscriber::fmt::{
    format::Writer,
    time::{FormatTime, SystemTime as Formatted},
};

use crate::protocol::Timestamp;

/// The present moment, on both clocks: what travels is told by the first, what is waited for by the second, which no
/// correction of the time of day disturbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The time of day.
    pub wall: Timestamp,
    /// The steady clock of this process.
    pub steady: Instant,
}

impl Now {
    /// Reads both clocks.
    #[must_use]
    pub fn read() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        Self { wall, steady: Instant::now() }
    }

    /// The moment of the steady clock at which the time of day is `wall`; now, when that is past.
    #[must_use]
    pub fn steady_at(self, wall: Timestamp) -> Instant {
        let ahead = wall.since(self.wall);
        // a moment beyond what the clock can tell never comes: a century will do
        self.steady.checked_add(ahead).unwrap_or(self.steady + std::time::Duration::from_secs(3_153_600_000))
    }

    /// The time of day at a moment of the steady clock; now, when that is past.
    #[must_use]
    pub fn wall_at(self, steady: Instant) -> Timestamp {
        self.wall.plus(steady.saturating_duration_since(self.steady))
    }
}

/// The present moment in RFC 3339, UTC, with microseconds.
pub(crate) fn now() -> String {
    let mut text = String::with_capacity(32);
    // Writing to a `String` does not fail, and a clock without an answer is no reason to lose the line it belongs to.
    let _ = Formatted.format_time(&mut Writer::new(&mut text));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_rfc_3339_in_utc() {
        let now = super::now();
        assert!(now.starts_with("20") && now.ends_with('Z'), "{now}");
        assert_eq!(now.as_bytes()[10], b'T', "{now}");
    }

    #[test]
    fn moments_go_from_one_clock_to_the_other_and_back() {
        let now = Now::read();
        let later = Timestamp::from_millis(now.wall.millis() + 1_500);
        assert_eq!(now.wall_at(now.steady_at(later)), later);
        assert_eq!(now.steady_at(Timestamp::MIN), now.steady);
        assert!(now.steady_at(Timestamp::MAX) > now.steady);
    }
}
