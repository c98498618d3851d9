//! Tokens that were found to be good a short while ago, by their hash.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use sha2::{Digest, Sha256};

use super::Verified;

/// How long it is remembered at least and, twice that, at most, in seconds.
const KEPT: u64 = 30;
/// Of how many tokens, in each of two generations.
const MOST: usize = 10_000;

/// SHA-256 of a token, so that what is in memory is good for nothing.
pub(super) type Hash = [u8; 32];

/// Two generations: when the younger one is full or old enough, the older one is forgotten.
#[derive(Default)]
pub(super) struct Checked(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    began: u64,
    young: HashMap<Hash, Arc<Verified>>,
    old: HashMap<Hash, Arc<Verified>>,
}

impl Checked {
    pub(super) fn hash(token: &str) -> Hash {
        Sha256::digest(token).into()
    }

    pub(super) fn get(&self, hash: &Hash, now: u64) -> Option<Arc<Verified>> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        generations.turn(now);
        generations.young.get(hash).or_else(|| generations.old.get(hash)).cloned()
    }

    pub(super) fn insert(&self, hash: Hash, verified: Arc<Verified>, now: u64) {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if generations.young.len() >= MOST {
            generations.next(now);
        }
        generations.young.insert(hash, verified);
    }
}

impl Generations {
    fn turn(&mut self, now: u64) {
        // a clock that was set back begins anew as well
        if now.abs_diff(self.began) >= 2 * KEPT {
            self.next(now);
            self.old.clear();
        } else if now.abs_diff(self.began) >= KEPT {
            self.next(now);
        }
    }

    fn next(&mut self, now: u64) {
        self.began = now;
        self.old = mem::take(&mut self.young);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Auth;

    #[test]
    fn forgets_in_time_and_never_holds_too_much() {
        let (checked, start) = (Checked::default(), 1_000_000);
        let verified = Arc::new(Verified { auth: Auth::default(), expires: u64::MAX });
        let known = |token: &str, now| checked.get(&Checked::hash(token), now).is_some();
        assert!(!known("a", start));
        checked.insert(Checked::hash("a"), Arc::clone(&verified), start);
        assert!(known("a", start + KEPT - 1) && known("a", start + KEPT), "the second time from the older half");
        assert!(!known("a", start + 2 * KEPT));
        for number in 0..3 * MOST {
            checked.insert(Checked::hash(&number.to_string()), Arc::clone(&verified), start + 2 * KEPT);
        }
        let generations = checked.0.lock().unwrap();
        assert!(generations.young.len() + generations.old.len() <= 2 * MOST);
    }
}
