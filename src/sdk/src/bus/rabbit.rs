//! The bus over RabbitMQ. What names lapin is in this room alone.
//!
//! ```text
//!            ┌─ keeping: connects, sets up, tells the state, begins again ─┐
//!            ▼                                                            ▼
//!   outward: publisher (events) · publisher (queues)       inward: one channel per consumer,
//!            caller (calls, their answers) · post (replies)        one for single messages
//! ```
//!
//! A connection that publishes can be stopped by the broker, one that only consumes never is: so there are two.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

mod caller;
mod consuming;
mod convert;
mod declaring;
mod keeping;
mod link;
mod posting;
mod publisher;
mod sending;
mod settling;

use self::{
    consuming::{Inward, Subscription},
    sending::Outward,
};
use super::{Bus, BusError, Counts, Deliveries, Delivery, Message, Sending, State, Target, Topology};
use crate::config::Endpoint;

/// How to reach the broker, and how patient to be.
#[derive(Clone)]
pub struct RabbitOptions {
    /// Where the broker is. Its path is the virtual host, `/` when there is none.
    pub endpoint: Endpoint,
    /// What the broker's administrator sees: the name of the service.
    pub name: String,
    /// The time for a connection and its login [default: 10 s].
    pub connect_timeout: Duration,
    /// The broker is given up after two of these without a sign of life [default: 10 s]. Whole seconds.
    pub heartbeat: Duration,
    /// How long the broker may confirm nothing, though asked and not blocked, before the connection is made anew
    /// [default: 10 s].
    pub silence: Duration,
    /// The longest pause between two attempts to connect [default: 1 s].
    pub longest_pause: Duration,
    /// How long declaring, consuming and asking wait for a connection [default: 30 s].
    pub patience: Duration,
    /// How long [`Bus::close`] waits for what is under way [default: 10 s].
    pub drain: Duration,
}

impl RabbitOptions {
    /// The defaults, for a service of this name.
    #[must_use]
    pub fn new(endpoint: Endpoint, name: impl Into<String>) -> Self {
        Self {
            endpoint,
            name: name.into(),
            connect_timeout: Duration::from_secs(10),
            heartbeat: Duration::from_secs(10),
            silence: Duration::from_secs(10),
            longest_pause: Duration::from_secs(1),
            patience: Duration::from_secs(30),
            drain: Duration::from_secs(10),
        }
    }
}

/// The bus over RabbitMQ. Its connections end with it.
pub struct RabbitBus {
    shared: Arc<Shared>,
    outward: watch::Receiver<Option<Arc<Outward>>>,
    inward: watch::Receiver<Option<Arc<Inward>>>,
}

/// What all tasks of a bus know.
struct Shared {
    options: RabbitOptions,
    topology: Mutex<Topology>,
    state: keeping::States,
    /// A queue that could not be made anew.
    flaw: watch::Sender<Option<BusError>>,
    /// Nothing new begins.
    ending: CancellationToken,
    /// The connections go.
    closed: CancellationToken,
    /// What is under way.
    tasks: TaskTracker,
}

impl Shared {
    fn topology(&self) -> MutexGuard<'_, Topology> {
        self.topology.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These queues are as they should be.
    fn made(&self, topology: &Topology) {
        self.flaw.send_if_modified(|flaw| {
            let mended = |flaw: &mut BusError| match flaw {
                BusError::Mismatch { name, .. } => topology.queues.iter().any(|queue| queue.name == *name),
                _ => false,
            };
            flaw.take_if(mended).is_some()
        });
    }
}

