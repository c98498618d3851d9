//! E6: the state of an aggregate with a long history, from all its events and from a snapshot.

use std::time::Instant;

use banyan_sdk::store::{Append, EventStore, Expected, Json, Snapshot, Stream};
use serde::{Deserialize, Serialize};

use crate::{
    Options, Report, Result,
    database::{self, Server},
    load,
    report::{Level, percentile},
};

/// How many events the aggregate has.
const EVENTS: u32 = 10_000;

/// How many of them are behind the snapshot.
const BEHIND: u32 = 10;

/// How often it is rebuilt in a round.
const TIMES: usize = 30;

#[derive(Deserialize)]
struct Placed {
    amount: f64,
    lines: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    qty: u64,
}

/// What the events add up to.
#[derive(Default, Serialize, Deserialize)]
struct Totals {
    events: u64,
    amount: f64,
    pieces: u64,
}

pub async fn measure(options: &Options, server: &Server, report: &mut Report) -> Result<()> {
    let database = server.database().await?;
    let store = database::store(&database.url).await?;
    let stream = Stream::new("Order", "long");
    let data = load::data();
    for first in (0..EVENTS).step_by(1_000) {
        let events = (first..first + 1_000).map(|version| load::event(&data, version)).collect();
        let expected = if first == 0 { Expected::NoStream } else { Expected::Version(first) };
        store.append(Append::new("bench", stream.clone(), expected, events)).await?;
    }
    database.run("vacuum analyze").await?;
    let (mut whole, mut short) = (Vec::new(), Vec::new());
    let (state, _) = rebuild(&store, &stream).await?;
    for _ in 0..options.rounds {
        database.run("truncate snapshots").await?;
        whole.push(rounds(&store, &stream, report).await?);
        let first = Totals {
            events: state.events - u64::from(BEHIND),
            amount: state.amount / f64::from(EVENTS) * f64::from(EVENTS - BEHIND),
            pieces: state.pieces / u64::from(EVENTS) * u64::from(EVENTS - BEHIND),
        };
        store.save_snapshot(&stream, &Snapshot { version: EVENTS - BEHIND, state: Json::write(&first)? }).await?;
        short.push(rounds(&store, &stream, report).await?);
    }
    store.close().await;
    report.condition("E6", format!("{EVENTS} events, read and parsed; {BEHIND} of them behind the snapshot"));
    report.plain("E6 p50 of an aggregate from its events", "ms", &whole, Level::at_most(40.0).goal(15.0));
    report.plain("E6 p50 of the same from a snapshot", "ms", &short, Level::at_most(2.0).goal(0.8));
    Ok(())
}

/// The p50 in milliseconds.
async fn rounds(store: &EventStore, stream: &Stream, report: &mut Report) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let (state, time) = rebuild(store, stream).await?;
        times.push(time);
        if state.events != u64::from(EVENTS) || state.pieces != 3 * u64::from(EVENTS) {
            report.invalid("E6: the aggregate is not what its events say");
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(percentile(&times, 0.5))
}

/// The state, and how many milliseconds it took.
async fn rebuild(store: &EventStore, stream: &Stream) -> Result<(Totals, f64)> {
    let began = Instant::now();
    let history = store.history(stream).await?;
    let mut totals = match &history.snapshot {
        Some(snapshot) => snapshot.state.read()?,
        None => Totals::default(),
    };
    for event in &history.events {
        let placed: Placed = event.data.read()?;
        totals.events += 1;
        totals.amount += placed.amount;
        totals.pieces += placed.lines.iter().map(|line| line.qty).sum::<u64>();
    }
    Ok((totals, began.elapsed().as_secs_f64() * 1e3))
}
