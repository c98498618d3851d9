//! When a message whose handling failed is tried again, and when it is given up.
//!
//! The waiting is done by the broker, in one queue for each step, whose time to live is the longest delay of the step.
//! Within a queue the broker looks at the first message only, so a message may leave late, and never later than that.
//! Jitter is therefore a time of the message's own between the step's delay and half as long again: it spreads messages
//! that failed together, none is tried more than once in a second, and the queue's own time stays the cap. In a storm it
//! spreads little: whoever waits behind a longer time waits as long, and messages leave about as they came. Randomness
//! is a parameter.

use std::time::Duration;

/// How often and how patiently.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Attempts in all, the first one included [default: 3].
    pub attempts: u32,
    /// The delay before the second attempt [default: 1 s].
    pub initial: Duration,
    /// What each further delay is multiplied with [default: 2].
    pub factor: f64,
    /// No delay is longer, jitter included [default: 30 s].
    pub longest: Duration,
}

/// How much longer a delay may be than it has to be, as a share of it.
const JITTER: f64 = 0.5;

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts: 3, initial: Duration::from_secs(1), factor: 2.0, longest: Duration::from_secs(30) }
    }
}

/// Whether another attempt can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It may succeed later: a dependency is down, a time-out.
    Transient,
    /// It never will: the message does not fit its schema, a rule forbids it.
    Permanent,
}

/// What becomes of a message whose handling failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is handled again.
    Again(Step),
    /// It goes to the dead letters.
    GiveUp(GivenUp),
}

/// One delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// 1 after the first failure.
    pub number: u32,
    /// The longest delay of the step, which is the time to live of its queue.
    pub hold: Duration,
    /// The delay of this message: between the shortest of the step and the longest.
    pub delay: Duration,
}

/// Why a message is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenUp {
    /// Another attempt cannot help.
    Permanent,
    /// There were enough of them.
    Exhausted,
}

impl RetryPolicy {
    /// Decides after the failure of attempt number `attempt` (from 1). `random` is at least 0 and less than 1.
    #[must_use]
    pub fn next(&self, attempt: u32, failure: Failure, random: f64) -> Next {
        if failure == Failure::Permanent {
            return Next::GiveUp(GivenUp::Permanent);
        }
        if attempt >= self.attempts {
            return Next::GiveUp(GivenUp::Exhausted);
        }
        let number = attempt.max(1);
        let (least, hold) = (self.least(number), self.hold(number));
        let delay = least + (hold - least).mul_f64(random.clamp(0.0, 1.0));
        Next::Again(Step { number, hold, delay })
    }

    /// The shortest delay after failure number `number`, in whole milliseconds.
    #[must_use]
    pub fn least(&self, number: u32) -> Duration {
        self.delay(number, 1.0)
    }

    /// The longest one.
    #[must_use]
    pub fn hold(&self, number: u32) -> Duration {
        self.delay(number, 1.0 + JITTER)
    }

    fn delay(&self, number: u32, stretched: f64) -> Duration {
        let exponent = i32::try_from(number.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.initial.as_secs_f64() * self.factor.powi(exponent) * stretched;
        let longest = self.longest.as_secs_f64();
        let capped = if seconds.is_finite() { seconds.clamp(0.0, longest) } else { longest };
        Duration::from_millis(Duration::from_secs_f64(capped).as_millis().try_into().unwrap_or(u64::MAX))
    }

    /// The longest time from the first failure to the last attempt, not counting the attempts.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        (1..self.attempts).map(|number| self.hold(number)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::rounds;

    #[test]
    fn delays_double_up_to_the_cap() {
        let policy = RetryPolicy { attempts: 9, ..RetryPolicy::default() };
        let seconds: Vec<_> = (1..9).map(|number| policy.least(number).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30, 30]);
        let seconds: Vec<_> = (1..9).map(|number| policy.hold(number).as_secs_f64()).collect();
        assert_eq!(seconds, [1.5, 3.0, 6.0, 12.0, 24.0, 30.0, 30.0, 30.0]);
        assert_eq!(policy.hold(u32::MAX), Duration::from_secs(30));
        assert_eq!(RetryPolicy::default().longest_wait(), Duration::from_millis(4500));
    }

    #[test]
    fn three_attempts_then_no_more() {
        let policy = RetryPolicy::default();
        let next = |attempt| policy.next(attempt, Failure::Transient, 0.5);
        let step = |number, hold, delay| {
            Next::Again(Step { number, hold: Duration::from_millis(hold), delay: Duration::from_millis(delay) })
        };
        assert_eq!(next(1), step(1, 1500, 1250));
        assert_eq!(next(2), step(2, 3000, 2500));
        assert_eq!(next(3), Next::GiveUp(GivenUp::Exhausted));
        assert_eq!(policy.next(1, Failure::Permanent, 0.5), Next::GiveUp(GivenUp::Permanent));
    }

    /// For any policy: at most so many attempts, delays that never shrink by step and never leave their bounds.
    #[test]
    fn any_policy_ends_and_keeps_its_bounds() {
        for mut dice in rounds(2000) {
            let policy = RetryPolicy {
                attempts: dice.below(12),
                initial: Duration::from_secs_f64(dice.fraction() * 10.0),
                factor: 1.0 + dice.fraction() * 4.0,
                longest: Duration::from_secs_f64(dice.fraction() * 60.0),
            };
            let (mut attempt, mut last) = (1, Duration::ZERO);
            while let Next::Again(step) = policy.next(attempt, Failure::Transient, dice.fraction()) {
                assert_eq!(step.number, attempt);
                assert!(step.hold >= last && step.hold <= policy.longest, "{policy:?} {step:?}");
                assert!(step.delay <= step.hold && step.delay >= policy.least(attempt), "{policy:?} {step:?}");
                last = step.hold;
                attempt += 1;
            }
            assert_eq!(attempt, policy.attempts.max(1));
        }
    }
}
