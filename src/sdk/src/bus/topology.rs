//! Which queues exist, with what arguments, and what they are bound to.
//!
//! The broker refuses a queue that is declared twice with different arguments, so there is one set for every use, here.

use std::time::Duration;

use banyan_protocol::names::{self, DEAD_LETTER_EXCHANGE, EVENTS_EXCHANGE};

use super::HeaderValue;

/// How long the queue of a listener is kept while nobody takes anything from it, in milliseconds.
const LISTENER_LIFE: i64 = 60_000;
/// How many messages wait for a listener at most; then the oldest ones are dropped.
const LISTENER_LENGTH: i64 = 10_000;

/// A queue and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub form: Form,
}

/// What a queue is for, which decides its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// Commands and events: replicated, nothing is lost; what it gives up goes to its dead-letter queue.
    Work,
    /// Queries: what is lost is asked again.
    Query,
    /// Events for one instance that listens, for as long as it is there: without it the queue is gone after a minute.
    Listener,
    /// What another queue gave up.
    DeadLetters,
    /// Holds messages back and hands them to a queue when their time is over.
    Delay {
        /// The queue that gets them.
        back_to: String,
        /// The longest time that a message stays.
        hold: Duration,
    },
}

impl Queue {
    /// A queue for commands or events. Its dead-letter queue is declared with it.
    #[must_use]
    pub fn work(name: impl Into<String>) -> Self {
        Self { name: name.into(), form: Form::Work }
    }

    /// A queue for queries.
    #[must_use]
    pub fn query(name: impl Into<String>) -> Self {
        Self { name: name.into(), form: Form::Query }
    }

    /// A queue for what one instance listens to.
    #[must_use]
    pub fn listener(name: impl Into<String>) -> Self {
        Self { name: name.into(), form: Form::Listener }
    }

    /// The queue for what `queue` gives up.
    #[must_use]
    pub fn dead_letters(queue: &str) -> Self {
        Self { name: names::dead_letter_queue(queue), form: Form::DeadLetters }
    }

    /// The queue that holds messages of `queue` back for at most `hold` before the attempt after `step`.
    #[must_use]
    pub fn delay(queue: &str, step: u32, hold: Duration) -> Self {
        Self { name: names::retry_queue(queue, step), form: Form::Delay { back_to: queue.to_owned(), hold } }
    }

    /// The arguments that the broker is given. Every queue is durable.
    #[must_use]
    pub fn arguments(&self) -> Vec<(&'static str, HeaderValue)> {
        let text = |text: &str| HeaderValue::from(text);
        // Without these two, the broker drops what it moves from queue to queue when it stops at the wrong moment.
        let kept = [("x-dead-letter-strategy", text("at-least-once")), ("x-overflow", text("reject-publish"))];
        let mut arguments = match &self.form {
            Form::Query => return vec![("x-queue-type", text("classic"))],
            Form::Listener => {
                return vec![
                    ("x-expires", HeaderValue::Int(LISTENER_LIFE)),
                    ("x-max-length", HeaderValue::Int(LISTENER_LENGTH)),
                    ("x-queue-type", text("classic")),
                ];
            }
            Form::DeadLetters => return vec![("x-queue-type", text("quorum"))],
            Form::Work => vec![
                ("x-dead-letter-exchange", text(DEAD_LETTER_EXCHANGE)),
                ("x-dead-letter-routing-key", names::dead_letter_queue(&self.name).into()),
            ],
            Form::Delay { back_to, hold } => vec![
                ("x-dead-letter-exchange", text("")),
                ("x-dead-letter-routing-key", text(back_to)),
                ("x-message-ttl", HeaderValue::Int(i64::try_from(hold.as_millis()).unwrap_or(i64::MAX))),
            ],
        };
        arguments.push(("x-queue-type", text("quorum")));
        arguments.extend(kept);
        arguments
    }
}

/// A queue's wish for events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The queue.
    pub queue: String,
    /// The exchange.
    pub exchange: String,
    /// The pattern: words between dots, `*` for one word, `#` for any number of them.
    pub pattern: String,
}

/// Queues and bindings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topology {
    /// Queues.
    pub queues: Vec<Queue>,
    /// Bindings; their queues must be known.
    pub bindings: Vec<Binding>,
}

impl Topology {
    /// The same with one more queue, and with its dead-letter queue when it has one.
    #[must_use]
    pub fn queue(mut self, queue: Queue) -> Self {
        self.add(queue);
        self
    }

