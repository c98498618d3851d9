//! E8: how long after an append returns a projection in another process has taken the event in, at half the full load.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use banyan_sdk::{
    projection::{Projection, Runner},
    store::{Filter, Position, Recorded, Refusal, Statement, Tx},
};
use futures_util::future::BoxFuture;
use sqlx::postgres::PgListener;
use tokio_util::sync::CancellationToken;

use crate::{
    Options, Report, Result,
    append::CALLERS,
    database::{self, Server},
    load,
    report::{Level, median, percentile},
};

/// How long the last event is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

pub async fn measure(options: &Options, server: &Server, full: Option<f64>, report: &mut Report) -> Result<()> {
    let mut lags = Vec::new();
    let (mut medians, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let database = server.database().await?;
        let writing = database::store(&database.url).await?;
        let full = match full {
            Some(full) => full,
            None => load::run(&writing, CALLERS, options.time, None, |_, _| {}).await?.rate(),
        };
        // A store of its own hears of events as another process does.
        let reading = database::store(&database.url).await?;
        database.run("create table bench_counts (event_type text primary key, count bigint not null)").await?;
        let mut listener = PgListener::connect(&database.url).await?;
        listener.listen("bench_projected").await?;
        let stop = CancellationToken::new();
        let runner = Runner::new(reading.clone(), Counts);
        runner.catch_up().await?;
        let first = writing.head().await?;
        let running = tokio::spawn({
            let (runner, stop) = (runner.clone(), stop.clone());
            async move { runner.run(stop).await }
        });
        let projected = tokio::spawn(async move {
            let mut heard = Vec::new();
            // Ends with the sessions of the database.
            while let Ok(Ok(news)) = tokio::time::timeout(PATIENCE, listener.recv()).await {
                let Ok(position) = news.payload().parse::<i64>() else { break };
                heard.push((position, Instant::now()));
            }
            heard
        });
        let appended = Arc::new(Mutex::new(HashMap::new()));
        let seen = {
            let appended = Arc::clone(&appended);
            move |position, when| {
                appended.lock().unwrap_or_else(|broken| broken.into_inner()).insert(position, when);
            }
        };
        let load = load::run(&writing, CALLERS, options.time, Some(full / 2.0), seen).await?;
        report.load("E8", load.times.len() as u64, load.errors);
        rates.push(load.rate());
        let head = writing.head().await?;
        let began = Instant::now();
        while runner.position().await? < head && began.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        database.run("select pg_notify('bench_projected', 'end')").await?;
        let heard = projected.await?;
        stop.cancel();
        running.await?;
        let appended = std::mem::take(&mut *appended.lock().unwrap_or_else(|broken| broken.into_inner()));
        let times = lag(first, head, &appended, &heard);
        if times.len() as i64 != head.0 - first.0 || times.len() != load.times.len() {
            report.invalid(format!("E8: {} of {} events were projected", times.len(), head.0 - first.0));
        }
        lags.push(percentile(&times, 0.99));
        medians.push(percentile(&times, 0.5));
        writing.close().await;
        reading.close().await;
    }
    report.condition(
        "E8",
        "single appends by 64 callers at half the rate of E1; a second store counts events per type, woken by NOTIFY; \
         from the append's return to the notification of the projection's commit",
    );
    report.plain("E8 p99 of the lag of a projection", "ms", &lags, Level::at_most(50.0).goal(5.0));
    report.note(format!("E8: at {:.0} events/s, p50 {:.2} ms", median(&rates), median(&medians)));
    Ok(())
}

/// Milliseconds from each append to the first commit of the projection that covers it, ascending.
fn lag(first: Position, head: Position, appended: &HashMap<i64, Instant>, heard: &[(i64, Instant)]) -> Vec<f64> {
    let mut commits = heard.iter().peekable();
    let mut lags = Vec::new();
    for position in first.0 + 1..=head.0 {
        while commits.next_if(|(reached, _)| *reached < position).is_some() {}
        if let (Some(when), Some((_, done))) = (appended.get(&position), commits.peek()) {
            lags.push(done.saturating_duration_since(*when).as_secs_f64() * 1e3);
        }
    }
    lags.sort_by(f64::total_cmp);
    lags
}

/// How many events of each type there are.
struct Counts;

impl Projection for Counts {
    fn name(&self) -> &str {
        "counts"
    }

    fn filter(&self) -> Filter {
        Filter::default()
    }

    fn apply<'a>(
        &'a self,
        tx: &'a mut Tx<'_>,
        _generation: i32,
        events: &'a [Recorded],
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let mut counts = HashMap::<_, i64>::new();
            for event in events {
                *counts.entry(event.event_type.as_str()).or_default() += 1;
            }
            for (event_type, count) in counts {
                let statement = Statement::new(
                    "insert into bench_counts (event_type, count) values ($1, $2)
                        on conflict (event_type) do update set count = bench_counts.count + excluded.count",
                );
                tx.execute(&statement.bind(event_type).bind(count)).await?;
            }
            let Some(last) = events.last() else { return Ok(()) };
            // Arrives when the transaction is committed.
            let told = Statement::new("select pg_notify('bench_projected', $1)").bind(last.position.to_string());
            tx.execute(&told).await?;
            Ok(())
        })
    }
}
