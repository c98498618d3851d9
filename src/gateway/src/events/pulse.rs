//! Whether a client is still there, and how much it says: pure functions of the time.

use std::time::{Duration, Instant};

/// How long a client may be silent before it is asked whether it is there.
pub(super) const SILENCE: Duration = Duration::from_secs(60);
/// How long it may take to answer.
pub(super) const ANSWER: Duration = Duration::from_secs(10);

/// When a client was heard of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pulse {
    heard: Instant,
    asked: Option<Instant>,
}

/// What is to be done about silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing yet.
    Wait,
    /// Ask whether it is there.
    Ask,
    /// It is not.
    Dead,
}

impl Pulse {
    pub(super) const fn new(now: Instant) -> Self {
        Self { heard: now, asked: None }
    }

    /// The client said something.
    pub(super) fn heard(&mut self, now: Instant) {
        *self = Self::new(now);
    }

    /// When there is something to do.
    pub(super) fn due(&self) -> Instant {
        self.asked.map_or_else(|| self.heard + SILENCE, |asked| asked + ANSWER)
    }

    /// What is to be done now.
    pub(super) fn beat(&mut self, now: Instant) -> Beat {
        if now < self.due() {
            return Beat::Wait;
        }
        match self.asked {
            Some(_) => Beat::Dead,
            None => {
                self.asked = Some(now);
                Beat::Ask
            }
        }
    }
}

/// How many messages a client may send in a while.
pub(super) const MESSAGES: u32 = 200;
/// How long that while is.
pub(super) const WHILE: Duration = Duration::from_secs(10);
/// How many messages may be malformed before the connection is closed.
pub(super) const MALFORMED: u32 = 5;

/// What a client has said so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manners {
    since: Instant,
    messages: u32,
    malformed: u32,
}

impl Manners {
    pub(super) const fn new(now: Instant) -> Self {
        Self { since: now, messages: 0, malformed: 0 }
    }

    /// Counts a message; false when there are too many.
    pub(super) fn message(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= WHILE {
            (self.since, self.messages) = (now, 0);
        }
        self.messages += 1;
        self.messages <= MESSAGES
    }

    /// Counts a malformed message; false when there are too many.
    pub(super) fn malformed(&mut self) -> bool {
        self.malformed += 1;
        self.malformed < MALFORMED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_asked_about_and_then_over() {
        let start = Instant::now();
        let mut pulse = Pulse::new(start);
        assert_eq!(pulse.due(), start + SILENCE);
        assert_eq!(pulse.beat(start + SILENCE - Duration::from_millis(1)), Beat::Wait);
        let asked = start + SILENCE;
        assert_eq!(pulse.beat(asked), Beat::Ask);
        assert_eq!(pulse.due(), asked + ANSWER);
        assert_eq!(pulse.beat(asked + Duration::from_secs(1)), Beat::Wait);
        let mut dead = pulse;
        assert_eq!(dead.beat(asked + ANSWER), Beat::Dead);
        pulse.heard(asked + Duration::from_secs(5));
        assert_eq!(pulse.beat(asked + ANSWER), Beat::Wait);
        assert_eq!(pulse.due(), asked + Duration::from_secs(5) + SILENCE);
    }

    #[test]
    fn who_says_too_much_is_told_so() {
        let start = Instant::now();
        let mut manners = Manners::new(start);
        assert!((0..MESSAGES).all(|_| manners.message(start)));
        assert!(!manners.message(start + WHILE - Duration::from_millis(1)));
        assert!(manners.message(start + WHILE));
        assert!((1..MALFORMED).all(|_| manners.malformed()));
        assert!(!manners.malformed());
    }
}
