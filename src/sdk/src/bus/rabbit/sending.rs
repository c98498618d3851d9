//! Sending and calling: waiting for the connection and for the broker's leave, and naming what went wrong.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use lapin::{BasicProperties, types::ShortString};
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    Shared,
    caller::{self, Caller},
    convert, declaring, keeping,
    link::Link,
    posting::Post,
    publisher::{Letter, Outcome, Patience, Publisher},
};
use crate::bus::{Assurance, BusError, Message, Sending, State, Target};

type Slot = watch::Receiver<Option<Arc<Outward>>>;

/// The connection that messages go out on.
///
/// Messages for exchanges go through one channel, so that events keep their order, messages for queues through another.
pub(super) struct Outward {
    pub(super) link: Link,
    events: Publisher,
    queues: Publisher,
    caller: Caller,
    replies: Post,
    lost: CancellationToken,
}

impl Outward {
    pub(super) async fn start(link: Link, shared: &Shared, lost: CancellationToken) -> Result<Self, String> {
        restore(&link, shared).await.map_err(|error| error.to_string())?;
        let patience = Patience { lost: lost.clone(), state: shared.state.watch(), silence: shared.options.silence };
        let channels = async {
            let (events, queues) = (link.channel().await?, link.channel().await?);
            let (plain, confirmed) = (link.channel().await?, link.channel().await?);
            let replies = Post::start(link.channel().await?, lost.clone());
            Ok::<_, lapin::Error>((
                Publisher::start(events, patience.clone()).await?,
                Publisher::start(queues, patience.clone()).await?,
                Caller::start(plain, confirmed, patience).await?,
                replies,
            ))
        };
        let (events, queues, caller, replies) = channels.await.map_err(|error| convert::words(&error))?;
        Ok(Self { link, events, queues, caller, replies, lost })
    }
}

/// Makes everything anew that was declared. A queue that somebody has made otherwise is there, and its messages with it:
/// better than nothing at all, so the others are made and it is told.
async fn restore(link: &Link, shared: &Shared) -> Result<(), BusError> {
    let mut topology = shared.topology().clone();
    let mut flaw = None;
    while let Err(error) = declaring::declare(link, &topology).await {
        let BusError::Mismatch { name, .. } = &error else { return Err(error) };
        tracing::error!(%error, "cannot make a queue anew");
        let before = topology.queues.len();
        topology.queues.retain(|queue| queue.name != *name);
        let is_queue = topology.queues.len() < before;
        flaw.get_or_insert(error);
        if !is_queue {
            break;
        }
    }
    shared.flaw.send_replace(flaw);
    Ok(())
}

/// A message in lapin's words, which can be sent more than once.
struct Draft {
    exchange: ShortString,
    key: ShortString,
    properties: BasicProperties,
    body: Bytes,
}

impl Draft {
    fn new(target: &Target, message: Message) -> Result<Self, BusError> {
        let (exchange, key) = match target {
            Target::Queue(queue) => (ShortString::default(), declaring::name(queue)?),
            Target::Exchange { exchange, key } => (
                convert::short("the name of an exchange", exchange.as_str())?,
                convert::short("the routing key", key.as_str())?,
            ),
        };
        let (properties, body) = convert::properties(message)?;
        Ok(Self { exchange, key, properties, body })
    }

    /// For what is sent once: nothing is copied.
    fn into_letter(self, mandatory: bool) -> Letter {
        let Self { exchange, key, properties, body } = self;
        Letter { exchange, key, mandatory, properties, body }
    }

    fn letter(&self, mandatory: bool) -> Letter {
        Letter {
            exchange: self.exchange.clone(),
            key: self.key.clone(),
            mandatory,
            properties: self.properties.clone(),
            body: self.body.clone(),
        }
    }
}

/// One wish to send, with what its errors need to say.
struct Errand<'a> {
    shared: &'a Shared,
    target: &'a Target,
    deadline: Instant,
    began: Instant,
}