impl RabbitBus {
    /// Begins to connect, and returns at once: [`Bus::state`] tells how it goes. Needs a tokio runtime.
    #[must_use]
    pub fn new(options: RabbitOptions) -> Self {
        let shared = Arc::new(Shared {
            options,
            topology: Mutex::default(),
            state: keeping::States::default(),
            flaw: watch::Sender::new(None),
            ending: CancellationToken::new(),
            closed: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        let (slot, outward) = watch::channel(None);
        tokio::spawn(keeping::keep::<Outward>(shared.clone(), slot));
        let (slot, inward) = watch::channel(None);
        tokio::spawn(keeping::keep::<Inward>(shared.clone(), slot));
        Self { shared, outward, inward }
    }

    /// The connection for all that is not publishing.
    async fn inward(&self) -> Result<Arc<Inward>, BusError> {
        let deadline = Instant::now() + self.shared.options.patience;
        keeping::connection(&self.shared, &self.inward, deadline, |it| &it.lost).await
    }
}

impl Bus for RabbitBus {
    fn declare<'a>(&'a self, topology: &'a Topology) -> BoxFuture<'a, Result<(), BusError>> {
        async move {
            let inward = self.inward().await?;
            inward.answer(&self.shared, declaring::declare(&inward.link, topology)).await?;
            self.shared.made(topology);
            self.shared.topology().merge(topology);
            Ok(())
        }
        .boxed()
    }

    fn send<'a>(
        &'a self,
        target: &'a Target,
        message: Message,
        sending: Sending,
    ) -> BoxFuture<'a, Result<(), BusError>> {
        sending::send(&self.shared, &self.outward, target, message, sending).boxed()
    }

    fn request<'a>(
        &'a self,
        target: &'a Target,
        message: Message,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Message, BusError>> {
        sending::request(&self.shared, &self.outward, target, message, deadline).boxed()
    }

    fn consume<'a>(&'a self, queue: &'a str, prefetch: u16) -> BoxFuture<'a, Result<Deliveries, BusError>> {
        async move {
            // Also says when the bus is closed or has no connection.
            self.inward().await?;
            let ended = self.shared.ending.child_token();
            let consumer = ended.clone().drop_guard();
            let prefetch = prefetch.max(1);
            let (deliveries, incoming) = mpsc::channel(prefetch.into());
            let (started, start) = oneshot::channel();
            let subscription = Subscription { queue: queue.to_owned(), prefetch, deliveries, ended };
            tokio::spawn(subscription.run(self.shared.clone(), self.inward.clone(), started));
            match tokio::time::timeout(self.shared.options.patience, start).await {
                Ok(Ok(result)) => result.map(|()| Deliveries::new(incoming, Box::new(consumer))),
                Ok(Err(_)) => Err(BusError::Closed),
                Err(_) => Err(BusError::Disconnected { reason: self.shared.state.reason() }),
            }
        }
        .boxed()
    }

    fn fetch<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<Option<Delivery>, BusError>> {
        async move {
            let inward = self.inward().await?;
            inward.answer(&self.shared, inward.fetch(queue, &self.shared.tasks)).await
        }
        .boxed()
    }

    fn inspect<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<Option<Counts>, BusError>> {
        async move {
            let inward = self.inward().await?;
            inward.answer(&self.shared, declaring::inspect(&inward.link, queue)).await
        }
        .boxed()
    }

    fn purge<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<u32, BusError>> {
        async move {
            let inward = self.inward().await?;
            inward.answer(&self.shared, declaring::purge(&inward.link, queue)).await
        }
        .boxed()
    }

    fn state(&self) -> watch::Receiver<State> {
        self.shared.state.watch()
    }

    fn flaw(&self) -> watch::Receiver<Option<BusError>> {
        self.shared.flaw.subscribe()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async move {
            let shared = &self.shared;
            shared.ending.cancel();
            shared.tasks.close();
            // What is not done by then is lost to its sender, or delivered again.
            let _ = tokio::time::timeout(shared.options.drain, shared.tasks.wait()).await;
            shared.closed.cancel();
            // Both keepers end by letting go of their slots.
            let _ = self.outward.clone().wait_for(Option::is_none).await;
            let _ = self.inward.clone().wait_for(Option::is_none).await;
        }
        .boxed()
    }
}

impl Drop for RabbitBus {
    fn drop(&mut self) {
        self.shared.ending.cancel();
        self.shared.closed.cancel();
    }
}

impl fmt::Debug for RabbitBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitBus").field("state", &*self.state().borrow()).finish_non_exhaustive()
    }
}
