//! What a service does before its first message, and answers that are not kept.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use banyan_sdk::{
    Command, Context, Event, Fault, Outcome, Service,
    schemars::{self, JsonSchema},
    testing::TestService,
};
use serde::{Deserialize, Serialize};

/// Asks for something that is another one each time.
#[derive(Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = u32, public)]
struct Draw {}

/// The same, and nobody but the caller may know it.
#[derive(Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = u32, public)]
struct DrawInSecret {}

/// Somebody moved in.
#[derive(Serialize, Deserialize, JsonSchema, Event)]
#[event(aggregate = "House")]
struct MovedIn {
    id: String,
    by: String,
}

#[derive(Default)]
struct Counts {
    begun: AtomicU32,
    drawn: AtomicU32,
}

async fn move_in(cx: Context<Arc<Counts>>) -> Result<Outcome<()>, Fault> {
    match cx.state.begun.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Err(Fault::unavailable("the door is locked")),
        _ => Ok(Outcome::done().emit(MovedIn { id: "h1".to_owned(), by: cx.user()?.user_id.clone() })),
    }
}

async fn draw(cx: Context<Arc<Counts>>, _: Draw) -> Result<u32, Fault> {
    assert_eq!(cx.state.begun.load(Ordering::SeqCst), 3, "nothing is handled before");
    Ok(cx.state.drawn.fetch_add(1, Ordering::SeqCst))
}

async fn draw_in_secret(cx: Context<Arc<Counts>>, _: DrawInSecret) -> Result<u32, Fault> {
    Ok(cx.state.drawn.fetch_add(1, Ordering::SeqCst))
}

fn service() -> Service<Arc<Counts>> {
    Service::new("house-service", Arc::new(Counts::default()))
        .begin_with(move_in)
        .command(draw)
        .command(draw_in_secret)
        .secret::<DrawInSecret>()
}

#[tokio::test]
async fn a_service_begins_before_it_is_asked_and_tries_until_it_can() {
    let test = TestService::start(service()).await.unwrap();
    test.call(Draw {}).await.unwrap();
    let moved: MovedIn = test.event().await;
    assert_eq!(moved.by, "service:house-service");
    assert_eq!(test.events().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_answer_that_is_secret_is_not_kept() {
    let test = TestService::start(service()).await.unwrap();
    let ann = test.user("ann", &[]);
    let (first, again) = (ann.call(Draw {}).idempotency_key("k").await, ann.call(Draw {}).idempotency_key("k").await);
    assert_eq!(first.unwrap(), again.unwrap());
    let secret = async || ann.call(DrawInSecret {}).idempotency_key("k").await.unwrap();
    assert_ne!(secret().await, secret().await);
}

#[tokio::test]
async fn a_secret_without_a_handler_is_a_mistake() {
    let service = Service::new("house-service", ()).secret::<Draw>();
    let error = TestService::start(service).await.err().unwrap().to_string();
    assert!(error.contains("DrawCommand is secret, and has no handler"), "{error}");
}
