//! What a broker does, without a clock or a network: queues, bindings, consumers, and messages whose time is over.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use banyan_protocol::names::{self, DEAD_LETTER_EXCHANGE};
use tokio::{sync::mpsc, time::Instant};

use crate::bus::{
    Binding, BusError, Counts, Delivery, Form, HeaderValue, Message, Queue, Target, Topology,
    dead_letters::HEADER_DEATHS,
    delivery::{Settle, Verdict},
};

#[derive(Default)]
pub(super) struct Broker {
    queues: BTreeMap<String, Contents>,
    bindings: Vec<Binding>,
    unsettled: BTreeMap<u64, Handed>,
    next_tag: u64,
    next_place: u64,
    next_consumer: u64,
}

struct Contents {
    queue: Queue,
    ready: VecDeque<Waiting>,
    /// The one to be served next comes first.
    consumers: VecDeque<Consumer>,
}

struct Waiting {
    /// What comes back goes before what came later.
    place: u64,
    message: Message,
    redelivered: bool,
    /// When its time is over.
    until: Option<Instant>,
}

struct Consumer {
    id: u64,
    /// How many more it may be handed.
    credit: u16,
    to: mpsc::Sender<Delivery>,
    settle: Arc<dyn Settle>,
}

struct Handed {
    queue: String,
    consumer: Option<u64>,
    waiting: Waiting,
}

impl Broker {
    pub(super) fn declare(&mut self, topology: &Topology) -> Result<(), BusError> {
        for queue in &topology.queues {
            match self.queues.get(&queue.name) {
                None => {
                    let contents =
                        Contents { queue: queue.clone(), ready: VecDeque::new(), consumers: VecDeque::new() };
                    self.queues.insert(queue.name.clone(), contents);
                }
                Some(known) if known.queue.arguments() == queue.arguments() => {}
                Some(known) => {
                    let (current, received) = (known.queue.arguments(), queue.arguments());
                    let other = received.iter().find(|it| !current.contains(it)).or(current.first());
                    let difference = match other {
                        Some((name, value)) => format!("inequivalent arg '{name}': received {value:?}"),
                        None => "inequivalent arguments".to_owned(),
                    };
                    return Err(BusError::Mismatch { name: queue.name.clone(), difference });
                }
            }
        }
        for binding in &topology.bindings {
            if !self.queues.contains_key(&binding.queue) {
                return Err(BusError::NoSuchQueue { queue: binding.queue.clone() });
            }
            if !self.bindings.contains(binding) {
                self.bindings.push(binding.clone());
            }
        }
        Ok(())
    }

    /// Puts a message into every queue that takes it, and says how many there are.
    pub(super) fn publish(&mut self, target: &Target, message: &Message, now: Instant) -> usize {
        let queues: BTreeSet<String> = match target {
            Target::Queue(queue) => self.queues.contains_key(queue).then(|| queue.clone()).into_iter().collect(),
            Target::Exchange { exchange, key } => {
                let direct = exchange == DEAD_LETTER_EXCHANGE;
                let takes = |binding: &&Binding| {
                    binding.exchange == *exchange
                        && if direct { binding.pattern == *key } else { matches(&binding.pattern, key) }
                };
                self.bindings.iter().filter(takes).map(|binding| binding.queue.clone()).collect()
            }
        };
        for name in &queues {
            self.enqueue(name, message.clone(), now);
        }
        queues.len()
    }

    fn enqueue(&mut self, name: &str, message: Message, now: Instant) {
        let Some(contents) = self.queues.get_mut(name) else { return };
        let hold = match &contents.queue.form {
            Form::Delay { hold, .. } => Some(*hold),
            _ => None,
        };
        let stay = match (message.expiration, hold) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let until = stay.map(|stay| now + stay);
        self.next_place += 1;
        contents.ready.push_back(Waiting { place: self.next_place, message, redelivered: false, until });
        self.hand_out(name, now);
    }

    /// Hands out what is ready to consumers in turn.
    fn hand_out(&mut self, name: &str, now: Instant) {
        self.drop_old(name, now);
        let Some(contents) = self.queues.get_mut(name) else { return };
        contents.consumers.retain(|consumer| !consumer.to.is_closed());
        while !contents.ready.is_empty() {
            let Some(place) = contents.consumers.iter().position(|consumer| consumer.credit > 0) else { break };
            let Some(waiting) = contents.ready.pop_front() else { break };
            let Some(mut consumer) = contents.consumers.remove(place) else { break };
            self.next_tag += 1;
            let tag = self.next_tag;
            let delivery = Delivery::new(
                waiting.message.clone(),
                name.to_owned(),
                waiting.redelivered,
                consumer.settle.clone(),
                tag,
            );
            match consumer.to.try_send(delivery) {
                Ok(()) => {
                    consumer.credit -= 1;
                    let handed = Handed { queue: name.to_owned(), consumer: Some(consumer.id), waiting };
                    self.unsettled.insert(tag, handed);
                    contents.consumers.push_back(consumer);
                }
                // The consumer went away in this moment.
                Err(error) => {
                    error.into_inner().forget();
                    contents.ready.push_front(waiting);
                }
            }
        }
    }

