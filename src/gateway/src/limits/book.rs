//! What one instance knows of its callers: the cells that it has on lease, and what it let through on its own account.
//!
//! Cells are taken from the store that all instances share in batches, which are paid for when they are taken; so all
//! instances together let through what one would, and at most the batches that they hold more: each a tenth of the limit,
//! and at most 1,000. Near the limit a batch is one cell. Without the store each instance keeps the limit on its own
//! account, and tells the store of it when that is back, so that nobody gets a second set of cells by it.

use std::collections::HashMap;

use super::gcra::{Gcra, Rule};

/// So many callers are remembered; then those go first whose cells are all back first.
const MOST_CALLERS: usize = 50_000;
/// The largest batch.
const LARGEST_BATCH: u32 = 1_000;
/// How long a batch may be used, in microseconds; what is left of it goes back.
const LEASE: u64 = 10_000_000;
/// A refusal is repeated for this long at most before the store is asked again: somebody may have given cells back.
const REFUSAL: u64 = 1_000_000;

/// What one caller has used of a limit.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    /// All that this instance let through.
    used: Gcra,
    /// What of it the store was not told.
    untold: Gcra,
    /// Cells on lease.
    left: u32,
    /// How many there were after the last batch.
    batch: u32,
    /// When the batch was taken, by the clock of the store.
    taken: u64,
    /// When the lease ends.
    ends: u64,
    /// What the store said last: when all cells will be back.
    shared: u64,
    refused: Option<Refused>,
    /// A new batch is on its way.
    refilling: bool,
    /// When there is nothing to remember any more.
    idle: u64,
}

/// The store did not have so many cells.
#[derive(Debug, Clone, Copy)]
struct Refused {
    count: u32,
    /// Until then it is not asked again.
    until: u64,
    /// When it will have them.
    back: u64,
}

/// What the store is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) rule: Rule,
    /// So many cells or none at all.
    pub(super) need: u32,
    /// So many more if there are plenty.
    pub(super) want: u32,
    /// So many come back, from a batch that was taken at `taken`.
    pub(super) given: u32,
    pub(super) taken: u64,
    /// What this instance alone let through takes so long to come back.
    pub(super) used: u64,
    /// The same for what the store was not told before.
    pub(super) untold: u64,
}

/// What the store answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) granted: u32,
    /// How long until all cells are back.
    pub(super) ahead: u64,
    /// What time it is there.
    pub(super) now: u64,
}

/// What is said to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) admitted: bool,
    pub(super) remaining: u32,
    /// How long until all cells are back.
    pub(super) ahead: u64,
    /// How long until it may try again.
    pub(super) wait: u64,
}

/// What to do for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Say this; and ask for the next batch, when there is a question.
    Say(Said, Option<Question>),
    /// Ask first.
    Ask,
}

/// All callers.
#[derive(Debug, Default)]
pub(super) struct Book(HashMap<String, Entry>);

impl Book {
    /// Uses cells that are at hand.
    pub(super) fn spend(&mut self, key: &str, rule: Rule, cost: u32, now: u64) -> Step {
        let entry = self.entry(key, now);
        let short = cost - entry.at_hand(now).min(cost);
        if short == 0 {
            entry.left -= cost;
            entry.used.note(rule, cost, now);
            entry.remember(now + entry.used.ahead(rule, now));
            let refill = (entry.left < entry.batch / 2 && !entry.refilling).then(|| {
                entry.refilling = true;
                entry.question(rule, 0, now)
            });
            return Step::Say(entry.said(rule, true, 0, now), refill);
        }
        match entry.refused {
            Some(Refused { count, until, back }) if short >= count && now < until => {
                let wait = back - now + rule.cells(short - count);
                Step::Say(entry.said(rule, false, wait, now), None)
            }
            _ => Step::Ask,
        }
    }

    /// What to ask for that; what is left of a lease that has ended goes back with it.
    pub(super) fn question(&mut self, key: &str, rule: Rule, cost: u32, now: u64) -> Question {
        let entry = self.entry(key, now);
        let short = cost - entry.at_hand(now).min(cost);
        entry.question(rule, short, now)
    }

