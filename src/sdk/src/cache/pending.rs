//! What was forgotten while Redis could not be told.

use std::collections::BTreeSet;

/// More than this, and everything is forgotten instead.
const MOST: usize = 1_000;

/// What is still to be forgotten in Redis.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Pending {
    /// Names of values and locks.
    pub(super) names: BTreeSet<String>,
    /// Names of stamps.
    pub(super) tags: BTreeSet<String>,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.tags.is_empty()
    }

    /// Adds more; `all` is the name of the stamp of everything.
    pub(super) fn add(&mut self, more: Self, all: &str) {
        self.names.extend(more.names);
        self.tags.extend(more.tags);
        if self.tags.contains(all) || self.names.len() + self.tags.len() > MOST {
            self.names.clear();
            self.tags.clear();
            self.tags.insert(all.to_owned());
        }
    }

    /// Takes out what was done.
    pub(super) fn remove(&mut self, done: &Self) {
        self.names.retain(|name| !done.names.contains(name));
        self.tags.retain(|tag| !done.tags.contains(tag));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str) -> Pending {
        Pending { names: BTreeSet::from([name.to_owned()]), tags: BTreeSet::from([format!("tag {name}")]) }
    }

    #[test]
    fn is_bounded() {
        let mut pending = Pending::default();
        for at in 0..10 * MOST {
            pending.add(one(&at.to_string()), "all");
            assert!(pending.names.len() + pending.tags.len() <= MOST);
        }
        assert_eq!(pending.tags, BTreeSet::from(["all".to_owned()]));
        assert!(pending.names.is_empty());
    }

    #[test]
    fn what_came_meanwhile_stays() {
        let mut pending = Pending::default();
        pending.add(one("a"), "all");
        let done = pending.clone();
        pending.add(one("b"), "all");
        pending.remove(&done);
        assert_eq!(pending, one("b"));
        pending.remove(&one("b"));
        assert!(pending.is_empty());
    }
}
