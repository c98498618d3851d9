//! What every form of the bus has to do.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use banyan_sdk::bus::{
    Bus, BusError, Counts, Form, HeaderValue, Message, Queue, Sending, Target, Topology,
    memory::{MemoryBroker, SystemClock},
};
use tokio::time::timeout;

use crate::support::{rabbit, seconds, unique};

fn memory() -> Arc<dyn Bus> {
    Arc::new(MemoryBroker::new(SystemClock).connect())
}

fn real() -> Arc<dyn Bus> {
    Arc::new(rabbit())
}

/// Each test twice: `memory::name` and `rabbit::name`.
macro_rules! suite {
    ($($test:ident)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::memory()).await;
            })*
        }
        mod rabbit {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(super::real()).await;
            })*
        }
    };
}

suite! {
    a_message_arrives_as_it_was_sent
    a_queue_that_does_not_exist_is_an_error_at_once
    only_the_unroutable_ones_of_many_fail
    consumers_compete_and_each_message_is_handled_once
    no_more_than_the_prefetch_is_handed_out
    what_is_not_settled_comes_back
    events_reach_every_queue_whose_pattern_fits
    an_event_that_nobody_wants_is_no_error_when_it_is_optional
    parallel_calls_get_their_own_answers
    a_call_without_an_answer_ends_at_its_deadline
    a_call_to_nobody_fails_at_once
    a_delay_queue_gives_back_when_the_time_is_over
    a_message_whose_time_is_over_becomes_a_dead_letter
    another_declaration_of_a_queue_is_refused
    fetch_inspect_and_purge
    a_closed_bus_says_so
    a_dropped_consumer_gives_back_what_it_held
}

async fn with(bus: &Arc<dyn Bus>, queue: Queue) -> Target {
    let target = Target::queue(queue.name.clone());
    bus.declare(&Topology::default().queue(queue)).await.unwrap();
    target
}

fn name(target: &Target) -> &str {
    match target {
        Target::Queue(name) => name,
        Target::Exchange { key, .. } => key,
    }
}

async fn next(deliveries: &mut banyan_sdk::bus::Deliveries) -> banyan_sdk::bus::Delivery {
    timeout(Duration::from_secs(10), deliveries.next()).await.expect("a delivery in time").expect("an open bus")
}

async fn count(bus: &Arc<dyn Bus>, queue: &str, wanted: u32) {
    let reached = timeout(Duration::from_secs(10), async {
        while bus.inspect(queue).await.unwrap().map(|counts| counts.messages) != Some(wanted) {
            tokio::task::yield_now().await;
        }
    });
    reached.await.unwrap_or_else(|_| panic!("{queue} does not come to {wanted} messages"));
}

async fn a_message_arrives_as_it_was_sent(bus: Arc<dyn Bus>) {
    let target = with(&bus, Queue::work(unique("arrives"))).await;
    let sent = Message {
        correlation_id: Some("c".into()),
        reply_to: Some("r".into()),
        content_type: Some("application/json".into()),
        content_encoding: Some("utf-8".into()),
        priority: Some(1),
        timestamp: Some(1_900_000_000),
        ..Message::durable("m1", vec![7; 100_000])
    }
    .header("x-service-name", "tests")
    .header("x-retry-count", 2)
    .header("x-list", HeaderValue::List(vec!["a".into(), HeaderValue::Bool(true)]));
    bus.send(&target, sent.clone(), Sending::confirmed(seconds(10))).await.unwrap();
    let mut deliveries = bus.consume(name(&target), 10).await.unwrap();
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.message, sent);
    assert!(!delivery.redelivered);
    assert_eq!(delivery.queue, name(&target));
    delivery.ack();
    drop(deliveries);
    count(&bus, name(&target), 0).await;
}

async fn a_queue_that_does_not_exist_is_an_error_at_once(bus: Arc<dyn Bus>) {
    bus.declare(&Topology::default()).await.unwrap();
    let queue = unique("nowhere");
    let result = bus.send(&Target::queue(&queue), Message::durable("m", "x"), Sending::confirmed(seconds(10))).await;
    assert!(matches!(result, Err(BusError::Unroutable { .. })), "{result:?}");
    let result = bus.consume(&queue, 1).await;
    assert!(matches!(result, Err(BusError::NoSuchQueue { .. })), "{result:?}");
}

