//! F1: the broker is killed, and once loses all that it knew, while services call each other. Every caller has an answer
//! or a typed fault in time; queries are asked again, commands without a key are not.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use banyan_sdk::{
    Call, Client, Command, Context, Fault, FaultCode, Flow, Platform, Query, Service,
    bus::rabbit::{RabbitBus, RabbitOptions},
    config::Endpoint,
    ids,
    protocol::{Payload, Request, names::ServiceName},
    schemars::{self, JsonSchema},
};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::{broker::Broker, history::Tally};

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

async fn call<M: Request>(client: &Client, number: i64, request: &M, again: bool) -> End {
    let call = Call {
        kind: M::KIND,
        message_type: M::MESSAGE_TYPE.to_owned(),
        service: ServiceName::new("counter").unwrap(),
        payload: Payload::of(request).unwrap(),
        timeout: DEADLINE,
        idempotency_key: None,
        repeatable: again,
        priority: None,
    };
    let began = Instant::now();
    let result = client.call(call, &Flow::begin(ids::random)).await;
    let result = result.map(|payload| payload.read().unwrap()).map_err(|fault| fault.code);
    End { number, result, took: began.elapsed() }
}

/// Makes numbered calls, 32 at a time, until `over`.
async fn calls(client: &Client, from: i64, queries: bool, over: impl Fn(&[End]) -> bool) -> Vec<End> {
    let mut ends = Vec::new();
    let one = |number| async move {
        match queries {
            true => call(client, number, &Echo { number }, true).await,
            false => call(client, number, &Count { number }, false).await,
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
    let counted: Counted = Mutex::default();
    let service = Service::new("counter", counted);
    let doing = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&doing);
    // A second look at what the handler did, from outside.
    let note = move |cx: Context<Counted>, command: Count| {
        let seen = Arc::clone(&seen);
        async move {
            seen.lock().unwrap().push(command.number);
            count(cx, command).await
        }
    };
    let running = service.command(note).query(echo).start(Platform::new(bus(&broker, "counter"))).await.unwrap();
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
        let (questions, orders, ()) =
            tokio::join!(calls(&asking, from, true, over), calls(&telling, from, false, over), killing);
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
        let tally = Tally::of(told, done.into_iter().filter(|number| *number >= from));
        println!("forgets {forgets}: commands that were answered and done: {tally}");
        assert!(tally.lost.is_empty(), "{tally}");
        // A broker delivers again what was not acknowledged; the sender did not send it again, so it is one message.
        assert!(tally.doubled.len() <= 10, "as many as a handler is handed at a time: {tally}");
    }
    running.stop(Duration::from_secs(10)).await;
}
