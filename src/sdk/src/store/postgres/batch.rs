//! Which appends go into one commit, and the arrays that they are sent as.

use std::{
    collections::{HashMap, VecDeque},
    time::{SystemTime, UNIX_EPOCH},
};

use uuid::Uuid;

use crate::store::event::{Append, Expected, Json, NewEvent, Stream};

/// How much goes into one commit. One append always does, whatever its size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cap {
    pub(super) events: usize,
    pub(super) bytes: usize,
}

/// Takes as much from the front of `waiting` as goes into one commit.
pub(super) fn take<T>(waiting: &mut VecDeque<T>, append: impl Fn(&T) -> &Append, cap: Cap) -> Vec<T> {
    let (mut count, mut events, mut bytes) = (0, 0, 0);
    for next in waiting.iter().map(append) {
        events += next.events.len();
        bytes += next.events.iter().map(size).sum::<usize>();
        if count > 0 && (events > cap.events || bytes > cap.bytes) {
            break;
        }
        count += 1;
    }
    waiting.drain(..count).collect()
}

fn size(event: &NewEvent) -> usize {
    event.data.as_str().len() + event.metadata.as_ref().map_or(0, |json| json.as_str().len()) + 200
}

/// For each append the one before it to the same stream, counted from 1; 0 when there is none.
fn previous<'a>(streams: impl Iterator<Item = &'a Stream>) -> Vec<i32> {
    let mut seen = HashMap::new();
    (1..).zip(streams).map(|(place, stream)| seen.insert(stream, place).unwrap_or(0)).collect()
}

/// The arguments of `append_events`, whose comment says what is in each.
#[derive(Default)]
pub(super) struct Columns<'a> {
    pub(super) expected: Vec<i32>,
    pub(super) count: Vec<i32>,
    pub(super) previous: Vec<i32>,
    pub(super) append: Vec<i32>,
    pub(super) index: Vec<i32>,
    pub(super) service: Vec<&'a str>,
    pub(super) aggregate_type: Vec<&'a str>,
    pub(super) aggregate_id: Vec<&'a str>,
    pub(super) id: Vec<Uuid>,
    pub(super) event_type: Vec<&'a str>,
    pub(super) event_version: Vec<i32>,
    pub(super) data: Vec<&'a str>,
    pub(super) metadata: Vec<Option<&'a str>>,
    pub(super) occurred_at: Vec<Option<i64>>,
    pub(super) correlation: Vec<Option<&'a str>>,
    pub(super) causation: Vec<Option<&'a str>>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(appends: &[&'a Append]) -> Self {
        let previous = previous(appends.iter().map(|append| &append.stream));
        let mut columns = Self { previous, ..Self::default() };
        for (place, append) in (1..).zip(appends) {
            columns.push(place, append);
        }
        columns
    }

    fn push(&mut self, place: i32, append: &'a Append) {
        self.expected.push(expected(append.expected));
        self.count.push(number(append.events.len()));
        for (index, event) in (1..).zip(&append.events) {
            self.append.push(place);
            self.index.push(index);
            self.service.push(&append.service);
            self.aggregate_type.push(&append.stream.aggregate_type);
            self.aggregate_id.push(&append.stream.aggregate_id);
            self.id.push(event.id);
            self.event_type.push(&event.event_type);
            self.event_version.push(number_of(event.event_version));
            self.data.push(event.data.as_str());
            self.metadata.push(event.metadata.as_ref().map(Json::as_str));
            self.occurred_at.push(event.occurred_at.map(microseconds));
            self.correlation.push(event.correlation_id.as_deref());
            self.causation.push(event.causation_id.as_deref());
        }
    }
}

/// As the database's functions take it.
pub(super) fn expected(version: Expected) -> i32 {
    match version {
        Expected::Any => -1,
        Expected::NoStream => 0,
        // A stream never gets that far, so that the larger ones are as wrong as this one.
        Expected::Version(version) => number_of(version),
    }
}

