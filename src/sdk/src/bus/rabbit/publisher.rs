//! Publishing on one channel, with the broker's word on each message.
//!
//! One task publishes, because lapin gives a message its number and puts its frames into the queue in two steps: two
//! tasks on one channel can swap their messages' numbers, and with them the broker's answers. The same task waits for
//! all the answers, which wakes it once for many.
//!
//! lapin hands a message that no queue took to whichever answer comes next, and one answer of the broker can cover many
//! messages, in no order. So returned messages are matched on their content, and nobody is told that all went well
//! before the whole of the broker's answer has been looked at.
//!
//! The broker can hang on a message for a replicated queue that has no leader, for more than a minute and with all
//! messages of the channel behind it. So a channel that says nothing for a while, though it is asked and not blocked,
//! costs the connection: the others get through on a new one.

use std::{collections::HashMap, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use lapin::{
    BasicProperties, Channel, Confirmation,
    message::BasicReturnMessage,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::ShortString,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::convert;
use crate::bus::State;

/// Messages that wait for the broker's word at most; further ones wait outside.
const WINDOW: usize = 1024;

/// What those that are under way may weigh together, in KiB; what is heavier goes alone. The client library keeps all of
/// it for as long as the network does not take it, also when the sender has long given up.
const WEIGHT: u32 = 16 * 1024;

/// When a channel is given up.
#[derive(Clone)]
pub(super) struct Patience {
    /// Told when the connection is given up, by whomever.
    pub(super) lost: CancellationToken,
    /// A blocked broker says nothing for a good reason.
    pub(super) state: watch::Receiver<State>,
    /// How long the broker may say nothing.
    pub(super) silence: Duration,
}

/// What became of a message.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Taken,
    Unroutable,
    Refused,
    Lost,
    Failed(Arc<lapin::Error>),
}

/// A message in lapin's words.
pub(super) struct Letter {
    pub(super) exchange: ShortString,
    pub(super) key: ShortString,
    pub(super) mandatory: bool,
    pub(super) properties: BasicProperties,
    pub(super) body: Bytes,
}

struct Job {
    letter: Letter,
    outcome: oneshot::Sender<Outcome>,
    weight: OwnedSemaphorePermit,
}

#[derive(Clone)]
pub(super) struct Publisher {
    jobs: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
}

impl Publisher {
    /// Takes over a channel until the connection is given up.
    pub(super) async fn start(channel: Channel, patience: Patience) -> lapin::Result<Self> {
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let (jobs, incoming) = mpsc::channel(WINDOW);
        tokio::spawn(work(channel, incoming, patience));
        Ok(Self { jobs, room: Arc::new(Semaphore::new(WEIGHT as usize)) })
    }

    /// Hands a message in; the receiver tells what became of it, also when it is closed: then the connection is gone.
    pub(super) async fn publish(&self, letter: Letter) -> oneshot::Receiver<Outcome> {
        let (outcome, told) = oneshot::channel();
        let weight = u32::try_from(letter.body.len() / 1024 + 1).unwrap_or(WEIGHT).min(WEIGHT);
        if let Ok(weight) = Arc::clone(&self.room).acquire_many_owned(weight).await {
            // A job that cannot be handed in closes the receiver.
            let _ = self.jobs.send(Job { letter, outcome, weight }).await;
        }
        told
    }
}

/// What a message that comes back is recognised by.
#[derive(PartialEq, Eq, Hash)]
struct Mark {
    exchange: ShortString,
    key: ShortString,
    message: Option<ShortString>,
    correlation: Option<ShortString>,
}

impl Mark {
    fn of(letter: &Letter) -> Option<Self> {
        letter.mandatory.then(|| Self {
            exchange: letter.exchange.clone(),
            key: letter.key.clone(),
            message: letter.properties.message_id().clone(),
            correlation: letter.properties.correlation_id().clone(),
        })
    }

    fn of_returned(returned: &BasicReturnMessage) -> Self {
        Self {
            exchange: returned.exchange.clone(),
            key: returned.routing_key.clone(),
            message: returned.properties.message_id().clone(),
            correlation: returned.properties.correlation_id().clone(),
        }
    }
}

struct Answered {
    mark: Option<Mark>,
    outcome: oneshot::Sender<Outcome>,
    answer: lapin::Result<Confirmation>,
}

type Waiting = FuturesUnordered<Pin<Box<dyn Future<Output = Answered> + Send>>>;

async fn work(channel: Channel, mut incoming: mpsc::Receiver<Job>, patience: Patience) {
    let Patience { lost, state, silence } = patience;
    let mut heard = Instant::now();
    let mut waiting = Waiting::new();
    let mut returned = HashMap::new();
    let mut jobs = Vec::with_capacity(64);
    loop {
        let room = WINDOW - waiting.len();
        tokio::select! {
            biased;
            () = lost.cancelled() => break,
            Some(first) = waiting.next() => {
                heard = Instant::now();
                // A channel that failed once is closed; all of the connection is made anew.
                if first.answer.is_err() {
                    lost.cancel();
                }
                answer(&channel, &mut waiting, &mut returned, first);
            }
            () = tokio::time::sleep_until(heard + silence), if !waiting.is_empty() => {
                heard = Instant::now();
                if !matches!(*state.borrow(), State::Blocked { .. }) {
                    tracing::warn!(messages = waiting.len(), "the broker confirms nothing; connecting anew");
                    lost.cancel();
                }
            }
            count = incoming.recv_many(&mut jobs, room.min(64)), if room > 0 => {
                if count == 0 && waiting.is_empty() {
                    break;
                } else if count == 0 {
                    // Nobody is left to hand in more; the last answers are still awaited.
                    while let Some(first) = waiting.next().await {
                        answer(&channel, &mut waiting, &mut returned, first);
                    }
                    break;
                }
                if waiting.is_empty() {
                    heard = Instant::now();
                }
                waiting.extend(jobs.drain(..).map(|job| publish(channel.clone(), job)));
            }
        }
    }
    // The receivers of everything that waits are closed by dropping it, which means lost.
}

fn publish(channel: Channel, job: Job) -> Pin<Box<dyn Future<Output = Answered> + Send>> {
    let Job { letter, outcome, weight } = job;
    let mark = Mark::of(&letter);
    Box::pin(async move {
        let options = BasicPublishOptions { mandatory: letter.mandatory, immediate: false };
        let sent = channel.basic_publish(letter.exchange, letter.key, options, &letter.body, letter.properties).await;
        let answer = match sent {
            Ok(confirm) => confirm.await,
            Err(error) => Err(error),
        };
        drop(weight);
        Answered { mark, outcome, answer }
    })
}

/// Tells all whose answer is there what became of their messages.
fn answer(channel: &Channel, waiting: &mut Waiting, returned: &mut HashMap<Mark, usize>, first: Answered) {
    let mut round = vec![first];
    while !round.is_empty() {
        let mut next = Vec::new();
        collect(waiting, &mut round);
        if round.iter().any(|answered| answered.mark.is_some()) {
            // This waits for the lock under which lapin goes through one answer of the broker, so afterwards the
            // answers that the round came with are complete. What else came meanwhile is for the next round.
            let _ = channel.wait_for_confirms().now_or_never();
            collect(waiting, &mut next);
        }
        for answered in round.iter().chain(&next) {
            if let Ok(Confirmation::Ack(Some(message)) | Confirmation::Nack(Some(message))) = &answered.answer {
                *returned.entry(Mark::of_returned(message)).or_default() += 1;
            }
        }
        for answered in round {
            tell(answered, returned);
        }
        round = next;
        round.iter_mut().for_each(forget_returned);
    }
}

/// Everything that is answered by now.
fn collect(waiting: &mut Waiting, into: &mut Vec<Answered>) {
    while let Some(Some(answered)) = waiting.next().now_or_never() {
        into.push(answered);
    }
}

/// What was counted once is not counted again.
fn forget_returned(answered: &mut Answered) {
    if let Ok(Confirmation::Ack(message) | Confirmation::Nack(message)) = &mut answered.answer {
        *message = None;
    }
}

fn tell(answered: Answered, returned: &mut HashMap<Mark, usize>) {
    let came_back = answered.mark.is_some_and(|mark| match returned.get_mut(&mark) {
        Some(1) => returned.remove(&mark).is_some(),
        Some(count) => {
            *count -= 1;
            true
        }
        None => false,
    });
    let outcome = match answered.answer {
        _ if came_back => Outcome::Unroutable,
        Ok(Confirmation::Ack(_) | Confirmation::NotRequested) => Outcome::Taken,
        Ok(Confirmation::Nack(_)) => Outcome::Refused,
        Err(error) if convert::is_loss(&error) => Outcome::Lost,
        Err(error) => Outcome::Failed(Arc::new(error)),
    };
    // Whoever asked may have stopped waiting.
    let _ = answered.outcome.send(outcome);
}
