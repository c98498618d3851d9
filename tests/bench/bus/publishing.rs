//! Publishing to a quorum queue with the broker's word on each message, one at a time and a thousand.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use banyan_sdk::bus::{Bus, Message, Queue, Sending, Target, Topology};
use futures_util::StreamExt;
use lapin::{
    BasicProperties, Confirmation, PublisherConfirm,
    options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions},
    types::FieldTable,
};

use crate::{
    Options, Report, Result, bare, load,
    orders::{Orders, answer, part},
    part::Load,
    report::Level,
    service,
};

/// Messages without an answer at a time.
const WINDOWS: [usize; 2] = [1, 1000];
const QUEUE: &str = "bench-published";
/// Bytes of a body.
const BODY: usize = 256;

pub fn measure(options: &Options, report: &mut Report) -> Result<()> {
    // It makes the queue, and empties it while the others fill it.
    let _drain = part("drain", &[])?;
    let (mut ours, mut theirs) = (part("sdk-publisher", &[])?, part("bare-publisher", &[])?);
    for window in WINDOWS {
        let (mut sdk, mut lapin) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            for (part, rates) in [(&mut ours, &mut sdk), (&mut theirs, &mut lapin)] {
                let load = part.load(window, options.time)?;
                report.load("confirmed messages", load.calls, load.errors);
                rates.push(load.rate());
            }
        }
        let what = format!("confirmed messages, {window} at a time, against lapin");
        report.ratio(what, "/s", &sdk, &lapin, Level::NONE);
    }
    report.condition(
        "publishing",
        "persistent, 256 bytes, quorum queue on one node, mandatory, confirmed, one consumer that empties the queue; the \
         SDK has so many tasks that wait, lapin one task with so many promises",
    );
    Ok(())
}

/// Makes the queue, and takes everything out of it.
pub async fn drain(url: &str) -> Result<()> {
    let bus = service::bus(url, "bench-drain")?;
    bus.declare(&Topology::default().queue(Queue::work(QUEUE))).await?;
    let connection = bare::connect(url).await?;
    let channel = connection.create_channel().await?;
    channel.basic_qos(1000, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let mut messages = channel.basic_consume(QUEUE.into(), "".into(), options, FieldTable::default()).await?;
    tokio::spawn(async move {
        let mut taken = 0_u64;
        while let Ok(Some(Ok(message))) = next_or_idle(&mut messages, &channel).await {
            taken += 1;
            if taken.is_multiple_of(200) && message.ack(BasicAckOptions { multiple: true }).await.is_err() {
                return;
            }
        }
    });
    Orders::ready().end().await;
    Ok(())
}

/// The next message; when none comes for a while, what was taken so far is acknowledged first.
async fn next_or_idle(
    messages: &mut lapin::Consumer,
    channel: &lapin::Channel,
) -> lapin::Result<Option<lapin::Result<lapin::message::Delivery>>> {
    match tokio::time::timeout(Duration::from_millis(20), messages.next()).await {
        Ok(next) => Ok(next),
        Err(_) => {
            // Tag 0 means all there are.
            channel.basic_ack(0, BasicAckOptions { multiple: true }).await?;
            Ok(messages.next().await)
        }
    }
}

/// Publishes through the SDK's bus.
pub async fn sdk_publisher(url: &str) -> Result<()> {
    let bus = Arc::new(service::bus(url, "bench-publisher")?);
    // Waits for the connection.
    bus.declare(&Topology::default().queue(Queue::work(QUEUE))).await?;
    let mut orders = Orders::ready();
    while let Some((window, time)) = orders.load().await {
        let bus = Arc::clone(&bus);
        let publish = move || {
            let bus = Arc::clone(&bus);
            async move {
                let message = Message::durable("bench", vec![b'x'; BODY]);
                let sending = Sending::confirmed(tokio::time::Instant::now() + Duration::from_secs(30));
                bus.send(&Target::queue(QUEUE), message, sending).await.map_err(|error| error.to_string())
            }
        };
        answer(&load::run(window, time, publish).await)?;
    }
    Ok(())
}

/// Publishes through lapin: one task, with a window of promises.
pub async fn bare_publisher(url: &str) -> Result<()> {
    let connection = bare::connect(url).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let mut orders = Orders::ready();
    while let Some((window, time)) = orders.load().await {
        let began = Instant::now();
        let mut waiting: VecDeque<(Instant, PublisherConfirm)> = VecDeque::new();
        let (mut times, mut errors) = (Vec::new(), 0);
        loop {
            let going_on = began.elapsed() < time;
            if waiting.len() >= window || !going_on {
                let Some((sent, confirm)) = waiting.pop_front() else { break };
                match confirm.await? {
                    Confirmation::Ack(None) => times.push(sent.elapsed().as_secs_f64() * 1e6),
                    _ => errors += 1,
                }
            }
            if going_on {
                let options = BasicPublishOptions { mandatory: true, immediate: false };
                let properties = BasicProperties::default().with_delivery_mode(2).with_message_id("bench".into());
                let body = vec![b'x'; BODY];
                let sent = Instant::now();
                let confirm = channel.basic_publish("".into(), QUEUE.into(), options, &body, properties).await?;
                waiting.push_back((sent, confirm));
            }
        }
        answer(&Load::of(times, errors, began.elapsed().as_secs_f64()))?;
    }
    Ok(())
}