/// A number that the database keeps as an `integer`; what is larger than any of those is the largest.
pub(super) fn number_of(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn number(length: usize) -> i32 {
    i32::try_from(length).expect("an append is checked for its size before it gets here")
}

/// Since 1970.
pub(super) fn microseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dice::{Dice, rounds};

    fn append(stream: &str, events: usize) -> Append {
        let events = (0..events).map(|_| NewEvent::new("Happened", json!({}).into())).collect();
        Append::new("service", Stream::new("Thing", stream), Expected::Any, events)
    }

    #[test]
    fn an_append_knows_the_one_before_it_to_its_stream() {
        let appends = [append("a", 1), append("b", 2), append("a", 2), append("c", 1), append("a", 1)];
        let columns = Columns::of(&appends.each_ref());
        assert_eq!(columns.previous, [0, 0, 1, 0, 3]);
        assert_eq!((columns.append, columns.index), (vec![1, 2, 2, 3, 3, 4, 5], vec![1, 1, 2, 1, 2, 1, 1]));
    }

    #[test]
    fn a_commit_is_capped_but_never_empty() {
        let cap = Cap { events: 3, bytes: usize::MAX };
        let mut waiting = VecDeque::from([append("a", 2), append("b", 1), append("c", 1), append("d", 9)]);
        let sizes: Vec<_> = std::iter::from_fn(|| {
            Some(take(&mut waiting, |it| it, cap)).filter(|taken| !taken.is_empty()).map(|taken| taken.len())
        })
        .collect();
        assert_eq!(sizes, [2, 1, 1]);
        let mut waiting = VecDeque::from([append("a", 1), append("b", 1)]);
        assert_eq!(take(&mut waiting, |it| it, Cap { events: 9, bytes: 1 }).len(), 1);
    }

    fn any_append(dice: &mut Dice) -> Append {
        let mut append = append(dice.pick(&["a", "b", "c", "d", "e"]), 1 + dice.below(5_usize));
        for event in &mut append.events {
            event.data = json!("x".repeat(dice.below(300))).into();
        }
        append
    }

    /// Whatever waits goes into commits in the order in which it came, into each as much as it takes.
    #[test]
    fn any_queue_is_taken_in_order_and_as_far_as_the_cap_allows() {
        for mut dice in rounds(200) {
            let cap = Cap { events: 1 + dice.below(12_usize), bytes: 300 + dice.below(4_000_usize) };
            let fits = |commit: &[&Append]| {
                let events = || commit.iter().flat_map(|append| &append.events);
                events().count() <= cap.events && events().map(size).sum::<usize>() <= cap.bytes
            };
            let (mut waiting, mut came, mut taken) = (VecDeque::new(), 0, 0);
            let mut versions = HashMap::new();
            while taken < 60 {
                // More of them come while a commit is under way.
                for _ in 0..dice.below(8) {
                    waiting.push_back((came, any_append(&mut dice)));
                    came += 1;
                }
                let (before, commit) = (waiting.len(), take(&mut waiting, |(_, append)| append, cap));
                assert_eq!(commit.is_empty(), before == 0);
                assert!(commit.iter().map(|(number, _)| *number).eq(taken..taken + commit.len()), "out of order");
                taken += commit.len();
                let mut appends: Vec<_> = commit.iter().map(|(_, append)| append).collect();
                assert!(appends.len() <= 1 || fits(&appends), "over the cap");
                carry_out(&appends, &mut versions);
                if let Some((_, next)) = waiting.front() {
                    appends.push(next);
                    assert!(!fits(&appends), "there was room for another one");
                }
            }
        }
    }

    /// Does with the columns of a commit what the database does, and compares it with the appends one after the other.
    fn carry_out(appends: &[&Append], versions: &mut HashMap<Stream, i32>) {
        let columns = Columns::of(appends);
        let before = versions.clone();
        let mut after: Vec<i32> = Vec::new();
        for (place, append) in appends.iter().enumerate() {
            let stream = &append.stream;
            let base = match columns.previous[place] {
                0 => before.get(stream).copied().unwrap_or(0),
                previous => after[usize::try_from(previous).unwrap() - 1],
            };
            let version = versions.entry(stream.clone()).or_default();
            assert_eq!(base, *version, "{stream} goes on behind its last event");
            *version += columns.count[place];
            after.push(*version);
        }
        let sent = columns.append.iter().zip(&columns.index).zip(&columns.id);
        let wanted = (1..).zip(appends).flat_map(|(place, append)| {
            (1..).zip(&append.events).map(move |(index, event)| ((place, index), event.id))
        });
        assert!(sent.map(|((place, index), id)| ((*place, *index), *id)).eq(wanted), "each event is sent once");
        let counts = appends.iter().map(|append| number(append.events.len()));
        assert!(columns.count.iter().copied().eq(counts));
    }
}
