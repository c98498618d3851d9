//! Looking at dead letters, sending them to where they came from, and throwing them away.

use std::{fmt, sync::Arc, time::Duration};

use banyan_protocol::{
    dead_letter::{self, Attempt, HEADER_HISTORY, HEADER_QUEUE, HEADER_REASON, HEADER_REPLAY_COUNT, HEADER_TIME},
    names::{self, HEADER_RETRY_COUNT},
};
use tokio::time::Instant;

use super::{Bus, BusError, HeaderValue, Message, Sending, Target};

/// What the broker writes down when it moves a message.
pub(super) const HEADER_DEATHS: &str = "x-death";

/// How long one message waits for the broker.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long letters that were looked at may take to come back.
const COME_BACK: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The dead letters of queues, which are named without `dlq.`.
pub struct DeadLetters {
    bus: Arc<dyn Bus>,
}

/// One dead letter.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// The message with all its headers.
    pub message: Message,
    /// A [`dead_letter::Reason`], or the broker's word: `expired`, `rejected`, `delivery_limit`.
    pub reason: String,
    /// How many attempts failed.
    pub attempts: i64,
    /// The failed attempts, oldest first; those before the latest replay are among them.
    pub history: Vec<Attempt>,
}

impl DeadLetter {
    fn new(message: Message) -> Self {
        let text = |name| message.header_text(name).map(str::to_owned);
        let by_broker = || {
            let last = message.headers.get(HEADER_DEATHS)?.as_list()?.first()?.as_table()?;
            last.get("reason")?.as_text().map(str::to_owned)
        };
        let reason = text(HEADER_REASON).or_else(by_broker).unwrap_or_else(|| "unknown".to_owned());
        let attempts = message.headers.get(HEADER_RETRY_COUNT).and_then(HeaderValue::as_int).unwrap_or_default();
        let history = text(HEADER_HISTORY).and_then(|it| dead_letter::read_history(&it).ok()).unwrap_or_default();
        Self { reason, attempts, history, message }
    }
}

impl DeadLetters {
    /// The dead letters behind a bus.
    #[must_use]
    pub fn new(bus: Arc<dyn Bus>) -> Self {
        Self { bus }
    }

    /// How many dead letters each of these queues has. AMQP cannot list queues, so they have to be named; those that
    /// have no dead-letter queue are left out.
    ///
    /// # Errors
    /// Those of [`Bus::inspect`].
    pub async fn list(&self, queues: &[String]) -> Result<Vec<(String, u32)>, BusError> {
        let mut counted = Vec::new();
        for queue in queues {
            if let Some(counts) = self.bus.inspect(&names::dead_letter_queue(queue)).await? {
                counted.push((queue.clone(), counts.messages));
            }
        }
        Ok(counted)
    }

    /// The first dead letters of a queue, which stay where they are.
    ///
    /// # Errors
    /// Those of [`Bus::fetch`].
    pub async fn show(&self, queue: &str, at_most: usize) -> Result<Vec<DeadLetter>, BusError> {
        let dead = names::dead_letter_queue(queue);
        let mut held = Vec::new();
        while held.len() < at_most {
            match self.bus.fetch(&dead).await? {
                Some(delivery) => held.push(delivery),
                None => break,
            }
        }
        let shown = held.iter().map(|delivery| DeadLetter::new(delivery.message.clone())).collect();
        let many = u32::try_from(held.len()).unwrap_or(u32::MAX);
        held.into_iter().for_each(super::Delivery::requeue);
        // Whoever looks again at once sees them again, unless somebody else took them.
        let back = async {
            while self.bus.inspect(&dead).await?.is_some_and(|counts| counts.messages < many) {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            Ok::<_, BusError>(())
        };
        match tokio::time::timeout(COME_BACK, back).await {
            Ok(Err(error)) => Err(error),
            Ok(Ok(())) | Err(_) => Ok(shown),
        }
    }

    /// Sends dead letters back to their queue, with all attempts before them again, and says how many. Deadlines and
    /// reply addresses of the first time no longer count. Those that die again meanwhile are not sent twice.
    ///
    /// # Errors
    /// Those of [`Bus::fetch`] and [`Bus::send`]; what was not sent stays a dead letter.
    pub async fn replay(&self, queue: &str, at_most: usize) -> Result<usize, BusError> {
        let dead = names::dead_letter_queue(queue);
        let there = self.bus.inspect(&dead).await?.ok_or_else(|| BusError::NoSuchQueue { queue: dead.clone() })?;
        let many = at_most.min(usize::try_from(there.messages).unwrap_or(usize::MAX));
        for done in 0..many {
            let Some(delivery) = self.bus.fetch(&dead).await? else { return Ok(done) };
            let mut message = delivery.message.clone();
            let replays = message.headers.get(HEADER_REPLAY_COUNT).and_then(HeaderValue::as_int).unwrap_or_default();
            message.headers.insert(HEADER_REPLAY_COUNT.to_owned(), (replays + 1).into());
            for gone in [HEADER_RETRY_COUNT, HEADER_REASON, HEADER_QUEUE, HEADER_TIME, HEADER_DEATHS] {
                message.headers.remove(gone);
            }
            // Whoever sent it has long gone: an answer would go to nobody, and a failure would be told to nobody.
            (message.reply_to, message.expiration) = (None, None);
            let sending = Sending::at_least_once(Instant::now() + PATIENCE);
            self.bus.send(&Target::queue(queue), message, sending).await?;
            delivery.ack();
        }
        Ok(many)
    }

    /// Throws the dead letters of a queue away, and says how many.
    ///
    /// # Errors
    /// Those of [`Bus::purge`].
    pub async fn purge(&self, queue: &str) -> Result<u32, BusError> {
        self.bus.purge(&names::dead_letter_queue(queue)).await
    }
}

impl fmt::Debug for DeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetters").finish_non_exhaustive()
    }
}
