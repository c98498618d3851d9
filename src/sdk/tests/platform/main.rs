//! The example, as two processes on PostgreSQL, RabbitMQ and Redis, one of which is killed now and then: what callers
//! were told is what the store says, each order once, each payment once, and each event published.

#![allow(clippy::unwrap_used)]

#[path = "../bus/support/broker.rs"]
#[allow(dead_code, reason = "these tests use a part of it")]
mod broker;
mod calls;
#[cfg(feature = "telemetry")]
#[path = "../telemetry/collector.rs"]
#[allow(dead_code, reason = "these tests use a part of it")]
mod collector;
#[path = "../dice/mod.rs"]
mod dice;
mod history;
mod once;
mod poison;
#[path = "../bus/support/proxy.rs"]
#[allow(dead_code, reason = "these tests use a part of it")]
mod proxy;
#[path = "../../examples/orders/service.rs"]
#[allow(dead_code)]
mod service;
mod sick;
mod stage;
#[cfg(feature = "telemetry")]
mod traced;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use banyan_sdk::{
    Call, Client, Event, Fault, FaultCode, Flow, Published,
    bus::{Bus, Topology, packing},
    ids,
    protocol::{Auth, Envelope, Kind, Payload, Request, names, names::ServiceName},
    store::{EventStore, Filter, Options, Position, Recorded},
};
use futures_util::{StreamExt, stream};
use service::{CancelOrder, GetOrder, OrderView, PaymentReceived, PlaceOrder};
use stage::{Instance, Stage};
use tokio::time::sleep;

/// How many orders are placed and paid.
const ORDERS: u64 = 300;
/// How many of them are on their way at a time.
const AT_ONCE: usize = 16;
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A customer, and a payment service.
struct World {
    service: ServiceName,
    customer: Client,
    payments: Client,
    flow: Flow,
}

impl World {
    fn new(stage: &Stage) -> Self {
        let bus: Arc<dyn Bus> = Arc::new(stage.bus("test"));
        let permissions = ["orders:place", "orders:read"].map(str::to_owned).to_vec();
        let auth = Auth { user_id: "ann".to_owned(), permissions, ..Auth::default() };
        Self {
            service: ServiceName::new(stage.name.as_str()).unwrap(),
            customer: Client::new(ServiceName::new("test").unwrap(), Arc::clone(&bus)),
            payments: Client::new(ServiceName::new("payment-service").unwrap(), bus),
            flow: Flow { auth: Some(Arc::new(auth)), ..Flow::begin(ids::random) },
        }
    }

    /// The same, whose calls belong to a trace that is recorded.
    #[cfg(feature = "telemetry")]
    fn traced(stage: &Stage) -> Self {
        let world = Self::new(stage);
        let trace = world.flow.trace.clone();
        let trace = banyan_sdk::protocol::TraceContext::new(trace.trace_id(), trace.span_id(), 1).unwrap();
        Self { flow: world.flow.in_span(trace), ..world }
    }

    async fn call<M: Request>(&self, request: M, key: Option<String>) -> Result<M::Reply, Fault> {
        let call = Call {
            kind: M::KIND,
            message_type: M::MESSAGE_TYPE.to_owned(),
            service: self.service.clone(),
            payload: Payload::of(&request).unwrap(),
            timeout: Duration::from_secs(20),
            repeatable: key.is_some() || M::KIND == Kind::Query,
            idempotency_key: key,
            priority: None,
        };
        self.customer.call(call, &self.flow).await.map(|reply| reply.read().unwrap())
    }

    /// Places an order and pays for it; its id. Calls whose end is not known are repeated under the same key.
    async fn order(&self, number: u64) -> String {
        let order = || PlaceOrder { article: format!("book {number}"), price: 100 };
        let id = loop {
            match self.call(order(), Some(format!("order {number}"))).await {
                Ok(id) => break id,
                Err(fault) if fault.code.is_transient() => sleep(Duration::from_millis(50)).await,
                Err(fault) => panic!("order {number}: {fault}"),
            }
        };
        let payment = PaymentReceived { order: id.clone(), amount: 100 };
        let published = || Published {
            id: format!("payment {number}"),
            event_type: PaymentReceived::EVENT_TYPE.to_owned(),
            version: 1,
            payload: Payload::of(&payment).unwrap(),
        };
        // Told twice, as a sender does that was not sure the first time.
        for _ in 0..2 {
            self.payments.publish(published(), &self.flow).await.unwrap();
        }
        id
    }
}

