//! F5 and F10: consumers that are slow, and consumers that the broker gives up.

use std::time::Duration;

use banyan_sdk::{
    bus::{Bus, Queue, State},
    store::{Claim, EventStore},
};
use tokio::time::timeout;

use super::{bus, declare, handle, next, number, put};
use crate::support::{
    broker::Broker,
    history::{History, Verdict},
    setting, unique,
};

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

/// How many of 300 messages a consumer that takes none keeps in memory, once the broker hands out no more.
async fn in_memory(prefetch: u16) -> u32 {
    let bus = bus(&setting("BANYAN_TEST_AMQP_URL"));
    let queue = unique("bound");
    let target = declare(&*bus, Queue::work(&queue)).await;
    for number in 0..300 {
        put(&*bus, &target, &number.to_string()).await;
    }
    let _idle = bus.consume(&queue, prefetch).await.unwrap();
    let wanted = 300 - u32::from(prefetch).min(300);
    let reached = async {
        loop {
            let waiting = bus.inspect(&queue).await.unwrap().unwrap().messages;
            if waiting <= wanted {
                return 300 - waiting;
            }
        }
    };
    timeout(Duration::from_secs(10), reached).await.expect("they are handed out")
}

/// The planted bug: a consumer without a bound, which holds whatever is in the queue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_prefetch_bounds_memory_and_without_it_nothing_does() {
    let (bounded, unbounded) = (in_memory(10).await, in_memory(u16::MAX).await);
    println!("of 300 messages a slow consumer holds {bounded}, without a bound {unbounded}");
    assert!(bounded <= 10 && unbounded > 10);
}

/// Takes effect, and then needs longer than the broker allows, the first time.
async fn too_long(inbox: Option<EventStore>) -> Verdict {
    let history = History::default();
    // Whether a message takes effect, and its effect.
    let effect = async |number: u64| {
        history.delivered(number);
        let Some(inbox) = &inbox else { return history.handled(number) };
        match inbox.claim("sink", &number.to_string(), Duration::from_secs(60)).await.unwrap() {
            Claim::First(lease) => {
                history.handled(number);
                inbox.complete(&lease, None).await.unwrap();
            }
            Claim::Done(_) => {}
            Claim::InProgress => panic!("nobody is at it"),
        }
    };
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
    put(&*bus, &target, "1").await;
    history.sent(1, &Ok(()));
    let stuck = next(&mut deliveries).await;
    assert!(!stuck.redelivered);
    effect(1).await;
    // The broker closes the channel of the consumer, which comes back on a new one.
    let again = next(&mut deliveries).await;
    assert!(again.redelivered);
    assert_eq!(again.message.message_id, stuck.message.message_id);
    effect(1).await;
    stuck.ack();
    again.ack();
    put(&*bus, &target, "2").await;
    history.sent(2, &Ok(()));
    let other = next(&mut deliveries).await;
    assert_eq!(number(&other), 2);
    effect(2).await;
    other.ack();
    assert!(!state.has_changed().unwrap(), "{:?}", state.borrow());
    assert_eq!(*state.borrow(), State::Connected);
    // Settled for good: the broker has nothing left of them, neither waiting nor handed out.
    let settled = async {
        while broker.messages(&queue).await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(10), settled).await.expect("nothing comes a third time");
    history.verdict()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_that_takes_too_long_goes_to_somebody_and_the_late_ack_does_no_harm() {
    let verdict = too_long(Some(EventStore::in_memory())).await;
    println!("too long: {verdict}");
    verdict.clean();
    assert_eq!(verdict.repeated, 1);
}

/// The planted bug: nobody remembers what was handled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_claim_what_takes_too_long_is_done_twice() {
    let verdict = too_long(None).await;
    println!("too long, without a claim: {verdict}");
    assert_eq!(verdict.doubled, [1]);
}
