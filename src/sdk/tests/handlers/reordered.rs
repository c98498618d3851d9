//! F31: events that come twice, in another order, and again much later. Each handler's effects are those of each event
//! once, whatever the order; the planted bug, a service that claims nothing, shows some of them twice.

use std::sync::Arc;

use banyan_sdk::{
    Context, Event, Fault, Outcome, Platform, Service,
    bus::{Bus, Message, Sending, Target, memory::MemoryBroker, memory::SystemClock},
    protocol::names,
    schemars::{self, JsonSchema},
    store::{EventStore, Filter, Position},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    dice::{Dice, seeds},
    support::{Log, envelope, service, soon},
};

const EVENTS: usize = 60;

/// It has a number.
#[derive(Serialize, Deserialize, JsonSchema, Event)]
#[event(service = "source")]
struct Numbered {
    number: usize,
}

/// A number was seen.
#[derive(Serialize, Deserialize, JsonSchema, Event)]
#[event(aggregate = "Number")]
struct Seen {
    id: String,
}

async fn on_numbered(cx: Context<Arc<Log>>, event: Numbered) -> Result<Outcome<()>, Fault> {
    cx.state.note(event.number.to_string());
    Ok(Outcome::done().emit(Seen { id: event.number.to_string() }))
}

/// Every number at least once, some again, in an order that the seed decides.
fn deliveries(seed: u64) -> Vec<usize> {
    let mut all: Vec<usize> = (0..EVENTS).chain((0..EVENTS).filter(|number| number % 3 == 0)).collect();
    Dice::of(seed).shuffle(&mut all);
    // And once more at the end, as somebody does who replays.
    all.extend([7, 8, 9]);
    all
}

/// How often each number took effect, when its events came as `seed` says.
async fn effects(seed: u64, store: Option<EventStore>) -> Vec<usize> {
    let (broker, log) = (MemoryBroker::new(SystemClock), Arc::new(Log::default()));
    let (platform, claims) = (Platform::new(broker.connect()), store.is_some());
    let platform = store.into_iter().fold(platform, Platform::with_store);
    let sink = Service::new("sink", Arc::clone(&log)).event(on_numbered).start(platform).await.unwrap();
    let (bus, target) = (broker.connect(), Target::event(names::event_key(&service("source"), "Numbered")));
    let order = deliveries(seed);
    for number in &order {
        let mut body = envelope(&format!("n{number}"), "Numbered", json!({ "number": number }), json!({}));
        body["serviceName"] = json!("source");
        let message = Message::durable(format!("n{number}"), body.to_string());
        bus.send(&target, message, Sending::confirmed(soon())).await.unwrap();
    }
    log.until(if claims { EVENTS } else { order.len() }).await;
    // Stopping finishes what was handed out; the rest waits in the queue, so that is emptied first.
    let queue = names::event_queue(&service("sink"), "Numbered");
    while bus.inspect(&queue).await.unwrap().unwrap().messages > 0 {
        tokio::task::yield_now().await;
    }
    assert!(sink.stop(crate::support::PATIENCE).await);
    (0..EVENTS).map(|number| log.count(&number.to_string())).collect()
}

#[tokio::test]
async fn events_in_any_order_and_number_take_effect_once() {
    let (mut doubled, seeds) = (0, seeds(20));
    for seed in seeds.clone() {
        let store = EventStore::in_memory();
        let counts = effects(seed, Some(store.clone())).await;
        assert!(counts.iter().all(|count| *count == 1), "seed {seed}: {counts:?}");
        let stored = store.read(Position::START, usize::MAX, &Filter::default()).await.unwrap().events;
        let mut ids: Vec<_> = stored.iter().map(|it| it.stream.aggregate_id.clone()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!((stored.len(), ids.len()), (EVENTS, EVENTS), "seed {seed}");
        doubled += effects(seed, None).await.iter().filter(|count| **count > 1).count();
    }
    println!("{} orders of {EVENTS} events: lost 0, doubled 0; without claims doubled {doubled}", seeds.count());
    assert!(doubled > 0, "the same order shows who claims nothing");
}
