//! F3 and F4: the network between service and broker swallows, slows, cuts and garbles.

use std::{sync::Arc, time::Duration};

use banyan_sdk::bus::{Bus, BusError, Message, Queue, Sending, State, Target, rabbit::RabbitBus};
use tokio::time::Instant;

use super::{bus, declare, echo, next, put};
use crate::support::{
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
    let mut options = options(&proxy.url());
    options.heartbeat = Duration::from_secs(HEARTBEAT);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_partition_is_noticed_and_work_is_done_again_once() {
    let proxy = proxy().await;
    let (bus, beside) = (quick(&proxy), bus(&setting("BANYAN_TEST_AMQP_URL")));
    let queue = unique("partition");
    let target = declare(&*beside, Queue::work(&queue)).await;
    let mut deliveries = bus.consume(&queue, 5).await.unwrap();
    put(&*beside, &target, "m").await;
    let held = next(&mut deliveries).await;
    // Both connections are to break, also the one that calls go out on.
    wait_for(&*bus, |state| *state == State::Connected).await;

    proxy.set(Fault::Drop);
    let began = Instant::now();
    let call = {
        let (bus, target) = (bus.clone(), target.clone());
        tokio::spawn(async move { bus.request(&target, Message::transient("c", "x"), seconds(20)).await })
    };
    wait_for(&*bus, |state| matches!(state, State::Disconnected { .. })).await;
    let noticed = began.elapsed();
    let result = call.await.unwrap();
    assert!(matches!(result, Err(BusError::Lost { .. })), "{result:?}");
    let result = bus.send(&target, Message::durable("n", "x"), Sending::confirmed(seconds(1))).await;
    assert!(matches!(result, Err(BusError::Disconnected { .. })), "{result:?}");
    proxy.set(Fault::None);
    let again = next(&mut deliveries).await;
    println!("noticed after {noticed:?} (heartbeat {HEARTBEAT} s), again after {:?}", began.elapsed());
    assert!(noticed < Duration::from_millis(HEARTBEAT * 2000 + 1000), "{noticed:?}");
    assert!(again.redelivered);
    // The late one is no concern of the new connection, whose numbers start at one too.
    held.ack();
    put(&*beside, &target, "after").await;
    again.ack();
    let after = next(&mut deliveries).await;
    assert_eq!(after.message.message_id.as_deref(), Some("after"));
    after.ack();
    wait_for(&*bus, |state| *state == State::Connected).await;
    assert!(proxy.accepted() < 20, "{} connections", proxy.accepted());
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
