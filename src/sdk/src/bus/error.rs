//! What can go wrong between a service and the broker.

use std::{error::Error, sync::Arc, time::Duration};

/// Why the bus did not do what it was asked for.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// No queue takes messages for this target: nobody has such a handler.
    #[error("cannot send to {target}: no queue takes it")]
    Unroutable {
        /// Where it was to go.
        target: String,
    },
    /// The broker did not take the message: the queue is full.
    #[error("cannot send to {target}: the broker refused the message")]
    Refused {
        /// Where it was to go.
        target: String,
    },
    /// The deadline passed. The message may have arrived, unless nothing was ever sent.
    #[error("no answer from {target} within {waited:?}")]
    TimedOut {
        /// Where it was sent.
        target: String,
        /// How long was waited.
        waited: Duration,
    },
    /// The broker takes no messages for want of memory or disk, and the deadline passed.
    #[error("cannot send to {target}: the broker takes no messages ({reason})")]
    Blocked {
        /// Where it was to go.
        target: String,
        /// What the broker said.
        reason: String,
    },
    /// The connection broke while the message was under way: it may or may not have arrived.
    #[error("the connection to the broker broke while sending to {target}")]
    Lost {
        /// Where it was sent.
        target: String,
    },
    /// There was no connection until the deadline; nothing was sent.
    #[error("no connection to the broker: {reason}")]
    Disconnected {
        /// What the last attempt ended with.
        reason: String,
    },
    /// A queue or exchange exists already, and is not what was asked for.
    #[error("cannot declare `{name}`: it exists and differs ({difference})")]
    Mismatch {
        /// The queue or exchange.
        name: String,
        /// The broker's words on what differs.
        difference: String,
    },
    /// There is no such queue.
    #[error("there is no queue `{queue}`")]
    NoSuchQueue {
        /// The queue.
        queue: String,
    },
    /// A name or another text among the properties is over the 255 bytes that the protocol allows.
    #[error("cannot send {what}: {size} bytes, at most 255")]
    TooLong {
        /// Which text.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
    },
    /// The bus was closed.
    #[error("the bus is closed")]
    Closed,
    /// The broker answered with an error of its own.
    #[error("the broker failed while {doing}")]
    Broker {
        /// What was being done.
        doing: String,
        /// The broker's answer.
        #[source]
        source: Arc<dyn Error + Send + Sync>,
    },
}

impl BusError {
    /// Whether the message may have arrived all the same.
    #[must_use]
    pub fn may_have_arrived(&self) -> bool {
        matches!(self, Self::TimedOut { .. } | Self::Lost { .. } | Self::Blocked { .. } | Self::Broker { .. })
    }
}
