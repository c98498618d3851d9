//! The wall clock and the steady clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tracing_subscriber::fmt::{
    format::Writer,
    time::{FormatTime, SystemTime as Formatted},
};

use crate::protocol::Timestamp;

/// How far the clocks of two machines that are kept well may be apart.
pub const TOLERANCE: Duration = Duration::from_secs(1);

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
        self.steady.checked_add(ahead).unwrap_or(self.steady + Duration::from_secs(3_153_600_000))
    }

    /// When nobody waits any more for the answer to a message that arrives now.
    ///
    /// `wall` is when by the sender's clock, `patience` how long by any clock from the moment of sending. The broker
    /// throws a message away when its `patience` is over, so one that arrives is waited for, and at most that long. The
    /// time of day says more exactly how long, as long as it agrees with that; when it does not, one of the clocks is
    /// wrong, and it says nothing. Without `patience` there is nothing else to go by. Clocks may be apart by
    /// [`TOLERANCE`], so that much is added.
    #[must_use]
    pub fn deadline(self, wall: Option<Timestamp>, patience: Option<Duration>) -> Option<Instant> {
        let left = wall.map(|wall| {
            let since = self.wall.since(wall);
            // with the tolerance; nothing when that is over too
            if since.is_zero() { Some(wall.since(self.wall) + TOLERANCE) } else { TOLERANCE.checked_sub(since) }
        });
        let left = match (left, patience) {
            (None, patience) => patience?,
            (Some(left), None) => left.unwrap_or_default(),
            (Some(Some(left)), Some(patience)) if left <= patience.saturating_add(TOLERANCE * 2) => left.min(patience),
            (Some(_), Some(patience)) => patience,
        };
        self.steady.checked_add(left)
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

    /// Whatever the clocks say, a message that arrives in time is waited for, and never longer than its sender said.
    #[test]
    fn a_wrong_clock_neither_ends_nor_prolongs_a_deadline() {
        let (now, hour, five) = (Now::read(), 3_600_000, Duration::from_secs(5));
        let left = |skew: i64, waited: u64, patience| {
            // Sent a while ago by a clock that is `skew` ms ahead of this one.
            let wall = Timestamp::from_millis(now.wall.millis() + skew + 5_000 - i64::try_from(waited).unwrap());
            now.deadline(Some(wall), patience).map(|deadline| deadline.duration_since(now.steady))
        };
        for skew in [-24 * hour, -hour, -6_500, hour, 24 * hour] {
            assert_eq!(left(skew, 100, Some(five)), Some(five), "{skew} ms");
        }
        for skew in [-900, -1, 0, 1, 900] {
            let left = left(skew, 4_000, Some(five)).unwrap();
            assert!(left >= Duration::from_secs(1) && left <= Duration::from_secs(3), "{skew} ms: {left:?}");
        }
        assert_eq!(left(0, 4_000, Some(five)), Some(Duration::from_secs(2)), "what is left, and the tolerance");
        assert_eq!(left(0, 5_500, None), Some(Duration::from_millis(500)), "nothing but the clock to go by");
        assert_eq!(left(0, 6_000, None), Some(Duration::ZERO), "and it says that the time is over");
        assert_eq!(now.deadline(None, None), None);
        assert_eq!(now.deadline(None, Some(five)), Some(now.steady + five));
        assert_eq!(now.deadline(None, Some(Duration::MAX)), None, "for ever");
    }
}
