//! E1 and E3: appends of one event by many callers and by one.

use std::time::Duration;

use crate::{
    Options, Report, Result,
    database::{self, Server},
    load,
    pgbench::Pgbench,
    report::{Level, median},
};

/// How many callers append at the same time.
pub const CALLERS: usize = 64;

/// Says how many events a second went in with all callers, when that was measured.
pub async fn measure(options: &Options, server: &Server, report: &mut Report) -> Result<Option<f64>> {
    let database = server.database().await?;
    let pgbench = Pgbench::new(&database).await?;
    let store = database::store(&database.url).await?;
    let callers = |callers, time| load::run(&store, callers, time, None, |_, _| {});
    callers(CALLERS, Duration::from_millis(300)).await?;
    let (mut many, mut single, mut alone, mut client) = (vec![], vec![], vec![], vec![]);
    let (mut many_p50, mut many_p99) = (vec![], vec![]);
    for _ in 0..options.rounds {
        if options.wants("E1") {
            single.push(pgbench.best(options.time)?);
            let load = callers(CALLERS, options.time).await?;
            report.load("E1", load.times.len() as u64, load.errors);
            many.push(load.rate());
            many_p50.push(load.percentile(0.5));
            many_p99.push(load.percentile(0.99));
        }
        if options.wants("E3") {
            client.push(pgbench.run(1, options.time)?.p50);
            let load = callers(1, options.time).await?;
            report.load("E3", load.times.len() as u64, load.errors);
            alone.push(load.percentile(0.5));
        }
    }
    store.close().await;
    let events = database.number("select count(*) from events").await?;
    if events != database.number("select max(position) from events").await? {
        report.invalid("the positions have gaps");
    }
    report.condition("E1, E3", format!("streams of {} events, each append with the version expected", load::LENGTH));
    if options.wants("E1") {
        report.ratio(
            "E1 events by 64 callers, against single inserts",
            "/s",
            &many,
            &single,
            Level::at_least(2.0).goal(7.0),
        );
        report.plain("E1 p50 of an append", "us", &many_p50, Level::NONE);
        report.plain("E1 p99 of an append", "us", &many_p99, Level::NONE);
    }
    if options.wants("E3") {
        report.ratio("E3 p50 of a lone caller, against pgbench", "us", &alone, &client, Level::at_most(1.5).goal(1.15));
    }
    Ok(Some(median(&many)).filter(|rate| rate.is_finite()))
}