    /// Hears an answer. The cells are on lease then; if there were none, nobody asks for a while.
    pub(super) fn hear(&mut self, key: &str, question: &Question, answer: Answer, now: u64) {
        let entry = self.entry(key, now);
        let Question { rule, need, .. } = *question;
        entry.refilling &= need > 0;
        entry.untold.forget(question.untold);
        entry.shared = now + answer.ahead;
        entry.batch = 0;
        if answer.granted > 0 {
            if entry.left == 0 {
                entry.taken = answer.now;
            }
            entry.left += answer.granted;
            entry.ends = now + LEASE;
            entry.refused = None;
            if answer.granted > need {
                entry.batch = entry.left - need;
            }
        } else if need > 0 {
            let wait = (answer.ahead + rule.cells(need)).saturating_sub(rule.all()).max(1);
            entry.refused = Some(Refused { count: need, until: now + wait.min(REFUSAL), back: now + wait });
        }
        entry.remember(entry.shared.max(entry.ends));
    }

    /// Without the store: this instance keeps the limit alone.
    pub(super) fn alone(&mut self, key: &str, rule: Rule, cost: u32, now: u64) -> Said {
        let entry = self.entry(key, now);
        // what is on lease is used first, and counts as well
        let leased = entry.at_hand(now).min(cost);
        let taken = entry.used.take(rule, cost, now);
        if taken.is_ok() {
            entry.left -= leased;
            entry.untold.note(rule, cost - leased, now);
            entry.remember(now + entry.used.ahead(rule, now));
        }
        let ahead = entry.used.ahead(rule, now);
        Said { admitted: taken.is_ok(), remaining: rule.free(ahead), ahead, wait: taken.err().unwrap_or(0) }
    }

    /// The batch that was on its way does not come.
    pub(super) fn give_up(&mut self, key: &str, now: u64) {
        self.entry(key, now).refilling = false;
    }

    fn entry(&mut self, key: &str, now: u64) -> &mut Entry {
        if !self.0.contains_key(key) {
            if self.0.len() >= MOST_CALLERS {
                self.make_room(now);
            }
            self.0.insert(key.to_owned(), Entry::default());
        }
        self.0.get_mut(key).expect("it was put there")
    }

    /// Forgets whoever has nothing to remember, and of the others an eighth: those whose cells are back first.
    fn make_room(&mut self, now: u64) {
        self.0.retain(|_, entry| entry.idle > now);
        if self.0.len() < MOST_CALLERS {
            return;
        }
        let mut idle: Vec<u64> = self.0.values().map(|entry| entry.idle).collect();
        let (_, bound, _) = idle.select_nth_unstable(MOST_CALLERS / 8);
        let bound = *bound;
        let mut surplus = MOST_CALLERS / 8;
        self.0.retain(|_, entry| {
            let goes = surplus > 0 && entry.idle <= bound;
            surplus -= usize::from(goes);
            !goes
        });
    }

    /// How many callers are remembered.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Entry {
    /// How many cells are on lease now.
    fn at_hand(&self, now: u64) -> u32 {
        if now < self.ends { self.left } else { 0 }
    }

    fn remember(&mut self, until: u64) {
        self.idle = self.idle.max(until);
    }

    fn question(&mut self, rule: Rule, need: u32, now: u64) -> Question {
        let given = if now < self.ends { 0 } else { std::mem::take(&mut self.left) };
        let batch = (rule.requests / 10).min(LARGEST_BATCH);
        Question {
            rule,
            need,
            want: batch.saturating_sub(self.left),
            given,
            taken: self.taken,
            used: self.used.ahead(rule, now),
            untold: self.untold.ahead(rule, now),
        }
    }

    fn said(&self, rule: Rule, admitted: bool, wait: u64, now: u64) -> Said {
        let ahead = self.shared.saturating_sub(now).min(rule.all()).saturating_sub(rule.cells(self.left));
        let remaining = if admitted { rule.free(ahead) } else { 0 };
        Said { admitted, remaining, ahead, wait }
    }
}
