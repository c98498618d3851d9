//! Handlers that fail: panics, retries by the broker, dead letters and their history.

use std::sync::Arc;

use banyan_sdk::{
    Command, Context, Event, Fault, FaultCode, Service,
    bus::{
        Bus, Message, Sending, Target,
        dead_letters::{DeadLetter, DeadLetters},
        memory::{ManualClock, MemoryBroker},
    },
    protocol::{
        dead_letter::{HEADER_QUEUE, HEADER_TIME},
        names,
    },
    retry::RetryPolicy,
    schemars::{self, JsonSchema},
    testing::TestService,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::support::{Log, PATIENCE, envelope, put, service, soon};

/// Something happened.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[event(service = "elsewhere")]
struct Happened {
    what: String,
}

/// Does something.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = String, public)]
struct Do {
    what: String,
}

const HAPPENED: &str = "exchange.platform.events.worker.happened";

async fn work(cx: Context<Arc<Log>>, what: &str) -> Result<String, Fault> {
    cx.state.note(format!("{what} {}", cx.message.attempt));
    match what {
        "panic" => panic!("the secret is hunter2"),
        "transient" => Err(Fault::unavailable("the other side is away")),
        "permanent" => Err(Fault::rule("never")),
        "second" if cx.message.attempt == 1 => Err(Fault::unavailable("not yet")),
        _ => Ok(what.to_owned()),
    }
}

async fn on_happened(cx: Context<Arc<Log>>, event: Happened) -> Result<(), Fault> {
    work(cx, &event.what).await.map(drop)
}

async fn on_do(cx: Context<Arc<Log>>, command: Do) -> Result<String, Fault> {
    work(cx, &command.what).await
}

struct Stage {
    test: TestService,
    clock: ManualClock,
    log: Arc<Log>,
}

impl Stage {
    async fn with(service: impl FnOnce(Service<Arc<Log>>) -> Service<Arc<Log>>) -> Self {
        let (clock, log) = (ManualClock::new(), Arc::new(Log::default()));
        let service = service(Service::new("worker", Arc::clone(&log)));
        let test = TestService::start_on(&MemoryBroker::new(clock.clone()), service).await.unwrap();
        Self { test, clock, log }
    }

    async fn happened(&self, what: &str) {
        self.test.publish(&Happened { what: what.to_owned() }).await.unwrap();
    }

    /// Waits until a queue holds so many messages, while time passes.
    async fn held(&self, queue: &str, messages: u32) {
        let (bus, began) = (self.test.broker().connect(), Instant::now());
        while bus.inspect(queue).await.unwrap().map_or(0, |it| it.messages) != messages {
            assert!(began.elapsed() < PATIENCE, "{queue} never held {messages}");
            sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    async fn dead(&self, queue: &str, letters: u32) -> Vec<DeadLetter> {
        self.held(&names::dead_letter_queue(queue), letters).await;
        DeadLetters::new(Arc::new(self.test.broker().connect())).show(queue, 100).await.unwrap()
    }
}

#[tokio::test]
async fn a_panic_is_a_fault_and_the_service_lives() {
    let stage = Stage::with(|it| it.command(on_do)).await;
    let call = |what: &str| stage.test.call(Do { what: what.to_owned() });
    for _ in 0..3 {
        let fault = call("panic").await.unwrap_err();
        assert_eq!(fault.code, FaultCode::Internal);
        let text = serde_json::to_string(&fault).unwrap();
        assert!(!text.contains("hunter2") && !text.to_lowercase().contains("stack"), "{text}");
    }
    assert_eq!(call("good").await.unwrap(), "good");
}

#[tokio::test]
async fn a_transient_failure_is_tried_three_times_and_then_a_dead_letter() {
    let stage = Stage::with(|it| it.event(on_happened)).await;
    stage.happened("transient").await;
    for step in 1..=2 {
        stage.held(&names::retry_queue(HAPPENED, step), 1).await;
        // The queue keeps moving meanwhile.
        stage.happened("good").await;
        stage.log.until(2 * usize::try_from(step).unwrap()).await;
        stage.clock.advance(RetryPolicy::default().hold(step));
    }
    assert_eq!(stage.log.until(5).await, ["transient 1", "good 1", "transient 2", "good 1", "transient 3"]);
    let letters = stage.dead(HAPPENED, 1).await;
    let letter = &letters[0];
    assert_eq!((letter.reason.as_str(), letter.attempts), ("exhausted", 3));
    let history: Vec<_> = letter.history.iter().map(|it| (it.attempt, &it.code, it.message.as_str())).collect();
    let away = |attempt| (attempt, &FaultCode::ServiceUnavailable, "the other side is away");
    assert_eq!(history, [away(1), away(2), away(3)]);
    let header = |name| letter.message.header_text(name);
    assert_eq!(header(HEADER_QUEUE), Some(HAPPENED));
    assert!(header(HEADER_TIME).unwrap().ends_with('Z'));
    assert_eq!(header(names::HEADER_TRACE_ID).unwrap().len(), 32);
    assert_eq!(header(names::HEADER_MESSAGE_TYPE), Some("Happened"));
}

#[tokio::test]
async fn what_succeeds_later_leaves_no_trace() {
    let stage = Stage::with(|it| it.event(on_happened)).await;
    stage.happened("second").await;
    stage.held(&names::retry_queue(HAPPENED, 1), 1).await;
    stage.clock.advance(RetryPolicy::default().hold(1));
    assert_eq!(stage.log.until(2).await, ["second 1", "second 2"]);
    stage.held(HAPPENED, 0).await;
    assert!(stage.dead(HAPPENED, 0).await.is_empty());
}

#[tokio::test]
async fn a_permanent_failure_is_a_dead_letter_at_once() {
    let stage = Stage::with(|it| it.event(on_happened)).await;
    stage.happened("permanent").await;
    let letters = stage.dead(HAPPENED, 1).await;
    assert_eq!((letters[0].reason.as_str(), letters[0].attempts), ("permanent", 1));
    assert_eq!(stage.log.lines(), ["permanent 1"]);
}

#[tokio::test]
async fn the_place_of_a_panic_is_told_to_the_dead_letters_alone() {
    let stage = Stage::with(|it| it.event(on_happened)).await;
    stage.happened("panic").await;
    for step in 1..=2 {
        stage.held(&names::retry_queue(HAPPENED, step), 1).await;
        stage.clock.advance(RetryPolicy::default().hold(step));
    }
    let letters = stage.dead(HAPPENED, 1).await;
    let hashes: Vec<_> = letters[0].history.iter().map(|it| it.stack_hash.clone().unwrap()).collect();
    assert_eq!(hashes.len(), 3);
    assert!(hashes.iter().all(|it| *it == hashes[0] && it.len() == 16), "{hashes:?}");
    let told: Vec<_> = letters[0].message.headers.values().filter_map(|it| it.as_text()).collect();
    assert!(!told.iter().any(|it| it.contains("hunter2")), "{told:?}");
    stage.happened("good").await;
    stage.log.until(4).await;
}

#[tokio::test]
async fn one_handler_that_fails_keeps_no_other_from_the_event() {
    let fails = |how: &'static str, word: fn(String) -> Fault| {
        move |cx: Context<Arc<Log>>, _: Happened| async move {
            cx.state.note(how);
            Err::<(), _>(word(how.to_owned()))
        }
    };
    async fn succeeds(cx: Context<Arc<Log>>, _: Happened) -> Result<(), Fault> {
        cx.state.note("succeeds");
        Ok(())
    }
    let stage = Stage::with(|it| {
        it.event(fails("never", Fault::rule)).event(fails("later", Fault::unavailable)).event(succeeds)
    })
    .await;
    stage.happened("x").await;
    for step in 1..=2 {
        stage.held(&names::retry_queue(HAPPENED, step), 1).await;
        stage.clock.advance(RetryPolicy::default().hold(step));
    }
    let letters = stage.dead(HAPPENED, 1).await;
    assert_eq!((letters[0].reason.as_str(), letters[0].attempts), ("exhausted", 3));
    assert_eq!(stage.log.count("succeeds"), 1, "its effect is not repeated");
    assert_eq!(stage.log.count("later"), 3);
}

#[tokio::test]
async fn a_replayed_dead_letter_reaches_only_the_handlers_that_failed() {
    async fn fails_first(cx: Context<Arc<Log>>, _: Happened) -> Result<(), Fault> {
        cx.state.note("mended");
        if cx.state.count("mended") == 1 { Err(Fault::rule("a bug")) } else { Ok(()) }
    }
    let stage = Stage::with(|it| it.event(on_happened).event(fails_first)).await;
    stage.happened("x").await;
    stage.dead(HAPPENED, 1).await;
    let letters = DeadLetters::new(Arc::new(stage.test.broker().connect()));
    assert_eq!(letters.replay(HAPPENED, 10).await.unwrap(), 1);
    assert_eq!(stage.log.until(3).await, ["x 1", "mended", "mended"]);
    assert!(stage.dead(HAPPENED, 0).await.is_empty());
}

#[tokio::test]
async fn a_command_that_nobody_waits_for_is_tried_again() {
    let stage = Stage::with(|it| it.command(on_do)).await;
    let queue = "service.worker.commands.Do";
    put(&stage.test, queue, envelope("m", "DoCommand", json!({ "what": "second" }), json!({}))).await;
    stage.held(&names::retry_queue(queue, 1), 1).await;
    stage.clock.advance(RetryPolicy::default().hold(1));
    assert_eq!(stage.log.until(2).await, ["second 1", "second 2"]);
}

#[tokio::test]
async fn what_cannot_be_read_is_put_aside_with_the_reason() {
    let stage = Stage::with(|it| it.event(on_happened)).await;
    let bus = stage.test.broker().connect();
    let good = envelope("m", "Happened", json!({ "what": "good" }), json!({})).to_string();
    let missing = envelope("m", "Happened", json!({}), json!({})).to_string();
    let send = |message: Message| {
        let target = Target::event(names::event_key(&service("elsewhere"), "Happened"));
        let bus = &bus;
        async move { bus.send(&target, message, Sending::confirmed(soon())).await.unwrap() }
    };
    send(Message::durable("nonsense", "{")).await;
    send(Message::durable("utf-16", "\u{fffd}\0{\0")).await;
    send(Message::durable("no-gzip", good.clone()).header(names::HEADER_COMPRESSION, names::GZIP)).await;
    send(Message::durable("too-large", vec![b' '; 10 * 1024 * 1024 + 1])).await;
    send(Message::durable("missing", missing)).await;
    send(Message::durable("good", good)).await;
    let letters = stage.dead(HAPPENED, 5).await;
    let mut reasons: Vec<_> = letters
        .iter()
        .map(|it| (it.message.message_id.as_deref().unwrap(), it.reason.as_str(), it.history[0].code.as_str()))
        .collect();
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        [
            ("missing", "permanent", "ValidationError"),
            ("no-gzip", "unreadable", "MESSAGE_UNREADABLE"),
            ("nonsense", "unreadable", "MESSAGE_UNREADABLE"),
            ("too-large", "too-large", "MESSAGE_TOO_LARGE"),
            ("utf-16", "unreadable", "MESSAGE_UNREADABLE"),
        ]
    );
    assert_eq!(stage.log.until(1).await, ["good 1"]);
}