/// How often each event was published, by its id, as a subscriber hears them.
async fn subscribe(stage: &Stage) -> (Arc<Mutex<BTreeMap<String, usize>>>, impl Bus + use<>) {
    let bus = stage.bus("subscriber");
    let queue = format!("test.{}", stage.name);
    let pattern = names::event_pattern(Some(&ServiceName::new(stage.name.as_str()).unwrap()), None);
    bus.declare(&Topology::default().events(&queue, pattern)).await.unwrap();
    let mut deliveries = bus.consume(&queue, 100).await.unwrap();
    let heard = Arc::new(Mutex::new(BTreeMap::new()));
    let all = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Some(delivery) = deliveries.next().await {
            let envelope = Envelope::read(&packing::unpack(Kind::Event, &delivery.message).unwrap()).unwrap();
            if !envelope.message_type.starts_with("Service") {
                *all.lock().unwrap().entry(envelope.id).or_default() += 1;
            }
            delivery.ack();
        }
    });
    (heard, bus)
}

/// A setting that the tests cannot do without.
fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; see tests/run"))
}

/// Asks again and again until `ready` is content.
async fn until<T>(what: &str, mut ready: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = ready().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn stored(store: &EventStore) -> Vec<Recorded> {
    store.read(Position::START, usize::MAX, &Filter::default()).await.unwrap().events
}

/// How many events of each type there are, and for how many orders.
fn tally(events: &[Recorded]) -> BTreeMap<&str, (usize, usize)> {
    let mut by_type: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for event in events {
        by_type.entry(&event.event_type).or_default().push(&event.stream.aggregate_id);
    }
    by_type.into_iter().map(|(kind, ids)| (kind, (ids.len(), ids.iter().collect::<BTreeSet<_>>().len()))).collect()
}

/// What is done to an instance while orders come in.
enum Blow {
    Kill,
    /// SIGSTOP; it goes on when all is done by the other one, and finds that out.
    Freeze,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_of_which_one_is_killed_lose_and_double_nothing() {
    orders_are_placed_and_paid_once(Blow::Kill).await;
}

/// F10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_stands_still_and_goes_on_doubles_nothing() {
    orders_are_placed_and_paid_once(Blow::Freeze).await;
}

/// Payments are heard by every instance that there is, of whichever test.
static PAYMENTS: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn orders_are_placed_and_paid_once(blow: Blow) {
    let _alone = PAYMENTS.lock().await;
    let stage = Stage::set().await;
    let mut instances = [Instance::start(&stage), Instance::start(&stage)];
    for instance in &instances {
        instance.ready().await;
    }
    let (heard, _subscriber) = subscribe(&stage).await;
    let world = Arc::new(World::new(&stage));
    let done = Arc::new(Mutex::new(Vec::new()));
    let (shop, all) = (Arc::clone(&world), Arc::clone(&done));
    let began = Instant::now();
    let ordering = tokio::spawn(async move {
        stream::iter(0..ORDERS)
            .for_each_concurrent(AT_ONCE, |number| {
                let (shop, all) = (&shop, &all);
                async move {
                    let id = shop.order(number).await;
                    all.lock().unwrap().push(id);
                }
            })
            .await;
    });
    for (turn, share) in [(0, 1), (1, 2), (0, 3)] {
        let so_many = usize::try_from(ORDERS * share / 4).unwrap();
        until("orders", async || (done.lock().unwrap().len() >= so_many).then_some(())).await;
        match &blow {
            Blow::Kill => {
                instances[turn].kill();
                instances[turn] = Instance::start(&stage);
            }
            Blow::Freeze => {
                instances[0].freeze();
                break;
            }
        }
    }
    ordering.await.unwrap();
    println!("{ORDERS} orders in {:?}, with one instance beaten", began.elapsed());
    instances[0].thaw();
    for instance in &instances {
        instance.ready().await;
    }

    let store = EventStore::connect_with(stage.login(), Options::default()).await.unwrap();
    let count = usize::try_from(ORDERS).unwrap();
    let events = until("payments", async || {
        let events = stored(&store).await;
        let paid = events.iter().filter(|it| it.event_type == "OrderPaid").count();
        (paid >= count).then_some(events)
    })
    .await;
    assert_eq!(tally(&events), BTreeMap::from([("OrderPaid", (count, count)), ("OrderPlaced", (count, count))]));
    let told: BTreeSet<_> = done.lock().unwrap().iter().cloned().collect();
    let placed: BTreeSet<_> = events.iter().map(|it| it.stream.aggregate_id.clone()).collect();
    assert_eq!(told, placed, "what callers were told is what there is");

    let ids: BTreeSet<_> = events.iter().map(|it| it.id.to_string()).collect();
    let missing = || ids.iter().filter(|id| !heard.lock().unwrap().contains_key(*id)).count();
    until("published events", async || (missing() == 0).then_some(())).await;
    let heard = heard.lock().unwrap().clone();
    assert!(heard.keys().all(|id| ids.contains(id)), "nothing is published that is not stored");
    let again = heard.values().filter(|times| **times > 1).count();
    println!("{} events, lost 0, stored twice 0; {again} published again after a kill, under their own ids", ids.len());

    for id in &told {
        until("the read model", async || match world.call(GetOrder { id: id.clone() }, None).await {
            Ok(OrderView { status, .. }) => (status == "paid").then_some(()),
            Err(fault) => panic!("{fault}"),
        })
        .await;
    }
    println!("read after {:?}", began.elapsed());
    for instance in &mut instances {
        assert!(instance.stop().await, "it ends by itself, with code 0");
    }
    println!("ended after {:?}", began.elapsed());
    let letters = stage.dead_letters().await;
    println!("dead letters: {letters:?}");
    // What a frozen instance was handed came back too late for whoever asked, and so to people.
    let may_be = |reason: &String| matches!(blow, Blow::Freeze) && reason == "expired";
    assert!(letters.iter().all(may_be), "{letters:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_does_what_it_says() {
    let stage = Stage::set().await;
    let instance = Instance::start(&stage);
    instance.ready().await;
    let world = World::new(&stage);
    let id = world.call(PlaceOrder { article: "book".to_owned(), price: 5 }, None).await.unwrap();
    let view = until("the read model", async || world.call(GetOrder { id: id.clone() }, None).await.ok()).await;
    assert_eq!(view, OrderView { id: id.clone(), article: "book".to_owned(), status: "placed".to_owned() });
    let fault = world.call(PlaceOrder { article: String::new(), price: 5 }, None).await.unwrap_err();
    assert_eq!(fault.code, FaultCode::Validation);
    let cancel = || CancelOrder { id: id.clone() };
    let auth = Auth { user_id: "bob".to_owned(), permissions: vec!["orders:place".to_owned()], ..Auth::default() };
    let bob = World { flow: Flow { auth: Some(Arc::new(auth)), ..world.flow.clone() }, ..World::new(&stage) };
    assert_eq!(bob.call(cancel(), None).await.unwrap_err().code, FaultCode::PolicyViolation);
    assert_eq!(bob.call(GetOrder { id: id.clone() }, None).await.unwrap_err().code, FaultCode::Authorization);
    world.call(cancel(), None).await.unwrap();
    world.call(cancel(), None).await.unwrap();
    let status = async || world.call(GetOrder { id: id.clone() }, None).await.unwrap().status;
    until("the cancelled order", async || (status().await == "cancelled").then_some(())).await;
    let missing = world.call(CancelOrder { id: "none".to_owned() }, None).await.unwrap_err();
    assert_eq!(missing.code, FaultCode::AggregateNotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_whose_broker_is_not_there_says_so_and_waits() {
    let stage = Stage::set().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let instance = Instance::start_with(&stage, &[("RABBITMQ_URL", &format!("amqp://{nobody}"))]);
    let told = until("an answer", async || {
        let told = instance.health().await.err()?;
        (told.contains("handlers:") && told.contains("rabbitmq:")).then_some(told)
    })
    .await;
    assert!(told.starts_with("503"), "{told}");
}
