//! The generic cell rate algorithm: a caller may use so many cells at once, and they come back one by one.
//!
//! All that is kept of a caller is a time: when all of its cells will be back. Times are microseconds of a clock that the
//! caller chooses; one that goes backwards costs nobody more than a whole set of cells.

use std::time::Duration;

/// How often something may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rule {
    /// So many times at once.
    pub(crate) requests: u32,
    /// In this time all of them come back, one after the other.
    pub(crate) window: Duration,
}

impl Rule {
    pub(crate) const fn per_minute(requests: u32) -> Self {
        Self { requests, window: Duration::from_secs(60) }
    }

    /// How long one cell takes to come back: never too short, at least a microsecond.
    pub(crate) fn cell(self) -> u64 {
        let window = u64::try_from(self.window.as_micros()).unwrap_or(u64::MAX).max(1);
        window.div_ceil(u64::from(self.requests.max(1)))
    }

    /// How long all of them take.
    pub(crate) fn all(self) -> u64 {
        self.cell().saturating_mul(u64::from(self.requests))
    }

    /// How long so many take.
    pub(crate) fn cells(self, count: u32) -> u64 {
        self.cell().saturating_mul(u64::from(count))
    }

    /// How many are there when the last of those that are not comes back in this time.
    pub(crate) fn free(self, ahead: u64) -> u32 {
        u32::try_from(self.all().saturating_sub(ahead) / self.cell()).unwrap_or(u32::MAX)
    }
}

/// When all cells will be back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Gcra(u64);

impl Gcra {
    /// How long from now on.
    pub(crate) fn ahead(self, rule: Rule, now: u64) -> u64 {
        self.0.saturating_sub(now).min(rule.all())
    }

    /// Uses cells if they are there; else tells how long until they are.
    pub(crate) fn take(&mut self, rule: Rule, cost: u32, now: u64) -> Result<(), u64> {
        let (ahead, cells) = (self.ahead(rule, now), rule.cells(cost));
        match (ahead + cells).checked_sub(rule.all()) {
            None | Some(0) => {
                self.0 = now + ahead + cells;
                Ok(())
            }
            Some(wait) => Err(wait),
        }
    }

    /// Uses cells that were there by other rules; no more can be missing than there are.
    pub(crate) fn note(&mut self, rule: Rule, cost: u32, now: u64) {
        self.0 = now + (self.ahead(rule, now) + rule.cells(cost)).min(rule.all());
    }

    /// Gives back what takes this long to come back.
    pub(crate) fn forget(&mut self, time: u64) {
        self.0 = self.0.saturating_sub(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::{Dice, rounds};

    /// Each cell on its own: those that are not there, by when they come back.
    #[derive(Default)]
    struct Slow(Vec<u64>);

    impl Slow {
        fn take(&mut self, rule: Rule, cost: u32, now: u64) -> Result<(), u64> {
            self.0.retain(|back| *back > now);
            let there = rule.requests as usize - self.0.len();
            if let Some(missing) = (cost as usize).checked_sub(there + 1) {
                // with more than all, as if they came back one by one for ever
                return match self.0.get(missing) {
                    Some(back) => Err(back - now),
                    None => Err(u64::MAX),
                };
            }
            for _ in 0..cost {
                let last = self.0.last().copied().unwrap_or(now);
                self.0.push(last.max(now) + rule.cell());
            }
            Ok(())
        }
    }

    #[test]
    fn it_does_what_cells_that_come_back_one_by_one_do() {
        rounds(20).for_each(compare);
    }

    fn compare(mut dice: Dice) {
        let rule = Rule { requests: 1 + dice.below(12), window: Duration::from_micros(1 + dice.below(400)) };
        let (mut fast, mut slow, mut now) = (Gcra::default(), Slow::default(), 1_000);
        let (mut admitted, mut refused) = (0, 0);
        for _ in 0..2_000 {
            now += dice.below(2 * rule.cell());
            let cost = 1 + dice.below(3);
            let (found, expected) = (fast.take(rule, cost, now), slow.take(rule, cost, now));
            match expected {
                Ok(()) => admitted += 1,
                Err(_) => refused += 1,
            }
            match expected {
                Err(u64::MAX) => assert!(found.is_err() && cost > rule.requests, "{found:?}"),
                expected => assert_eq!(found, expected, "{rule:?}, {cost} at {now}"),
            }
        }
        assert!(admitted > 50 && refused > 50, "{rule:?}: {admitted} admitted, {refused} refused");
    }

    #[test]
    fn all_at_once_and_then_one_by_one() {
        let (rule, mut gcra) = (Rule::per_minute(100), Gcra::default());
        assert_eq!(rule.cell(), 600_000);
        let now = 1_700_000_000_000_000;
        for used in 0..100 {
            assert_eq!(rule.free(gcra.ahead(rule, now)), 100 - used);
            assert_eq!(gcra.take(rule, 1, now), Ok(()));
        }
        assert_eq!(gcra.take(rule, 1, now), Err(600_000));
        assert_eq!(gcra.take(rule, 1, now + 599_999), Err(1));
        assert_eq!(gcra.take(rule, 1, now + 600_000), Ok(()));
        assert_eq!(gcra.take(rule, 1, now + 600_000), Err(600_000));
    }

    #[test]
    fn a_clock_that_goes_backwards_costs_no_more_than_all_cells() {
        let (rule, mut gcra) = (Rule::per_minute(10), Gcra::default());
        gcra.note(rule, 3, 900_000_000_000);
        assert_eq!(gcra.ahead(rule, 1_000), rule.all());
        assert_eq!(gcra.take(rule, 1, 1_000), Err(rule.cell()));
        gcra.note(rule, 1, 1_000);
        assert_eq!(gcra.take(rule, 10, 1_000 + rule.all()), Ok(()));
    }

    #[test]
    fn strange_rules_do_what_they_say() {
        let never = Rule { requests: 0, window: Duration::from_secs(1) };
        assert!(Gcra::default().take(never, 1, 5).is_err());
        let no_time = Rule { requests: 5, window: Duration::ZERO };
        assert_eq!(Gcra::default().take(no_time, 5, 5), Ok(()));
        // never more often than it says
        let odd = Rule { requests: 7, window: Duration::from_micros(60) };
        assert_eq!((odd.cell(), odd.free(0)), (9, 7));
        assert!(Gcra::default().take(odd, 8, 5).is_err());
        let most = Rule { requests: u32::MAX, window: Duration::from_secs(u64::MAX) };
        assert!(Gcra::default().take(most, 1, 5).is_ok());
    }
}
