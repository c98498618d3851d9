//! Who gets an event: everybody who asked for it, may see it, and whose filters let it through.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use banyan_sdk::protocol::Envelope;
use tokio::sync::mpsc;

use super::{
    event::Event,
    filters::Filters,
    known::{Known, Meant, may_see},
    ring::{Bounds, Ring},
};
use crate::caller::Caller;

/// What a listener is told.
#[derive(Debug, Clone)]
pub(crate) enum News {
    /// An event, and what the listener calls it.
    Event(Arc<Event>, Arc<str>),
    /// Events may have been missed; of one name, or of all.
    Gap(Option<Arc<str>>),
}

/// Where the news of one listener go.
#[derive(Debug)]
pub(super) struct Mailbox {
    pub id: u64,
    pub caller: Arc<Caller>,
    pub news: mpsc::Sender<News>,
    /// The listener did not take its news in time, and gets no more.
    pub overrun: AtomicBool,
}

impl Mailbox {
    /// Never waits: whoever is too slow is dropped, so that others feel nothing.
    fn post(&self, news: News) {
        if self.news.try_send(news).is_err() {
            self.overrun.store(true, Ordering::Release);
        }
    }

    pub(super) fn is_overrun(&self) -> bool {
        self.overrun.load(Ordering::Acquire)
    }
}

/// What one listener asked for.
pub(super) struct Topic {
    pub mailbox: Arc<Mailbox>,
    /// As the listener calls it.
    pub name: Arc<str>,
    pub meant: Meant,
    pub filters: Filters,
}

impl Topic {
    fn wants(&self, known: &Known, event: &Event) -> bool {
        let contracts = known.of(event);
        self.takes(event, &contracts)
    }

    /// `contracts` are those of now: what a caller may see can have changed since.
    fn takes(&self, event: &Event, contracts: &[Arc<crate::catalog::Operation>]) -> bool {
        let contracts = if contracts.is_empty() { &self.meant.contracts } else { contracts };
        self.meant.means(event, contracts)
            && may_see(&self.mailbox.caller, contracts)
            && (self.filters.is_empty() || self.filters.match_payload(event.value()))
    }
}

/// All listeners, and the latest events.
pub(super) struct Fan {
    ring: Ring,
    topics: HashMap<String, HashMap<(u64, Arc<str>), Topic>>,
    mailboxes: HashMap<u64, Arc<Mailbox>>,
    /// The words whose events come, and since which number they do.
    coming: HashMap<String, u64>,
    next_listener: u64,
}

impl Fan {
    pub(super) fn new(bounds: Bounds, first: u32) -> Self {
        Self {
            ring: Ring::new(bounds, first),
            topics: HashMap::new(),
            mailboxes: HashMap::new(),
            coming: HashMap::new(),
            next_listener: 0,
        }
    }

    /// A place for a listener's news.
    pub(super) fn enter(&mut self, caller: Arc<Caller>, capacity: usize) -> (Arc<Mailbox>, mpsc::Receiver<News>) {
        let (news, receiver) = mpsc::channel(capacity);
        self.next_listener += 1;
        let mailbox = Arc::new(Mailbox { id: self.next_listener, caller, news, overrun: AtomicBool::new(false) });
        self.mailboxes.insert(mailbox.id, mailbox.clone());
        (mailbox, receiver)
    }

    /// Adds what a listener asked for, in place of what it called the same before. What is told at once: the events since
    /// the one named `after`, or that some of them are not there any more.
    pub(super) fn add(&mut self, known: &Known, topics: Vec<Topic>, after: Option<&str>, now: Instant) -> Vec<News> {
        let news = after.map_or_else(Vec::new, |after| self.missed(known, &topics, after, now));
        for topic in topics {
            let listeners = self.topics.entry(topic.meant.word.clone()).or_default();
            listeners.insert((topic.mailbox.id, topic.name.clone()), topic);
        }
        news
    }

    fn missed(&mut self, known: &Known, topics: &[Topic], after: &str, now: Instant) -> Vec<News> {
        let gap = || match topics {
            [one] => News::Gap(Some(one.name.clone())),
            _ => News::Gap(None),
        };
        // what is called so was there, so its number is one of this instance
        let number = after.rsplit('-').next().and_then(|number| number.parse::<u64>().ok()).unwrap_or_default();
        let came = |topic: &Topic| self.coming.get(&topic.meant.word).is_some_and(|since| *since <= number);
        let all_came = topics.iter().all(came);
        let Some((events, whole)) = self.ring.after(after, now) else { return vec![gap()] };
        let told = (!whole || !all_came).then(gap);
        let missed = events.flat_map(|event| {
            let wanted = topics.iter().filter(|topic| topic.wants(known, event));
            wanted.map(|topic| News::Event(event.clone(), topic.name.clone()))
        });
        told.into_iter().chain(missed).collect()
    }

    /// Takes back what a listener asked for; false when there is no such thing.
    pub(super) fn remove(&mut self, word: &str, listener: u64, name: &Arc<str>) -> bool {
        let Some(listeners) = self.topics.get_mut(word) else { return false };
        let removed = listeners.remove(&(listener, name.clone())).is_some();
        if listeners.is_empty() {
            self.topics.remove(word);
        }
        removed
    }

    /// The listener is gone; its topics were removed before.
    pub(super) fn leave(&mut self, listener: u64) {
        self.mailboxes.remove(&listener);
    }

    /// Hands an event to everybody who wants it.
    pub(super) fn publish(&mut self, known: &Known, envelope: Envelope, now: Instant) {
        let Some(event) = self.ring.push(envelope, now) else { return };
        let Some(listeners) = self.topics.get(&event.word()) else { return };
        let contracts = known.of(&event);
        for topic in listeners.values() {
            if !topic.mailbox.is_overrun() && topic.takes(&event, &contracts) {
                topic.mailbox.post(News::Event(event.clone(), topic.name.clone()));
            }
        }
    }

    /// Events may have been missed by all.
    pub(super) fn tear(&mut self) {
        self.ring.tear();
        self.mailboxes.values().for_each(|mailbox| mailbox.post(News::Gap(None)));
    }

    /// Whether events with this word come.
    pub(super) fn comes(&self, word: &str) -> bool {
        self.coming.contains_key(word)
    }

    /// From now on events with these words come.
    pub(super) fn begin(&mut self, words: &[String]) {
        let next = self.ring.next();
        for word in words {
            self.coming.entry(word.clone()).or_insert(next);
        }
    }

    /// Whether any events come.
    pub(super) fn begun(&self) -> bool {
        !self.coming.is_empty()
    }

    /// How many events are kept.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.ring.latest().count()
    }

    /// The id of the latest event.
    #[cfg(test)]
    pub(super) fn last(&self) -> Option<String> {
        self.ring.latest().last().map(|event| event.id.clone())
    }
}
