//! A circuit breaker: after enough failures nobody is called for a while, then a few calls try whether all is well.
//!
//! It is a value without a clock: the time comes with each question.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// When a breaker opens and closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// So many failures within the window open it [default: 5].
    pub failures: usize,
    /// Failures that are older than this no longer count [default: 60 s].
    pub window: Duration,
    /// How long it stays open [default: 30 s].
    pub rest: Duration,
    /// So many successes in a row close it again, and so many calls at a time may try [default: 2].
    pub successes: usize,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self { failures: 5, window: Duration::from_secs(60), rest: Duration::from_secs(30), successes: 2 }
    }
}

/// What a breaker does with calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// Calls are refused.
    Open,
    /// A few calls go through, to see.
    HalfOpen,
}

/// The breaker refuses a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("circuit breaker is open, next try in {retry_in:?}")]
pub struct BreakerOpen {
    /// When the next call may go through; zero while others are trying.
    pub retry_in: Duration,
}

/// Leave for one call. Hand it back with the call's end: [`Breaker::finish`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "without its end a call that tries keeps others from trying"]
pub struct Permit {
    /// Which opening and closing it belongs to: ends of older ones say nothing about now.
    era: u64,
}

/// How a call ended, for the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallEnd {
    /// The other side answered, be it with a refusal.
    Success,
    /// It did not answer, or said that it cannot.
    Failure,
    /// The caller gave up; says nothing about the other side.
    Abandoned,
}

/// A circuit breaker for one service.
#[derive(Debug)]
pub struct Breaker {
    policy: BreakerPolicy,
    era: u64,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Closed { failures: VecDeque<Instant> },
    Open { until: Instant },
    HalfOpen { trying: usize, succeeded: usize },
}

impl Breaker {
    /// A closed one.
    #[must_use]
    pub fn new(policy: BreakerPolicy) -> Self {
        Self { policy, era: 0, phase: Phase::Closed { failures: VecDeque::new() } }
    }

