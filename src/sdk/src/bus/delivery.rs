//! A message that was handed to this process, and what becomes of it.

use std::{fmt, sync::Arc};

use tokio::sync::mpsc;

use super::Message;

/// Where verdicts on deliveries go. Late ones, for a connection that is gone, are dropped: the broker has long handed
/// the message to somebody else.
pub(super) trait Settle: Send + Sync {
    fn settle(&self, tag: u64, verdict: Verdict);
}

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Done,
    Again,
}

/// A message that this process has to settle. Dropped unsettled, it goes back to its queue.
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// The queue that it came from.
    pub queue: String,
    /// Whether it was handed out before.
    pub redelivered: bool,
    open: Option<(Arc<dyn Settle>, u64)>,
}

impl Delivery {
    pub(super) fn new(message: Message, queue: String, redelivered: bool, settle: Arc<dyn Settle>, tag: u64) -> Self {
        Self { message, queue, redelivered, open: Some((settle, tag)) }
    }

    /// Tells the broker that the message is dealt with. Late calls, after the connection broke, have no effect: the
    /// message is delivered again, so handlers need to be idempotent.
    pub fn ack(mut self) {
        self.settle(Verdict::Done);
    }

    /// Gives the message back to its queue at once; see [`super::redelivery`] for later.
    pub fn requeue(mut self) {
        self.settle(Verdict::Again);
    }

    /// Lets go of it without a word to the broker.
    pub(super) fn forget(mut self) {
        self.open = None;
    }

    fn settle(&mut self, verdict: Verdict) {
        if let Some((settle, tag)) = self.open.take() {
            settle.settle(tag, verdict);
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.settle(Verdict::Again);
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("queue", &self.queue)
            .field("message", &self.message)
            .field("redelivered", &self.redelivered)
            .finish_non_exhaustive()
    }
}

/// The deliveries of one consumer. Dropped, the consumer stops, and what it was handed and nobody took goes back.
pub struct Deliveries {
    incoming: mpsc::Receiver<Delivery>,
    /// Ends the consumer when it goes.
    _consumer: Box<dyn Send + Sync>,
}

impl Deliveries {
    pub(super) fn new(incoming: mpsc::Receiver<Delivery>, consumer: Box<dyn Send + Sync>) -> Self {
        Self { incoming, _consumer: consumer }
    }

    /// The next delivery; nothing once the bus is closed. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.incoming.recv().await
    }
}

impl fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deliveries").finish_non_exhaustive()
    }
}
