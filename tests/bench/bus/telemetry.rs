//! What spans cost: the same calls with a tracer and without one, in turns, with a collector that takes every span.

use std::time::Duration;

use crate::{
    Options, Report, Result, database::Server, orders::part, part::Part, report::Level, runtime, service::Equipment,
};

/// Calls under way at a time.
const BUSY: usize = 64;

/// Spans of one call: the request at its beginning, the one who waits, and the one who answers.
const SPANS: f64 = 3.0;

/// How many of them must arrive: what is dropped costs less than what is sent.
const ARRIVED: f64 = 2.97;

pub fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let server = Server::from_environment()?;
    let database = runtime()?.block_on(server.database())?;
    let mut collector = part("collector", &[])?;
    let address: String = collector.order("address")?;
    let start = |service: &str, collector| -> Result<(Part, Part)> {
        let equipment = Equipment { service: service.to_owned(), database: Some(database.url.clone()), collector };
        let arguments = equipment.arguments();
        Ok((part("sdk-server", &arguments)?, part("sdk-client", &arguments)?))
    };
    let (mut traced_server, mut traced) = start("bench-traced", Some(address))?;
    let (_server, mut untraced) = start("bench-untraced", None)?;
    let (mut on, mut off, mut arrived) = (Vec::new(), Vec::new(), Vec::new());
    let mut lost = 0;
    for client in [&mut traced, &mut untraced] {
        client.load(BUSY, options.time.min(Duration::from_millis(500)))?;
    }
    for round in 0..options.rounds {
        let mut count = |part: &mut Part| -> Result<f64> {
            lost += part.order::<u64>("flush")? + traced_server.order::<u64>("flush")?;
            Ok(collector.order::<u64>("count")? as f64)
        };
        // Who comes first in a round comes second in the next.
        for with in [round % 2 == 0, round % 2 == 1] {
            let client = if with { &mut traced } else { &mut untraced };
            if with {
                // What came before is not this load's.
                count(client)?;
            }
            let load = client.load(BUSY, options.time)?;
            report.load(if with { "traced calls" } else { "calls" }, load.calls, load.errors);
            if with {
                arrived.push(count(client)? / load.calls as f64);
                on.push(load.rate());
            } else {
                off.push(load.rate());
            }
        }
    }
    report.condition(
        "telemetry",
        format!(
            "{BUSY} calls at a time, service and caller with everything; every trace recorded, three spans of a call sent \
             over OTLP/HTTP to a collector on this machine, which keeps what it gets and counts after each load"
        ),
    );
    report.ratio("calls with telemetry, against calls without", "/s", &on, &off, Level::at_least(0.95));
    report.plain("spans that arrived, of one call", "", &arrived, Level::at_least(ARRIVED));
    report.note(format!("telemetry: the services dropped {lost} spans (those of warming up among them)"));
    if arrived.iter().any(|it| *it > SPANS + 0.1 || *it == 0.0) {
        report.invalid(format!("telemetry: {arrived:?} spans of a call arrived, of {SPANS}"));
    }
    Ok(())
}
