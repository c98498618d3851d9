//! F3 and F4: the network between service and broker swallows, slows, cuts and garbles.

use std::{ops::Range, sync::Arc, time::Duration};

use banyan_sdk::bus::{Bus, BusError, Delivery, Message, Queue, Sending, State, Target, rabbit::RabbitBus};
use tokio::time::{Instant, timeout};

use super::{bus, declare, echo, handle, next, number, put};
use crate::support::{
    history::{History, Verdict},
    options,
    proxy::{Fault, Proxy},
    seconds, setting, unique, wait_for,
};

/// Seconds.
const HEARTBEAT: u64 = 1;

async fn proxy() -> Proxy {
    let url = setting("BANYAN_TEST_AMQP_URL");
    let place = url.trim_start_matches("amqp://").trim_end_matches('/');
    Proxy::start(place.rsplit_once('@').map_or(place, |(_, place)| place).to_owned()).await
}

fn quick(proxy: &Proxy) -> Arc<RabbitBus> {
    with_heartbeat(proxy, HEARTBEAT)
}

fn with_heartbeat(proxy: &Proxy, seconds: u64) -> Arc<RabbitBus> {
    let mut options = options(&proxy.url());
    options.heartbeat = Duration::from_secs(seconds);
    options.connect_timeout = Duration::from_secs(2);
    Arc::new(RabbitBus::new(options))
}

/// Threads of this process that are lapin's.
fn connection_threads() -> usize {
    let names = std::fs::read_dir("/proc/self/task").unwrap();
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(entry.unwrap().path().join("comm")).unwrap_or_default()
    };
    names.map(name).filter(|name| name.starts_with("lapin-io")).count()
}

/// What became of a partition, and of the messages that were sent before and during it.
struct Partition {
    noticed: Option<Duration>,
    verdict: Verdict,
}

impl Partition {
    /// Noticed within two heartbeats, and every message handled once, those that had been handed out as well.
    fn is_survived(&self) -> bool {
        let Verdict { lost, unexpected, invented, doubled, repeated, reordered, .. } = &self.verdict;
        let wrong = [lost, unexpected, invented, doubled].iter().any(|numbers| !numbers.is_empty());
        self.noticed.is_some_and(|it| it < LIMIT) && !wrong && *repeated == HELD && *reordered == 0
    }
}

/// So many deliveries are handed out and not settled when the partition begins.
const HELD: usize = 5;
const LIMIT: Duration = Duration::from_millis(HEARTBEAT * 2000 + 1000);

/// Swallows everything between a consumer and the broker until it is noticed, or should have been.
async fn partition(heartbeat: u64) -> Partition {
    let proxy = proxy().await;
    let (bus, beside) = (with_heartbeat(&proxy, heartbeat), bus(&setting("BANYAN_TEST_AMQP_URL")));
    let queue = unique("partition");
    let target = declare(&*beside, Queue::work(&queue)).await;
    let mut deliveries = bus.consume(&queue, u16::try_from(HELD).unwrap()).await.unwrap();
    let history = History::default();
    let send = async |numbers: Range<u64>| {
        for number in numbers {
            put(&*beside, &target, &number.to_string()).await;
            history.sent(number, &Ok(()));
        }
    };
    send(0..20).await;
    for _ in 0..10 {
        handle(next(&mut deliveries).await, &history);
    }
    let mut held = Vec::new();
    for _ in 0..HELD {
        let delivery = next(&mut deliveries).await;
        history.delivered(number(&delivery));
        held.push(delivery);
    }
    // Both connections are to break, also the one that calls go out on.
    wait_for(&*bus, |state| *state == State::Connected).await;

    proxy.set(Fault::Drop);
    let began = Instant::now();
    let call = {
        let (bus, target) = (bus.clone(), target.clone());
        tokio::spawn(async move { bus.request(&target, Message::transient("c", "x"), seconds(20)).await })
    };
    send(20..40).await;
    let mut state = bus.state();
    let broken = state.wait_for(|state| matches!(state, State::Disconnected { .. }));
    let noticed = timeout(LIMIT, broken).await.is_ok().then(|| began.elapsed());
    let mut patience = Duration::from_secs(2);
    if noticed.is_some() {
        patience = Duration::from_secs(20);
        let result = call.await.unwrap();
        assert!(matches!(result, Err(BusError::Lost { .. })), "{result:?}");
        let result = bus.send(&target, Message::durable("n", "x"), Sending::confirmed(seconds(1))).await;
        assert!(matches!(result, Err(BusError::Disconnected { .. })), "{result:?}");
    }
    proxy.set(Fault::None);
    let rest = async {
        while history.progress().1 < 40 {
            let delivery = next(&mut deliveries).await;
            // The late ones are no concern of the new connection, whose numbers start at one too.
            held.drain(..).for_each(Delivery::ack);
            handle(delivery, &history);
        }
    };
    let all = timeout(patience, rest).await.is_ok();
    let partition = Partition { noticed, verdict: history.verdict() };
    println!(
        "heartbeat {heartbeat} s: noticed after {noticed:?}, all handled {all} after {:?}: {}",
        began.elapsed(),
        partition.verdict
    );
    assert!(proxy.accepted() < 20, "{} connections", proxy.accepted());
    partition
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_partition_is_noticed_and_work_is_done_again_once() {
    let partition = partition(HEARTBEAT).await;
    assert!(partition.is_survived(), "{:?}", partition.verdict);
}

/// The planted bug: a connection that is as good as without a heartbeat.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_heartbeat_the_same_partition_is_not_survived() {
    let partition = partition(600).await;
    assert!(!partition.is_survived() && !partition.verdict.lost.is_empty(), "{:?}", partition.verdict);
}

