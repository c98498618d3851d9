//! The client library by itself: what a service could do at most that uses it in the plainest way.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::StreamExt;
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, QueueDeclareOptions},
    types::FieldTable,
};
use tokio::sync::oneshot;

use crate::{
    Result, load,
    orders::{Orders, answer},
};

/// Bytes of a body.
const BODY: usize = 128;

pub async fn connect(url: &str) -> Result<Connection> {
    Ok(Connection::connect(url, ConnectionProperties::default()).await?)
}

/// Answers what it is sent with what it is sent.
pub async fn server(url: &str, queue: &str, acks: bool) -> Result<()> {
    let connection = connect(url).await?;
    let channel = connection.create_channel().await?;
    channel.queue_declare(queue.into(), QueueDeclareOptions::default(), FieldTable::default()).await?;
    channel.basic_qos(200, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions { no_ack: !acks, ..BasicConsumeOptions::default() };
    let mut requests = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await?;
    tokio::spawn(async move {
        while let Some(Ok(request)) = requests.next().await {
            let (Some(reply_to), Some(id)) =
                (request.properties.reply_to().clone(), request.properties.correlation_id().clone())
            else {
                continue;
            };
            let properties = BasicProperties::default().with_correlation_id(id);
            let options = BasicPublishOptions::default();
            let sent = channel.basic_publish("".into(), reply_to, options, &request.data, properties).await;
            if sent.is_err() || acks && request.ack(BasicAckOptions::default()).await.is_err() {
                return;
            }
        }
    });
    Orders::ready().end().await;
    Ok(())
}

/// Calls, with answers matched by id.
pub async fn client(url: &str, queue: String) -> Result<()> {
    let connection = connect(url).await?;
    let channel = connection.create_channel().await?;
    let waiting: Arc<Mutex<HashMap<String, oneshot::Sender<usize>>>> = Arc::default();
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let reply_to = "amq.rabbitmq.reply-to";
    let mut answers = channel.basic_consume(reply_to.into(), "".into(), options, FieldTable::default()).await?;
    let callers = Arc::clone(&waiting);
    tokio::spawn(async move {
        while let Some(Ok(reply)) = answers.next().await {
            let Some(id) = reply.properties.correlation_id() else { continue };
            let caller = callers.lock().unwrap_or_else(PoisonError::into_inner).remove(id.as_str());
            if let Some(caller) = caller {
                let _ = caller.send(reply.data.len());
            }
        }
    });
    let next = Arc::new(AtomicU64::new(0));
    let mut orders = Orders::ready();
    while let Some((in_flight, time)) = orders.load().await {
        let (channel, waiting, next, queue) = (channel.clone(), waiting.clone(), next.clone(), queue.clone());
        let call = move || {
            let (channel, waiting, next, queue) = (channel.clone(), waiting.clone(), next.clone(), queue.clone());
            async move {
                let id = next.fetch_add(1, Ordering::Relaxed).to_string();
                let (finish, finished) = oneshot::channel();
                waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), finish);
                let properties =
                    BasicProperties::default().with_reply_to(reply_to.into()).with_correlation_id(id.into());
                let options = BasicPublishOptions::default();
                channel
                    .basic_publish("".into(), queue.into(), options, &[b'x'; BODY], properties)
                    .await
                    .map_err(|e| e.to_string())?;
                match finished.await {
                    Ok(BODY) => Ok(()),
                    other => Err(format!("{other:?}")),
                }
            }
        };
        answer(&load::run(in_flight, time, call).await)?;
    }
    Ok(())
}
