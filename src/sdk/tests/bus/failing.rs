//! Messages whose handling fails: attempts, delays, history, dead letters; on both forms of the bus.

use std::{sync::Arc, time::Duration};

use banyan_sdk::{
    bus::{
        Bus, Delivery, HeaderValue, Message, Queue, Sending, Target, Topology,
        dead_letters::DeadLetters,
        memory::{ManualClock, MemoryBroker, SystemClock},
        redelivery::{Attempt, HEADER_ORIGINAL_EXPIRATION, Redelivery},
    },
    protocol::{
        FaultCode, Timestamp,
        dead_letter::{HEADER_QUEUE, HEADER_REPLAY_COUNT, HEADER_TIME, LONGEST_MESSAGE, Reason},
    },
    retry::{GivenUp, Next, RetryPolicy},
};
use futures_util::FutureExt;
use tokio::time::{Instant, timeout};

use crate::{
    dice::{Dice, seed},
    support::{rabbit, seconds, unique},
};

/// Short enough for a test, with steps that differ.
fn policy() -> RetryPolicy {
    RetryPolicy { initial: Duration::from_millis(200), ..RetryPolicy::default() }
}

fn redelivery(bus: &Arc<dyn Bus>, policy: RetryPolicy) -> Redelivery {
    Redelivery::new(bus.clone(), policy, Duration::from_secs(10))
}

fn attempt<'a>(message: &'a str, permanent: Option<&'a Reason>) -> Attempt<'a> {
    let at = Timestamp::from_millis(1_900_000_000_000);
    Attempt { code: &FaultCode::EventStore, message, permanent, at, stack_hash: Some("f00") }
}

async fn queue(bus: &Arc<dyn Bus>, name: &str) -> String {
    let queue = unique(name);
    bus.declare(&Topology::default().queue(Queue::work(&queue))).await.unwrap();
    queue
}

async fn next(deliveries: &mut banyan_sdk::bus::Deliveries) -> Delivery {
    timeout(Duration::from_secs(10), deliveries.next()).await.expect("a delivery in time").expect("an open bus")
}

async fn put(bus: &Arc<dyn Bus>, queue: &str, message: Message) {
    bus.send(&Target::queue(queue), message, Sending::confirmed(seconds(10))).await.unwrap();
}

