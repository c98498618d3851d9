//! F1 and F9: calls under way when the broker dies, and calls to nobody.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use banyan_sdk::bus::{Bus, BusError, Message, Queue, Sending, State, Target};
use tokio::{sync::Mutex, time::Instant};

use super::{bus, declare, echo, handle};
use crate::support::{
    broker::Broker,
    history::{History, Verdict},
    seconds, setting, unique, wait_for,
};

const DEADLINE: Duration = Duration::from_secs(4);

/// By what was called and how it ended: how many calls, and the longest of them.
type Ends = BTreeMap<(&'static str, &'static str), (usize, Duration)>;

fn kind(result: &Result<Message, BusError>) -> &'static str {
    match result {
        Ok(_) => "answered",
        Err(BusError::Lost { .. }) => "lost",
        Err(BusError::TimedOut { .. }) => "timed out",
        Err(BusError::Disconnected { .. }) => "disconnected",
        Err(BusError::Unroutable { .. }) => "unroutable",
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_hangs_when_the_broker_is_killed() {
    let broker = Broker::start().await;
    let (caller, responder) = (bus(&broker.url()), bus(&broker.url()));
    let targets = [
        declare(&*responder, Queue::query(unique("query"))).await,
        declare(&*responder, Queue::work(unique("command"))).await,
    ];
    for target in &targets {
        let Target::Queue(queue) = target else { panic!("a queue") };
        echo(responder.clone(), queue).await;
    }
    broker.remember_queues().await;
    let (ends, stop) = (Arc::new(Mutex::new(Ends::new())), tokio_util::sync::CancellationToken::new());
    let callers: Vec<_> = (0..40_usize)
        .map(|number| {
            let (caller, target, ends, stop) =
                (caller.clone(), targets[number % 2].clone(), ends.clone(), stop.clone());
            tokio::spawn(async move {
                let mut count = 0_u64;
                while !stop.is_cancelled() {
                    count += 1;
                    let body = format!("{number}.{count}");
                    let persistent = number % 2 == 1;
                    let message = Message { persistent, ..Message::transient(body.clone(), body.clone()) };
                    let began = Instant::now();
                    let result = caller.request(&target, message, began + DEADLINE).await;
                    if let Ok(answer) = &result {
                        assert_eq!(answer.body, body, "somebody else's answer");
                    }
                    let mut ends = ends.lock().await;
                    let end = ends.entry((if persistent { "command" } else { "query" }, kind(&result))).or_default();
                    *end = (end.0 + 1, end.1.max(began.elapsed()));
                }
            })
        })
        .collect();
    let answered = async |more: usize| {
        for called in ["query", "command"] {
            let count = async || ends.lock().await.get(&(called, "answered")).map_or(0, |it| it.0);
            let from = count().await;
            let reached = tokio::time::timeout(Duration::from_secs(20), async {
                while count().await < from + more {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            });
            reached.await.unwrap_or_else(|_| panic!("no {called} is answered"));
        }
    };
    answered(500).await;
    broker.kill().await;
    wait_for(&*caller, |state| matches!(state, State::Disconnected { .. })).await;
    broker.restart().await;
    let answers = Instant::now();
    for bus in [&caller, &responder] {
        wait_for(&**bus, |state| *state == State::Connected).await;
    }
    let reconnected = answers.elapsed();
    answered(500).await;
    stop.cancel();
    for caller in callers {
        caller.await.unwrap();
    }
    let ends = ends.lock().await;
    println!("reconnected {reconnected:?} after the port answers; calls: {ends:?}");
    assert!(reconnected < Duration::from_secs(2), "{reconnected:?}");
    for called in ["query", "command"] {
        // From when they were made, not from the kill; still nowhere near their deadline.
        let lost = ends[&(called, "lost")];
        assert!(lost.0 > 0 && lost.1 < DEADLINE / 2, "calls under way are told at once: {ends:?}");
    }
    assert!(ends.values().all(|(_, longest)| *longest < DEADLINE + Duration::from_millis(500)), "{ends:?}");
    assert!(!ends.keys().any(|(_, end)| *end == "unroutable"), "{ends:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_broker_refuses_does_not_break_the_connection() {
    let bus = bus(&setting("BANYAN_TEST_AMQP_URL"));
    wait_for(&*bus, |state| *state == State::Connected).await;
    let mut state = bus.state();
    state.mark_unchanged();
    let absent = unique("absent");
    let result = bus.request(&Target::queue(&absent), Message::transient("m", "x"), seconds(5)).await;
    assert!(matches!(result, Err(BusError::Unroutable { .. })), "{result:?}");
    assert_eq!(bus.inspect(&absent).await.unwrap(), None);
    assert!(matches!(bus.fetch(&absent).await, Err(BusError::NoSuchQueue { .. })));
    assert!(matches!(bus.purge(&absent).await, Err(BusError::NoSuchQueue { .. })));
    assert!(matches!(bus.consume(&absent, 1).await, Err(BusError::NoSuchQueue { .. })));
    let queue = declare(&*bus, Queue::work(&absent)).await;
    let other = banyan_sdk::bus::Topology::default().queue(Queue::query(&absent));
    assert!(matches!(bus.declare(&other).await, Err(BusError::Mismatch { .. })));
    super::put(&*bus, &queue, "m").await;
    assert!(!state.has_changed().unwrap(), "{:?}", state.borrow());
}

/// Sends to a queue that is there and to one that is not, in turn.
async fn half_of_it_to_nobody(sending: fn(Instant) -> Sending) -> Verdict {
    let bus = bus(&setting("BANYAN_TEST_AMQP_URL"));
    let there = unique("there");
    let targets = [declare(&*bus, Queue::work(&there)).await, Target::queue(unique("nowhere"))];
    let history = History::default();
    for number in 0..20_u64 {
        let message = Message::durable(number.to_string(), "x");
        let target = &targets[usize::from(number % 2 == 1)];
        history.sent(number, &bus.send(target, message, sending(seconds(10))).await);
    }
    while let Some(delivery) = bus.fetch(&there).await.unwrap() {
        handle(delivery, &history);
    }
    history.verdict()
}

/// F9, and the planted bug: whoever does not ask whether somebody takes it is told that it has arrived.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_takes_is_no_confirmed_loss() {
    let verdict = half_of_it_to_nobody(Sending::confirmed).await;
    println!("mandatory: {verdict}");
    verdict.clean();
    let verdict = half_of_it_to_nobody(|deadline| Sending::confirmed(deadline).optional()).await;
    println!("optional: {verdict}");
    assert_eq!(verdict.lost.len(), 10);
}