    pub(super) fn settle(&mut self, tag: u64, verdict: Verdict, now: Instant) {
        let Some(Handed { queue, consumer, mut waiting }) = self.unsettled.remove(&tag) else { return };
        let Some(contents) = self.queues.get_mut(&queue) else { return };
        if let Some(consumer) = contents.consumers.iter_mut().find(|it| Some(it.id) == consumer) {
            consumer.credit += 1;
        }
        if verdict == Verdict::Again {
            waiting.redelivered = true;
            let before = contents.ready.partition_point(|other| other.place < waiting.place);
            contents.ready.insert(before, waiting);
        }
        self.hand_out(&queue, now);
    }

    pub(super) fn consume(
        &mut self,
        queue: &str,
        prefetch: u16,
        to: mpsc::Sender<Delivery>,
        settle: Arc<dyn Settle>,
        now: Instant,
    ) -> Result<u64, BusError> {
        self.next_consumer += 1;
        let id = self.next_consumer;
        self.contents(queue)?.consumers.push_back(Consumer { id, credit: prefetch, to, settle });
        self.hand_out(queue, now);
        Ok(id)
    }

    /// Ends a consumer. What it was handed stays with it until it is settled.
    pub(super) fn cancel(&mut self, queue: &str, id: u64) {
        if let Some(contents) = self.queues.get_mut(queue) {
            contents.consumers.retain(|consumer| consumer.id != id);
        }
    }

    pub(super) fn fetch(
        &mut self,
        queue: &str,
        settle: Arc<dyn Settle>,
        now: Instant,
    ) -> Result<Option<Delivery>, BusError> {
        self.drop_old(queue, now);
        let Some(waiting) = self.contents(queue)?.ready.pop_front() else { return Ok(None) };
        self.next_tag += 1;
        let (message, redelivered) = (waiting.message.clone(), waiting.redelivered);
        self.unsettled.insert(self.next_tag, Handed { queue: queue.to_owned(), consumer: None, waiting });
        Ok(Some(Delivery::new(message, queue.to_owned(), redelivered, settle, self.next_tag)))
    }

    pub(super) fn inspect(&self, queue: &str) -> Option<Counts> {
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        self.queues.get(queue).map(|contents| Counts {
            messages: count(contents.ready.len()),
            consumers: count(contents.consumers.len()),
        })
    }

    pub(super) fn purge(&mut self, queue: &str) -> Result<u32, BusError> {
        let count = self.contents(queue)?.ready.drain(..).count();
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// Moves what has waited long enough, and says when the next one has.
    pub(super) fn pass_time(&mut self, now: Instant) -> Option<Instant> {
        let names: Vec<_> = self.queues.keys().cloned().collect();
        names.iter().for_each(|name| self.drop_old(name, now));
        self.queues.values().filter_map(|contents| contents.ready.front()?.until).min()
    }

    /// As the real one, it looks at the first message only: one that waits behind another stays as long as that.
    fn drop_old(&mut self, name: &str, now: Instant) {
        loop {
            let Some(contents) = self.queues.get_mut(name) else { return };
            let old = |waiting: &Waiting| waiting.until.is_some_and(|until| until <= now);
            let Some(waiting) = contents.ready.pop_front_if(|waiting| old(waiting)) else { return };
            let mut message = waiting.message;
            message.expiration = None;
            let death = [("reason", "expired"), ("queue", name)].map(|(key, text)| (key.to_owned(), text.into()));
            let death = HeaderValue::List(vec![HeaderValue::Table(death.into())]);
            message.headers.insert(HEADER_DEATHS.to_owned(), death);
            let target = match &contents.queue.form {
                Form::Query | Form::Listener | Form::DeadLetters => continue,
                Form::Work => {
                    Target::Exchange { exchange: DEAD_LETTER_EXCHANGE.to_owned(), key: names::dead_letter_queue(name) }
                }
                Form::Delay { back_to, .. } => Target::queue(back_to.as_str()),
            };
            self.publish(&target, &message, now);
        }
    }

    fn contents(&mut self, queue: &str) -> Result<&mut Contents, BusError> {
        self.queues.get_mut(queue).ok_or_else(|| BusError::NoSuchQueue { queue: queue.to_owned() })
    }
}

/// Whether a key fits a pattern of a topic exchange.
fn matches(pattern: &str, key: &str) -> bool {
    fn fits(pattern: &[&str], key: &[&str]) -> bool {
        match (pattern, key) {
            ([], []) => true,
            (["#", rest @ ..], _) => fits(rest, key) || matches!(key, [_, further @ ..] if fits(pattern, further)),
            ([word, rest @ ..], [first, further @ ..]) => (*word == "*" || word == first) && fits(rest, further),
            _ => false,
        }
    }
    fits(&pattern.split('.').collect::<Vec<_>>(), &key.split('.').collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, key, expected) in [
            ("#", "a.b", true),
            ("a.*", "a.b", true),
            ("a.*", "a.b.c", false),
            ("*.b", "a.b", true),
            ("a.#", "a", true),
            ("#.c", "a.b.c", true),
            ("a.#.c", "a.c", true),
            ("a.b", "a.b", true),
            ("a.b", "a.c", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, key), expected, "{pattern} {key}");
        }
    }
}
