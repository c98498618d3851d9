//! Making queues and bindings, and asking about them. Each on a channel of its own, since the broker closes the channel
//! of whoever asks for something that it refuses.

use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueuePurgeOptions},
    types::{FieldTable, ShortString},
};

use super::{convert, link::Link};
use crate::bus::{BusError, Counts, Queue, Topology};

pub(super) async fn declare(link: &Link, topology: &Topology) -> Result<(), BusError> {
    let channel = open(link).await?;
    for (name, kind) in Topology::exchanges() {
        let kind = if kind == "topic" { ExchangeKind::Topic } else { ExchangeKind::Direct };
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        channel
            .exchange_declare(name.into(), kind, options, FieldTable::default())
            .await
            .map_err(|error| convert::trouble(error, name, "declaring"))?;
    }
    for queue in &topology.queues {
        make(&channel, queue).await?;
    }
    for binding in &topology.bindings {
        let pattern = convert::short("the pattern of a binding", &binding.pattern)?;
        channel
            .queue_bind(
                name(&binding.queue)?,
                convert::short("the name of an exchange", &binding.exchange)?,
                pattern,
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await
            .map_err(|error| convert::trouble(error, &binding.queue, "binding"))?;
    }
    close(&channel).await;
    Ok(())
}

async fn make(channel: &Channel, queue: &Queue) -> Result<(), BusError> {
    let arguments = queue.arguments().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel
        .queue_declare(name(&queue.name)?, options, convert::table(arguments)?)
        .await
        .map_err(|error| convert::trouble(error, &queue.name, "declaring"))?;
    Ok(())
}

pub(super) async fn inspect(link: &Link, queue: &str) -> Result<Option<Counts>, BusError> {
    let channel = open(link).await?;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let asked = channel.queue_declare(name(queue)?, options, FieldTable::default()).await;
    match asked.map_err(|error| convert::trouble(error, queue, "asking about")) {
        Ok(found) => {
            let counts = Counts { messages: found.message_count(), consumers: found.consumer_count() };
            close(&channel).await;
            Ok(Some(counts))
        }
        Err(BusError::NoSuchQueue { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) async fn purge(link: &Link, queue: &str) -> Result<u32, BusError> {
    let channel = open(link).await?;
    let count = channel
        .queue_purge(name(queue)?, QueuePurgeOptions::default())
        .await
        .map_err(|error| convert::trouble(error, queue, "purging"))?;
    close(&channel).await;
    Ok(count)
}

pub(super) async fn open(link: &Link) -> Result<Channel, BusError> {
    link.channel().await.map_err(|error| BusError::Disconnected { reason: convert::words(&error) })
}

pub(super) fn name(queue: &str) -> Result<ShortString, BusError> {
    convert::short("the name of a queue", queue)
}

async fn close(channel: &Channel) {
    // It goes with the connection at the latest.
    let _ = channel.close(200, "OK".into()).await;
}
