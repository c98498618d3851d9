//! F8: the broker runs out of memory and takes no messages.

use std::time::Duration;

use banyan_sdk::bus::{Bus, BusError, Message, Queue, Sending, State};
use tokio::time::Instant;

use super::{bus, declare, next, put};
use crate::support::{broker::Broker, seconds, unique, wait_for};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_waits_or_fails_by_its_deadline_and_consuming_goes_on() {
    let broker = Broker::start().await;
    let bus = bus(&broker.url());
    let queue = unique("blocked");
    let target = declare(&*bus, Queue::work(&queue)).await;
    for number in 0..50 {
        put(&*bus, &target, &number.to_string()).await;
    }
    broker.block().await;
    let send = |id: &'static str, deadline: Instant| {
        let (bus, target) = (bus.clone(), target.clone());
        async move { bus.send(&target, Message::durable(id, "x"), Sending::confirmed(deadline)).await }
    };
    // The broker says so when something is published.
    let began = Instant::now();
    let result = send("first", began + Duration::from_millis(500)).await;
    assert!(matches!(result, Err(BusError::Blocked { .. })), "{result:?}");
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
    let state = wait_for(&*bus, |state| matches!(state, State::Blocked { .. })).await;
    println!("{state:?}");
    let began = Instant::now();
    let result = bus.request(&target, Message::transient("call", "x"), began + Duration::from_millis(300)).await;
    assert!(matches!(result, Err(BusError::Blocked { .. })), "{result:?}");
    assert!(began.elapsed() < Duration::from_millis(700), "{:?}", began.elapsed());

    let mut deliveries = bus.consume(&queue, 10).await.unwrap();
    for number in 0..50 {
        let delivery = next(&mut deliveries).await;
        assert_eq!(delivery.message.message_id, Some(number.to_string()));
        delivery.ack();
    }
    let waiting = tokio::spawn(send("patient", seconds(20)));
    broker.unblock().await;
    wait_for(&*bus, |state| *state == State::Connected).await;
    waiting.await.unwrap().unwrap();
    // The first one was on its way when the broker stopped: the error said that it may arrive.
    let mut ids = vec![];
    while ids.last().is_none_or(|id| id != "patient") {
        let delivery = next(&mut deliveries).await;
        ids.extend(delivery.message.message_id.clone());
        delivery.ack();
    }
    assert!(ids == ["patient"] || ids == ["first", "patient"], "{ids:?}");
}
