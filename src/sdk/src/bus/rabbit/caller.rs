//! Calls: a request goes out, the answer comes back on the same channel (direct reply-to) and finds its caller by an id
//! that no other call of this process has.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt, StreamExt};
use lapin::{Channel, Consumer, options::BasicConsumeOptions, types::FieldTable};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    convert,
    posting::Post,
    publisher::{Letter, Outcome, Patience, Publisher},
};
use crate::bus::Message;

/// The address that stands for this channel; the broker puts a unique one in its place.
pub(super) const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// How often a channel without confirms is asked for messages that came back, while calls wait. lapin tells nobody.
const LOOK_FOR_RETURNED: Duration = Duration::from_millis(10);

/// What a call ends with.
pub(super) type Answer = Result<Message, Outcome>;

/// The calls of one connection. The broker drops answers to an older one, and ids are never used twice.
pub(super) struct Caller {
    plain: Post,
    confirming: Publisher,
    calls: Arc<Calls>,
    lost: CancellationToken,
}

struct Calls {
    waiting: Mutex<HashMap<u64, oneshot::Sender<Answer>>>,
    /// Wakes the task that looks for messages that came back.
    some: Notify,
}

/// Ids go on over all connections of the process.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A call that is under way. Dropped, its answer is thrown away.
pub(super) struct Call {
    id: u64,
    calls: Arc<Calls>,
    answer: oneshot::Receiver<Answer>,
}

impl Calls {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Answer>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, id: u64, answer: Answer) {
        let waiting = self.lock().remove(&id);
        if let Some(waiting) = waiting {
            // Whoever called may have stopped waiting.
            let _ = waiting.send(answer);
        }
    }
}

impl Caller {
    /// Takes over two channels, one of them with confirms.
    pub(super) async fn start(plain: Channel, confirmed: Channel, patience: Patience) -> lapin::Result<Self> {
        let lost = patience.lost.clone();
        let calls = Arc::new(Calls { waiting: Mutex::default(), some: Notify::new() });
        for channel in [&plain, &confirmed] {
            let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
            let answers = channel.basic_consume(REPLY_TO.into(), "".into(), options, FieldTable::default()).await?;
            tokio::spawn(receive(answers, calls.clone(), lost.clone()));
        }
        tokio::spawn(look_for_returned(plain.clone(), calls.clone(), lost.clone()));
        let plain = Post::start(plain, lost.clone());
        let confirming = Publisher::start(confirmed, patience).await?;
        Ok(Self { plain, confirming, calls, lost })
    }

    /// Registers a call; its id goes with the request as the correlation id.
    pub(super) fn call(&self) -> Call {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let (finish, answer) = oneshot::channel();
        self.calls.lock().insert(id, finish);
        // Those that came before the end were lost with it; this one came after.
        if self.lost.is_cancelled() {
            self.calls.lock().remove(&id);
        }
        Call { id, calls: self.calls.clone(), answer }
    }

    /// Sends a request that may be lost; false when it is. Nobody waits until it is written: the answer, or its absence,
    /// tells enough.
    pub(super) async fn send(&self, letter: Letter) -> bool {
        self.calls.some.notify_one();
        self.plain.send(letter).await
    }

    /// Sends a request that the broker has to confirm.
    pub(super) async fn send_confirmed(&self, letter: Letter) -> oneshot::Receiver<Outcome> {
        self.confirming.publish(letter).await
    }
}

impl Call {
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// The answer; [`Outcome::Lost`] as soon as the connection is gone.
    pub(super) async fn answer(&mut self) -> Answer {
        (&mut self.answer).await.unwrap_or(Err(Outcome::Lost))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.calls.lock().remove(&self.id);
    }
}

async fn receive(mut answers: Consumer, calls: Arc<Calls>, lost: CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = lost.cancelled() => break,
            answer = answers.next() => match answer {
                Some(Ok(delivery)) => {
                    let id = delivery.properties.correlation_id().as_ref().and_then(|id| id.as_str().parse().ok());
                    // Anything else is an answer to nothing that was asked.
                    if let Some(id) = id {
                        calls.finish(id, Ok(convert::message(&delivery.properties, delivery.data)));
                    }
                }
                _ => break,
            }
        }
    }
    // Without it no answer comes any more, so the connection is made anew.
    lost.cancel();
    // Closes the receivers, which means lost.
    calls.lock().clear();
}

async fn look_for_returned(channel: Channel, calls: Arc<Calls>, lost: CancellationToken) {
    let look = async {
        loop {
            calls.some.notified().await;
            while !calls.lock().is_empty() {
                tokio::time::sleep(LOOK_FOR_RETURNED).await;
                // Without confirms there is nothing to wait for: this hands out what came back, at once.
                let Some(Ok(returned)) = channel.wait_for_confirms().now_or_never() else { continue };
                for message in returned {
                    let id = message.properties.correlation_id().as_ref().and_then(|id| id.as_str().parse().ok());
                    if let Some(id) = id {
                        calls.finish(id, Err(Outcome::Unroutable));
                    }
                }
            }
        }
    };
    tokio::select! {
        () = lost.cancelled() => {}
        () = look => {}
    }
}
