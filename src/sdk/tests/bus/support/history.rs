//! What was sent and what arrived, and whether the two agree.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Mutex, MutexGuard},
};

use banyan_sdk::bus::BusError;

/// A record of numbered messages, written by several tasks.
#[derive(Default)]
pub struct History(Mutex<Log>);

#[derive(Default)]
struct Log {
    /// By number: whether the sender was told that it arrived, that it did not, or neither.
    sent: BTreeMap<u64, Told>,
    deliveries: Vec<u64>,
    effects: BTreeMap<u64, u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Arrived,
    Failed,
    Unknown,
}

/// What a history shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub sent: usize,
    /// Told to have arrived, and never handled.
    pub lost: Vec<u64>,
    /// Told to have failed for certain, and handled all the same.
    pub unexpected: Vec<u64>,
    /// Never sent.
    pub invented: Vec<u64>,
    /// Handled more than once, in spite of their ids.
    pub doubled: Vec<u64>,
    /// Deliveries that their ids showed to be repetitions.
    pub repeated: usize,
    /// First deliveries that came after one that was sent later.
    pub reordered: usize,
    /// The sender does not know.
    pub unknown: usize,
}

impl History {
    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap()
    }

    pub fn sent(&self, number: u64, result: &Result<(), BusError>) {
        let told = match result {
            Ok(()) => Told::Arrived,
            Err(error) if error.may_have_arrived() => Told::Unknown,
            Err(_) => Told::Failed,
        };
        assert!(self.lock().sent.insert(number, told).is_none(), "{number} sent twice");
    }

    /// A delivery; says whether it is the first of its number, so that it has to be handled.
    pub fn delivered(&self, number: u64) -> bool {
        let mut log = self.lock();
        log.deliveries.push(number);
        !log.effects.contains_key(&number)
    }

    /// The handler did its work.
    pub fn handled(&self, number: u64) {
        *self.lock().effects.entry(number).or_default() += 1;
    }

    /// How many were told to have arrived, and how many of those were handled.
    pub fn progress(&self) -> (usize, usize) {
        let log = self.lock();
        let arrived = log.sent.iter().filter(|(_, told)| **told == Told::Arrived);
        let (mut all, mut handled) = (0, 0);
        for (number, _) in arrived {
            all += 1;
            handled += usize::from(log.effects.contains_key(number));
        }
        (all, handled)
    }

    pub fn verdict(&self) -> Verdict {
        let log = self.lock();
        let with = |told| log.sent.iter().filter(move |(_, it)| **it == told).map(|(number, _)| *number);
        let (mut seen, mut highest, mut reordered) = (BTreeSet::new(), 0, 0);
        for number in &log.deliveries {
            if seen.insert(*number) {
                reordered += usize::from(*number < highest);
                highest = highest.max(*number);
            }
        }
        Verdict {
            sent: log.sent.len(),
            lost: with(Told::Arrived).filter(|number| !log.effects.contains_key(number)).collect(),
            unexpected: with(Told::Failed).filter(|number| log.effects.contains_key(number)).collect(),
            invented: log.effects.keys().filter(|number| !log.sent.contains_key(number)).copied().collect(),
            doubled: log.effects.iter().filter(|(_, count)| **count > 1).map(|(number, _)| *number).collect(),
            repeated: log.deliveries.len() - seen.len(),
            reordered,
            unknown: with(Told::Unknown).count(),
        }
    }
}

impl Verdict {
    #[track_caller]
    pub fn clean(&self) {
        let wrong = [&self.lost, &self.unexpected, &self.invented, &self.doubled];
        let first = wrong.map(|numbers| &numbers[..numbers.len().min(20)]);
        assert!(wrong.iter().all(|numbers| numbers.is_empty()), "{self}; the first of each: {first:?}");
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, repeated, reordered, unknown, .. } = self;
        let [lost, unexpected, invented, doubled] =
            [&self.lost, &self.unexpected, &self.invented, &self.doubled].map(Vec::len);
        write!(
            f,
            "sent {sent}, lost {lost}, doubled {doubled}, invented {invented}, unexpected {unexpected}, \
             repeated deliveries {repeated}, reordered {reordered}, unknown to the sender {unknown}"
        )
    }
}

/// The checker has to see what it is there for.
#[test]
fn each_kind_of_mistake_is_seen() {
    let history = History::default();
    let lost = BusError::Lost { target: "q".into() };
    for (number, result) in [(1, Ok(())), (2, Ok(())), (3, Err(lost)), (4, Err(BusError::Closed)), (5, Ok(()))] {
        history.sent(number, &result);
    }
    for number in [5, 2, 2, 4, 9] {
        history.delivered(number);
        history.handled(number);
    }
    let verdict = history.verdict();
    assert_eq!(
        verdict,
        Verdict {
            sent: 5,
            lost: vec![1],
            unexpected: vec![4],
            invented: vec![9],
            doubled: vec![2],
            repeated: 1,
            reordered: 2,
            unknown: 1
        }
    );
    assert_eq!(history.progress(), (3, 2));
}
