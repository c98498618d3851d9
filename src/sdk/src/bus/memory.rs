//! The bus in memory, for tests: it does what the real one does, in one process, by a clock of the test's choice.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

mod broker;
mod clock;

use self::broker::Broker;
pub use self::clock::{Clock, ManualClock, SystemClock};
use super::{
    Assurance, Bus, BusError, Counts, Deliveries, Delivery, Message, Sending, State, Target, Topology,
    delivery::{Settle, Verdict},
};

/// What begins the address of a caller.
const REPLY_TO: &str = "memory.reply-to.";

/// A broker in memory. Its clones are the same broker.
#[derive(Clone)]
pub struct MemoryBroker(Arc<Shared>);

struct Shared {
    broker: Mutex<Broker>,
    clock: Arc<dyn Clock>,
    /// Wakes the task that moves messages when their time is over.
    changed: Arc<Notify>,
    state: watch::Sender<State>,
    calls: Mutex<BTreeMap<u64, oneshot::Sender<Message>>>,
    next_call: AtomicU64,
    /// Ends the task.
    gone: CancellationToken,
}

/// One process's bus to a [`MemoryBroker`].
pub struct MemoryBus {
    shared: Arc<Shared>,
    ending: CancellationToken,
}

/// Verdicts go to the broker as long as it is there.
struct Settling(Weak<Shared>);

impl Settle for Settling {
    fn settle(&self, tag: u64, verdict: Verdict) {
        if let Some(shared) = self.0.upgrade() {
            shared.work(|broker, now| broker.settle(tag, verdict, now));
        }
    }
}

impl Shared {
    /// Has the broker do something, and the task look at what is due.
    fn work<T>(&self, work: impl FnOnce(&mut Broker, Instant) -> T) -> T {
        let result = work(&mut lock(&self.broker), self.clock.now());
        self.changed.notify_one();
        result
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the task that belongs to a broker with the last handle to it.
impl Drop for Shared {
    fn drop(&mut self) {
        self.gone.cancel();
    }
}

/// Moves messages when their time is over. It does not keep the broker alive.
async fn pass_time(shared: Weak<Shared>, clock: Arc<dyn Clock>, changed: Arc<Notify>, gone: CancellationToken) {
    loop {
        let Some(next) = shared.upgrade().map(|alive| lock(&alive.broker).pass_time(clock.now())) else { return };
        let due = async {
            match next {
                Some(moment) => clock.sleep_until(moment).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = gone.cancelled() => return,
            () = changed.notified() => {}
            () = due => {}
        }
    }
}

impl MemoryBroker {
    /// An empty broker; messages wait by this clock. Needs a tokio runtime.
    #[must_use]
    pub fn new(clock: impl Clock) -> Self {
        let (clock, changed, gone) = (Arc::new(clock), Arc::new(Notify::new()), CancellationToken::new());
        let shared = Arc::new(Shared {
            broker: Mutex::default(),
            clock: clock.clone(),
            changed: changed.clone(),
            state: watch::Sender::new(State::Connected),
            calls: Mutex::default(),
            next_call: AtomicU64::new(1),
            gone: gone.clone(),
        });
        tokio::spawn(pass_time(Arc::downgrade(&shared), clock, changed, gone));
        Self(shared)
    }

    /// A bus to it.
    #[must_use]
    pub fn connect(&self) -> MemoryBus {
        MemoryBus { shared: self.0.clone(), ending: CancellationToken::new() }
    }

    /// From now on it takes no messages, as a real one that runs out of memory.
    pub fn block(&self, reason: impl Into<String>) {
        self.0.state.send_replace(State::Blocked { reason: reason.into() });
    }

    /// It takes messages again.
    pub fn unblock(&self) {
        self.0.state.send_replace(State::Connected);
    }
}

impl MemoryBus {
    fn open(&self) -> Result<(), BusError> {
        if self.ending.is_cancelled() { Err(BusError::Closed) } else { Ok(()) }
    }

    /// Waits until the broker takes messages.
    async fn leave(&self, target: &Target, deadline: Instant) -> Result<(), BusError> {
        self.open()?;
        let blocked = |state: &State| match state {
            State::Blocked { reason } => Some(reason.clone()),
            _ => None,
        };
        let mut state = self.shared.state.subscribe();
        let free = state.wait_for(|state| blocked(state).is_none());
        if timeout_at(deadline, free).await.is_ok() {
            return Ok(());
        }
        let reason = blocked(&self.shared.state.borrow()).unwrap_or_default();
        Err(BusError::Blocked { target: target.to_string(), reason })
    }

    fn publish(&self, target: &Target, message: &Message) -> usize {
        match target {
            Target::Queue(queue) if queue.starts_with(REPLY_TO) => {
                let id = message.correlation_id.as_ref().and_then(|id| id.parse().ok());
                let call = id.and_then(|id: u64| lock(&self.shared.calls).remove(&id));
                // Whoever called may have stopped waiting.
                usize::from(call.is_some_and(|call| call.send(message.clone()).is_ok()))
            }
            _ => self.shared.work(|broker, now| broker.publish(target, message, now)),
        }
    }
}

/// Forgets a call that nobody waits for any more.
struct Call<'a> {
    id: u64,
    shared: &'a Shared,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        lock(&self.shared.calls).remove(&self.id);
    }
}

/// Ends a consumer with the deliveries that it belongs to.
struct Consumer {
    queue: String,
    id: u64,
    shared: Weak<Shared>,
}

impl Drop for Consumer {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.work(|broker, _| broker.cancel(&self.queue, self.id));
        }
    }
}