impl Errand<'_> {
    /// A connection that may publish.
    async fn outward(&self, slot: &Slot) -> Result<Arc<Outward>, BusError> {
        loop {
            let outward = keeping::connection(self.shared, slot, self.deadline, |it| &it.lost).await?;
            if self.shared.state.blocked().is_none() {
                return Ok(outward);
            }
            let mut state = self.shared.state.watch();
            tokio::select! {
                () = self.shared.ending.cancelled() => return Err(BusError::Closed),
                () = tokio::time::sleep_until(self.deadline) => return Err(self.too_late()),
                _ = state.wait_for(|state| !matches!(state, State::Blocked { .. })) => {}
            }
        }
    }

    fn too_late(&self) -> BusError {
        let target = self.target.to_string();
        match self.shared.state.blocked() {
            Some(reason) => BusError::Blocked { target, reason },
            None => BusError::TimedOut { target, waited: self.began.elapsed() },
        }
    }

    fn failed(&self, outcome: Outcome) -> Result<(), BusError> {
        let target = self.target.to_string();
        match outcome {
            Outcome::Taken => Ok(()),
            Outcome::Unroutable => Err(BusError::Unroutable { target }),
            Outcome::Refused => Err(BusError::Refused { target }),
            Outcome::Lost => Err(BusError::Lost { target }),
            Outcome::Failed(source) => Err(BusError::Broker { doing: format!("sending to {target}"), source }),
        }
    }
}

pub(super) async fn send(
    shared: &Shared,
    slot: &Slot,
    target: &Target,
    message: Message,
    sending: Sending,
) -> Result<(), BusError> {
    let errand = Errand { shared, target, deadline: sending.deadline, began: Instant::now() };
    let _under_way = shared.tasks.token();
    let draft = Draft::new(target, message)?;
    loop {
        let outward = errand.outward(slot).await?;
        if sending.assurance == Assurance::Sent {
            return match timeout_at(sending.deadline, outward.replies.send(draft.into_letter(false))).await {
                Ok(true) => Ok(()),
                Ok(false) => errand.failed(Outcome::Lost),
                Err(_) => Err(errand.too_late()),
            };
        }
        let publisher = match target {
            Target::Queue(_) => &outward.queues,
            Target::Exchange { .. } => &outward.events,
        };
        let publish = async { told(publisher.publish(draft.letter(sending.mandatory)).await).await };
        match timeout_at(sending.deadline, publish).await {
            Err(_) => return Err(errand.too_late()),
            Ok(Outcome::Lost) if sending.assurance == Assurance::AtLeastOnce => {
                // Until the keeper has noticed, the slot still holds the connection that is gone.
                outward.lost.cancel();
            }
            Ok(outcome) => return errand.failed(outcome),
        }
    }
}

pub(super) async fn request(
    shared: &Shared,
    slot: &Slot,
    target: &Target,
    mut message: Message,
    deadline: Instant,
) -> Result<Message, BusError> {
    let errand = Errand { shared, target, deadline, began: Instant::now() };
    let _under_way = shared.tasks.token();
    let outward = errand.outward(slot).await?;
    let mut call = outward.caller.call();
    let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    message.correlation_id = Some(call.id().to_string());
    message.reply_to = Some(caller::REPLY_TO.to_owned());
    message.expiration = Some(message.expiration.map_or(left, |asked| asked.min(left)));
    let persistent = message.persistent;
    let letter = Draft::new(target, message)?.into_letter(true);
    let exchange = async {
        if persistent {
            let mut told = Box::pin(told(outward.caller.send_confirmed(letter).await));
            tokio::select! {
                biased;
                answer = call.answer() => return answer,
                outcome = &mut told => match outcome {
                    Outcome::Taken => {}
                    other => return Err(other),
                },
            }
        } else if !outward.caller.send(letter).await {
            return Err(Outcome::Lost);
        }
        call.answer().await
    };
    match timeout_at(deadline, exchange).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(Outcome::Taken)) | Err(_) => Err(errand.too_late()),
        Ok(Err(outcome)) => Err(errand.failed(outcome).err().unwrap_or_else(|| errand.too_late())),
    }
}

/// What became of a message; lost when nobody is left to tell.
async fn told(told: oneshot::Receiver<Outcome>) -> Outcome {
    told.await.unwrap_or(Outcome::Lost)
}
