//! Decides whether Redis is asked at all. Time is a parameter.

use std::time::{Duration, Instant};

/// So many failures in a row, and Redis is left alone.
const MOST_FAILURES: u32 = 3;
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What to do with Redis now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Advice {
    /// Ask.
    Use,
    /// Do without.
    Skip,
    /// Do without, but find out whether it is back.
    Probe,
}

/// What changed by an answer or a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    /// Redis is left alone from now on.
    Opened,
    /// Redis is asked again.
    Closed,
}

#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    pause: Duration,
    /// When it is probed next.
    until: Instant,
}

impl Breaker {
    pub(super) fn advice(&mut self, now: Instant) -> Advice {
        match &mut self.open {
            None => Advice::Use,
            Some(open) if now < open.until => Advice::Skip,
            Some(open) => {
                // one probe at a time; one without an end counts as failed
                open.until = now + LONGEST_PAUSE;
                Advice::Probe
            }
        }
    }

    pub(super) fn succeeded(&mut self) -> Change {
        self.failures = 0;
        if self.open.take().is_some() { Change::Closed } else { Change::None }
    }

    pub(super) fn failed(&mut self, now: Instant) -> Change {
        self.failures = self.failures.saturating_add(1);
        match &mut self.open {
            Some(open) => {
                open.pause = LONGEST_PAUSE.min(open.pause * 2);
                open.until = now + open.pause;
                Change::None
            }
            None if self.failures >= MOST_FAILURES => {
                self.open = Some(Open { pause: SHORTEST_PAUSE, until: now + SHORTEST_PAUSE });
                Change::Opened
            }
            None => Change::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        let changes: Vec<_> = (0..MOST_FAILURES).map(|_| breaker.failed(now)).collect();
        assert_eq!(changes, [Change::None, Change::None, Change::Opened]);
        breaker
    }

    #[test]
    fn single_failures_change_nothing() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            assert_eq!(breaker.failed(now), Change::None);
            assert_eq!(breaker.failed(now), Change::None);
            assert_eq!(breaker.succeeded(), Change::None);
            assert_eq!(breaker.advice(now), Advice::Use);
        }
    }

    #[test]
    fn after_a_pause_one_asker_finds_out() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.advice(now), Advice::Skip);
        let later = now + SHORTEST_PAUSE;
        assert_eq!(breaker.advice(later), Advice::Probe);
        assert_eq!(breaker.advice(later), Advice::Skip);
        assert_eq!(breaker.succeeded(), Change::Closed);
        assert_eq!(breaker.advice(later), Advice::Use);
    }

    #[test]
    fn pauses_grow_to_a_bound_and_a_lost_probe_is_repeated() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        let mut probes = 0;
        for _ in 0..600 {
            now += Duration::from_millis(100);
            if breaker.advice(now) == Advice::Probe {
                probes += 1;
                if probes % 2 == 0 {
                    assert_eq!(breaker.failed(now), Change::None);
                }
            }
        }
        // a minute, with 2 s between probes once the pauses have grown
        assert!((28..=36).contains(&probes), "{probes}");
    }
}
