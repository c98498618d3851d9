//! Callers that append one event at a time and wait for it.

use std::time::{Duration, Instant};

use banyan_sdk::store::{Append, EventStore, Expected, Json, NewEvent, Stream};
use uuid::Uuid;

use crate::{Result, pgbench::DATA, report::percentile};

/// How many events one aggregate gets.
pub const LENGTH: u32 = 10;

/// The names of events, in turns.
pub const TYPES: [&str; 4] = ["OrderPlaced", "OrderPaid", "OrderPacked", "OrderSent"];

/// What a load came to.
pub struct Load {
    /// Microseconds, ascending.
    pub times: Vec<f64>,
    pub errors: u64,
    pub seconds: f64,
}

impl Load {
    pub fn rate(&self) -> f64 {
        self.times.len() as f64 / self.seconds
    }

    pub fn percentile(&self, share: f64) -> f64 {
        percentile(&self.times, share)
    }
}

/// The JSON of an event.
pub fn data() -> Json {
    Json::from_text(DATA).expect("it is JSON")
}

/// The event number `version` of an aggregate.
pub fn event(data: &Json, version: u32) -> NewEvent {
    NewEvent::new(TYPES[version as usize % TYPES.len()], data.clone())
}

/// `callers` that append at the same time, each to streams of its own with the version that it knows.
///
/// With a `pace` they do so at that many events a second altogether, else as fast as they are answered. `seen` is told of
/// each position when its append returns.
pub async fn run(
    store: &EventStore,
    callers: usize,
    time: Duration,
    pace: Option<f64>,
    seen: impl Fn(i64, Instant) + Clone + Send + Sync + 'static,
) -> Result<Load> {
    let began = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let pause = pace.map(|pace| Duration::from_secs_f64(callers as f64 / pace));
            let first = began + pause.unwrap_or_default().mul_f64(caller as f64 / callers as f64);
            tokio::spawn(one(store.clone(), first, began + time, pause, seen.clone()))
        })
        .collect();
    let (mut times, mut errors) = (Vec::new(), 0);
    for task in tasks {
        let (more, failed) = task.await?;
        times.extend(more);
        errors += failed;
    }
    let seconds = began.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    Ok(Load { times, errors, seconds })
}

async fn one(
    store: EventStore,
    mut next: Instant,
    end: Instant,
    pause: Option<Duration>,
    seen: impl Fn(i64, Instant),
) -> (Vec<f64>, u64) {
    let (mut times, mut errors) = (Vec::new(), 0);
    let data = data();
    let mut version = LENGTH;
    let mut id = String::new();
    loop {
        if let Some(pause) = pause {
            tokio::time::sleep_until(next.into()).await;
            next += pause;
        }
        let asked = Instant::now();
        if asked >= end {
            return (times, errors);
        }
        if version == LENGTH {
            (version, id) = (0, Uuid::from_u128(rand::random()).to_string());
        }
        let expected = if version == 0 { Expected::NoStream } else { Expected::Version(version) };
        let append = Append::new("bench", Stream::new("Order", id.as_str()), expected, vec![event(&data, version)]);
        match store.append(append).await {
            Ok(appended) if appended.last_version == version + 1 => {
                let now = Instant::now();
                times.push(now.duration_since(asked).as_secs_f64() * 1e6);
                seen(appended.last_position.0, now);
                version += 1;
            }
            other => {
                if errors == 0 {
                    eprintln!("an append failed: {other:?}");
                }
                errors += 1;
                version = LENGTH;
            }
        }
    }
}
