//! A shelf in the memory of this process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    entry,
    key::Keys,
    pending::Pending,
    shelf::{Claim, Found, STAMP_LIFE},
};
use crate::{ids, metrics::Counter};

/// So many values are kept; the one that ends first makes room for the next.
const CAPACITY: usize = 10_000;

/// What [`Cache::memory`](super::Cache::memory) keeps things in. Clones are the same memory.
#[derive(Clone, Default)]
pub struct Memory {
    state: Arc<Mutex<State>>,
    pub(super) evictions: Counter,
}

#[derive(Default)]
struct State {
    values: HashMap<String, Timed<Vec<u8>>>,
    locks: HashMap<String, Timed<String>>,
    stamps: HashMap<String, Timed<String>>,
}

struct Timed<T> {
    value: T,
    until: Instant,
}

impl<T> Timed<T> {
    fn new(value: T, now: Instant, life: Duration) -> Self {
        let century = Duration::from_secs(3_153_600_000);
        Self { value, until: now + life.min(century) }
    }
}

impl Memory {
    /// An empty memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes the values have.
    pub(super) fn size(&self) -> usize {
        self.state().values.values().map(|it| it.value.len()).sum()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn look(&self, keys: &Keys, stale: Duration) -> Found {
        self.state().look(keys, stale, Instant::now())
    }

    pub(super) fn claim(&self, keys: &Keys, stale: Duration, token: &str, life: Duration) -> Claim {
        let now = Instant::now();
        let mut state = self.state();
        for tag in &keys.tags {
            if live(&state.stamps, tag, now).is_none() {
                state.stamps.insert(tag.clone(), Timed::new(ids::stamp(ids::random()), now, STAMP_LIFE));
            }
        }
        let found = state.look(keys, stale, now);
        let stamps = (!found.locked).then(|| {
            state.locks.insert(keys.lock.clone(), Timed::new(token.to_owned(), now, life));
            state.stamps(keys, now).into_iter().flatten().collect()
        });
        Claim { stamps, found }
    }

    pub(super) fn renew(&self, keys: &Keys, token: &str, life: Duration) {
        let now = Instant::now();
        let mut state = self.state();
        if state.holds(keys, token, now) {
            state.locks.insert(keys.lock.clone(), Timed::new(token.to_owned(), now, life));
        }
    }

    pub(super) fn release(&self, keys: &Keys, token: &str) {
        let mut state = self.state();
        if state.holds(keys, token, Instant::now()) {
            state.locks.remove(&keys.lock);
        }
    }

    pub(super) fn keep(&self, keys: &Keys, token: &str, sealed: Vec<u8>, life: Duration) {
        let now = Instant::now();
        let mut state = self.state();
        if !state.holds(keys, token, now) {
            return;
        }
        state.locks.remove(&keys.lock);
        for tag in &keys.tags {
            if let Some(stamp) = state.stamps.get_mut(tag) {
                stamp.until = stamp.until.max(Timed::new((), now, life).until);
            }
        }
        if state.values.len() >= CAPACITY && !state.values.contains_key(&keys.entry) {
            self.evictions.add(state.make_room(now));
        }
        state.values.insert(keys.entry.clone(), Timed::new(sealed, now, life));
    }

    pub(super) fn forget(&self, what: &Pending) {
        let now = Instant::now();
        let mut state = self.state();
        for name in &what.names {
            state.values.remove(name);
            state.locks.remove(name);
        }
        for tag in &what.tags {
            state.stamps.insert(tag.clone(), Timed::new(ids::stamp(ids::random()), now, STAMP_LIFE));
        }
    }
}

impl State {
    fn look(&self, keys: &Keys, stale: Duration, now: Instant) -> Found {
        let kept = self.values.get(&keys.entry).filter(|kept| kept.until > now);
        let value = kept.and_then(|kept| entry::opened(kept.value.clone(), &self.stamps(keys, now)));
        Found {
            value,
            fresh: kept.is_some_and(|kept| kept.until - now > stale),
            locked: live(&self.locks, &keys.lock, now).is_some(),
        }
    }

    fn stamps(&self, keys: &Keys, now: Instant) -> Vec<Option<String>> {
        keys.tags.iter().map(|tag| live(&self.stamps, tag, now).cloned()).collect()
    }

    fn holds(&self, keys: &Keys, token: &str, now: Instant) -> bool {
        live(&self.locks, &keys.lock, now).is_some_and(|holder| holder == token)
    }

    /// Takes out what has ended and, if nothing has, the value that ends first; tells how many had not ended.
    fn make_room(&mut self, now: Instant) -> u64 {
        self.locks.retain(|_, it| it.until > now);
        self.stamps.retain(|_, it| it.until > now);
        self.values.retain(|_, it| it.until > now);
        if self.values.len() < CAPACITY {
            return 0;
        }
        let first = self.values.iter().min_by_key(|(_, it)| it.until).map(|(name, _)| name.clone());
        first.and_then(|name| self.values.remove(&name)).map_or(0, |_| 1)
    }
}

fn live<'a, T>(things: &'a HashMap<String, Timed<T>>, name: &str, now: Instant) -> Option<&'a T> {
    things.get(name).filter(|it| it.until > now).map(|it| &it.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_bounded() {
        let memory = Memory::new();
        let keys = |at: usize| Keys::new("s", "k", &at.to_string(), &[]);
        for at in 0..CAPACITY + 50 {
            let claim = memory.claim(&keys(at), Duration::ZERO, "t", Duration::from_secs(1));
            let sealed = entry::sealed(&claim.stamps.unwrap(), b"1");
            // the later, the longer
            memory.keep(&keys(at), "t", sealed, Duration::from_secs(1_000 + at as u64));
        }
        assert_eq!(memory.evictions.value(), 50);
        assert_eq!(memory.state().values.len(), CAPACITY);
        assert_eq!(memory.size() % CAPACITY, 0, "all of them have the same size");
        assert_eq!(memory.look(&keys(49), Duration::ZERO).value, None);
        assert!(memory.look(&keys(50), Duration::ZERO).value.is_some());
    }
}