    /// What it would do with a call.
    #[must_use]
    pub fn state(&self, now: Instant) -> BreakerState {
        match self.phase {
            Phase::Closed { .. } => BreakerState::Closed,
            Phase::Open { until } if now < until => BreakerState::Open,
            Phase::Open { .. } | Phase::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Asks for leave to call.
    ///
    /// # Errors
    /// [`BreakerOpen`] while it is open, and while enough calls are trying.
    pub fn ask(&mut self, now: Instant) -> Result<Permit, BreakerOpen> {
        if let Phase::Open { until } = self.phase {
            if now < until {
                return Err(BreakerOpen { retry_in: until - now });
            }
            self.enter(Phase::HalfOpen { trying: 0, succeeded: 0 });
        }
        if let Phase::HalfOpen { trying, succeeded } = &mut self.phase {
            if *trying + *succeeded >= self.policy.successes {
                return Err(BreakerOpen { retry_in: Duration::ZERO });
            }
            *trying += 1;
        }
        Ok(Permit { era: self.era })
    }

    /// Hears how a call ended.
    pub fn finish(&mut self, permit: Permit, end: CallEnd, now: Instant) {
        if permit.era != self.era {
            return;
        }
        match (&mut self.phase, end) {
            (Phase::Closed { failures }, CallEnd::Failure) => {
                failures.push_back(now);
                while failures.front().is_some_and(|first| now.duration_since(*first) >= self.policy.window) {
                    failures.pop_front();
                }
                if failures.len() >= self.policy.failures {
                    self.enter(Phase::Open { until: now + self.policy.rest });
                }
            }
            (Phase::HalfOpen { .. }, CallEnd::Failure) => self.enter(Phase::Open { until: now + self.policy.rest }),
            (Phase::HalfOpen { trying, succeeded }, CallEnd::Success) => {
                *trying -= 1;
                *succeeded += 1;
                if *succeeded >= self.policy.successes {
                    self.enter(Phase::Closed { failures: VecDeque::new() });
                }
            }
            (Phase::HalfOpen { trying, .. }, CallEnd::Abandoned) => *trying -= 1,
            (Phase::Closed { .. } | Phase::Open { .. }, _) => {}
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.era += 1;
        self.phase = phase;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::{Dice, rounds};

    const SECOND: Duration = Duration::from_secs(1);

    fn failed(breaker: &mut Breaker, now: Instant) {
        let permit = breaker.ask(now).unwrap();
        breaker.finish(permit, CallEnd::Failure, now);
    }

    #[test]
    fn five_failures_open_it_and_two_successes_close_it() {
        let (mut breaker, start) = (Breaker::new(BreakerPolicy::default()), Instant::now());
        for i in 0..4 {
            failed(&mut breaker, start + SECOND * i);
        }
        let slow = breaker.ask(start).unwrap();
        assert_eq!(breaker.state(start + SECOND * 4), BreakerState::Closed);
        failed(&mut breaker, start + SECOND * 4);
        let refused = breaker.ask(start + SECOND * 14).unwrap_err();
        assert_eq!(refused.retry_in, SECOND * 20);
        assert_eq!(refused.to_string(), "circuit breaker is open, next try in 20s");
        // A call from before says nothing about now.
        breaker.finish(slow, CallEnd::Success, start + SECOND * 15);
        let later = start + SECOND * 34;
        assert_eq!(breaker.state(later), BreakerState::HalfOpen);
        let (one, two) = (breaker.ask(later).unwrap(), breaker.ask(later).unwrap());
        assert_eq!(breaker.ask(later), Err(BreakerOpen { retry_in: Duration::ZERO }));
        breaker.finish(one, CallEnd::Success, later);
        breaker.finish(two, CallEnd::Abandoned, later);
        assert_eq!(breaker.state(later), BreakerState::HalfOpen);
        let three = breaker.ask(later).unwrap();
        breaker.finish(three, CallEnd::Success, later);
        assert_eq!(breaker.state(later), BreakerState::Closed);
    }

    #[test]
    fn a_failure_while_trying_opens_it_again() {
        let (mut breaker, start) = (Breaker::new(BreakerPolicy::default()), Instant::now());
        (0..5).for_each(|_| failed(&mut breaker, start));
        failed(&mut breaker, start + SECOND * 30);
        assert_eq!(breaker.state(start + SECOND * 59), BreakerState::Open);
        assert_eq!(breaker.state(start + SECOND * 60), BreakerState::HalfOpen);
    }

    #[test]
    fn old_failures_do_not_count() {
        let (mut breaker, start) = (Breaker::new(BreakerPolicy::default()), Instant::now());
        for i in 0..20 {
            failed(&mut breaker, start + SECOND * 15 * i);
            assert_eq!(breaker.state(start + SECOND * 15 * i), BreakerState::Closed, "{i}");
        }
    }

    /// Against a plain reading of the rules, with calls that overlap and end in any order.
    #[test]
    fn it_does_what_the_rules_say() {
        rounds(4).for_each(follow_the_rules);
    }

    fn follow_the_rules(mut dice: Dice) {
        let policy = BreakerPolicy { failures: 3, window: SECOND * 10, rest: SECOND * 5, successes: 2 };
        let (mut breaker, mut now) = (Breaker::new(policy), Instant::now());
        let (mut under_way, mut opened) = (Vec::new(), None::<Instant>);
        // The rules, written down as a log of what happened since the state last changed.
        let (mut failures, mut trying, mut succeeded) = (Vec::<Instant>::new(), 0, 0);
        let mut epoch = 0;
        let mut visits = [0; 3];
        for _ in 0..5_000 {
            now += Duration::from_millis(dice.below(1500));
            if dice.once_in(2) {
                let resting = opened.is_some_and(|at| now < at + policy.rest);
                let expected = !resting && (opened.is_none() || trying + succeeded < 2);
                visits[usize::from(opened.is_some()) + usize::from(opened.is_some() && !resting)] += 1;
                let first_try = opened.is_some() && !resting && trying == 0 && succeeded == 0;
                match breaker.ask(now) {
                    Ok(permit) => {
                        assert!(expected);
                        if opened.is_some() {
                            if first_try && under_way.iter().all(|(e, _)| *e != epoch) {
                                epoch += 1;
                            }
                            trying += 1;
                        }
                        under_way.push((epoch, permit));
                    }
                    Err(_) => assert!(!expected),
                }
            } else if !under_way.is_empty() {
                let place = dice.below(under_way.len());
                let (of, permit) = under_way.swap_remove(place);
                let end = dice.pick(&[CallEnd::Success, CallEnd::Failure, CallEnd::Abandoned]);
                breaker.finish(permit, end, now);
                if of != epoch {
                    continue;
                }
                match (opened, end) {
                    (None, CallEnd::Failure) => {
                        failures.push(now);
                        failures.retain(|at| now.duration_since(*at) < policy.window);
                        if failures.len() >= 3 {
                            (opened, epoch, trying, succeeded) = (Some(now), epoch + 1, 0, 0);
                        }
                    }
                    (Some(_), CallEnd::Failure) => {
                        (opened, epoch, trying, succeeded) = (Some(now), epoch + 1, 0, 0);
                    }
                    (Some(_), CallEnd::Success) => {
                        trying -= 1;
                        succeeded += 1;
                        if succeeded == 2 {
                            (opened, epoch, trying, succeeded) = (None, epoch + 1, 0, 0);
                            failures.clear();
                        }
                    }
                    (Some(_), CallEnd::Abandoned) => trying -= 1,
                    (None, _) => {}
                }
            }
            let state = match opened {
                None => BreakerState::Closed,
                Some(at) if now < at + policy.rest => BreakerState::Open,
                Some(_) => BreakerState::HalfOpen,
            };
            assert_eq!(breaker.state(now), state);
        }
        assert!(visits.iter().all(|count| *count > 25), "{visits:?}");
    }
}