impl Bus for MemoryBus {
    fn declare<'a>(&'a self, topology: &'a Topology) -> BoxFuture<'a, Result<(), BusError>> {
        async move {
            self.open()?;
            self.shared.work(|broker, _| broker.declare(topology))
        }
        .boxed()
    }

    fn send<'a>(
        &'a self,
        target: &'a Target,
        message: Message,
        sending: Sending,
    ) -> BoxFuture<'a, Result<(), BusError>> {
        async move {
            self.leave(target, sending.deadline).await?;
            let taken = self.publish(target, &message);
            if taken == 0 && sending.mandatory && sending.assurance != Assurance::Sent {
                return Err(BusError::Unroutable { target: target.to_string() });
            }
            Ok(())
        }
        .boxed()
    }

    fn request<'a>(
        &'a self,
        target: &'a Target,
        mut message: Message,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Message, BusError>> {
        async move {
            let began = Instant::now();
            self.leave(target, deadline).await?;
            let id = self.shared.next_call.fetch_add(1, Ordering::Relaxed);
            let (finish, answer) = oneshot::channel();
            lock(&self.shared.calls).insert(id, finish);
            let _call = Call { id, shared: &self.shared };
            let left = deadline.saturating_duration_since(began).max(Duration::from_millis(1));
            message.correlation_id = Some(id.to_string());
            message.reply_to = Some(format!("{REPLY_TO}{id}"));
            message.expiration = Some(message.expiration.map_or(left, |asked| asked.min(left)));
            if self.publish(target, &message) == 0 {
                return Err(BusError::Unroutable { target: target.to_string() });
            }
            match timeout_at(deadline, answer).await {
                Ok(Ok(answer)) => Ok(answer),
                _ => Err(BusError::TimedOut { target: target.to_string(), waited: began.elapsed() }),
            }
        }
        .boxed()
    }

    fn consume<'a>(&'a self, queue: &'a str, prefetch: u16) -> BoxFuture<'a, Result<Deliveries, BusError>> {
        async move {
            self.open()?;
            let prefetch = prefetch.max(1);
            let (to, incoming) = mpsc::channel(prefetch.into());
            let weak = Arc::downgrade(&self.shared);
            let settle = Arc::new(Settling(weak.clone()));
            let id = self.shared.work(|broker, now| broker.consume(queue, prefetch, to, settle, now))?;
            let consumer = Consumer { queue: queue.to_owned(), id, shared: weak };
            let ended = self.ending.child_token();
            let guard = ended.clone().drop_guard();
            tokio::spawn(async move {
                ended.cancelled().await;
                drop(consumer);
            });
            Ok(Deliveries::new(incoming, Box::new(guard)))
        }
        .boxed()
    }

    fn fetch<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<Option<Delivery>, BusError>> {
        async move {
            self.open()?;
            let settle = Arc::new(Settling(Arc::downgrade(&self.shared)));
            self.shared.work(|broker, now| broker.fetch(queue, settle, now))
        }
        .boxed()
    }

    fn inspect<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<Option<Counts>, BusError>> {
        async move {
            self.open()?;
            Ok(self.shared.work(|broker, now| {
                broker.pass_time(now);
                broker.inspect(queue)
            }))
        }
        .boxed()
    }

    fn purge<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<u32, BusError>> {
        async move {
            self.open()?;
            self.shared.work(|broker, _| broker.purge(queue))
        }
        .boxed()
    }

    fn state(&self) -> watch::Receiver<State> {
        self.shared.state.subscribe()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async move { self.ending.cancel() }.boxed()
    }
}

impl Drop for MemoryBus {
    fn drop(&mut self) {
        self.ending.cancel();
    }
}

impl fmt::Debug for MemoryBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBus").finish_non_exhaustive()
    }
}

impl fmt::Debug for MemoryBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBroker").finish_non_exhaustive()
    }
}
