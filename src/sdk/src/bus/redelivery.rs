//! What becomes of a message whose handling failed: delivered again later, or put to the dead letters.
//!
//! Both are done in one order: a copy goes out, the broker confirms it, then the original is acknowledged. A process that
//! dies in between leaves two of it under one message id, never none.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use banyan_protocol::{
    FaultCode, Timestamp,
    dead_letter::{self, HEADER_HISTORY, HEADER_QUEUE, HEADER_REASON, HEADER_TIME, Reason},
    names::{self, DEAD_LETTER_EXCHANGE, HEADER_RETRY_COUNT},
};
use tokio::time::Instant;

use super::{Bus, BusError, Delivery, HeaderValue, Message, Queue, Sending, Target, Topology};
use crate::retry::{Failure, GivenUp, Next, RetryPolicy, Step};

/// The header with the time to live, in milliseconds, that the message had at first.
pub const HEADER_ORIGINAL_EXPIRATION: &str = "x-original-expiration";

/// How long a message that could go nowhere is held before it goes back to its queue.
const PAUSE: Duration = Duration::from_secs(1);

/// What one attempt failed with, fit to be read by others: no secrets.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// What went wrong, for programs.
    pub code: &'a FaultCode,
    /// What went wrong, for people.
    pub message: &'a str,
    /// Why no other attempt can help; none when one can.
    pub permanent: Option<&'a Reason>,
    /// When it failed.
    pub at: Timestamp,
    /// What makes failures at the same place of the code alike.
    pub stack_hash: Option<&'a str>,
}

/// Delivers again or gives up, by one policy.
pub struct Redelivery {
    bus: Arc<dyn Bus>,
    policy: RetryPolicy,
    patience: Duration,
    /// Delay queues that are known to exist.
    made: Mutex<BTreeSet<String>>,
}

impl Redelivery {
    /// By this policy; `patience` is how long a message waits for the broker before it goes back to its queue.
    #[must_use]
    pub fn new(bus: Arc<dyn Bus>, policy: RetryPolicy, patience: Duration) -> Self {
        Self { bus, policy, patience, made: Mutex::default() }
    }

    /// Which attempt a delivery is, from 1.
    #[must_use]
    pub fn attempt(message: &Message) -> u32 {
        let failed = message.headers.get(HEADER_RETRY_COUNT).and_then(HeaderValue::as_int).unwrap_or_default();
        u32::try_from(failed).unwrap_or_default().saturating_add(1)
    }

    /// Does with a delivery what the policy says, and tells what that was. `random` is at least 0 and less than 1.
    ///
    /// # Errors
    /// Those of [`Bus::send`]; the message then goes back to its queue.
    pub async fn failed(&self, delivery: Delivery, attempt: Attempt<'_>, random: f64) -> Result<Next, BusError> {
        let failure = if attempt.permanent.is_some() { Failure::Permanent } else { Failure::Transient };
        let next = self.policy.next(Self::attempt(&delivery.message), failure, random);
        let sent = match next {
            Next::Again(step) => self.again(&delivery, attempt, step).await,
            Next::GiveUp(reason) => self.give_up(&delivery, attempt, reason).await,
        };
        match sent {
            Ok(()) => delivery.ack(),
            Err(error) => {
                // Not at once: whatever is wrong with the broker is most likely still wrong then.
                tokio::time::sleep(PAUSE).await;
                delivery.requeue();
                return Err(error);
            }
        }
        Ok(next)
    }

    async fn again(&self, delivery: &Delivery, attempt: Attempt<'_>, step: Step) -> Result<(), BusError> {
        let mut copy = self.copy(delivery, attempt);
        copy.expiration = Some(step.delay);
        let delay = Queue::delay(&delivery.queue, step.number, step.hold);
        let target = Target::queue(&delay.name);
        if !self.knows(&delay.name) {
            self.make(delay.clone()).await?;
        }
        match self.bus.send(&target, copy.clone(), self.sending()).await {
            // Somebody deleted it.
            Err(BusError::Unroutable { .. }) => {
                self.make(delay).await?;
                self.bus.send(&target, copy, self.sending()).await
            }
            result => result,
        }
    }

    async fn give_up(&self, delivery: &Delivery, attempt: Attempt<'_>, reason: GivenUp) -> Result<(), BusError> {
        let mut copy = self.copy(delivery, attempt);
        copy.expiration = None;
        let reason = match (reason, attempt.permanent) {
            (GivenUp::Permanent, Some(reason)) => reason,
            (GivenUp::Permanent, None) => &Reason::Permanent,
            (GivenUp::Exhausted, _) => &Reason::Exhausted,
        };
        copy.headers.insert(HEADER_REASON.to_owned(), reason.as_str().into());
        copy.headers.insert(HEADER_QUEUE.to_owned(), delivery.queue.as_str().into());
        copy.headers.insert(HEADER_TIME.to_owned(), attempt.at.to_string().into());
        let key = names::dead_letter_queue(&delivery.queue);
        let target = Target::Exchange { exchange: DEAD_LETTER_EXCHANGE.to_owned(), key };
        match self.bus.send(&target, copy.clone(), self.sending()).await {
            // Queries have no dead-letter queue until one of them is given up.
            Err(BusError::Unroutable { .. }) => {
                self.bus.declare(&Topology::default().queue(Queue::dead_letters(&delivery.queue))).await?;
                self.bus.send(&target, copy, self.sending()).await
            }
            result => result,
        }
    }

    /// The message with one more failure in its headers.
    fn copy(&self, delivery: &Delivery, attempt: Attempt<'_>) -> Message {
        let number = Self::attempt(&delivery.message);
        let mut copy = delivery.message.clone();
        copy.persistent = true;
        let headers = &mut copy.headers;
        headers.insert(HEADER_RETRY_COUNT.to_owned(), i64::from(number).into());
        if let Some(time) = delivery.message.expiration {
            let milliseconds = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
            headers.entry(HEADER_ORIGINAL_EXPIRATION.to_owned()).or_insert(milliseconds.into());
        }
        // A history that cannot be read is of no use to anybody.
        let known = headers.get(HEADER_HISTORY).and_then(HeaderValue::as_text).map(dead_letter::read_history);
        let latest = dead_letter::Attempt {
            attempt: number,
            timestamp: attempt.at,
            code: attempt.code.clone(),
            message: attempt.message.to_owned(),
            stack_hash: attempt.stack_hash.map(str::to_owned),
        };
        let history = dead_letter::write_history(known.and_then(Result::ok).unwrap_or_default(), latest);
        headers.insert(HEADER_HISTORY.to_owned(), history.into());
        copy
    }

    fn sending(&self) -> Sending {
        Sending::at_least_once(Instant::now() + self.patience)
    }

    fn knows(&self, queue: &str) -> bool {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).contains(queue)
    }

    async fn make(&self, queue: Queue) -> Result<(), BusError> {
        let name = queue.name.clone();
        self.bus.declare(&Topology::default().queue(queue)).await?;
        self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
        Ok(())
    }
}

impl fmt::Debug for Redelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redelivery").field("policy", &self.policy).finish_non_exhaustive()
    }
}