async fn poison_is_tried_three_times_and_then_a_dead_letter(bus: Arc<dyn Bus>) {
    let queue = queue(&bus, "poison").await;
    let redelivery = redelivery(&bus, policy());
    let poison = Message { expiration: Some(Duration::from_secs(60)), ..Message::durable("poison", "{") }
        .header("x-trace-id", "4bf92f3577b34da6a3ce929d0e0e4736");
    put(&bus, &queue, poison).await;
    let mut deliveries = bus.consume(&queue, 5).await.unwrap();
    let began = Instant::now();
    for number in 1..=3 {
        let delivery = next(&mut deliveries).await;
        assert_eq!(Redelivery::attempt(&delivery.message), number);
        if number == 1 {
            // The queue keeps moving while the poison waits.
            put(&bus, &queue, Message::durable("good", "x")).await;
        }
        let error = format!("failure {number}");
        let what = redelivery.failed(delivery, attempt(&error, None), 0.999).await.unwrap();
        assert_eq!(matches!(what, Next::GiveUp(GivenUp::Exhausted)), number == 3, "{what:?}");
        if number == 1 {
            let good = next(&mut deliveries).await;
            assert_eq!(good.message.message_id.as_deref(), Some("good"));
            good.ack();
        }
    }
    let (took, backoffs) = (began.elapsed(), policy().longest_wait());
    println!("dead letter after {took:?}, sum of delays {backoffs:?}");
    assert!(took >= backoffs.mul_f64(0.95) && took < backoffs * 2, "{took:?}");

    let letters = DeadLetters::new(bus.clone());
    for _ in 0..2 {
        // Looking does not change anything.
        let shown = letters.show(&queue, 10).await.unwrap();
        let [letter] = &shown[..] else { panic!("{shown:?}") };
        assert_eq!((letter.reason.as_str(), letter.attempts), ("exhausted", 3));
        assert_eq!(letter.message.header_text("x-trace-id"), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert_eq!(letter.message.header_text(HEADER_QUEUE), Some(queue.as_str()));
        assert_eq!(letter.message.header_text(HEADER_TIME), Some("2030-03-17T17:46:40.000Z"));
        assert!(letter.message.headers.contains_key(HEADER_ORIGINAL_EXPIRATION));
        assert_eq!(letter.message.body, "{");
        let told: Vec<_> = letter.history.iter().map(|it| (it.attempt, it.message.as_str())).collect();
        assert_eq!(told, [(1, "failure 1"), (2, "failure 2"), (3, "failure 3")]);
        assert_eq!(letter.history[1].code, FaultCode::EventStore);
        assert_eq!(letter.history[1].stack_hash.as_deref(), Some("f00"));
    }
}

async fn a_permanent_failure_is_a_dead_letter_at_once(bus: Arc<dyn Bus>) {
    let queue = queue(&bus, "permanent").await;
    put(&bus, &queue, Message::durable("m", "x")).await;
    let mut deliveries = bus.consume(&queue, 5).await.unwrap();
    let delivery = next(&mut deliveries).await;
    let long = "ä".repeat(5000);
    let what =
        redelivery(&bus, policy()).failed(delivery, attempt(&long, Some(&Reason::Permanent)), 0.0).await.unwrap();
    assert_eq!(what, Next::GiveUp(GivenUp::Permanent));
    let shown = DeadLetters::new(bus).show(&queue, 10).await.unwrap();
    assert_eq!(shown[0].reason, "permanent");
    assert_eq!(shown[0].history[0].message.chars().count(), LONGEST_MESSAGE);
}

async fn dead_letters_are_listed_replayed_and_purged(bus: Arc<dyn Bus>) {
    let (queue, other) = (queue(&bus, "letters").await, queue(&bus, "none").await);
    let letters = DeadLetters::new(bus.clone());
    let redelivery = redelivery(&bus, policy());
    let mut deliveries = bus.consume(&queue, 5).await.unwrap();
    for i in 0..5 {
        put(&bus, &queue, Message::durable(format!("m{i}"), "x")).await;
        let delivery = next(&mut deliveries).await;
        redelivery.failed(delivery, attempt("no", Some(&Reason::Permanent)), 0.0).await.unwrap();
    }
    let listed = letters.list(&[queue.clone(), other.clone(), unique("absent")]).await.unwrap();
    assert_eq!(listed, [(queue.clone(), 5), (other, 0)]);
    assert_eq!(letters.replay(&queue, 2).await.unwrap(), 2);
    for i in 0..2 {
        let delivery = next(&mut deliveries).await;
        assert_eq!(delivery.message.message_id, Some(format!("m{i}")));
        assert_eq!(delivery.message.headers[HEADER_REPLAY_COUNT], HeaderValue::Int(1));
        // All attempts are before it again.
        assert_eq!(Redelivery::attempt(&delivery.message), 1);
        redelivery.failed(delivery, attempt("still no", Some(&Reason::Permanent)), 0.0).await.unwrap();
    }
    let shown = letters.show(&queue, 10).await.unwrap();
    let ids: Vec<_> = shown.iter().map(|it| it.message.message_id.clone().unwrap()).collect();
    assert_eq!(ids, ["m2", "m3", "m4", "m0", "m1"]);
    assert_eq!(shown[3].history.len(), 2, "the history goes on");
    assert_eq!(letters.purge(&queue).await.unwrap(), 5);
    assert_eq!(letters.show(&queue, 10).await.unwrap(), []);
}

/// F7: a dependency is down, and everything fails at once; how long each message was left alone after each failure.
async fn storm(bus: &Arc<dyn Bus>, messages: usize, policy: RetryPolicy) -> Vec<Vec<Duration>> {
    let queue = queue(bus, "storm").await;
    let redelivery = redelivery(bus, policy);
    for i in 0..messages {
        put(bus, &queue, Message::durable(i.to_string(), "x")).await;
    }
    let mut deliveries = bus.consume(&queue, 20).await.unwrap();
    let (mut attempts, began) = (Vec::new(), Instant::now());
    let mut dice = Dice::of(seed());
    while attempts.len() < 3 * messages {
        let delivery = next(&mut deliveries).await;
        let id: usize = delivery.message.message_id.as_ref().unwrap().parse().unwrap();
        attempts.push((id, Redelivery::attempt(&delivery.message), began.elapsed()));
        redelivery.failed(delivery, attempt("down", None), dice.fraction()).await.unwrap();
    }
    let pauses = (0..messages).map(|id| {
        let mine: Vec<_> = attempts.iter().filter(|(of, ..)| *of == id).collect();
        assert_eq!(mine.iter().map(|(_, number, _)| *number).collect::<Vec<_>>(), [1, 2, 3], "message {id}");
        mine.windows(2).map(|pair| pair[1].2 - pair[0].2).collect()
    });
    let pauses = pauses.collect();
    println!("{messages} messages, 3 attempts each in {:?}", began.elapsed());
    assert_eq!(DeadLetters::new(bus.clone()).list(&[queue]).await.unwrap()[0].1 as usize, messages);
    pauses
}

/// How many attempts came sooner than a second after the one before, or two after the second one.
fn too_soon(pauses: &[Vec<Duration>]) -> usize {
    let short = |pauses: &Vec<Duration>| pauses.iter().zip([1, 2]).filter(|(it, least)| it.as_secs() < *least).count();
    pauses.iter().map(short).sum()
}

async fn a_storm_is_spread_and_never_loops(bus: Arc<dyn Bus>) {
    let pauses = storm(&bus, 200, RetryPolicy::default()).await;
    println!("soonest again after {:?}", pauses.iter().flatten().min());
    assert_eq!(too_soon(&pauses), 0);
}

/// The planted bug: whoever tries again without a delay.
async fn a_storm_without_delays_is_seen(bus: Arc<dyn Bus>) {
    let hasty = RetryPolicy { initial: Duration::from_millis(1), ..RetryPolicy::default() };
    assert!(too_soon(&storm(&bus, 20, hasty).await) > 0);
}

/// F6: one poison message before five good ones; how many of those were handled and how many dead letters there are when
/// nothing comes any more, or too much has.
async fn behind_poison(bus: &Arc<dyn Bus>, failed: impl AsyncFn(Delivery)) -> (usize, u32) {
    let queue = queue(bus, "behind").await;
    put(bus, &queue, Message::durable("poison", "{")).await;
    for _ in 0..5 {
        put(bus, &queue, Message::durable("good", "x")).await;
    }
    let (mut deliveries, mut handled) = (bus.consume(&queue, 1).await.unwrap(), 0);
    for _ in 0..40 {
        let Ok(Some(delivery)) = timeout(Duration::from_secs(3), deliveries.next()).await else { break };
        if delivery.message.message_id.as_deref() == Some("good") {
            handled += 1;
            delivery.ack();
        } else {
            failed(delivery).await;
        }
    }
    (handled, DeadLetters::new(bus.clone()).list(&[queue]).await.unwrap()[0].1)
}

async fn poison_stops_nobody_who_puts_it_aside(bus: Arc<dyn Bus>) {
    let redelivery = redelivery(&bus, policy());
    let aside = async |delivery| {
        redelivery.failed(delivery, attempt("no", None), 0.5).await.unwrap();
    };
    assert_eq!(behind_poison(&bus, aside).await, (5, 1));
    // The planted bug: whoever gives it back at once gets nothing else any more.
    let moved = behind_poison(&bus, async |delivery: Delivery| delivery.requeue()).await;
    println!("behind poison that is given back at once: {moved:?} of (5, 1)");
    assert_ne!(moved, (5, 1));
}

macro_rules! both {
    ($($test:ident)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $test() {
                let bus = super::MemoryBroker::new(super::SystemClock).connect();
                super::$test(super::Arc::new(bus)).await;
            })*
        }
        mod rabbit {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(super::Arc::new(super::rabbit())).await;
            })*
        }
    };
}

