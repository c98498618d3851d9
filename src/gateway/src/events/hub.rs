//! The one place where events come in from the bus and go out to clients of every protocol.
//!
//! ```text
//!                      one queue per instance,
//!   events exchange ──►  bound on demand       ──► feed ──► fan ──► listeners: WebSocket, SSE, GraphQL
//!                                                            └──► ring: the latest, for those who come back
//! ```

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll},
};

use banyan_sdk::{
    bus::Bus,
    ids,
    protocol::{Envelope, Fault, names::ServiceName},
};
use futures_util::{
    StreamExt,
    stream::{self, BoxStream, Stream},
};
use tokio_util::sync::CancellationToken;

use super::{
    event::Event,
    fan::{Fan, News},
    feed::Feed,
    filters::Filters,
    known::Known,
    listener::{Ended, Listener, MOST_TOPICS, Wish},
    ring::Bounds,
};
use crate::caller::Caller;

/// How many news wait for one listener; one more, and it is too slow.
const CAPACITY: usize = 256;

/// Events come in, and go out to whoever listens. Clones are the same.
#[derive(Clone)]
pub(crate) struct Hub(Arc<Inner>);

struct Inner {
    fan: Mutex<Fan>,
    feed: Feed,
    known: Box<dyn Fn() -> Known + Send + Sync>,
    options: Options,
    stopping: CancellationToken,
}

/// How much a hub keeps and allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// What is kept for clients that come back.
    pub kept: Bounds,
    /// How many news wait for one listener.
    pub capacity: usize,
    /// How many kinds of events one listener may ask for.
    pub topics: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { kept: Bounds::default(), capacity: CAPACITY, topics: MOST_TOPICS }
    }
}

impl Hub {
    /// A hub; `known` tells which events there are at the moment.
    pub(crate) fn new(options: Options, known: impl Fn() -> Known + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            // the lower bits of something random
            fan: Mutex::new(Fan::new(options.kept, ids::random() as u32)),
            feed: Feed::default(),
            known: Box::new(known),
            options,
            stopping: CancellationToken::new(),
        }))
    }

    /// Says which bus events come from, for an instance of `service`. Nothing is asked of it before somebody listens. The first bus stays.
    pub(crate) fn open(&self, bus: Arc<dyn Bus>, service: &ServiceName) {
        self.0.feed.open(bus, service);
    }

    /// A new client, which has asked for nothing yet.
    pub(crate) fn listen(&self, caller: Arc<Caller>) -> Listener {
        let (mailbox, news) = self.fan().enter(caller, self.0.options.capacity);
        Listener::new(self.clone(), mailbox, news)
    }

    /// The events of one kind that a caller may see, for as long as the stream is kept.
    ///
    /// # Errors
    /// As [`Listener::subscribe`].
    pub(crate) async fn subscribe(
        &self,
        caller: Arc<Caller>,
        event_type: &str,
        filters: Filters,
    ) -> Result<Subscription, Fault> {
        let mut listener = self.listen(caller);
        listener.subscribe(vec![Wish { name: event_type.to_owned(), filters }], None).await?;
        Ok(Subscription::new(listener))
    }

    /// Ends all listeners.
    pub(crate) fn stop(&self) {
        self.0.stopping.cancel();
    }

    /// Completes once the hub is told to stop.
    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.0.stopping
    }

    /// Which events there are at the moment.
    pub(super) fn known(&self) -> Known {
        (self.0.known)()
    }

    pub(super) fn fan(&self) -> MutexGuard<'_, Fan> {
        self.0.fan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn most_topics(&self) -> usize {
        self.0.options.topics
    }

    /// Has events with these words come from the bus.
    pub(super) async fn bind(&self, words: Vec<String>) -> Result<(), Fault> {
        self.0.feed.bind(self, words).await
    }

    /// Hands an event to everybody who wants it.
    pub(super) fn publish(&self, envelope: Envelope) {
        let known = self.known();
        self.fan().publish(&known, envelope, std::time::Instant::now());
    }

    /// Tells everybody that events may have been missed.
    pub(super) fn tear(&self) {
        self.fan().tear();
    }
}

/// Events of one kind. The stream ends when there are no more; see [`Subscription::ended`].
pub(crate) struct Subscription {
    events: BoxStream<'static, Arc<Event>>,
    ended: Arc<OnceLock<Ended>>,
}

impl Subscription {
    fn new(listener: Listener) -> Self {
        let ended = Arc::new(OnceLock::new());
        let told = ended.clone();
        let events = stream::unfold((listener, told), async |(mut listener, told)| {
            loop {
                match listener.next().await {
                    Ok(News::Event(event, _)) => return Some((event, (listener, told))),
                    Ok(News::Gap(_)) => {}
                    Err(ended) => {
                        let _ = told.set(ended);
                        return None;
                    }
                }
            }
        });
        Self { events: events.boxed(), ended }
    }

    /// Why the stream ended; nothing before it did.
    pub(crate) fn ended(&self) -> Option<Ended> {
        self.ended.get().copied()
    }
}

impl Stream for Subscription {
    type Item = Arc<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Arc<Event>>> {
        self.events.poll_next_unpin(cx)
    }
}

#[cfg(test)]
mod tests;