async fn only_the_unroutable_ones_of_many_fail(bus: Arc<dyn Bus>) {
    let there = with(&bus, Queue::work(unique("there"))).await;
    let nowhere = Target::queue(unique("nowhere"));
    let sends = (0..400).map(|i| {
        let target = if i % 7 == 3 { nowhere.clone() } else { there.clone() };
        let bus = bus.clone();
        tokio::spawn(async move {
            let message = Message::durable(format!("m{i}"), "x");
            (i, bus.send(&target, message, Sending::confirmed(seconds(20))).await)
        })
    });
    for sent in sends.collect::<Vec<_>>() {
        let (i, result) = sent.await.unwrap();
        match result {
            Ok(()) => assert_ne!(i % 7, 3, "{i} was told to have arrived"),
            Err(BusError::Unroutable { .. }) => assert_eq!(i % 7, 3, "{i} was told to be unroutable"),
            Err(error) => panic!("{i}: {error}"),
        }
    }
    count(&bus, name(&there), 400 - 57).await;
}

async fn consumers_compete_and_each_message_is_handled_once(bus: Arc<dyn Bus>) {
    let target = with(&bus, Queue::work(unique("competing"))).await;
    let (seen, mut all) = tokio::sync::mpsc::unbounded_channel();
    for consumer in 0..3 {
        let mut deliveries = bus.consume(name(&target), 5).await.unwrap();
        let seen = seen.clone();
        tokio::spawn(async move {
            while let Some(delivery) = deliveries.next().await {
                seen.send((consumer, delivery.message.message_id.clone().unwrap())).unwrap();
                delivery.ack();
            }
        });
    }
    for i in 0..300 {
        let message = Message::durable(i.to_string(), "x");
        bus.send(&target, message, Sending::confirmed(seconds(10))).await.unwrap();
    }
    let (mut ids, mut consumers) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..300 {
        let (consumer, id) = timeout(Duration::from_secs(10), all.recv()).await.unwrap().unwrap();
        assert!(ids.insert(id.clone()), "{id} twice");
        consumers.insert(consumer);
    }
    assert_eq!(consumers.len(), 3, "some consumer got nothing");
    bus.close().await;
    assert!(all.try_recv().is_err());
}

async fn no_more_than_the_prefetch_is_handed_out(bus: Arc<dyn Bus>) {
    let target = with(&bus, Queue::work(unique("prefetch"))).await;
    for i in 0..8 {
        let message = Message::durable(i.to_string(), "x");
        bus.send(&target, message, Sending::confirmed(seconds(10))).await.unwrap();
    }
    let mut deliveries = bus.consume(name(&target), 3).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(next(&mut deliveries).await);
    }
    // Five that nobody was handed: a fourth one would be missing here.
    count(&bus, name(&target), 5).await;
    held.remove(1).ack();
    held.push(next(&mut deliveries).await);
    let order: Vec<_> = held.iter().map(|it| it.message.message_id.clone().unwrap()).collect();
    assert_eq!(order, ["0", "2", "3"]);
}

async fn what_is_not_settled_comes_back(bus: Arc<dyn Bus>) {
    let target = with(&bus, Queue::work(unique("back"))).await;
    bus.send(&target, Message::durable("m", "x"), Sending::confirmed(seconds(10))).await.unwrap();
    let mut deliveries = bus.consume(name(&target), 1).await.unwrap();
    drop(next(&mut deliveries).await);
    let again = next(&mut deliveries).await;
    assert!(again.redelivered);
    again.requeue();
    let again = next(&mut deliveries).await;
    assert!(again.redelivered);
    again.ack();
    drop(deliveries);
    count(&bus, name(&target), 0).await;
}

async fn events_reach_every_queue_whose_pattern_fits(bus: Arc<dyn Bus>) {
    let service = unique("svc").replace('.', "-");
    let patterns = [format!("{service}.usercreated"), format!("{service}.*"), format!("{service}.other")];
    let queues: Vec<_> = (0..3).map(|i| unique(&format!("events{i}"))).collect();
    let mut topology = Topology::default();
    for (queue, pattern) in queues.iter().zip(&patterns) {
        topology = topology.events(queue, pattern);
    }
    bus.declare(&topology).await.unwrap();
    let target = Target::event(format!("{service}.usercreated"));
    bus.send(&target, Message::durable("e", "x"), Sending::confirmed(seconds(10))).await.unwrap();
    count(&bus, &queues[0], 1).await;
    count(&bus, &queues[1], 1).await;
    count(&bus, &queues[2], 0).await;
}

