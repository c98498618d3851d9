//! A service that runs, and how it ends.

use std::sync::Arc;

use tokio::time::{Duration, Instant, sleep, timeout_at};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    bus::Bus,
    client::Client,
    runtime::{Runtime, Work},
    store::{Outbox, StoreError},
};

/// How long a service that stops waits for its last events to be published; whoever runs its outbox next publishes what
/// is left.
const LAST_EVENTS: Duration = Duration::from_secs(1);
/// How often it looks whether they are.
const LOOK: Duration = Duration::from_millis(10);
/// What the end takes at least, if nothing is left of the time for it.
const FAREWELL: Duration = Duration::from_millis(300);

/// A service that runs. Dropped, it stops at once; see [`Running::stop`].
pub struct Running {
    runtime: Arc<Runtime>,
    bus: Arc<dyn Bus>,
    /// Nothing new is taken.
    pub(super) intake: CancellationToken,
    /// Nothing goes on beside what was taken.
    pub(super) background: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) followers: TaskTracker,
    _stop_at_any_exit: (DropGuard, DropGuard),
}

impl Running {
    pub(super) fn new(runtime: Arc<Runtime>, bus: Arc<dyn Bus>) -> Self {
        let (Work { stop: intake, tasks }, background) = (runtime.work.clone(), CancellationToken::new());
        Self {
            runtime,
            bus,
            _stop_at_any_exit: (intake.clone().drop_guard(), background.clone().drop_guard()),
            intake,
            background,
            tasks,
            followers: TaskTracker::new(),
        }
    }

    /// Takes nothing new, finishes what was begun, publishes the last events, says goodbye, and lets the connections go:
    /// all of that within `limit`, of which an eighth is kept for what comes after the handlers. Whether everything was
    /// finished in time.
    pub async fn stop(self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        self.intake.cancel();
        self.tasks.close();
        let finished = timeout_at(end - limit / 8, self.tasks.wait()).await.is_ok();
        // In time or not: they are stored, so they are not lost.
        let _ = timeout_at(end.min(Instant::now() + LAST_EVENTS), self.published()).await;
        self.background.cancel();
        self.followers.close();
        let end = end.max(Instant::now() + FAREWELL);
        let followed = timeout_at(end, self.followers.wait()).await.is_ok();
        let goodbye = async {
            self.bus.close().await;
            if let Some(store) = &self.runtime.store {
                store.close().await;
            }
        };
        // Whoever does not hear of it sees the connections go.
        let _ = timeout_at(end.max(Instant::now() + FAREWELL), goodbye).await;
        finished && followed
    }

    /// Waits until everything that this service stored is published.
    async fn published(&self) {
        let Some(store) = &self.runtime.store else { return };
        let outbox = Outbox::new(store.clone(), self.runtime.service.as_str());
        while outbox.lag().await.is_ok_and(|lag| lag > 0) {
            sleep(LOOK).await;
        }
    }

    /// Builds a read model of this service anew, beside the present one, which is read and kept up to date meanwhile.
    ///
    /// # Errors
    /// [`StoreError::NoSuchProjection`], [`StoreError::RebuildUnderWay`], and what the projection or the database said.
    pub async fn rebuild(&self, projection: &str) -> Result<(), StoreError> {
        self.runtime.rebuild(projection).await
    }

    /// The service's own client, with which tests and tools call it or others.
    pub fn client(&self) -> &Client {
        &self.runtime.client
    }
}
