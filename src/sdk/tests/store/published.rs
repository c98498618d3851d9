//! The outbox: in order, nothing lost, one at a time.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use banyan_sdk::store::{Append, EventStore, Expected, Outbox, Publish, Recorded, Refusal, Stream};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::database::{append, event};

suite! {
    events_are_published_in_order_and_once_when_nothing_fails,
    what_could_not_be_published_comes_again,
    of_several_one_is_at_work_and_another_takes_over,
}

const PATIENCE: Duration = Duration::from_secs(20);

/// Remembers what it published, and fails when told to.
#[derive(Clone)]
struct Broker {
    seen: Arc<watch::Sender<Vec<i64>>>,
    fail: Arc<Mutex<Vec<bool>>>,
    busy: Arc<tokio::sync::Mutex<()>>,
}

impl Broker {
    fn new(fail: Vec<bool>) -> Self {
        Self { seen: Arc::default(), fail: Arc::new(Mutex::new(fail)), busy: Arc::default() }
    }

    async fn until(&self, position: i64) -> Vec<i64> {
        let mut seen = self.seen.subscribe();
        let all = seen.wait_for(|seen| seen.last() == Some(&position));
        timeout(PATIENCE, all).await.expect("the events must be published").unwrap().clone()
    }
}

impl Publish for Broker {
    async fn publish(&mut self, events: &[Recorded]) -> Result<(), Refusal> {
        let _alone = self.busy.try_lock().expect("two must not publish at once");
        tokio::task::yield_now().await;
        self.seen.send_modify(|seen| seen.extend(events.iter().map(|event| event.position.0)));
        match self.fail.lock().unwrap().pop() {
            Some(true) => Err("no confirm".into()),
            _ => Ok(()),
        }
    }
}

async fn store_some(store: &EventStore, service: &str, count: usize) {
    let events = (0..count as u64).map(event).collect();
    store.append(Append::new(service, Stream::new("Counter", service), Expected::Any, events)).await.unwrap();
}

async fn events_are_published_in_order_and_once_when_nothing_fails(store: EventStore) {
    store_some(&store, "users", 700).await;
    store_some(&store, "orders", 300).await;
    let (broker, stop) = (Broker::new(Vec::new()), CancellationToken::new());
    let outbox = Outbox::new(store.clone(), "orders");
    assert_eq!(outbox.lag().await.unwrap(), 300);
    let run = tokio::spawn({
        let (outbox, broker, stop) = (outbox.clone(), broker.clone(), stop.clone());
        async move { outbox.run(broker, stop).await }
    });
    broker.until(1_000).await;
    store_some(&store, "users", 1).await;
    store_some(&store, "orders", 1).await;
    assert_eq!(broker.until(1_002).await, (701..=1_000).chain([1_002]).collect::<Vec<_>>());
    stop.cancel();
    run.await.unwrap();
    // Nothing comes again for whoever begins after a publisher that was stopped between two of its batches.
    let (broker, stop) = (Broker::new(Vec::new()), CancellationToken::new());
    store_some(&store, "orders", 1).await;
    let run = tokio::spawn({
        let (outbox, broker, stop) = (outbox.clone(), broker.clone(), stop.clone());
        async move { outbox.run(broker, stop).await }
    });
    let seen = broker.until(1_003).await;
    assert!(seen == [1_003] || seen == [1_002, 1_003], "{seen:?}");
    stop.cancel();
    run.await.unwrap();
}

async fn what_could_not_be_published_comes_again(store: EventStore) {
    store_some(&store, "orders", 3).await;
    let (broker, stop) = (Broker::new(vec![false, true, true]), CancellationToken::new());
    let outbox = Outbox::new(store.clone(), "orders");
    let run = tokio::spawn({
        let (outbox, broker, stop) = (outbox.clone(), broker.clone(), stop.clone());
        async move { outbox.run(broker, stop).await }
    });
    let mut seen = broker.seen.subscribe();
    timeout(PATIENCE, seen.wait_for(|seen| seen.len() == 9)).await.unwrap().unwrap();
    assert_eq!(*seen.borrow(), [1, 2, 3, 1, 2, 3, 1, 2, 3]);
    stop.cancel();
    run.await.unwrap();
}

async fn of_several_one_is_at_work_and_another_takes_over(store: EventStore) {
    let broker = Broker::new(Vec::new());
    let mut runs = Vec::new();
    for _ in 0..3 {
        let (outbox, broker, stop) = (Outbox::new(store.clone(), "tested"), broker.clone(), CancellationToken::new());
        let run = {
            let stop = stop.clone();
            async move { outbox.run(broker, stop).await }
        };
        runs.push((tokio::spawn(run), stop));
    }
    let mut head = 0;
    while !runs.is_empty() {
        for _ in 0..20 {
            head = store.append(append("a", Expected::Any, 5)).await.unwrap().last_position.0;
        }
        broker.until(head).await;
        // Whoever it is: one of those that are left takes over.
        let (run, stop) = runs.remove(0);
        stop.cancel();
        run.await.unwrap();
    }
    let seen = broker.seen.borrow().clone();
    assert_eq!(seen.iter().copied().collect::<BTreeSet<_>>(), (1..=head).collect::<BTreeSet<_>>());
}
