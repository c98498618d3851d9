//! When the engine's restarts of a container are a crash loop, and when they only mean that it came too early.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::docker::containers::Detail;

/// Restarts after which a service counts as crashing, once all that it depends on is ready …
pub(super) const CRASHES: i64 = 3;
/// … and before that: it may be one that ends when a dependency does not answer yet.
const EARLY_CRASHES: i64 = 8;
/// What is ready so soon was ready before.
const AT_ONCE: Duration = Duration::from_millis(500);

/// The restarts of one container during one wait.
pub(super) struct Crashes {
    began: Instant,
    /// Turns true when all that the service depends on is ready; gone once that was seen.
    held: Option<watch::Receiver<bool>>,
    /// It was not ready when the wait began, so that crashes until then say nothing.
    was_held: bool,
    /// Restarts when the wait began, or when the last dependency was ready.
    before: Option<i64>,
}

impl Crashes {
    pub(super) fn new(began: Instant) -> Self {
        Self { began, held: None, was_held: false, before: None }
    }

    /// The service depends on others, and this turns true when they are ready.
    pub(super) fn held_by(&mut self, released: watch::Receiver<bool>) {
        self.held = Some(released);
    }

    /// What to wait for before the service has no excuse.
    pub(super) fn held(&self) -> Option<watch::Receiver<bool>> {
        self.held.clone()
    }

    /// From here on the service has no excuse.
    pub(super) fn release(&mut self) {
        self.held = None;
        self.before = None;
        self.was_held = self.began.elapsed() > AT_ONCE;
    }

    /// True when it crashes again and again.
    pub(super) fn are_a_loop(&mut self, detail: &Detail) -> bool {
        if self.held.as_ref().is_some_and(|released| *released.borrow()) {
            self.release();
        }
        let before = *self.before.get_or_insert(detail.restarts);
        // one that crashed often before this wait is restarted ever more rarely, so those crashes count as well, unless
        // it had an excuse until its latest start
        let is_excused = self.held.is_some() || (self.was_held && detail.restarts == before);
        let crashes = if detail.restarting && !is_excused { detail.restarts } else { detail.restarts - before };
        crashes >= if self.held.is_some() { EARLY_CRASHES } else { CRASHES }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wait that began so long ago.
    fn crashes(ago: Duration) -> Crashes {
        Crashes::new(Instant::now() - ago)
    }

    /// Between two runs, after so many restarts.
    fn down(restarts: i64) -> Detail {
        Detail { restarts, restarting: true, ..Detail::default() }
    }

    fn up(restarts: i64) -> Detail {
        Detail { restarts, restarting: false, running: true, ..Detail::default() }
    }

    #[test]
    fn without_dependencies_every_crash_counts() {
        let mut crashes = crashes(Duration::ZERO);
        assert!(!crashes.are_a_loop(&up(0)));
        assert!(!crashes.are_a_loop(&down(2)));
        assert!(crashes.are_a_loop(&down(3)));
        assert!(self::crashes(Duration::ZERO).are_a_loop(&down(7)), "those before the wait as well");
        assert!(!self::crashes(Duration::ZERO).are_a_loop(&up(7)), "but it may have been repaired");
    }

    #[test]
    fn until_its_dependencies_are_ready_it_has_an_excuse() {
        let gate = watch::Sender::new(false);
        let mut crashes = crashes(Duration::from_secs(5));
        crashes.held_by(gate.subscribe());
        assert!(!crashes.are_a_loop(&down(5)), "those before the wait do not count");
        assert!(!crashes.are_a_loop(&down(12)));
        gate.send_replace(true);
        // the engine is about to start it once more
        assert!(!crashes.are_a_loop(&down(12)));
        assert!(!crashes.are_a_loop(&up(13)));
        assert!(crashes.are_a_loop(&down(13)), "now everything was there");
    }

    #[test]
    fn an_excuse_has_its_limits() {
        let gate = watch::Sender::new(false);
        let mut crashes = crashes(Duration::from_secs(5));
        crashes.held_by(gate.subscribe());
        assert!(!crashes.are_a_loop(&up(0)));
        assert!(!crashes.are_a_loop(&down(7)));
        assert!(crashes.are_a_loop(&down(8)));
    }

    #[test]
    fn what_was_ready_all_the_time_is_no_excuse() {
        let gate = watch::Sender::new(true);
        let mut crashes = crashes(Duration::ZERO);
        crashes.held_by(gate.subscribe());
        assert!(crashes.are_a_loop(&down(3)));
    }
}
