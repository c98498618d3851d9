//! M7: how long a message that no attempt can handle takes to its dead-letter queue, and what it has with it there.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use banyan_sdk::{
    Command, Context, Fault, Service,
    bus::{Bus, Message},
    protocol::{
        Request as _,
        dead_letter::{self, HEADER_HISTORY, HEADER_REASON, Reason},
        names::{self, ServiceName},
    },
    retry::RetryPolicy,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::{
    Report, Result,
    report::Level,
    runtime, server,
    service::{self, Equipment},
};

const SERVICE: &str = "bench-poisoned";

/// Messages, all sent at once.
const MESSAGES: usize = 20;

/// How long all of them may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Cannot be handled.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = (), permissions = ["poison:write"])]
struct Poison {
    number: usize,
}

async fn spoil(_: Context<()>, poison: Poison) -> Result<(), Fault> {
    Err(Fault::unavailable(format!("number {} cannot be handled now", poison.number)))
}

pub fn measure(report: &mut Report) -> Result<()> {
    let times = runtime()?.block_on(poison(report))?;
    let policy = RetryPolicy::default();
    let backoffs: Duration = (1..policy.attempts).map(|step| policy.hold(step)).sum();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    report.condition(
        "M7",
        format!("{MESSAGES} persistent commands at once, each of which fails {} times; the slowest", policy.attempts),
    );
    let (slowest, sum) = (times.iter().max().copied().unwrap_or_default(), milliseconds(backoffs));
    let what = "M7 time to the dead letters, against the sum of the backoffs";
    report.ratio(what, "ms", &[milliseconds(slowest)], &[sum], Level::at_most(2.0));
    Ok(())
}

/// How long each message took.
async fn poison(report: &mut Report) -> Result<Vec<Duration>> {
    let url = server("BANYAN_TEST_AMQP_URL")?;
    let equipment = Equipment { service: SERVICE.to_owned(), database: None, collector: None };
    let (platform, _, _) = equipment.platform(&url, SERVICE).await?;
    let running = Service::new(SERVICE, ()).command(spoil).prefetch::<Poison>(200).start(platform).await?;
    let (bus, service) = (service::bus(&url, "bench-poisoner")?, ServiceName::new(SERVICE)?);
    let dead = names::dead_letter_queue(&names::command_queue(&service, Poison::MESSAGE_TYPE));
    bus.purge(&dead).await?;
    let mut letters = bus.consume(&dead, 100).await?;
    let mut sent = HashMap::new();
    for number in 0..MESSAGES {
        let now = Instant::now();
        let id = service::send(&bus, &service, &Poison { number }, |_| {}).await?;
        sent.insert(id, now);
    }
    let mut times = Vec::new();
    let gathering = async {
        while times.len() < MESSAGES {
            let Some(letter) = letters.next().await else { break };
            let envelope = banyan_sdk::protocol::Envelope::read(&letter.message.body)?;
            let Some(began) = sent.remove(&envelope.correlation_id) else {
                return Err("a dead letter twice, or of somebody else".into());
            };
            times.push(began.elapsed());
            if let Err(why) = complete(&letter.message) {
                return Err(format!("a dead letter is not complete: {why}").into());
            }
            letter.ack();
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    };
    match timeout(PATIENCE, gathering).await {
        Ok(Ok(())) => {}
        Ok(Err(why)) => report.invalid(format!("M7: {why}")),
        Err(_) => report.invalid(format!("M7: {} of {MESSAGES} messages are dead letters by now", times.len())),
    }
    running.stop(Duration::from_secs(5)).await;
    bus.close().await;
    Ok(times)
}

/// Whether it has its whole history, its reason, and the headers that it was sent with.
fn complete(message: &Message) -> Result<(), String> {
    let text = |name| message.header_text(name).ok_or_else(|| format!("no {name}"));
    let history = dead_letter::read_history(text(HEADER_HISTORY)?).map_err(|error| error.to_string())?;
    let attempts: Vec<u32> = history.iter().map(|it| it.attempt).collect();
    if attempts != (1..=RetryPolicy::default().attempts).collect::<Vec<_>>() {
        return Err(format!("its attempts are {attempts:?}"));
    }
    if text(HEADER_REASON)? != Reason::Exhausted.as_str() {
        return Err(format!("its reason is {}", text(HEADER_REASON)?));
    }
    text(names::HEADER_TRACE_ID).map(drop)
}
