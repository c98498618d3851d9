//! F8: the broker runs out of memory and takes no messages.

use std::time::Duration;

use banyan_sdk::bus::{Bus, BusError, Message, Queue, Sending, State};
use futures_util::StreamExt;
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions},
    types::FieldTable,
};
use tokio::time::{Instant, timeout};

use super::{bus, declare, handle, next, number, put};
use crate::support::{broker::Broker, history::History, seconds, unique, wait_for};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_waits_or_fails_by_its_deadline_and_consuming_goes_on() {
    let broker = Broker::start().await;
    let bus = bus(&broker.url());
    let queue = unique("blocked");
    let target = declare(&*bus, Queue::work(&queue)).await;
    let history = History::default();
    for number in 0..50 {
        put(&*bus, &target, &number.to_string()).await;
        history.sent(number, &Ok(()));
    }
    broker.block().await;
    let send = |id: &'static str, deadline: Instant| {
        let (bus, target) = (bus.clone(), target.clone());
        async move { bus.send(&target, Message::durable(id, "x"), Sending::confirmed(deadline)).await }
    };
    // The broker says so when something is published.
    let began = Instant::now();
    let result = send("50", began + Duration::from_millis(500)).await;
    history.sent(50, &result);
    assert!(matches!(result, Err(BusError::Blocked { .. })), "{result:?}");
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
    let state = wait_for(&*bus, |state| matches!(state, State::Blocked { .. })).await;
    println!("{state:?}");
    let began = Instant::now();
    let result = bus.request(&target, Message::transient("call", "x"), began + Duration::from_millis(300)).await;
    assert!(matches!(result, Err(BusError::Blocked { .. })), "{result:?}");
    assert!(began.elapsed() < Duration::from_millis(700), "{:?}", began.elapsed());

    let mut deliveries = bus.consume(&queue, 10).await.unwrap();
    let mut take = async || {
        let delivery = next(&mut deliveries).await;
        let number = number(&delivery);
        handle(delivery, &history);
        number
    };
    let takes = async || {
        take().await;
    };
    assert_eq!(drained(takes).await, 50, "consuming goes on");
    let waiting = tokio::spawn(send("51", seconds(20)));
    broker.unblock().await;
    wait_for(&*bus, |state| *state == State::Connected).await;
    history.sent(51, &waiting.await.unwrap());
    // The one before was on its way when the broker stopped: the error said that it may arrive.
    while take().await != 51 {}
    let verdict = history.verdict();
    println!("blocked: {verdict}");
    verdict.clean();
    assert!(verdict.unknown == 1 && verdict.reordered == 0 && verdict.repeated == 0, "{verdict}");
}

/// How many of the 50 messages come although nothing may be sent.
async fn drained(mut take: impl AsyncFnMut()) -> usize {
    let mut count = 0;
    while count < 50 && timeout(Duration::from_secs(3), take()).await.is_ok() {
        count += 1;
    }
    count
}

/// The planted bug: one connection to publish and to consume on, of which the broker reads not even acknowledgements any
/// more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_publishes_on_the_connection_that_he_consumes_on_stands_still() {
    let broker = Broker::start().await;
    let bus = bus(&broker.url());
    let queue = unique("one-connection");
    let target = declare(&*bus, Queue::work(&queue)).await;
    for number in 0..50 {
        put(&*bus, &target, &number.to_string()).await;
    }
    let connection = Connection::connect(&broker.url(), ConnectionProperties::default()).await.unwrap();
    let (channel, other) = (connection.create_channel().await.unwrap(), connection.create_channel().await.unwrap());
    channel.basic_qos(10, BasicQosOptions::default()).await.unwrap();
    let options = BasicConsumeOptions::default();
    let consumed = channel.basic_consume(queue.as_str().into(), "".into(), options, FieldTable::default());
    let mut consumer = consumed.await.unwrap();
    broker.block().await;
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    other.basic_publish("".into(), queue.as_str().into(), options, b"51", properties).await.unwrap();
    let drained = drained(async || {
        let delivery = consumer.next().await.unwrap().unwrap();
        delivery.ack(BasicAckOptions::default()).await.unwrap();
    });
    let drained = drained.await;
    println!("on one connection {drained} of 50 messages come");
    assert!(drained < 50);
}