    /// The same with a queue for events that are published under keys of this pattern.
    #[must_use]
    pub fn events(mut self, queue: impl Into<String>, pattern: impl Into<String>) -> Self {
        let queue = queue.into();
        self.add(Queue::work(&queue));
        self.bind(Binding { queue, exchange: EVENTS_EXCHANGE.to_owned(), pattern: pattern.into() });
        self
    }

    /// The same with a listener's queue for events that are published under keys of this pattern.
    #[must_use]
    pub fn listener(mut self, queue: impl Into<String>, pattern: impl Into<String>) -> Self {
        let queue = queue.into();
        self.add(Queue::listener(&queue));
        self.bind(Binding { queue, exchange: EVENTS_EXCHANGE.to_owned(), pattern: pattern.into() });
        self
    }

    /// The exchanges that every topology has, with their AMQP type. They are durable.
    #[must_use]
    pub fn exchanges() -> [(&'static str, &'static str); 2] {
        [(EVENTS_EXCHANGE, "topic"), (DEAD_LETTER_EXCHANGE, "direct")]
    }

    /// Takes over what the other has and this has not.
    pub fn merge(&mut self, other: &Self) {
        other.queues.iter().cloned().for_each(|queue| self.add(queue));
        other.bindings.iter().cloned().for_each(|binding| self.bind(binding));
    }

    /// The part that concerns one queue.
    #[must_use]
    pub fn part(&self, queue: &str) -> Self {
        let dead = names::dead_letter_queue(queue);
        Self {
            queues: self.queues.iter().filter(|q| q.name == queue || q.name == dead).cloned().collect(),
            bindings: self.bindings.iter().filter(|b| b.queue == queue || b.queue == dead).cloned().collect(),
        }
    }

    fn add(&mut self, queue: Queue) {
        match queue.form {
            Form::Work => self.add(Queue::dead_letters(&queue.name)),
            Form::DeadLetters => self.bind(Binding {
                queue: queue.name.clone(),
                exchange: DEAD_LETTER_EXCHANGE.to_owned(),
                pattern: queue.name.clone(),
            }),
            Form::Query | Form::Listener | Form::Delay { .. } => {}
        }
        if !self.queues.contains(&queue) {
            self.queues.push(queue);
        }
    }

    fn bind(&mut self, binding: Binding) {
        if !self.bindings.contains(&binding) {
            self.bindings.push(binding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_work_queue_brings_its_dead_letter_queue() {
        let topology = Topology::default().queue(Queue::work("q")).queue(Queue::work("q")).queue(Queue::query("r"));
        let names: Vec<_> = topology.queues.iter().map(|q| q.name.as_str()).collect();
        assert_eq!(names, ["dlq.q", "q", "r"]);
        let bound = Binding { queue: "dlq.q".into(), exchange: "dlx.platform".into(), pattern: "dlq.q".into() };
        assert_eq!(topology.bindings, [bound]);
        assert_eq!(topology.part("q").queues.len(), 2);
        assert_eq!(topology.part("r").queues.len(), 1);
    }

    #[test]
    fn arguments_are_those_that_the_platform_agreed_on() {
        let shown = |queue: Queue| {
            let text = |value: &HeaderValue| match value {
                HeaderValue::Int(number) => number.to_string(),
                other => other.as_text().unwrap().to_owned(),
            };
            let mut all: Vec<_> = queue.arguments().iter().map(|(k, v)| format!("{k}={}", text(v))).collect();
            all.sort();
            all.join(" ")
        };
        assert_eq!(
            shown(Queue::work("q")),
            "x-dead-letter-exchange=dlx.platform x-dead-letter-routing-key=dlq.q x-dead-letter-strategy=at-least-once \
             x-overflow=reject-publish x-queue-type=quorum"
        );
        assert_eq!(
            shown(Queue::delay("q", 2, Duration::from_secs(2))),
            "x-dead-letter-exchange= x-dead-letter-routing-key=q x-dead-letter-strategy=at-least-once \
             x-message-ttl=2000 x-overflow=reject-publish x-queue-type=quorum"
        );
        assert_eq!(shown(Queue::query("q")), "x-queue-type=classic");
        assert_eq!(shown(Queue::listener("q")), "x-expires=60000 x-max-length=10000 x-queue-type=classic");
        assert_eq!(shown(Queue::dead_letters("q")), "x-queue-type=quorum");
    }
}