both! {
    poison_is_tried_three_times_and_then_a_dead_letter
    a_permanent_failure_is_a_dead_letter_at_once
    dead_letters_are_listed_replayed_and_purged
    a_storm_is_spread_and_never_loops
    a_storm_without_delays_is_seen
    poison_stops_nobody_who_puts_it_aside
}

#[tokio::test]
async fn delays_pass_by_the_clock_that_is_given() {
    let clock = ManualClock::new();
    let bus: Arc<dyn Bus> = Arc::new(MemoryBroker::new(clock.clone()).connect());
    let queue = queue(&bus, "clock").await;
    put(&bus, &queue, Message::durable("m", "x")).await;
    let mut deliveries = bus.consume(&queue, 1).await.unwrap();
    let redelivery =
        redelivery(&bus, RetryPolicy { initial: Duration::from_secs(3600), longest: Duration::MAX, ..policy() });
    for hours in [1, 2] {
        let delivery = next(&mut deliveries).await;
        redelivery.failed(delivery, attempt("no", None), 0.99999).await.unwrap();
        let hold = Duration::from_secs(5400 * hours);
        clock.advance(hold - Duration::from_secs(10));
        // It looks at the clock before it tells.
        assert_eq!(bus.inspect(&queue).await.unwrap().unwrap().messages, 0);
        assert!(deliveries.next().now_or_never().is_none(), "too early");
        clock.advance(Duration::from_secs(10));
    }
    assert_eq!(Redelivery::attempt(&next(&mut deliveries).await.message), 3);
}
