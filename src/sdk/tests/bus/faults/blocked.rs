//! F8: the broker runs out of memory and takes no messages.

use std::time::Duration;

use banyan_sdk::bus::{Bus, BusError, Message, Queue, Sending, State};
use tokio::time::Instant;

use super::{bus, declare, next, put};
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
        let number = delivery.message.message_id.as_ref().unwrap().parse().unwrap();
        if history.delivered(number) {
            history.handled(number);
        }
        delivery.ack();
        number
    };
    for _ in 0..50 {
        take().await;
    }
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
