//! F5 and F10: consumers that are slow, and consumers that the broker gives up.

use std::time::Duration;

use banyan_sdk::bus::{Bus, Delivery, Queue, State};

use super::{bus, declare, next, put};
use crate::support::{broker::Broker, history::History, setting, unique};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_consumer_holds_its_prefetch_and_nobody_else_up() {
    let bus = bus(&setting("BANYAN_TEST_AMQP_URL"));
    let (slow, quick) = (unique("slow"), unique("quick"));
    let targets = [declare(&*bus, Queue::work(&slow)).await, declare(&*bus, Queue::work(&quick)).await];
    let mut held_up = bus.consume(&slow, 10).await.unwrap();
    let mut flowing = bus.consume(&quick, 10).await.unwrap();
    let held = {
        put(&*bus, &targets[0], "held").await;
        next(&mut held_up).await
    };
    let (quickly, slowly) = (History::default(), History::default());
    for number in 0..300 {
        for (target, history) in targets.iter().zip([&slowly, &quickly]) {
            put(&*bus, target, &number.to_string()).await;
            history.sent(number, &Ok(()));
        }
        handle(next(&mut flowing).await, &quickly);
    }
    // What the slow one does not take stays with the broker, where it can be seen.
    let waiting = bus.inspect(&slow).await.unwrap().unwrap().messages;
    assert_eq!(waiting, 300 - 9);
    held.ack();
    for _ in 0..300 {
        handle(next(&mut held_up).await, &slowly);
    }
    for (who, history) in [("quick", quickly), ("slow", slowly)] {
        let verdict = history.verdict();
        println!("{who}: {verdict}");
        verdict.clean();
        assert!(verdict.reordered == 0 && verdict.repeated == 0, "{verdict}");
    }
}

fn handle(delivery: Delivery, history: &History) {
    let number = delivery.message.message_id.as_ref().unwrap().parse().unwrap();
    if history.delivered(number) {
        history.handled(number);
    }
    delivery.ack();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_that_takes_too_long_goes_to_somebody_and_the_late_ack_does_no_harm() {
    let broker = Broker::start().await;
    broker
        .evaluate("application:set_env(rabbit, consumer_timeout, 1000), application:set_env(rabbit, channel_tick_interval, 500)")
        .await;
    let bus = bus(&broker.url());
    let queue = unique("too-long");
    let target = declare(&*bus, Queue::work(&queue)).await;
    let mut deliveries = bus.consume(&queue, 5).await.unwrap();
    let mut state = bus.state();
    state.mark_unchanged();
    put(&*bus, &target, "m").await;
    let stuck = next(&mut deliveries).await;
    assert!(!stuck.redelivered);
    // The broker closes the channel of the consumer, which comes back on a new one.
    let again = next(&mut deliveries).await;
    assert!(again.redelivered);
    assert_eq!(again.message.message_id, stuck.message.message_id);
    stuck.ack();
    again.ack();
    put(&*bus, &target, "n").await;
    let other = next(&mut deliveries).await;
    assert_eq!(other.message.message_id.as_deref(), Some("n"));
    other.ack();
    assert!(!state.has_changed().unwrap(), "{:?}", state.borrow());
    assert_eq!(*state.borrow(), State::Connected);
    // Settled for good: the broker has nothing left of them, neither waiting nor handed out.
    let settled = async {
        while broker.messages(&queue).await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), settled).await.expect("nothing comes a third time");
}
