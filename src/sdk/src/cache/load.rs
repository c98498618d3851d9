//! One load: take the turn, load, tell everybody who waits, keep the value.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, resume_unwind},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::{Instant, interval_at, sleep};

use super::{
    Cache, Policy, entry,
    flight::{Pilot, Purpose},
    key::Keys,
    shelf::Found,
};
use crate::ids;

/// How long a process that loads something may be silent before another one takes its place.
const LOCK_LIFE: Duration = Duration::from_secs(3);
const LOCK_RENEWAL: Duration = Duration::from_secs(1);
/// How long a process waits for what another one loads, before it loads it itself.
const PATIENCE: Duration = Duration::from_secs(1);
const FIRST_GLANCE: Duration = Duration::from_millis(2);
const LAST_GLANCE: Duration = Duration::from_millis(20);
/// A value that is longer is not kept, in bytes.
const LONGEST_VALUE: usize = 4 << 20;

pub(super) struct Load {
    pub(super) cache: Cache,
    pub(super) keys: Keys,
    pub(super) policy: Policy,
    pub(super) purpose: Purpose,
}

/// Who loads the value.
enum Turn<T> {
    /// This process, which may keep it under these stamps.
    Ours(Vec<String>),
    /// This process, for itself.
    Alone,
    /// Another process did.
    Done(T),
    /// Nobody has to, or another process does.
    NotNeeded,
}

/// The value, if there is one that counts and can be read as what it should be.
pub(super) fn read<T: DeserializeOwned>(found: &Found) -> Option<T> {
    found.value.as_ref().and_then(|value| serde_json::from_slice(value).ok())
}

impl Load {
    pub(super) async fn run<T, E>(self, pilot: Pilot, load: impl Future<Output = Result<T, E>> + Send)
    where
        T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
        E: Clone + Send + Sync + 'static,
    {
        let token = ids::stamp(ids::random());
        let stamps = match self.turn::<T>(&token).await {
            Turn::NotNeeded => return,
            Turn::Done(value) => return pilot.land(Arc::new(Ok::<T, E>(value))),
            Turn::Alone => return pilot.land(Arc::new(load.await)),
            Turn::Ours(stamps) => stamps,
        };
        let result = match self.renewing(&token, AssertUnwindSafe(load).catch_unwind()).await {
            Ok(result) => result,
            Err(panic) => {
                self.release(&token).await;
                resume_unwind(panic)
            }
        };
        // first kept, then given: who has it finds it there
        let value = result.as_ref().ok().and_then(|value| serde_json::to_vec(value).ok());
        match value.filter(|value| value.len() <= LONGEST_VALUE) {
            None => self.release(&token).await,
            Some(value) => {
                let life = self.policy.ttl.saturating_add(self.policy.stale_while_revalidate);
                let sealed = entry::sealed(&stamps, &value);
                // what is not kept is loaded again
                let _ = self.cache.0.shelf.keep(&self.keys, &token, sealed, life).await;
            }
        }
        pilot.land(Arc::new(result));
    }

    async fn turn<T: DeserializeOwned>(&self, token: &str) -> Turn<T> {
        let (shelf, stale) = (&self.cache.0.shelf, self.policy.stale_while_revalidate);
        if self.policy.ttl.is_zero() {
            return Turn::Alone;
        }
        let unavailable = match self.purpose {
            Purpose::Answer => Turn::Alone,
            // it could not be kept
            Purpose::Refresh => Turn::NotNeeded,
        };
        let begun = Instant::now();
        let mut pause = FIRST_GLANCE;
        loop {
            let Ok(claim) = shelf.claim(&self.keys, stale, token, LOCK_LIFE).await else { return unavailable };
            let there = read(&claim.found).filter(|_| claim.found.fresh);
            if claim.stamps.is_some() && there.is_some() {
                // another process kept it after we had looked
                self.release(token).await;
            }
            match (there, claim.stamps) {
                (Some(value), _) => return Turn::Done(value),
                (None, Some(stamps)) => return Turn::Ours(stamps),
                (None, None) if self.purpose == Purpose::Refresh => return Turn::NotNeeded,
                (None, None) => {}
            }
            loop {
                if begun.elapsed() >= PATIENCE {
                    return Turn::Alone;
                }
                sleep(pause).await;
                pause = LAST_GLANCE.min(pause * 2);
                let Ok(found) = shelf.look(&self.keys, stale).await else { return unavailable };
                if let Some(value) = read(&found) {
                    return Turn::Done(value);
                }
                if !found.locked {
                    break;
                }
            }
        }
    }

    async fn renewing<F: Future>(&self, token: &str, load: F) -> F::Output {
        let mut load = pin!(load);
        let mut due = interval_at(Instant::now() + LOCK_RENEWAL, LOCK_RENEWAL);
        loop {
            tokio::select! {
                biased;
                result = &mut load => return result,
                _ = due.tick() => {
                    // without the lock, the value is not kept
                    let _ = self.cache.0.shelf.renew(&self.keys, token, LOCK_LIFE).await;
                }
            }
        }
    }

    async fn release(&self, token: &str) {
        // it ends by itself
        let _ = self.cache.0.shelf.release(&self.keys, token).await;
    }
}