/// Sends and calls through a network that swallows everything; how many of them have not ended a second after `wait`.
async fn hanging(heartbeat: u64, deadline: Duration, wait: Duration) -> usize {
    let (proxy, beside) = (proxy().await, bus(&setting("BANYAN_TEST_AMQP_URL")));
    let bus = with_heartbeat(&proxy, heartbeat);
    let target = declare(&*beside, Queue::work(unique("hanging"))).await;
    wait_for(&*bus, |state| *state == State::Connected).await;
    proxy.set(Fault::Drop);
    let under_way = (0..40).map(|number| {
        let (bus, target) = (&bus, &target);
        let (message, until) = (Message::durable(number.to_string(), "x"), Instant::now() + deadline);
        async move {
            let end = async {
                match number % 2 {
                    0 => bus.send(target, message, Sending::confirmed(until)).await.is_ok(),
                    _ => bus.request(target, message, until).await.is_ok(),
                }
            };
            timeout(wait + Duration::from_secs(1), end).await
        }
    });
    let ends = futures_util::future::join_all(under_way).await;
    assert!(!ends.contains(&Ok(true)), "nothing can arrive");
    ends.iter().filter(|end| end.is_err()).count()
}

/// F4, and the planted bug: whoever has neither a deadline nor a heartbeat waits for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_a_deadline_ends_and_what_has_none_hangs() {
    let wait = Duration::from_secs(1);
    let (with, without) = (hanging(600, wait, wait).await, hanging(600, Duration::from_secs(3_600), wait).await);
    println!("40 sends and calls into nothing: {with} hang with a deadline, {without} without");
    assert!(with == 0 && without > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadlines_hold_on_any_network() {
    let beside = bus(&setting("BANYAN_TEST_AMQP_URL"));
    for fault in
        [Fault::Trickle, Fault::HalfOpen, Fault::Drop, Fault::Delay(Duration::from_secs(3)), Fault::Reset, Fault::Flip]
    {
        let proxy = proxy().await;
        let bus = quick(&proxy);
        let (queue, query) = (unique("slow"), unique("slow-query"));
        let targets = [declare(&*beside, Queue::work(&queue)).await, declare(&*beside, Queue::query(&query)).await];
        echo(beside.clone(), &query).await;
        wait_for(&*bus, |state| *state == State::Connected).await;
        assert_eq!(bus.request(&targets[1], Message::transient("c", "x"), seconds(5)).await.unwrap().body, "x");
        proxy.set(fault);
        let (began, wait) = (Instant::now(), Duration::from_millis(1500));
        let under_way: Vec<_> = (0..3000)
            .map(|number| {
                let (bus, target) = (bus.clone(), targets[number % 2].clone());
                tokio::spawn(async move {
                    let message = Message::transient(number.to_string(), vec![b'x'; 4096]);
                    let began = Instant::now();
                    let end = match number % 2 {
                        0 => bus.send(&target, message, Sending::confirmed(began + wait)).await,
                        _ => bus.request(&target, message, began + wait).await.map(drop),
                    };
                    (end, began.elapsed())
                })
            })
            .collect();
        let (mut fine, mut longest) = (0, Duration::ZERO);
        for one in under_way {
            let (end, took) = one.await.unwrap();
            longest = longest.max(took);
            match end {
                Ok(()) => fine += 1,
                Err(BusError::TimedOut { .. } | BusError::Lost { .. } | BusError::Disconnected { .. }) => {}
                Err(error) => panic!("{fault:?}: {error}"),
            }
        }
        println!("{fault:?}: {fine} of 3000 arrived, all ended in {:?}, longest {longest:?}", began.elapsed());
        assert!(longest < wait + Duration::from_millis(1000), "{fault:?}: {longest:?}");
        proxy.set(Fault::None);
        let mended = Instant::now();
        let call = async {
            loop {
                let call = bus.request(&targets[1], Message::transient("c", "y"), seconds(2)).await;
                match call {
                    Ok(answer) => break answer,
                    Err(BusError::TimedOut { .. } | BusError::Lost { .. } | BusError::Disconnected { .. }) => {}
                    Err(error) => panic!("{fault:?}: {error}"),
                }
            }
        };
        let answer = tokio::time::timeout(Duration::from_secs(10), call).await;
        assert_eq!(answer.unwrap_or_else(|_| panic!("{fault:?}: no answer again")).body, "y");
        println!("{fault:?}: answers {:?} after it was mended", mended.elapsed());
        bus.close().await;
    }
}

/// Memory of this process, in bytes.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// F4: what cannot be sent is not kept either, once its deadline has passed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_too_slow_costs_no_memory() {
    const SENDERS: usize = 64;
    const SIZE: usize = 64 << 10;
    let (proxy, beside) = (proxy().await, bus(&setting("BANYAN_TEST_AMQP_URL")));
    let target = declare(&*beside, Queue::work(unique("trickle"))).await;
    let bus = quick(&proxy);
    wait_for(&*bus, |state| *state == State::Connected).await;
    proxy.set(Fault::Trickle);
    let (before, end) = (resident(), seconds(6));
    let senders = (0..SENDERS).map(|sender| {
        let (bus, target) = (bus.clone(), target.clone());
        tokio::spawn(async move {
            let mut given_up = 0;
            while Instant::now() < end {
                let message = Message::durable(format!("{sender}.{given_up}"), vec![b'x'; SIZE]);
                let deadline = Instant::now() + Duration::from_millis(100);
                given_up += usize::from(bus.send(&target, message, Sending::confirmed(deadline)).await.is_err());
            }
            given_up
        })
    });
    let given_up: usize = futures_util::future::join_all(senders).await.into_iter().map(Result::unwrap).sum();
    let (grown, sent) = (resident().saturating_sub(before), given_up * SIZE);
    println!("a trickle: {given_up} messages given up, {} MiB of them; memory grew by {} MiB", sent >> 20, grown >> 20);
    assert!(sent > 100 << 20, "{sent} bytes are too few to tell");
    // What is under way at once, several times over, and what other tests of this process do; without a bound it would be
    // all that was sent.
    assert!(grown < 120 << 20, "{} MiB", grown >> 20);
}

/// A broker that accepts and says nothing must not cost a thread for each attempt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_that_are_given_up_leave_nothing_behind() {
    let proxy = proxy().await;
    proxy.set(Fault::Drop);
    let mut options = options(&proxy.url());
    options.connect_timeout = Duration::from_millis(100);
    options.longest_pause = Duration::from_millis(10);
    let before = connection_threads();
    let bus = RabbitBus::new(options);
    while proxy.accepted() < 40 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let during = connection_threads();
    println!("{} attempts, threads before {before}, after {during}", proxy.accepted());
    // Other tests of this process come and go meanwhile.
    assert!(during < before + 25, "{before} threads before, {during} after");
    proxy.set(Fault::None);
    wait_for(&bus, |state| *state == State::Connected).await;
    let result =
        bus.send(&Target::queue(unique("absent")), Message::durable("m", "x"), Sending::confirmed(seconds(5))).await;
    assert!(matches!(result, Err(BusError::Unroutable { .. })), "{result:?}");
}
