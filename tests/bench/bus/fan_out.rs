//! M5: one event to ten services, each with a quorum queue of its own; the SDK's services beside ten consumers of the
//! client library by itself.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use banyan_sdk::{
    Context, Event, Fault, Flow, Platform, Published, Service,
    bus::{Bus, Topology},
    ids,
    protocol::{Payload, names::EVENTS_EXCHANGE},
    schemars::{self, JsonSchema},
};
use futures_util::StreamExt;
use lapin::{
    BasicProperties, Channel, Confirmation,
    options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions},
    types::FieldTable,
};
use serde::{Deserialize, Serialize};
use tokio::{sync::oneshot, time::timeout};

use crate::{
    Options, Report, Result, bare, load,
    orders::{Orders, answer, part},
    report::{Level, median},
    service,
};

/// Who hears of each event.
const SERVICES: usize = 10;

/// Events under way at a time.
const BUSY: usize = 64;

/// What the SDK takes of a queue of events at a time, and what a consumer with more appetite does.
const PREFETCH: [u16; 2] = [5, 200];

/// Characters of a text.
const TEXT: usize = 100;

/// The routing key of the client library's events.
const KEY: &str = "bench.bare.told";

/// How long an event may take to be heard of everywhere.
const PATIENCE: Duration = Duration::from_secs(30);

/// Something was told.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Event)]
#[event(service = "bench-teller")]
struct Told {
    number: u64,
    text: String,
}

/// Events that not everybody has heard of.
#[derive(Default)]
struct Ears {
    next: AtomicU64,
    waiting: Mutex<HashMap<u64, (usize, oneshot::Sender<()>)>>,
    /// Those that somebody heard of once too often.
    surplus: AtomicU64,
}

impl Ears {
    /// A new event, and when everybody has heard of it.
    fn expect(&self) -> (u64, oneshot::Receiver<()>) {
        let (tell, told) = oneshot::channel();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(number, (SERVICES, tell));
        (number, told)
    }

    fn hear(&self, number: u64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.get_mut(&number) {
            None => {
                self.surplus.fetch_add(1, Ordering::Relaxed);
            }
            Some((1, _)) => {
                if let Some((_, tell)) = waiting.remove(&number) {
                    let _ = tell.send(());
                }
            }
            Some((left, _)) => *left -= 1,
        }
    }
}

pub fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let mut sdk = part("sdk-fan-out", &[])?;
    let mut others = Vec::new();
    for prefetch in PREFETCH {
        others.push((prefetch, part("bare-fan-out", &[&prefetch.to_string()])?, Vec::new(), Vec::new()));
    }
    let warm = options.time.min(Duration::from_millis(500));
    sdk.load(BUSY, warm)?;
    for (_, part, ..) in &mut others {
        part.load(BUSY, warm)?;
    }
    let (mut ours, mut p99) = (Vec::new(), Vec::new());
    let delivered = |rate: f64| rate * SERVICES as f64;
    for _ in 0..options.rounds {
        let load = sdk.load(BUSY, options.time)?;
        report.load("M5", load.calls, load.errors);
        ours.push(delivered(load.rate()));
        p99.push(load.p99 / 1e3);
        for (prefetch, part, rates, slowest) in &mut others {
            let load = part.load(BUSY, options.time)?;
            report.load(&format!("M5, lapin with prefetch {prefetch}"), load.calls, load.errors);
            rates.push(delivered(load.rate()));
            slowest.push(load.p99 / 1e3);
        }
    }
    report.condition(
        "M5",
        format!(
            "{BUSY} events at a time, persistent, confirmed, to {SERVICES} services on quorum queues, each with its own \
             connections and all in one process with the publisher; from publishing to the last service's handler; the \
             SDK's services take {} at a time and have neither store nor cache; lapin's bodies 128 bytes, acknowledged one \
             by one",
            PREFETCH[0]
        ),
    );
    for (prefetch, _, rates, slowest) in &others {
        let level = if *prefetch == PREFETCH[0] { Level::at_least(0.7).goal(0.9) } else { Level::NONE };
        let what = format!("M5 events delivered, against lapin with prefetch {prefetch}");
        report.ratio(what, "/s", &ours, rates, level);
        report.note(format!(
            "M5: p99 {:.1} ms, lapin with prefetch {prefetch} {:.1} ms",
            median(&p99),
            median(slowest)
        ));
    }
    Ok(())
}

