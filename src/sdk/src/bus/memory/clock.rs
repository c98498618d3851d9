//! The time that messages wait by.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::{sync::watch, time::Instant};

/// Tells the time, and waits for it.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Instant;
    /// Waits until a moment has come.
    fn sleep_until(&self, moment: Instant) -> BoxFuture<'_, ()>;
}

/// The time as it passes.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, moment: Instant) -> BoxFuture<'_, ()> {
        tokio::time::sleep_until(moment).boxed()
    }
}

/// A time that stands still until somebody moves it. Its clones are the same clock.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<watch::Sender<Instant>>);

impl ManualClock {
    /// A clock that stands at the present moment.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Instant::now())))
    }

    /// Moves the time on.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now += by);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        *self.0.borrow()
    }

    fn sleep_until(&self, moment: Instant) -> BoxFuture<'_, ()> {
        let mut time = self.0.subscribe();
        async move {
            // The sender lives as long as this clock.
            let _ = time.wait_for(|now| *now >= moment).await;
        }
        .boxed()
    }
}