async fn an_event_that_nobody_wants_is_no_error_when_it_is_optional(bus: Arc<dyn Bus>) {
    bus.declare(&Topology::default()).await.unwrap();
    let target = Target::event(unique("unheard"));
    bus.send(&target, Message::durable("e", "x"), Sending::confirmed(seconds(10)).optional()).await.unwrap();
    let result = bus.send(&target, Message::durable("e", "x"), Sending::confirmed(seconds(10))).await;
    assert!(matches!(result, Err(BusError::Unroutable { .. })), "{result:?}");
}

/// Answers each request with its own body, the later ones first.
async fn answer(bus: &Arc<dyn Bus>, queue: &str) {
    let mut deliveries = bus.consume(queue, 10).await.unwrap();
    let bus = bus.clone();
    tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            match timeout(Duration::from_millis(20), deliveries.next()).await {
                Ok(None) => break,
                Ok(Some(delivery)) if held.len() < 9 => held.push(delivery),
                Ok(Some(delivery)) => reply(&bus, delivery).await,
                Err(_) => {
                    while let Some(delivery) = held.pop() {
                        reply(&bus, delivery).await;
                    }
                }
            }
        }
    });
}

async fn reply(bus: &Arc<dyn Bus>, delivery: banyan_sdk::bus::Delivery) {
    let request = &delivery.message;
    let reply =
        Message { correlation_id: request.correlation_id.clone(), ..Message::transient("r", request.body.clone()) };
    let to = Target::queue(request.reply_to.clone().unwrap());
    bus.send(&to, reply, Sending::sent(seconds(10))).await.unwrap();
    delivery.ack();
}

