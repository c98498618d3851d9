//! The latest events, for clients that come back: bounded by number, bytes and time.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use banyan_sdk::protocol::Envelope;

use super::event::Event;

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// How many events.
    pub count: usize,
    /// About how many bytes.
    pub bytes: usize,
    /// For how long.
    pub time: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { count: 5_000, bytes: 8 << 20, time: Duration::from_secs(300) }
    }
}

/// The latest events, in the order in which they came.
#[derive(Debug)]
pub(super) struct Ring {
    bounds: Bounds,
    events: VecDeque<(Instant, Arc<Event>)>,
    /// The message ids of `events`: what the bus delivers again is known.
    ids: HashSet<String>,
    bytes: usize,
    next: u64,
    /// Events may be missing before this number.
    hole: u64,
}

impl Ring {
    /// An empty ring. Numbers begin at `first`, which is random, so that ids of other instances, and of this one before
    /// it was restarted, are not taken for its own.
    pub(super) fn new(bounds: Bounds, first: u32) -> Self {
        let next = u64::from(first) << 20;
        Self { bounds, events: VecDeque::new(), ids: HashSet::new(), bytes: 0, next, hole: 0 }
    }

    /// The number that the next event gets.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Takes an event in, and gives it its number; nothing when it is there already.
    pub(super) fn push(&mut self, envelope: Envelope, now: Instant) -> Option<Arc<Event>> {
        if !self.ids.insert(envelope.id.clone()) {
            return None;
        }
        let event = Arc::new(Event::new(envelope, self.next));
        self.next += 1;
        self.bytes += event.size();
        self.events.push_back((now, event.clone()));
        self.forget(now);
        Some(event)
    }

    /// Events may be missing between those that came and those that come.
    pub(super) fn tear(&mut self) {
        self.hole = self.next;
    }

    /// All events after the one with this id, and whether none can be missing among them; nothing when it is not there
    /// any more.
    pub(super) fn after(&mut self, id: &str, now: Instant) -> Option<(impl Iterator<Item = &Arc<Event>>, bool)> {
        self.forget(now);
        let number: u64 = id.rsplit('-').next()?.parse().ok()?;
        let first = self.events.front()?.1.sequence;
        let at = usize::try_from(number.checked_sub(first)?).ok()?;
        let (_, found) = self.events.get(at)?;
        (found.id == id).then(|| {
            let whole = number >= self.hole;
            (self.events.range(at + 1..).map(|(_, event)| event), whole)
        })
    }

    /// All of them.
    #[cfg(test)]
    pub(super) fn latest(&self) -> impl Iterator<Item = &Arc<Event>> {
        self.events.iter().map(|(_, event)| event)
    }

    fn forget(&mut self, now: Instant) {
        let over = |ring: &Self| {
            let old = |(came, _): &(Instant, _)| now.saturating_duration_since(*came) > ring.bounds.time;
            ring.events.len() > ring.bounds.count
                || ring.bytes > ring.bounds.bytes
                || ring.events.front().is_some_and(old)
        };
        while over(self) {
            let Some((_, event)) = self.events.pop_front() else { return };
            self.bytes -= event.size();
            self.ids.remove(&event.message_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::event::tests::envelope;

    fn push(ring: &mut Ring, id: &str, now: Instant) -> Option<String> {
        ring.push(envelope("UserCreated", id, "{}"), now).map(|event| event.id.clone())
    }

    fn after(ring: &mut Ring, id: &str, now: Instant) -> Option<(Vec<String>, bool)> {
        ring.after(id, now).map(|(events, whole)| (events.map(|event| event.message_id.clone()).collect(), whole))
    }

    fn all(ids: &[&str], whole: bool) -> Option<(Vec<String>, bool)> {
        Some((ids.iter().map(|id| (*id).to_owned()).collect(), whole))
    }

    #[test]
    fn what_came_after_an_event_is_there_until_the_event_is_gone() {
        let (mut ring, now) = (Ring::new(Bounds { count: 3, ..Bounds::default() }, 1), Instant::now());
        let a = push(&mut ring, "a", now).unwrap();
        assert_eq!(a, "UserCreated-1893456000000-1048576");
        let b = push(&mut ring, "b", now).unwrap();
        push(&mut ring, "c", now).unwrap();
        assert_eq!(after(&mut ring, &a, now), all(&["b", "c"], true));
        assert_eq!(push(&mut ring, "b", now), None, "delivered again");
        let d = push(&mut ring, "d", now).unwrap();
        assert_eq!(after(&mut ring, &a, now), None);
        assert_eq!(after(&mut ring, &b, now), all(&["c", "d"], true));
        assert_eq!(after(&mut ring, &d, now), all(&[], true));
    }

    #[test]
    fn ids_of_others_are_not_known() {
        let (mut ring, mut other, now) =
            (Ring::new(Bounds::default(), 1), Ring::new(Bounds::default(), 2), Instant::now());
        let (mine, theirs) = (push(&mut ring, "a", now).unwrap(), push(&mut other, "a", now).unwrap());
        assert_ne!(mine, theirs);
        for id in
            [theirs.as_str(), "", "-", "UserCreated", "UserCreated-1-1048576", "1048576", "x-99999999999999999999"]
        {
            assert_eq!(after(&mut ring, id, now), None, "{id}");
        }
    }

    #[test]
    fn a_hole_is_known_to_whoever_was_there_before() {
        let (mut ring, now) = (Ring::new(Bounds::default(), 0), Instant::now());
        let a = push(&mut ring, "a", now).unwrap();
        ring.tear();
        let b = push(&mut ring, "b", now).unwrap();
        push(&mut ring, "c", now);
        assert_eq!(after(&mut ring, &a, now), all(&["b", "c"], false));
        assert_eq!(after(&mut ring, &b, now), all(&["c"], true));
    }

    #[test]
    fn old_and_large_ones_go() {
        let bounds = Bounds { count: 100, bytes: 3_000, time: Duration::from_secs(10) };
        let (mut ring, now) = (Ring::new(bounds, 0), Instant::now());
        let a = push(&mut ring, "a", now).unwrap();
        let later = now + Duration::from_secs(10);
        let b = push(&mut ring, "b", later).unwrap();
        assert_eq!(after(&mut ring, &a, later), all(&["b"], true));
        assert_eq!(after(&mut ring, &a, later + Duration::from_millis(1)), None);
        assert_eq!(after(&mut ring, &b, later), all(&[], true));
        assert!(push(&mut ring, "a", later).is_some(), "what is forgotten is new again");
        ring.push(envelope("Large", "l", &format!("\"{}\"", "x".repeat(2_000))), later);
        assert_eq!((ring.events.len(), ring.ids.len(), ring.bytes), (0, 0, 0), "larger than all that may be kept");
    }
}
