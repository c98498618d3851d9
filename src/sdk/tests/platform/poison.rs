//! F6 on RabbitMQ: whatever is put into a service's queues ends as a fault or in the dead letters, with the reason, and
//! the service goes on.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use banyan_sdk::{
    Command, Context, Event, Fault, Platform, Service,
    bus::{
        Bus, Message, Sending, Target,
        dead_letters::DeadLetters,
        rabbit::{RabbitBus, RabbitOptions},
    },
    config::Endpoint,
    ids,
    protocol::names::{self, ServiceName},
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{setting, until};

/// Something happened.
#[derive(Serialize, Deserialize, JsonSchema, Event)]
#[event(service = "elsewhere")]
struct Happened {
    what: String,
}

/// Does something.
#[derive(Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = String, public)]
struct Do {
    what: String,
}

type Log = Mutex<Vec<String>>;

fn work(log: &Log, what: &str) -> Result<String, Fault> {
    log.lock().unwrap().push(what.to_owned());
    match what {
        "panic" => panic!("the secret is hunter2"),
        "down" => Err(Fault::unavailable("the other side is away")),
        "never" => Err(Fault::rule("never")),
        _ => Ok(what.to_owned()),
    }
}

async fn on_happened(cx: Context<Arc<Log>>, event: Happened) -> Result<(), Fault> {
    work(&cx.state, &event.what).map(drop)
}

async fn on_do(cx: Context<Arc<Log>>, command: Do) -> Result<String, Fault> {
    work(&cx.state, &command.what)
}

fn bus(name: &str) -> RabbitBus {
    let endpoint = Endpoint::parse(&setting("BANYAN_TEST_AMQP_URL"), &["amqp"], 5672).unwrap();
    RabbitBus::new(RabbitOptions::new(endpoint, name))
}

fn envelope(message_type: &str, payload: Value) -> String {
    let envelope = json!({
        "id": "m", "correlationId": "cor_1", "timestamp": "2030-01-01T00:00:00.000Z", "serviceName": "elsewhere",
        "messageType": message_type, "payload": payload, "metadata": {},
    });
    envelope.to_string()
}

/// Every message that no handler can do anything with, by name, and the reason that it must end with.
fn poison(message_type: &str, limit: usize) -> Vec<(Message, &'static str)> {
    let good = envelope(message_type, json!({ "what": "good" }));
    let with = |name: &str, body: String| Message::durable(name, body);
    let what = |name: &str| with(name, envelope(message_type, json!({ "what": name })));
    vec![
        (with("nonsense", "{".to_owned()), "unreadable"),
        (Message::durable("bytes", vec![0xff, 0xfe, 0x00]), "unreadable"),
        (with("no-gzip", good.clone()).header(names::HEADER_COMPRESSION, names::GZIP), "unreadable"),
        (with("other-packing", good.clone()).header(names::HEADER_COMPRESSION, "br"), "unreadable"),
        (with("deep", envelope(message_type, json!({ "what": deep() }))), "unreadable"),
        (with("large", " ".repeat(limit + 1)), "too-large"),
        (with("wrong-type", envelope(message_type, json!({ "what": 7 }))), "permanent"),
        (with("missing", envelope(message_type, json!({}))), "permanent"),
        (what("never"), "permanent"),
        (what("panic"), "exhausted"),
        (what("down"), "exhausted"),
    ]
}

fn deep() -> Value {
    (0..200).fold(json!(1), |inner, _| json!([inner]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_comes_ends_as_a_fault_or_a_dead_letter() {
    let log: Arc<Log> = Arc::default();
    let name = format!("poison-{:016x}", ids::random() as u64);
    let service = Service::new(&name, Arc::clone(&log)).event(on_happened).command(on_do);
    let running = service.start(Platform::new(bus(&name))).await.unwrap();
    let (own, other): (_, Arc<dyn Bus>) = (ServiceName::new(name.as_str()).unwrap(), Arc::new(bus("elsewhere")));
    let letters = DeadLetters::new(Arc::clone(&other));
    let soon = || Instant::now() + Duration::from_secs(20);

    // For nobody to answer: each of them is put aside, and what follows is handled.
    let elsewhere = ServiceName::new("elsewhere").unwrap();
    let event = Target::event(names::event_key(&elsewhere, "Happened"));
    let queues = [names::event_queue(&own, "Happened"), names::command_queue(&own, "DoCommand")];
    let kinds = [(event, "Happened", 10 << 20), (Target::queue(&queues[1]), "DoCommand", 1 << 20)];
    for ((target, message_type, limit), queue) in kinds.iter().zip(&queues) {
        log.lock().unwrap().clear();
        let all = poison(message_type, *limit);
        let wanted: BTreeMap<String, &str> =
            all.iter().map(|(message, reason)| (message.message_id.clone().unwrap(), *reason)).collect();
        for (message, _) in &all {
            other.send(target, message.clone(), Sending::confirmed(soon())).await.unwrap();
        }
        let good = Message::durable("good", envelope(message_type, json!({ "what": "good" })));
        other.send(target, good, Sending::confirmed(soon())).await.unwrap();
        until("the good one", async || log.lock().unwrap().contains(&"good".to_owned()).then_some(())).await;
        let many = u32::try_from(all.len()).unwrap();
        until("all of the others", async || {
            let dead = letters.list(std::slice::from_ref(queue)).await.unwrap();
            (dead[0].1 == many).then_some(())
        })
        .await;
        let shown = letters.show(queue, 100).await.unwrap();
        let found: BTreeMap<String, &str> =
            shown.iter().map(|it| (it.message.message_id.clone().unwrap(), it.reason.as_str())).collect();
        println!("{message_type}: sent {}, dead letters {found:?}", all.len() + 1);
        assert_eq!(found, wanted);
        for letter in &shown {
            let attempts = if letter.reason == "exhausted" { 3 } else { 1 };
            let id = letter.message.message_id.as_deref().unwrap();
            assert_eq!((letter.history.len(), letter.attempts), (attempts, attempts as i64), "{id}");
            assert!(!format!("{:?}", letter.history).contains("hunter2"), "{id}");
            let hashes = letter.history.iter().filter(|it| it.stack_hash.is_some()).count();
            assert_eq!(hashes, if id == "panic" { 3 } else { 0 }, "{id}");
        }
        letters.purge(queue).await.unwrap();
    }

    // For somebody who waits: each of them is answered with a fault.
    let queue = Target::queue(&queues[1]);
    for (message, reason) in poison("DoCommand", 1 << 20) {
        let id = message.message_id.clone().unwrap();
        let answer = other.request(&queue, message, soon()).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        let code = answer["payload"]["error"]["code"].as_str().unwrap();
        let wanted = match (reason, id.as_str()) {
            ("unreadable", _) => "MESSAGE_UNREADABLE",
            ("too-large", _) => "MESSAGE_TOO_LARGE",
            (_, "never") => "BusinessRuleError",
            ("permanent", _) => "ValidationError",
            (_, "panic") => "InternalError",
            _ => "SERVICE_UNAVAILABLE",
        };
        assert_eq!(code, wanted, "{id}: {answer}");
        assert!(!answer.to_string().contains("hunter2"), "{answer}");
    }
    assert!(running.stop(Duration::from_secs(10)).await);
}
