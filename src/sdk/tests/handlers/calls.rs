//! Commands and queries: answers, faults, time-outs, retries, deadlines, the circuit breaker.

use std::{
    future::IntoFuture as _,
    sync::Arc,
    time::{Duration, Instant},
};

use banyan_sdk::{
    Call, Client, Command, Context, Fault, FaultCode, Flow, Query, Service,
    breaker::BreakerPolicy,
    bus::dead_letters::DeadLetters,
    clock::Now,
    ids,
    protocol::{Kind, Payload, Request, Timestamp},
    schemars::{self, JsonSchema},
    testing::TestService,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{
    sync::{Barrier, Semaphore},
    time::sleep,
};

use crate::support::{Log, ask, envelope, put, service};

/// Divides.
#[derive(Serialize, Deserialize, JsonSchema, Query)]
#[query(reply = i64, public)]
struct Divide {
    a: i64,
    b: i64,
}

async fn divide<S>(_: Context<S>, query: Divide) -> Result<i64, Fault> {
    query.a.checked_div(query.b).ok_or_else(|| Fault::rule("nobody divides by zero"))
}

const DIVIDE: &str = "service.math.queries.Divide";

#[tokio::test]
async fn who_asks_is_answered_or_refused() {
    let test = TestService::start(Service::new("math", ()).query(divide)).await.unwrap();
    assert_eq!(test.anonymous().call(Divide { a: 6, b: 3 }).await.unwrap(), 2);
    let caller = test.anonymous();
    let fault = caller.call(Divide { a: 6, b: 0 }).await.unwrap_err();
    assert_eq!((&fault.code, fault.message.as_str()), (&FaultCode::BusinessRule, "nobody divides by zero"));
    assert_eq!(fault.correlation_id.as_deref(), Some(caller.correlation_id()));
    assert!(fault.timestamp.is_some());
}

/// Nobody handles it.
#[derive(Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = (), public)]
struct Vanish {}

#[tokio::test]
async fn a_message_that_nobody_handles_fails_at_once() {
    let test = TestService::start(Service::new("math", ()).query(divide)).await.unwrap();
    let began = Instant::now();
    for service in ["math", "nowhere"] {
        let fault = test.call(Vanish {}).to(service).await.unwrap_err();
        assert_eq!(fault.code, FaultCode::HandlerNotFound, "{fault}");
    }
    let fault = test.call(Vanish {}).await.unwrap_err();
    assert!(fault.message.contains(".to("), "{fault}");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

/// Answers when it is let.
#[derive(Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = u32, public)]
struct Wait {
    number: u32,
}

struct Gate {
    open: Semaphore,
    log: Log,
}

impl Default for Gate {
    fn default() -> Self {
        Self { open: Semaphore::new(0), log: Log::default() }
    }
}

async fn wait(cx: Context<Arc<Gate>>, command: Wait) -> Result<u32, Fault> {
    cx.state.log.note(format!("began {}", command.number));
    cx.state.open.acquire().await.unwrap().forget();
    cx.state.log.note(format!("ended {}", command.number));
    Ok(command.number)
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_a_fault() {
    let gate = Arc::new(Gate::default());
    let test = TestService::start(Service::new("gate", Arc::clone(&gate)).command(wait)).await.unwrap();
    let began = Instant::now();
    let fault = test.call(Wait { number: 1 }).timeout(Duration::from_millis(100)).await.unwrap_err();
    assert_eq!(fault.code, FaultCode::RequestTimeout);
    assert!(began.elapsed() >= Duration::from_millis(100) && began.elapsed() < Duration::from_secs(3));
    // What was begun is finished all the same.
    gate.open.add_permits(1);
    assert_eq!(gate.log.until(2).await, ["began 1", "ended 1"]);
}

#[tokio::test]
async fn work_that_nobody_waits_for_is_not_begun() {
    let gate = Arc::new(Gate::default());
    let service = Service::new("gate", Arc::clone(&gate)).command(wait).prefetch::<Wait>(1);
    let test = TestService::start(service).await.unwrap();
    let first = tokio::spawn(test.call(Wait { number: 1 }).into_future());
    gate.log.until(1).await;
    let fault = test.call(Wait { number: 2 }).timeout(Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(fault.code, FaultCode::RequestTimeout);
    let queue = "service.gate.commands.Wait";
    let late = json!({ "deadline": "2020-01-01T00:00:00.000Z" });
    put(&test, queue, envelope("late", "WaitCommand", json!({ "number": 3 }), late)).await;
    let mut timed_out =
        envelope("timed-out", "WaitCommand", json!({ "number": 4 }), json!({ "routing": { "timeout": 5 } }));
    timed_out["timestamp"] = json!("2020-01-01T00:00:00.000Z");
    put(&test, queue, timed_out).await;
    gate.open.add_permits(2);
    assert_eq!(first.await.unwrap().unwrap(), 1);
    assert_eq!(test.call(Wait { number: 5 }).await.unwrap(), 5);
    assert_eq!(gate.log.lines(), ["began 1", "ended 1", "began 5", "ended 5"]);

    // What nobody waits for is no reason to lose it: it is put aside, and begun when somebody says so.
    let letters = DeadLetters::new(Arc::new(test.broker().connect()));
    let dead = letters.show(queue, 10).await.unwrap();
    let mut reasons: Vec<_> = dead.iter().map(|it| (it.reason.as_str(), it.history.len())).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, [("expired", 0), ("expired", 1), ("expired", 1)], "by the broker, and by the service");
    gate.open.add_permits(3);
    assert_eq!(letters.replay(queue, 10).await.unwrap(), 3);
    let mut lines = gate.log.until(10).await.split_off(4);
    lines.sort_unstable();
    assert_eq!(lines, ["began 2", "began 3", "began 4", "ended 2", "ended 3", "ended 4"]);
}

/// F27: a caller whose clock is an hour off is answered like any other.
#[tokio::test]
async fn a_clock_that_is_wrong_loses_no_call() {
    let service = Service::new("math", ()).query(divide).query(time_left);
    let test = TestService::start(service).await.unwrap();
    let (mut answered, mut asked, mut naive) = (0, 0, 0);
    for skew in [-3_600_000, -60_000, -3_000, 0, 3_000, 60_000, 3_600_000] {
        let at = |more: i64| Timestamp::from_millis(Now::read().wall.millis() + skew + more).to_string();
        let late = json!({ "deadline": at(10_000) });
        let mut body = envelope("m", "DivideQuery", json!({ "a": 8, "b": 2 }), late.clone());
        body["timestamp"] = json!(at(0));
        let answer = ask(&test, DIVIDE, &body).await;
        asked += 1;
        answered += usize::from(answer["payload"] == json!(4));
        let body = envelope("m", "TimeLeftQuery", json!({}), late);
        let left = ask(&test, "service.math.queries.TimeLeft", &body).await["payload"].as_u64().unwrap();
        assert!((1..=10_000).contains(&left), "{skew} ms off: {left} ms left of 10 s");
        // The planted bug: whoever goes by the time of day alone, and answers nobody whose time seems over.
        let (now, wall) = (Now::read(), Now::read().wall.millis() + skew + 10_000);
        let end = now.deadline(Some(Timestamp::from_millis(wall)), None).unwrap();
        let left = end.saturating_duration_since(now.steady);
        naive += usize::from(!left.is_zero() && left <= Duration::from_secs(11));
    }
    println!("asked by clocks up to an hour off: {asked}, answered {answered}; by the time of day alone {naive}");
    assert_eq!(answered, asked);
    assert!(naive < asked, "a service that goes by the time of day is no worse");
}

/// Asks for the time that is left, through another message.
#[derive(Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = (u64, String), public)]
struct Relay {}

/// Says how much time is left, in milliseconds.
#[derive(Serialize, Deserialize, JsonSchema, Query)]
#[query(reply = u64, public)]
struct TimeLeft {}

async fn relay(cx: Context<()>, _: Relay) -> Result<(u64, String), Fault> {
    let left = cx.call(TimeLeft {}).await?;
    sleep(cx.time_left().unwrap()).await;
    let late = cx.call(TimeLeft {}).await.unwrap_err();
    LATE.lock().unwrap().push((left, late.code.to_string()));
    Ok((left, late.code.to_string()))
}

static LATE: std::sync::Mutex<Vec<(u64, String)>> = std::sync::Mutex::new(Vec::new());

async fn time_left(cx: Context<()>, _: TimeLeft) -> Result<u64, Fault> {
    Ok(u64::try_from(cx.time_left().unwrap().as_millis()).unwrap())
}

#[tokio::test]
async fn the_deadline_goes_with_everything_that_is_asked() {
    let test = TestService::start(Service::new("relay", ()).command(relay).query(time_left)).await.unwrap();
    // It answers at the very moment at which nobody waits any more.
    let _ = test.call(Relay {}).timeout(Duration::from_millis(400)).await;
    assert!(test.stop().await, "the handler came to its end");
    let seen = LATE.lock().unwrap().clone();
    let [(left, late)] = &seen[..] else { panic!("{seen:?}") };
    assert!((1..=400).contains(left), "a query has 5 s of its own, and its caller had {left} ms left");
    assert_eq!(late, "REQUEST_TIMEOUT");
}

/// Answers when 40 are there.
#[derive(Serialize, Deserialize, JsonSchema, Query)]
#[query(reply = u32, public)]
struct Together {
    number: u32,
}

/// Asks 40 times at once.
#[derive(Serialize, Deserialize, JsonSchema, Query)]
#[query(reply = Vec<u32>, public)]
struct Everyone {}

async fn together(cx: Context<Barrier>, query: Together) -> Result<u32, Fault> {
    cx.state.wait().await;
    Ok(query.number * 10)
}

async fn everyone(cx: Context<Barrier>, _: Everyone) -> Result<Vec<u32>, Fault> {
    futures_util::future::try_join_all((0..40).map(|number| cx.call(Together { number }).into_future())).await
}

#[tokio::test]
async fn calls_of_one_request_run_beside_each_other() {
    let service = Service::new("crowd", Barrier::new(40)).query(together).prefetch::<Together>(40).query(everyone);
    let test = TestService::start(service).await.unwrap();
    let answers = test.call(Everyone {}).await.unwrap();
    assert_eq!(answers, (0..40).map(|number| number * 10).collect::<Vec<_>>(), "each answer belongs to its question");
}

/// Works the second time.
#[derive(Serialize, Deserialize, JsonSchema, Query)]
#[query(reply = u32, public)]
struct AskShaky {}

/// Works the second time.
#[derive(Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = u32, public)]
struct DoShaky {}

async fn shaky(log: &Log, what: &str) -> Result<u32, Fault> {
    log.note(what);
    if log.count(what) == 1 { Err(Fault::unavailable("not yet")) } else { Ok(7) }
}

#[tokio::test]
async fn queries_are_asked_again_and_commands_are_not() {
    let log = Arc::new(Log::default());
    let ask_shaky = |cx: Context<Arc<Log>>, _: AskShaky| async move { shaky(&cx.state, "query").await };
    let do_shaky = |cx: Context<Arc<Log>>, _: DoShaky| async move { shaky(&cx.state, "command").await };
    let service = Service::new("shaky", Arc::clone(&log)).query(ask_shaky).command(do_shaky);
    let test = TestService::start(service).await.unwrap();
    assert_eq!(test.call(AskShaky {}).await.unwrap(), 7);
    assert_eq!(log.count("query"), 2);
    assert_eq!(test.call(DoShaky {}).await.unwrap_err().code, FaultCode::ServiceUnavailable);
    assert_eq!(log.count("command"), 1);

    let log = Arc::new(Log::default());
    let do_shaky = |cx: Context<Arc<Log>>, _: DoShaky| async move { shaky(&cx.state, "command").await };
    let test = TestService::start(Service::new("shaky", Arc::clone(&log)).command(do_shaky)).await.unwrap();
    assert_eq!(test.call(DoShaky {}).idempotency_key("k").await.unwrap(), 7, "with a key it is done once at most");
    assert_eq!(log.count("command"), 2);
}

#[tokio::test]
async fn a_service_that_fails_is_given_a_rest() {
    let log = Arc::new(Log::default());
    let broken = |cx: Context<Arc<Log>>, _: DoShaky| async move {
        cx.state.note("call");
        if cx.state.count("call") <= 3 { Err(Fault::internal("broken")) } else { Ok(1) }
    };
    let test = TestService::start(Service::new("shaky", Arc::clone(&log)).command(broken)).await.unwrap();
    let rest = Duration::from_millis(300);
    let policy = BreakerPolicy { failures: 3, rest, ..BreakerPolicy::default() };
    let client = Client::new(service("caller"), Arc::new(test.broker().connect())).with_breakers(policy);
    let call = || {
        let call = Call {
            kind: Kind::Command,
            message_type: DoShaky::MESSAGE_TYPE.to_owned(),
            service: service("shaky"),
            payload: Payload::of(&DoShaky {}).unwrap(),
            timeout: Duration::from_secs(5),
            idempotency_key: None,
            repeatable: false,
            priority: None,
        };
        let client = &client;
        async move { client.call(call, &Flow::begin(ids::random)).await.map_err(|fault| fault.code) }
    };
    for _ in 0..3 {
        assert_eq!(call().await.unwrap_err(), FaultCode::Internal);
    }
    let opened = Instant::now();
    assert_eq!(call().await.unwrap_err(), FaultCode::CircuitBreakerOpen);
    assert_eq!(log.count("call"), 3, "it was left alone");
    while call().await.is_err() {
        assert!(opened.elapsed() < Duration::from_secs(5));
        sleep(Duration::from_millis(5)).await;
    }
    assert!(opened.elapsed() >= rest * 9 / 10, "{:?}", opened.elapsed());
    assert_eq!(call().await.unwrap().text(), "1");
}

#[tokio::test]
async fn a_late_caller_opens_no_breaker() {
    let gate = Arc::new(Gate::default());
    let test = TestService::start(Service::new("gate", Arc::clone(&gate)).command(wait)).await.unwrap();
    let caller = test.anonymous();
    let late = Flow::begin(ids::random);
    let client = Client::new(service("caller"), Arc::new(test.broker().connect()));
    for number in 0..8 {
        let call = Call {
            kind: Kind::Command,
            message_type: Wait::MESSAGE_TYPE.to_owned(),
            service: service("gate"),
            payload: Payload::of(&Wait { number }).unwrap(),
            timeout: Duration::from_secs(30),
            idempotency_key: None,
            repeatable: false,
            priority: None,
        };
        let flow = late.clone().within(Duration::from_millis(20), Instant::now());
        assert_eq!(client.call(call, &flow).await.unwrap_err().code, FaultCode::RequestTimeout);
    }
    gate.open.add_permits(100);
    assert_eq!(caller.call(Wait { number: 9 }).await.unwrap(), 9);
}

/// Answers with so many letters.
#[derive(Serialize, Deserialize, JsonSchema, Query)]
#[query(reply = String, public)]
struct Letters {
    many: usize,
    #[serde(default)]
    padding: String,
}

#[tokio::test]
async fn what_is_too_large_is_refused_on_both_sides() {
    let letters = |_: Context<()>, query: Letters| async move { Ok::<_, Fault>("x".repeat(query.many)) };
    let test = TestService::start(Service::new("letters", ()).query(letters)).await.unwrap();
    let call = |many, padding| test.call(Letters { many, padding: "x".repeat(padding) });
    assert_eq!(call(2_000_000, 90_000).await.unwrap().len(), 2_000_000);
    let fault = call(1, 110_000).await.unwrap_err();
    assert_eq!(fault.code, FaultCode::MessageTooLarge);
    let fault = call(11_000_000, 0).await.unwrap_err();
    assert_eq!(fault.code, FaultCode::MessageTooLarge, "the answer");
    assert_eq!(call(1, 0).await.unwrap(), "x");
}

#[tokio::test]
async fn a_correlation_id_may_be_longer_than_amqp_carries() {
    let test = TestService::start(Service::new("math", ()).query(divide)).await.unwrap();
    let client = Client::new(service("caller"), Arc::new(test.broker().connect()));
    let call = Call {
        kind: Kind::Query,
        message_type: Divide::MESSAGE_TYPE.to_owned(),
        service: service("math"),
        payload: Payload::of(&Divide { a: 4, b: 2 }).unwrap(),
        timeout: Duration::from_secs(5),
        idempotency_key: None,
        repeatable: false,
        priority: None,
    };
    let flow = Flow { correlation_id: "ä".repeat(128), ..Flow::begin(ids::random) };
    assert_eq!(client.call(call, &flow).await.unwrap().text(), "2");
}

#[tokio::test]
async fn whoever_sends_nonsense_is_told_so() {
    let test = TestService::start(Service::new("math", ()).query(divide)).await.unwrap();
    let code = |answer: &Value| answer["payload"]["error"]["code"].as_str().unwrap().to_owned();
    for nonsense in ["", "{", "nonsense", "[]", "{}", "\u{0}"] {
        assert_eq!(code(&ask(&test, DIVIDE, nonsense).await), "MESSAGE_UNREADABLE", "{nonsense:?}");
    }
    let answer = ask(&test, DIVIDE, envelope("m", "MultiplyQuery", json!({ "a": 1, "b": 1 }), json!({}))).await;
    assert_eq!(code(&answer), "ValidationError");
    assert!(answer["payload"]["error"]["message"].as_str().unwrap().contains("MultiplyQuery"), "{answer}");
    let answer = ask(&test, DIVIDE, envelope("m", "DivideQuery", json!({ "a": 8, "b": 2 }), json!({}))).await;
    assert_eq!(answer["payload"], json!(4));
    assert_eq!((&answer["correlationId"], &answer["messageType"]), (&json!("cor-m"), &json!("DivideQueryResponse")));
}
