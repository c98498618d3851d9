//! What goes along by itself: caller, request, trace and cause, through calls, events, handlers and the store.

use std::sync::Arc;

use banyan_sdk::{
    Command, Context, Event, Fault, Flow, Outcome, Query, Service,
    protocol::Auth,
    schemars::{self, JsonSchema},
    testing::TestService,
};
use serde::{Deserialize, Serialize};

use crate::support::Log;

/// Orders something.
#[derive(Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = String, permissions = ["orders:create"])]
struct Order {}

/// Asks for the price.
#[derive(Serialize, Deserialize, JsonSchema, Query)]
#[query(reply = u32, service = "prices", permissions = ["orders:create"])]
struct Price {}

/// Something was ordered.
#[derive(Clone, Serialize, Deserialize, JsonSchema, Event)]
#[event(aggregate = "Order", service = "orders")]
struct Ordered {
    id: String,
}

/// Something was packed.
#[derive(Clone, Serialize, Deserialize, JsonSchema, Event)]
#[event(aggregate = "Parcel", service = "orders")]
struct Packed {
    id: String,
}

/// What a handler knows of its message, as one line.
fn known<S>(place: &str, cx: &Context<S>) -> String {
    let flow = Flow::current().expect("a handler runs in a flow");
    assert_eq!(flow.correlation_id, cx.correlation_id());
    let trace = format!("{:032x}", flow.trace.trace_id());
    let user = cx.auth().map_or("nobody", |auth| auth.user_id.as_str());
    format!("{place} {user} {} {trace} by {}", cx.correlation_id(), cx.message.sender)
}

async fn order(cx: Context<Arc<Log>>, _: Order) -> Result<Outcome<String>, Fault> {
    cx.state.note(known("order", &cx));
    cx.call(Price {}).await?;
    Ok(Outcome::reply(cx.message.id.clone()).emit(Ordered { id: "o1".to_owned() }))
}

async fn price(cx: Context<Arc<Log>>, _: Price) -> Result<u32, Fault> {
    cx.state.note(known("price", &cx));
    Ok(5)
}

async fn on_ordered(cx: Context<Arc<Log>>, event: Ordered) -> Result<Outcome<()>, Fault> {
    cx.state.note(known("ordered", &cx));
    assert_eq!(cx.time_left(), None, "nobody waits for what follows");
    cx.call(Price {}).await?;
    Ok(Outcome::done().emit(Packed { id: event.id }))
}

#[tokio::test]
async fn one_request_is_one_story_from_the_call_to_the_store() {
    let log = Arc::new(Log::default());
    let orders = Service::new("orders", Arc::clone(&log)).command(order).event(on_ordered);
    let test = TestService::start(orders).await.unwrap();
    let platform = banyan_sdk::Platform::new(test.broker().connect());
    let _prices = Service::new("prices", Arc::clone(&log)).query(price).start(platform).await.unwrap();
    let ann = test.user("ann", &["orders:create"]);
    let command = ann.call(Order {}).await.unwrap();
    let _: Packed = test.event().await;

    let asked: Vec<_> = test.calls().iter().map(|it| (it.message_type.clone(), it.correlation_id.clone())).collect();
    assert_eq!(asked, vec![("PriceQuery".to_owned(), ann.correlation_id().to_owned()); 2], "what it asks of others");

    let lines = log.until(4).await;
    let words: Vec<Vec<&str>> = lines.iter().map(|line| line.split(' ').collect()).collect();
    assert_eq!(words.iter().map(|it| it[0]).collect::<Vec<_>>(), ["order", "price", "ordered", "price"]);
    assert!(words.iter().all(|it| it[1] == "ann" && it[2] == ann.correlation_id()), "{lines:?}");
    assert!(words.iter().all(|it| it[3] == words[0][3]), "one trace: {lines:?}");
    assert!(words.iter().all(|it| it[5] == "orders"), "{lines:?}");

    let stored = test.events().await.unwrap();
    let [ordered, packed] = &stored[..] else { panic!("{stored:?}") };
    assert_eq!(ordered.causation_id, Some(command), "the command caused it");
    assert_eq!(packed.causation_id, Some(ordered.id.to_string()), "the event caused it");
    assert!(stored.iter().all(|it| it.correlation_id.as_deref() == Some(ann.correlation_id())));

    let envelope = test.published(|it| (it.message_type == "Packed").then(|| it.clone())).await;
    assert_eq!(envelope.correlation_id, ann.correlation_id());
    assert_eq!(format!("{:032x}", envelope.trace_context.unwrap().trace_id()), words[0][3]);
    assert_eq!(envelope.metadata.auth.as_ref().map(|auth: &Auth| auth.user_id.as_str()), Some("ann"));
    assert_eq!(envelope.metadata.deadline, None);
    assert_eq!(envelope.metadata.rest["aggregate"]["id"], "o1");
    assert_eq!(envelope.metadata.rest["aggregate"]["version"], 1);
    assert_eq!(envelope.metadata.rest["aggregate"]["position"], 2);
}
