//! How long something is waited for.

use std::{future::Future, pin::Pin, task::Context, time::Duration};

use tokio::time::{Instant, Sleep, sleep_until};

/// A limit to waiting. Only what is really waited for costs a timer.
pub(super) struct Patience {
    limit: Duration,
    end: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, end: None, sleep: None }
    }

    /// Begins, unless it has.
    pub(super) fn begin(&mut self) {
        if self.end.is_none() {
            self.end = Some(Instant::now() + self.limit);
        }
    }

    pub(super) fn stop(&mut self) {
        self.end = None;
        self.sleep = None;
    }

    /// Whether it has come to its end; otherwise the task is woken then.
    pub(super) fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        let Some(end) = self.end else {
            return false;
        };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(end)));
        sleep.as_mut().poll(context).is_ready()
    }
}
