//! What was to happen and what did, by number.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// What a comparison shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    pub wanted: usize,
    /// Wanted, and did not happen.
    pub lost: Vec<i64>,
    /// Happened more than once.
    pub doubled: Vec<i64>,
    /// Happened, and nobody wanted it.
    pub invented: Vec<i64>,
}

impl Tally {
    pub fn of(wanted: impl IntoIterator<Item = i64>, happened: impl IntoIterator<Item = i64>) -> Self {
        let wanted: BTreeSet<i64> = wanted.into_iter().collect();
        let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
        happened.into_iter().for_each(|number| *counts.entry(number).or_default() += 1);
        Self {
            wanted: wanted.len(),
            lost: wanted.iter().filter(|number| !counts.contains_key(number)).copied().collect(),
            doubled: counts.iter().filter(|(_, count)| **count > 1).map(|(number, _)| *number).collect(),
            invented: counts.keys().filter(|number| !wanted.contains(number)).copied().collect(),
        }
    }

    #[track_caller]
    pub fn clean(&self) {
        let wrong = [&self.lost, &self.doubled, &self.invented];
        let first = wrong.map(|numbers| &numbers[..numbers.len().min(20)]);
        assert!(wrong.iter().all(|numbers| numbers.is_empty()), "{self}; the first of each: {first:?}");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [lost, doubled, invented] = [&self.lost, &self.doubled, &self.invented].map(Vec::len);
        write!(f, "wanted {}, lost {lost}, doubled {doubled}, invented {invented}", self.wanted)
    }
}

/// It has to see what it is there for.
#[test]
fn each_kind_of_mistake_is_seen() {
    let tally = Tally::of(1..=4, [1, 2, 2, 9]);
    assert_eq!(tally, Tally { wanted: 4, lost: vec![3, 4], doubled: vec![2], invented: vec![9] });
    Tally::of(1..=2, [2, 1]).clean();
}
