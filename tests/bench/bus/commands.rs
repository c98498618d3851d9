//! M4: a command arrives at a durable queue, its handler's event is stored and published to a durable queue, the command
//! is acknowledged; beside what PostgreSQL does when all that is inserted is one row at a time.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use banyan_sdk::{
    Command, Context, Event, Fault, Outcome, Service,
    bus::{Bus, Delivery, Topology, packing},
    protocol::{
        Envelope, Kind,
        names::{self, ServiceName},
    },
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};
use tokio::{sync::oneshot, time::timeout};

use crate::{
    Options, Report, Result,
    database::{Database, Server},
    load,
    orders::{Orders, answer, part},
    pgbench::Pgbench,
    report::{Level, median},
    runtime,
    service::{self, Equipment},
};

const SERVICE: &str = "bench-notes";
const HEARD: &str = "bench-noted";

/// Commands under way at a time.
const BUSY: usize = 256;

/// How long the event of a command may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Keeps a note.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = (), permissions = ["notes:write"])]
struct TakeNote {
    #[schemars(length(min = 1, max = 100))]
    id: String,
    #[schemars(length(min = 1, max = 1000))]
    text: String,
}

/// A note was kept.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Event)]
#[event(aggregate = "Note")]
struct NoteTaken {
    id: String,
    text: String,
}

/// Who waits for an event, by the correlation id of its command.
type Waiting = Arc<Mutex<HashMap<String, oneshot::Sender<String>>>>;

async fn take(cx: Context<()>, command: TakeNote) -> Result<Outcome<()>, Fault> {
    cx.user()?;
    let TakeNote { id, text } = command;
    Ok(Outcome::done().emit(NoteTaken { id, text }))
}

pub fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let runtime = runtime()?;
    let server = Server::from_environment()?;
    for (name, value) in runtime.block_on(server.conditions())? {
        report.condition(name, value);
    }
    let database = runtime.block_on(server.database())?;
    let pgbench = runtime.block_on(Pgbench::new(&database))?;
    let _service = part("command-service", &[&database.url])?;
    let mut sender = part("command-sender", &[])?;
    let mut handled = sender.load(BUSY, Duration::from_millis(500))?.calls;
    let (mut ours, mut theirs, mut p50, mut p99) = (vec![], vec![], vec![], vec![]);
    for _ in 0..options.rounds {
        theirs.push(pgbench.best(options.time)?);
        let load = sender.load(BUSY, options.time)?;
        report.load("M4", load.calls, load.errors);
        handled += load.calls;
        ours.push(load.rate());
        p50.push(load.p50 / 1e3);
        p99.push(load.p99 / 1e3);
    }
    stored(&runtime, &database, handled, report)?;
    report.condition(
        "M4",
        format!(
            "{BUSY} commands at a time, each with a caller who may: persistent, confirmed, quorum queue, prefetch 200; one \
             event each, stored and published by the outbox, and one subscriber on a quorum queue that acknowledges each; \
             from sending to hearing of the event"
        ),
    );
    report.ratio("M4 commands, against single inserts", "/s", &ours, &theirs, Level::at_least(0.5).goal(1.5));
    report.note(format!("M4: p50 {:.1} ms, p99 {:.1} ms", median(&p50), median(&p99)));
    Ok(())
}

/// Each command left one event.
fn stored(runtime: &tokio::runtime::Runtime, database: &Database, handled: u64, report: &mut Report) -> Result<()> {
    let stored = runtime.block_on(database.number("select count(*) from events where event_type = 'NoteTaken'"))?;
    if stored != handled as i64 {
        report.invalid(format!("M4: {handled} commands left {stored} events"));
    }
    Ok(())
}

pub async fn service(url: &str, database: &str) -> Result<()> {
    let equipment = Equipment { service: SERVICE.to_owned(), database: Some(database.to_owned()), collector: None };
    let (platform, _, _) = equipment.platform(url, SERVICE).await?;
    let service = Service::new(SERVICE, ()).command(take).prefetch::<TakeNote>(200).publishes::<NoteTaken>();
    let running = service.start(platform).await?;
    Orders::ready().end().await;
    drop(running);
    Ok(())
}

/// Sends commands, and hears of what became of them.
pub async fn sender(url: &str) -> Result<()> {
    let service = ServiceName::new(SERVICE)?;
    let bus: Arc<dyn Bus> = Arc::new(service::bus(url, "bench-sender")?);
    bus.declare(&Topology::default().events(HEARD, names::event_pattern(Some(&service), Some("NoteTaken")))).await?;
    let mut deliveries = bus.consume(HEARD, 1_000).await?;
    let (waiting, unknown) = (Waiting::default(), Arc::new(AtomicU64::new(0)));
    let (waiters, strangers) = (Arc::clone(&waiting), Arc::clone(&unknown));
    tokio::spawn(async move {
        while let Some(delivery) = deliveries.next().await {
            if hear(&waiters, &delivery).is_none() {
                strangers.fetch_add(1, Ordering::Relaxed);
            }
            delivery.ack();
        }
    });
    let next = Arc::new(AtomicU64::new(0));
    let mut orders = Orders::ready();
    while let Some((in_flight, time)) = orders.load().await {
        let shared = (Arc::clone(&bus), Arc::clone(&waiting), Arc::clone(&next), service.clone());
        let call = move || {
            let (bus, waiting, next, service) = shared.clone();
            async move { note(&*bus, &waiting, &next, &service).await.map_err(|error| error.to_string()) }
        };
        let mut load = load::run(in_flight, time, call).await;
        // Events that nobody waits for are those of commands that were handled twice.
        load.errors += unknown.swap(0, Ordering::Relaxed);
        answer(&load)?;
    }
    Ok(())
}

/// Sends one command and waits for its event.
async fn note(bus: &dyn Bus, waiting: &Waiting, next: &AtomicU64, service: &ServiceName) -> Result<()> {
    let id = format!("note-{}-{}", std::process::id(), next.fetch_add(1, Ordering::Relaxed));
    let (tell, told) = oneshot::channel();
    let command = TakeNote { id: id.clone(), text: "x".repeat(100) };
    let known = |correlation_id: &str| {
        waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(correlation_id.to_owned(), tell);
    };
    service::send(bus, service, &command, known).await?;
    match timeout(PATIENCE, told).await? {
        Ok(noted) if noted == id => Ok(()),
        other => Err(format!("the event of another command: {other:?}").into()),
    }
}

/// Tells whoever waits for this event.
fn hear(waiting: &Waiting, delivery: &Delivery) -> Option<()> {
    let body = packing::unpack(Kind::Event, &delivery.message).ok()?;
    let envelope = Envelope::read(&body).ok()?;
    let noted: NoteTaken = envelope.payload.read().ok()?;
    let waiter = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&envelope.correlation_id)?;
    waiter.send(noted.id).ok()
}
