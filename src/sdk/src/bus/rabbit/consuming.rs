//! Consumers, which outlive connections.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt};
use lapin::{
    Channel, Consumer,
    options::{BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicQosOptions},
    types::FieldTable,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Shared, convert, declaring, link::Link, settling, settling::Settling};
use crate::bus::{
    BusError, Delivery,
    delivery::{Settle, Verdict},
};

/// How long a consumer waits before it tries again, when the broker closed its channel and not the connection.
const PAUSE: Duration = Duration::from_millis(500);

/// The connection that messages come in on. Nothing is published on it, so that the broker never stops it.
pub(super) struct Inward {
    pub(super) link: Link,
    pub(super) lost: CancellationToken,
    pull: tokio::sync::Mutex<Option<(Channel, Arc<Settling>)>>,
}

impl Inward {
    pub(super) fn new(link: Link, lost: CancellationToken) -> Self {
        Self { link, lost, pull: tokio::sync::Mutex::default() }
    }

    /// What the broker answers. What is asked at the moment when the connection breaks may never be answered.
    pub(super) async fn answer<T>(
        &self,
        shared: &Shared,
        asking: impl Future<Output = Result<T, BusError>>,
    ) -> Result<T, BusError> {
        let reason = tokio::select! {
            answer = asking => return answer,
            () = self.lost.cancelled() => "the connection broke",
            () = tokio::time::sleep(shared.options.patience) => "the broker does not answer",
        };
        Err(BusError::Disconnected { reason: reason.to_owned() })
    }

    /// Takes one message.
    pub(super) async fn fetch(&self, queue: &str, tasks: &TaskTracker) -> Result<Option<Delivery>, BusError> {
        let mut pull = self.pull.lock().await;
        let (channel, settling) = match pull.take() {
            Some(open) => open,
            None => {
                let channel = declaring::open(&self.link).await?;
                (channel.clone(), settling::start(channel, queue.to_owned(), tasks))
            }
        };
        let got = channel
            .basic_get(declaring::name(queue)?, BasicGetOptions { no_ack: false })
            .await
            .map_err(|error| convert::trouble(error, queue, "taking a message from"))?;
        let delivery = got.map(|got| {
            let got = got.delivery;
            let message = convert::message(&got.properties, got.data);
            Delivery::new(message, queue.to_owned(), got.redelivered, settling.clone(), got.delivery_tag)
        });
        *pull = Some((channel, settling));
        Ok(delivery)
    }
}

/// What a consumer is, whatever connection it runs on.
pub(super) struct Subscription {
    pub(super) queue: String,
    pub(super) prefetch: u16,
    pub(super) deliveries: mpsc::Sender<Delivery>,
    pub(super) ended: CancellationToken,
}

/// How a consumer on one channel ended.
enum End {
    Ended,
    ConnectionLost,
    ChannelClosed(String),
}

impl Subscription {
    /// Runs until it is ended; `started` gets the first attempt's result.
    pub(super) async fn run(
        self,
        shared: Arc<Shared>,
        mut inward: watch::Receiver<Option<Arc<Inward>>>,
        started: oneshot::Sender<Result<(), BusError>>,
    ) {
        let mut started = Some(started);
        loop {
            let current = tokio::select! {
                () = self.ended.cancelled() => return,
                current = inward.wait_for(|it| it.as_ref().is_some_and(|it| !it.lost.is_cancelled())) => match current {
                    Ok(current) => current.clone(),
                    Err(_) => return,
                },
            };
            let Some(current) = current else { continue };
            match current.answer(&shared, self.open(&current.link)).await {
                Ok((channel, consumer)) => {
                    if let Some(started) = started.take() {
                        // Whoever asked may have stopped waiting; then this ends too.
                        let _ = started.send(Ok(()));
                    }
                    match self.pump(&channel, consumer, &current, &shared.tasks).await {
                        End::Ended => return,
                        End::ConnectionLost => continue,
                        End::ChannelClosed(reason) => {
                            tracing::warn!(
                                queue = self.queue,
                                reason,
                                "the broker closed a consumer; starting it again"
                            );
                            // Whoever deleted the queue may have made it as it should be.
                            if shared.flaw.borrow().is_some() {
                                self.restore(&shared, &current).await;
                            }
                        }
                    }
                }
                Err(error) => match started.take() {
                    Some(started) if !matches!(error, BusError::Disconnected { .. }) => {
                        let _ = started.send(Err(error));
                        return;
                    }
                    first => {
                        started = first;
                        tracing::warn!(queue = self.queue, %error, "cannot start a consumer");
                        match error {
                            BusError::NoSuchQueue { .. } => self.restore(&shared, &current).await,
                            // Whoever keeps it may not have heard; a new connection is the only way on.
                            BusError::Disconnected { .. } => current.lost.cancel(),
                            _ => {}
                        }
                    }
                },
            }
            tokio::select! {
                () = self.ended.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    async fn open(&self, link: &Link) -> Result<(Channel, Consumer), BusError> {
        let trouble = |error| convert::trouble(error, &self.queue, "consuming");
        let channel = declaring::open(link).await?;
        channel.basic_qos(self.prefetch, BasicQosOptions::default()).await.map_err(trouble)?;
        let consumer = channel
            .basic_consume(
                declaring::name(&self.queue)?,
                "".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await
            .map_err(trouble)?;
        Ok((channel, consumer))
    }

    /// Makes the queue anew, when it was declared here and somebody deleted it.
    async fn restore(&self, shared: &Shared, on: &Inward) {
        let part = shared.topology().part(&self.queue);
        if part.queues.is_empty() {
            return;
        }
        match on.answer(shared, declaring::declare(&on.link, &part)).await {
            Ok(()) => shared.made(&part),
            Err(error) => tracing::warn!(queue = self.queue, %error, "cannot make a queue anew"),
        }
    }

    async fn pump(&self, channel: &Channel, mut consumer: Consumer, on: &Inward, tasks: &TaskTracker) -> End {
        let settling = settling::start(channel.clone(), self.queue.clone(), tasks);
        loop {
            tokio::select! {
                biased;
                () = on.lost.cancelled() => return End::ConnectionLost,
                () = self.ended.cancelled() => {
                    tokio::select! {
                        // It ends with its channel at the latest.
                        () = on.lost.cancelled() => return End::Ended,
                        _ = channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()) => {}
                    }
                    while let Some(Some(Ok(delivered))) = consumer.next().now_or_never() {
                        settling.settle(delivered.delivery_tag, Verdict::Again);
                    }
                    return End::Ended;
                }
                delivered = consumer.next() => match delivered {
                    Some(Ok(delivered)) => {
                        let message = convert::message(&delivered.properties, delivered.data);
                        let delivery = Delivery::new(
                            message,
                            self.queue.clone(),
                            delivered.redelivered,
                            settling.clone(),
                            delivered.delivery_tag,
                        );
                        // There is room for the prefetch, so this waits for nobody. Without a receiver the delivery
                        // is dropped, and so goes back.
                        let _ = self.deliveries.send(delivery).await;
                    }
                    Some(Err(error)) => return End::ChannelClosed(convert::words(&error)),
                    None => return End::ChannelClosed("the queue was deleted".to_owned()),
                },
            }
        }
    }
}
