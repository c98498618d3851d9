//! How messages travel: one trait, a broker behind it, and a twin in memory for tests.
//!
//! The bus moves bytes. What an envelope means, which schema it follows and who may send it is for the layers above.
//!
//! | what | promise |
//! |---|---|
//! | durable messages | confirmed by the broker before [`Bus::send`] returns |
//! | a queue that does not exist | [`BusError::Unroutable`] at once |
//! | a broken connection | made anew, with queues, bindings and consumers; see [`State`] for what is going on |
//! | a message under way meanwhile | [`BusError::Lost`], or sent again under the same id: see [`Assurance`] |
//! | a call under way meanwhile | [`BusError::Lost`] at once |
//! | a delivery that nobody settled | delivered again |

use std::fmt;

use banyan_protocol::names::EVENTS_EXCHANGE;
use futures_util::future::BoxFuture;
use tokio::{sync::watch, time::Instant};

pub mod dead_letters;
mod delivery;
mod error;
pub mod memory;
mod message;
pub mod packing;
pub mod rabbit;
pub mod redelivery;
mod topology;

pub use delivery::{Deliveries, Delivery};
pub use error::BusError;
pub use message::{HeaderValue, Headers, Message};
pub use topology::{Binding, Form, Queue, Topology};

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// One queue, also one for replies.
    Queue(String),
    /// An exchange, under a key.
    Exchange {
        /// The exchange.
        exchange: String,
        /// The routing key.
        key: String,
    },
}

impl Target {
    /// A queue.
    #[must_use]
    pub fn queue(name: impl Into<String>) -> Self {
        Self::Queue(name.into())
    }

    /// The exchange of events, under a key.
    #[must_use]
    pub fn event(key: impl Into<String>) -> Self {
        Self::Exchange { exchange: EVENTS_EXCHANGE.to_owned(), key: key.into() }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(name) => write!(f, "`{name}`"),
            Self::Exchange { exchange, key } => write!(f, "`{key}` on `{exchange}`"),
        }
    }
}

/// How certain the sender wants to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assurance {
    /// Sent, and no more: for replies. An unknown target goes unnoticed.
    Sent,
    /// The broker has it. When the connection breaks first, [`BusError::Lost`] leaves the question open.
    Confirmed,
    /// The broker has it, possibly twice, under the same message id: sent again when the connection breaks first.
    AtLeastOnce,
}

/// How a message is sent.
#[derive(Debug, Clone, Copy)]
pub struct Sending {
    /// How certain the sender wants to be.
    pub assurance: Assurance,
    /// Whether a message that no queue takes is an error. Without effect when it is only [`Assurance::Sent`].
    pub mandatory: bool,
    /// Until when to wait for a connection, for a broker that takes no messages, and for the broker's word.
    pub deadline: Instant,
}

impl Sending {
    /// Fails when no queue takes it, or when the broker does not confirm it until the deadline.
    #[must_use]
    pub fn confirmed(deadline: Instant) -> Self {
        Self { assurance: Assurance::Confirmed, mandatory: true, deadline }
    }

    /// As [`Sending::confirmed`], and sent again when the connection breaks.
    #[must_use]
    pub fn at_least_once(deadline: Instant) -> Self {
        Self { assurance: Assurance::AtLeastOnce, mandatory: true, deadline }
    }

    /// For replies.
    #[must_use]
    pub fn sent(deadline: Instant) -> Self {
        Self { assurance: Assurance::Sent, mandatory: false, deadline }
    }

    /// The same for a message that nobody needs to take, as an event.
    #[must_use]
    pub fn optional(self) -> Self {
        Self { mandatory: false, ..self }
    }
}

/// What is known of the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// There is no connection.
    Disconnected {
        /// Why, in words; empty before the first attempt ended.
        error: String,
    },
    /// Messages go both ways.
    Connected,
    /// The broker hands messages out and takes none.
    Blocked {
        /// What the broker said.
        reason: String,
    },
}

/// What stands in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Messages that are ready to be handed out.
    pub messages: u32,
    /// Consumers.
    pub consumers: u32,
}

/// How messages travel.
///
/// All of it can be called from several tasks at once. A future that is dropped leaves nothing behind but, possibly, the
/// message that it was sending.
pub trait Bus: Send + Sync + 'static {
    /// Makes queues and bindings, and makes them anew after each reconnection.
    ///
    /// # Errors
    /// [`BusError::Mismatch`] names a queue that exists with other arguments; [`BusError::Disconnected`].
    fn declare<'a>(&'a self, topology: &'a Topology) -> BoxFuture<'a, Result<(), BusError>>;

    /// Sends a message, and waits as long as its assurance asks for.
    ///
    /// # Errors
    /// Every one but [`BusError::Mismatch`] and [`BusError::NoSuchQueue`].
    fn send<'a>(
        &'a self,
        target: &'a Target,
        message: Message,
        sending: Sending,
    ) -> BoxFuture<'a, Result<(), BusError>>;

    /// Sends a message and waits for the answer to it, which is matched on an id of this call alone. A message without
    /// expiration gets the time that is left; a persistent one is confirmed.
    ///
    /// # Errors
    /// Every one but [`BusError::Mismatch`] and [`BusError::NoSuchQueue`]; [`BusError::Lost`] as soon as the
    /// connection breaks, since answers do not outlive it.
    fn request<'a>(
        &'a self,
        target: &'a Target,
        message: Message,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Message, BusError>>;

    /// Takes messages from a queue, at most `prefetch` unsettled ones at a time, through any number of reconnections.
    ///
    /// # Errors
    /// [`BusError::NoSuchQueue`], [`BusError::Disconnected`], [`BusError::Closed`].
    fn consume<'a>(&'a self, queue: &'a str, prefetch: u16) -> BoxFuture<'a, Result<Deliveries, BusError>>;

    /// Takes one message from a queue, if there is one.
    ///
    /// # Errors
    /// [`BusError::NoSuchQueue`], [`BusError::Disconnected`], [`BusError::Closed`].
    fn fetch<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<Option<Delivery>, BusError>>;

    /// What stands in a queue; nothing when there is no such queue.
    ///
    /// # Errors
    /// [`BusError::Disconnected`], [`BusError::Closed`].
    fn inspect<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<Option<Counts>, BusError>>;

    /// Deletes all messages of a queue that are ready, and says how many.
    ///
    /// # Errors
    /// [`BusError::NoSuchQueue`], [`BusError::Disconnected`], [`BusError::Closed`].
    fn purge<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<u32, BusError>>;

    /// What is known of the broker, now and whenever it changes.
    fn state(&self) -> watch::Receiver<State>;

    /// What is wrong with the queues while the connection stands, now and whenever it changes: the
    /// [`BusError::Mismatch`] of one that was to be made anew and that somebody else had made otherwise.
    fn flaw(&self) -> watch::Receiver<Option<BusError>> {
        watch::channel(None).1
    }

    /// Ends the consumers, lets confirms and acknowledgements that are under way arrive, and closes the connections.
    fn close(&self) -> BoxFuture<'_, ()>;
}
