//! F1: the broker is killed, and once loses all that it knew, while services call each other. Every caller has an answer
//! or a typed fault in time; queries are asked again, commands without a key are not.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use banyan_sdk::{
    Call, Client, Command, Context, Fault, FaultCode, Flow, Platform, Query, Running, Service,
    bus::rabbit::{RabbitBus, RabbitOptions},
    config::Endpoint,
    ids,
    protocol::{Payload, Request, names::ServiceName},
    schemars::{self, JsonSchema},
};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::{PATIENCE, broker::Broker, history::Tally, until};

const DEADLINE: Duration = Duration::from_secs(8);

/// Counts.
#[derive(Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = i64, public)]
struct Count {
    number: i64,
}

/// Gives the number back.
#[derive(Serialize, Deserialize, JsonSchema, Query)]
#[query(reply = i64, public)]
struct Echo {
    number: i64,
}

type Counted = Mutex<Vec<i64>>;

async fn count(cx: Context<Counted>, command: Count) -> Result<i64, Fault> {
    cx.state.lock().unwrap().push(command.number);
    Ok(command.number)
}

async fn echo(_: Context<Counted>, query: Echo) -> Result<i64, Fault> {
    Ok(query.number)
}

fn bus(broker: &Broker, name: &str) -> RabbitBus {
    let endpoint = Endpoint::parse(&broker.url(), &["amqp"], 5672).unwrap();
    RabbitBus::new(RabbitOptions { silence: Duration::from_secs(3), ..RabbitOptions::new(endpoint, name) })
}

/// How a call ended, and after how long.
struct End {
    number: i64,
    result: Result<i64, FaultCode>,
    took: Duration,
}

async fn call<M: Request>(client: &Client, number: i64, request: &M, again: bool, timeout: Duration) -> End {
    let call = Call {
        kind: M::KIND,
        message_type: M::MESSAGE_TYPE.to_owned(),
        service: ServiceName::new("counter").unwrap(),
        payload: Payload::of(request).unwrap(),
        timeout,
        idempotency_key: None,
        repeatable: again,
        priority: None,
    };
    let began = Instant::now();
    let result = client.call(call, &Flow::begin(ids::random)).await;
    let result = result.map(|payload| payload.read().unwrap()).map_err(|fault| fault.code);
    End { number, result, took: began.elapsed() }
}

#[derive(Clone, Copy)]
enum What {
    Queries,
    Commands,
    /// The planted bug: as if they were queries, and without a key.
    CommandsAgain,
}

/// What the handler of commands did: the number and the id of the message.
type Done = Arc<Mutex<Vec<(i64, String)>>>;

/// The service, and what it did, seen from outside.
async fn counter(broker: &Broker) -> (Running, Done) {
    let done = Done::default();
    let seen = Arc::clone(&done);
    let note = move |cx: Context<Counted>, command: Count| {
        let seen = Arc::clone(&seen);
        async move {
            seen.lock().unwrap().push((command.number, cx.message.id.clone()));
            count(cx, command).await
        }
    };
    let service = Service::new("counter", Counted::default()).command(note).query(echo);
    (service.start(Platform::new(bus(broker, "counter"))).await.unwrap(), done)
}

/// The numbers that came in more than one message: those that were sent again, which is not what a broker does that
/// delivers again.
fn sent_again(done: &[(i64, String)]) -> BTreeSet<i64> {
    let mut messages = BTreeMap::<i64, BTreeSet<&str>>::new();
    for (number, id) in done {
        messages.entry(*number).or_default().insert(id);
    }
    messages.into_iter().filter(|(_, ids)| ids.len() > 1).map(|(number, _)| number).collect()
}