/// Ten services and whoever tells them.
pub async fn sdk(url: &str) -> Result<()> {
    async fn hear(cx: Context<Arc<Ears>>, told: Told) -> Result<(), Fault> {
        cx.state.hear(told.number);
        Ok(())
    }
    let ears = Arc::new(Ears::default());
    let mut running = Vec::new();
    for number in 0..SERVICES {
        let name = format!("bench-listener-{number}");
        let platform = Platform::new(service::bus(url, &name)?);
        running.push(Service::new(name, Arc::clone(&ears)).event(hear).start(platform).await?);
    }
    let platform = Platform::new(service::bus(url, "bench-teller")?);
    let teller = Arc::new(Service::new("bench-teller", ()).publishes::<Told>().start(platform).await?);
    work(&ears, {
        let ears = Arc::clone(&ears);
        move || {
            let (ears, teller) = (Arc::clone(&ears), Arc::clone(&teller));
            async move {
                let (number, told) = ears.expect();
                let event = Published {
                    id: ids::event().to_string(),
                    event_type: Told::EVENT_TYPE.to_owned(),
                    version: Told::VERSION,
                    payload: Payload::of(&Told { number, text: "x".repeat(TEXT) })?,
                };
                teller.client().publish(event, &Flow::begin(ids::random)).await?;
                Ok(timeout(PATIENCE, told).await??)
            }
        }
    })
    .await
}

/// Ten consumers and a publisher of the client library by itself.
pub async fn bare(url: &str, prefetch: u16) -> Result<()> {
    let ears = Arc::new(Ears::default());
    let bus = service::bus(url, "bench-bare-listeners")?;
    let mut connections = Vec::new();
    for number in 0..SERVICES {
        let queue = format!("bench-bare-listener-{prefetch}-{number}");
        bus.declare(&Topology::default().events(&queue, format!("{KEY}.{prefetch}"))).await?;
        let connection = bare::connect(url).await?;
        listen(connection.create_channel().await?, queue, prefetch, Arc::clone(&ears)).await?;
        connections.push(connection);
    }
    let connection = bare::connect(url).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    work(&ears, {
        let ears = Arc::clone(&ears);
        move || {
            let (ears, channel) = (Arc::clone(&ears), channel.clone());
            async move {
                let (number, told) = ears.expect();
                let body = format!("{number:0>128}");
                let properties = BasicProperties::default().with_delivery_mode(2).with_message_id("bench".into());
                let (exchange, key) = (EVENTS_EXCHANGE.into(), format!("{KEY}.{prefetch}").into());
                let options = BasicPublishOptions::default();
                let sent = channel.basic_publish(exchange, key, options, body.as_bytes(), properties).await?;
                match sent.await? {
                    Confirmation::Ack(None) => Ok(timeout(PATIENCE, told).await??),
                    other => Err(format!("not confirmed: {other:?}").into()),
                }
            }
        }
    })
    .await
}

async fn listen(channel: Channel, queue: String, prefetch: u16, ears: Arc<Ears>) -> Result<()> {
    channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let mut events = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await?;
    tokio::spawn(async move {
        while let Some(Ok(event)) = events.next().await {
            let number = std::str::from_utf8(&event.data).ok().and_then(|it| it.parse().ok());
            ears.hear(number.unwrap_or(u64::MAX));
            if event.ack(BasicAckOptions::default()).await.is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// Loads, as they are ordered.
async fn work<F, Fut>(ears: &Ears, tell: F) -> Result<()>
where
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<()>> + Send,
{
    let mut orders = Orders::ready();
    while let Some((in_flight, time)) = orders.load().await {
        let tell = tell.clone();
        let call = move || {
            let telling = tell();
            async move { telling.await.map_err(|error| error.to_string()) }
        };
        let mut load = load::run(in_flight, time, call).await;
        load.errors += ears.surplus.swap(0, Ordering::Relaxed);
        answer(&load)?;
    }
    Ok(())
}
