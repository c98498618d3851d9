//! M6: the broker is killed again and again while numbered messages pass; none is lost. That each takes effect once is
//! the business of `tests/platform/once.rs`, where a table counts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use banyan_sdk::bus::{Assurance, Bus, Message, Queue, Sending, rabbit::RabbitBus};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use super::{bus, declare};
use crate::{
    dice::long,
    support::{broker::Broker, history::History, history::Verdict, unique},
};

/// How the broker dies.
#[derive(Clone, Copy)]
enum Kills {
    /// Each time so many messages more were handled.
    Every { handled: usize, times: usize },
    /// So long after each time that it answers again, until all is sent.
    After(Duration),
}

async fn audit(messages: u64, in_flight: usize, assurance: Assurance, kills: Kills) -> Verdict {
    let broker = Arc::new(Broker::start().await);
    let (sender, receiver) = (bus(&broker.url()), bus(&broker.url()));
    let target = declare(&*sender, Queue::work(unique("audit"))).await;
    broker.remember_queues().await;
    let history = Arc::new(History::default());
    tokio::spawn(handle(receiver.clone(), target.clone(), history.clone()));

    let (began, room) = (Instant::now(), Arc::new(Semaphore::new(in_flight)));
    let dying = AtomicBool::new(matches!(kills, Kills::Every { .. }));
    let sending = async {
        for number in 0.. {
            // The broker has to die while something is under way, however quick the machine is.
            if number >= messages && !dying.load(Ordering::Relaxed) {
                break;
            }
            let permit = room.clone().acquire_owned().await.unwrap();
            let (sender, target, history) = (sender.clone(), target.clone(), history.clone());
            tokio::spawn(async move {
                let sending = Sending { assurance, ..Sending::confirmed(Instant::now() + Duration::from_secs(120)) };
                let message = Message::durable(number.to_string(), vec![b'x'; 256]);
                history.sent(number, &sender.send(&target, message, sending).await);
                drop(permit);
            });
        }
        let _all = room.acquire_many(u32::try_from(in_flight).unwrap()).await.unwrap();
    };
    let killing = async {
        let mut killed = 0;
        loop {
            match kills {
                Kills::Every { times, .. } if killed == times => {
                    dying.store(false, Ordering::Relaxed);
                    return;
                }
                Kills::Every { handled, .. } => {
                    while history.progress().1 < handled * (killed + 1) {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
                Kills::After(pause) => tokio::time::sleep(pause).await,
            }
            if assurance == Assurance::Sent {
                // What is sent to a broker that reads nothing dies with it, however slow the machine is. When nothing
                // more can be sent, so much is under way already that the connection takes no more.
                broker.pause().await;
                let before = history.progress().0;
                let more = async {
                    while history.progress().0 == before {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                };
                let _ = timeout(Duration::from_secs(1), more).await;
            }
            broker.kill().await;
            broker.restart().await;
            killed += 1;
            println!("  killed {killed} times, {} handled after {:?}", history.progress().1, began.elapsed());
        }
    };
    match kills {
        Kills::Every { .. } => {
            tokio::join!(sending, killing);
        }
        Kills::After(_) => {
            tokio::select! {
                () = sending => {}
                () = killing => {}
            }
            // The last kill may have been cut short.
            broker.restart_if_dead().await;
        }
    }
    let all_handled = async {
        loop {
            let (arrived, handled) = history.progress();
            if arrived == handled {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let patience = if assurance == Assurance::AtLeastOnce { 60 } else { 8 };
    let _ = timeout(Duration::from_secs(patience), all_handled).await;
    let verdict = history.verdict();
    if assurance == Assurance::AtLeastOnce && !verdict.lost.is_empty() {
        println!("the broker: {}", broker.queues().await);
        println!("the consumer: {:?}", *receiver.state().borrow());
    }
    println!("{assurance:?}, {messages} messages, {in_flight} in flight, {:?}: {verdict}", began.elapsed());
    verdict
}

/// Handles each message once by its id, which is remembered, as a service's table would.
async fn handle(bus: Arc<RabbitBus>, target: banyan_sdk::bus::Target, history: Arc<History>) {
    let banyan_sdk::bus::Target::Queue(queue) = target else { panic!("a queue") };
    let mut deliveries = bus.consume(&queue, 100).await.unwrap();
    while let Some(delivery) = deliveries.next().await {
        let number = delivery.message.message_id.as_ref().unwrap().parse().unwrap();
        if history.delivered(number) {
            history.handled(number);
        }
        delivery.ack();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_when_the_broker_is_killed() {
    let (messages, kills) = if long() {
        (1_000_000, Kills::After(Duration::from_secs(3)))
    } else {
        (5_000, Kills::Every { handled: 1_500, times: 2 })
    };
    let verdict = audit(messages, 256, Assurance::AtLeastOnce, kills).await;
    verdict.clean();
    assert!(verdict.sent as u64 >= messages && verdict.unknown == 0, "{verdict}");
}

/// The planted bug: without confirms the same audit has to find messages lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_sees_that_messages_without_confirms_are_lost() {
    let verdict = audit(5_000, 512, Assurance::Sent, Kills::Every { handled: 500, times: 1 }).await;
    assert!(!verdict.lost.is_empty(), "{verdict}");
}