/// Makes numbered calls, 32 at a time, until `over`.
async fn calls(client: &Client, from: i64, what: What, over: impl Fn(&[End]) -> bool) -> Vec<End> {
    let mut ends = Vec::new();
    let one = |number| async move {
        match what {
            What::Queries => call(client, number, &Echo { number }, true, DEADLINE).await,
            What::Commands => call(client, number, &Count { number }, false, DEADLINE).await,
            What::CommandsAgain => call(client, number, &Count { number }, true, PATIENCE).await,
        }
    };
    let mut running = std::pin::pin!(stream::iter(from..).map(one).buffer_unordered(32));
    while !over(&ends) {
        ends.extend(running.next().await);
    }
    ends
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_are_answered_or_told_and_nothing_is_done_twice() {
    let broker = Broker::start().await;
    let (running, doing) = counter(&broker).await;
    let client = |name: &str| Client::new(ServiceName::new(name).unwrap(), Arc::new(bus(&broker, name)));
    let (asking, telling) = (client("asking"), client("telling"));
    broker.remember_queues().await;
    for (forgets, from) in [(false, 1), (true, 1_000_000_000)] {
        doing.lock().unwrap().clear();
        let answered = Arc::new(Mutex::new(0));
        let enough = |so_far: usize| {
            let answered = Arc::clone(&answered);
            async move {
                let began = Instant::now();
                while *answered.lock().unwrap() < so_far {
                    assert!(began.elapsed() < Duration::from_secs(60), "no answers");
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
        };
        let over = |ends: &[End]| {
            let good = ends.iter().filter(|end| end.result.is_ok()).count();
            let mut answered = answered.lock().unwrap();
            *answered = good.max(*answered);
            // After the kill there are so many again.
            good >= 6_000
        };
        let killing = async {
            enough(1_500).await;
            broker.kill().await;
            if forgets {
                std::fs::remove_dir_all(broker.folder.join("data")).unwrap();
            }
            broker.restart().await;
        };
        let (questions, orders, ()) = tokio::join!(
            calls(&asking, from, What::Queries, over),
            calls(&telling, from, What::Commands, over),
            killing
        );
        for (what, ends) in [("queries", &questions), ("commands", &orders)] {
            let good = ends.iter().filter(|end| end.result.is_ok()).count();
            let longest = ends.iter().map(|end| end.took).max().unwrap();
            let mut faults: Vec<_> = ends.iter().filter_map(|end| end.result.as_ref().err()).collect();
            faults.sort_by_key(|code| code.as_str());
            faults.dedup();
            println!(
                "forgets {forgets}: {} {what}, {good} answered, longest {longest:?}, faults {faults:?}",
                ends.len()
            );
            assert!(ends.iter().all(|end| end.result.as_ref().map_or(true, |answer| *answer == end.number)));
            assert!(longest < DEADLINE + Duration::from_secs(1), "{what}: {longest:?}");
            let typed = [FaultCode::MessageBus, FaultCode::RequestTimeout, FaultCode::CircuitBreakerOpen];
            // Until the service has noticed that its queues are gone, nobody handles them.
            let typed = |code: &FaultCode| typed.contains(code) || (forgets && *code == FaultCode::HandlerNotFound);
            assert!(faults.iter().all(|code| typed(code)), "{faults:?}");
        }
        // A query that was under way is asked again; a command is left to its caller, who was told.
        let failed = |ends: &[End]| ends.iter().filter(|end| end.result == Err(FaultCode::MessageBus)).count();
        assert!(failed(&orders) > 0, "commands were under way");
        assert!(failed(&questions) <= failed(&orders), "{} queries", failed(&questions));
        let done = doing.lock().unwrap().clone();
        let told: Vec<_> = orders.iter().filter(|end| end.result.is_ok()).map(|end| end.number).collect();
        assert_eq!(sent_again(&done), BTreeSet::new(), "commands without a key");
        let tally = Tally::of(told, done.into_iter().map(|(number, _)| number).filter(|number| *number >= from));
        println!("forgets {forgets}: commands that were answered and done: {tally}");
        assert!(tally.lost.is_empty(), "{tally}");
        // A broker delivers again what was not acknowledged; the sender did not send it again, so it is one message.
        assert!(tally.doubled.len() <= 10, "as many as a handler is handed at a time: {tally}");
    }
    running.stop(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_are_sent_again_without_a_key_are_done_twice() {
    let broker = Broker::start().await;
    let (running, doing) = counter(&broker).await;
    let client = Client::new(ServiceName::new("telling").unwrap(), Arc::new(bus(&broker, "telling")));
    broker.remember_queues().await;
    let mut again = BTreeSet::new();
    // Which of them the broker dies in the middle of is a matter of luck.
    for kill in 1..=3 {
        let answered = AtomicUsize::new(0);
        let over = |ends: &[End]| {
            let good = ends.iter().filter(|end| end.result.is_ok()).count();
            answered.store(good, Ordering::Relaxed);
            good >= 3_000
        };
        let killing = async {
            until("answers", async || (answered.load(Ordering::Relaxed) >= 500).then_some(())).await;
            broker.kill().await;
            broker.restart().await;
        };
        tokio::join!(calls(&client, kill * 1_000_000, What::CommandsAgain, over), killing);
        again = sent_again(&doing.lock().unwrap());
        println!("killed {kill} times: {} commands came in two messages", again.len());
        if !again.is_empty() {
            break;
        }
    }
    assert!(!again.is_empty());
    running.stop(Duration::from_secs(10)).await;
}