async fn parallel_calls_get_their_own_answers(bus: Arc<dyn Bus>) {
    for queue in [Queue::query(unique("calls")), Queue::work(unique("calls"))] {
        let persistent = queue.form == Form::Work;
        let target = with(&bus, queue).await;
        answer(&bus, name(&target)).await;
        let calls: Vec<_> = (0..100)
            .map(|i| {
                let (bus, target) = (bus.clone(), target.clone());
                tokio::spawn(async move {
                    let body = format!("body {i}");
                    let message = Message { persistent, ..Message::transient(format!("m{i}"), body.clone()) };
                    let reply = bus.request(&target, message, seconds(10)).await.unwrap();
                    assert_eq!(reply.body, body);
                })
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
    }
}

async fn a_call_without_an_answer_ends_at_its_deadline(bus: Arc<dyn Bus>) {
    let target = with(&bus, Queue::query(unique("silent"))).await;
    let deadline = tokio::time::Instant::now() + Duration::from_millis(300);
    let result = bus.request(&target, Message::transient("m", "x"), deadline).await;
    assert!(matches!(result, Err(BusError::TimedOut { .. })), "{result:?}");
    assert!(deadline.elapsed() < Duration::from_secs(1), "{:?} late", deadline.elapsed());
    // Its time is over, so nobody is asked any more.
    count(&bus, name(&target), 0).await;
}

async fn a_call_to_nobody_fails_at_once(bus: Arc<dyn Bus>) {
    bus.declare(&Topology::default()).await.unwrap();
    for persistent in [false, true] {
        let message = Message { persistent, ..Message::transient("m", "x") };
        let began = tokio::time::Instant::now();
        let result = bus.request(&Target::queue(unique("nobody")), message, seconds(10)).await;
        assert!(matches!(result, Err(BusError::Unroutable { .. })), "{result:?}");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
}

async fn a_delay_queue_gives_back_when_the_time_is_over(bus: Arc<dyn Bus>) {
    let queue = unique("delayed");
    let delay = Queue::delay(&queue, 1, Duration::from_millis(400));
    let to_delay = Target::queue(&delay.name);
    bus.declare(&Topology::default().queue(Queue::work(&queue)).queue(delay)).await.unwrap();
    let mut deliveries = bus.consume(&queue, 1).await.unwrap();
    let began = tokio::time::Instant::now();
    bus.send(&to_delay, Message::durable("m", "x"), Sending::confirmed(seconds(10))).await.unwrap();
    let delivery = next(&mut deliveries).await;
    assert!(began.elapsed() >= Duration::from_millis(390), "{:?}", began.elapsed());
    assert_eq!(delivery.message.message_id.as_deref(), Some("m"));
    delivery.ack();
    // A shorter time of its own is kept.
    let began = tokio::time::Instant::now();
    let sooner = Message { expiration: Some(Duration::from_millis(100)), ..Message::durable("n", "x") };
    bus.send(&to_delay, sooner, Sending::confirmed(seconds(10))).await.unwrap();
    let delivery = next(&mut deliveries).await;
    assert!(began.elapsed() < Duration::from_millis(350), "{:?}", began.elapsed());
    assert_eq!(delivery.message.expiration, None);
    delivery.ack();
}

async fn a_message_whose_time_is_over_becomes_a_dead_letter(bus: Arc<dyn Bus>) {
    let target = with(&bus, Queue::work(unique("old"))).await;
    let message = Message { expiration: Some(Duration::from_millis(50)), ..Message::durable("m", "x") };
    bus.send(&target, message, Sending::confirmed(seconds(10))).await.unwrap();
    count(&bus, &format!("dlq.{}", name(&target)), 1).await;
    count(&bus, name(&target), 0).await;
}

async fn another_declaration_of_a_queue_is_refused(bus: Arc<dyn Bus>) {
    let queue = unique("twice");
    let declare = |queue| {
        let bus = bus.clone();
        async move { bus.declare(&Topology::default().queue(queue)).await }
    };
    declare(Queue::work(&queue)).await.unwrap();
    declare(Queue::work(&queue)).await.unwrap();
    match declare(Queue::query(&queue)).await {
        Err(BusError::Mismatch { name, difference }) => {
            assert_eq!(name, queue);
            assert!(difference.starts_with("inequivalent arg 'x-"), "{difference}");
        }
        other => panic!("{other:?}"),
    }
    // Nothing is broken by it.
    declare(Queue::work(&queue)).await.unwrap();
}

async fn fetch_inspect_and_purge(bus: Arc<dyn Bus>) {
    assert_eq!(bus.inspect(&unique("absent")).await.unwrap(), None);
    let target = with(&bus, Queue::work(unique("fetched"))).await;
    assert!(bus.fetch(name(&target)).await.unwrap().is_none());
    for i in 0..5 {
        let message = Message::durable(i.to_string(), "x");
        bus.send(&target, message, Sending::confirmed(seconds(10))).await.unwrap();
    }
    let first = bus.fetch(name(&target)).await.unwrap().unwrap();
    assert_eq!(first.message.message_id.as_deref(), Some("0"));
    first.requeue();
    count(&bus, name(&target), 5).await;
    assert_eq!(bus.inspect(name(&target)).await.unwrap(), Some(Counts { messages: 5, consumers: 0 }));
    bus.fetch(name(&target)).await.unwrap().unwrap().ack();
    count(&bus, name(&target), 4).await;
    assert_eq!(bus.purge(name(&target)).await.unwrap(), 4);
    let fetched = bus.fetch(&unique("absent")).await;
    assert!(matches!(fetched, Err(BusError::NoSuchQueue { .. })), "{fetched:?}");
    assert!(matches!(bus.purge(&unique("absent")).await, Err(BusError::NoSuchQueue { .. })));
    assert!(bus.fetch(name(&target)).await.unwrap().is_none());
}

async fn a_closed_bus_says_so(bus: Arc<dyn Bus>) {
    let target = with(&bus, Queue::work(unique("closed"))).await;
    let mut deliveries = bus.consume(name(&target), 1).await.unwrap();
    bus.close().await;
    assert!(timeout(Duration::from_secs(5), deliveries.next()).await.unwrap().is_none());
    let result = bus.send(&target, Message::durable("m", "x"), Sending::confirmed(seconds(10))).await;
    assert!(matches!(result, Err(BusError::Closed)), "{result:?}");
    assert!(matches!(bus.consume(name(&target), 1).await, Err(BusError::Closed)));
    assert!(matches!(bus.inspect(name(&target)).await, Err(BusError::Closed)));
}

async fn a_dropped_consumer_gives_back_what_it_held(bus: Arc<dyn Bus>) {
    let target = with(&bus, Queue::work(unique("dropped"))).await;
    for i in 0..4 {
        let message = Message::durable(i.to_string(), "x");
        bus.send(&target, message, Sending::confirmed(seconds(10))).await.unwrap();
    }
    let mut deliveries = bus.consume(name(&target), 10).await.unwrap();
    let held = next(&mut deliveries).await;
    drop(deliveries);
    count(&bus, name(&target), 3).await;
    // The one that was taken can still be settled.
    held.ack();
    let rest = bus.consume(name(&target), 10).await;
    let mut rest = rest.unwrap();
    let mut ids = BTreeSet::new();
    for _ in 0..3 {
        let delivery = next(&mut rest).await;
        ids.insert(delivery.message.message_id.clone().unwrap());
        delivery.ack();
    }
    assert_eq!(ids, BTreeSet::from(["1".to_owned(), "2".to_owned(), "3".to_owned()]));
}
