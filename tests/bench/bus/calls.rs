//! Calls and their answers: the SDK beside the client library by itself, beside a client that is packed by hand, and
//! beside what others use, in turns.

use std::{collections::BTreeMap, process::Command, time::Duration};

use crate::{
    Options, Report, Result,
    database::Server,
    orders::part,
    packages,
    part::{Load, Part},
    report::{Level, median},
    runtime,
    service::Equipment,
};

/// Calls under way at a time.
const LEVELS: [usize; 4] = [1, 8, 64, 256];
/// Where throughput is compared.
const BUSY: usize = 64;

/// Microseconds. Who has a small packet wait for the last one to be acknowledged takes 40,000 for a call, and whoever is
/// compared with that wins.
const PROMPT: f64 = 2_000.0;

/// Time to get going.
const WARM: Duration = Duration::from_millis(500);

/// Who answers and who calls.
struct Subject {
    name: &'static str,
    _server: Part,
    client: Part,
    /// Whether it is measured with every number of calls; the others with the busy one only, since Moleculer as it comes
    /// would take minutes.
    always: bool,
}

/// Rates and median times of one subject at one level, round by round.
#[derive(Default)]
struct Rounds {
    rates: Vec<f64>,
    p50: Vec<f64>,
}

pub fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let server = Server::from_environment()?;
    // Goes last: it is there as long as the services.
    let database = runtime()?.block_on(server.database())?;
    let mut subjects = ours(&database.url)?;
    match others(options) {
        Ok(others) => subjects.extend(others),
        Err(why) => report.absent("amqplib, NestJS and Moleculer", why),
    }
    let mut results: BTreeMap<(&str, usize), Rounds> = BTreeMap::new();
    for level in LEVELS {
        let mut measured: Vec<&mut Subject> = subjects.iter_mut().filter(|it| it.always || level == BUSY).collect();
        for subject in &mut measured {
            subject.client.load(level, options.time.min(WARM))?;
        }
        for _ in 0..options.rounds {
            for subject in &mut measured {
                let load = subject.client.load(level, options.time)?;
                report.load(subject.name, load.calls, load.errors);
                let rounds = results.entry((subject.name, level)).or_default();
                rounds.rates.push(load.rate());
                rounds.p50.push(load.p50);
            }
        }
    }
    for subject in &mut subjects {
        prompt(subject, report)?;
    }
    show(&results, report);
    conditions(report);
    Ok(())
}

/// A client that holds small packets back makes figures that say nothing. Only Moleculer may, as it comes: that is shown,
/// and has no level.
fn prompt(subject: &mut Subject, report: &mut Report) -> Result<()> {
    let Load { p50, .. } = subject.client.load(1, WARM)?;
    let late = p50 > PROMPT;
    match subject.name {
        "moleculer, default" => report.note(format!("{}: one call at a time takes {p50:.0} us", subject.name)),
        name if late => report.invalid(format!("{name}: one call at a time takes {p50:.0} us; TCP_NODELAY is missing")),
        _ => {}
    }
    Ok(())
}

fn show(results: &BTreeMap<(&str, usize), Rounds>, report: &mut Report) {
    let none = Rounds::default();
    let of = |name, level| results.get(&(name, level)).unwrap_or(&none);
    for level in LEVELS {
        let scored = if level == BUSY { Level::at_least(0.9) } else { Level::NONE };
        let what = format!("calls, {level} at a time, against lapin");
        report.ratio(what, "/s", &of("sdk", level).rates, &of("lapin", level).rates, scored);
    }
    for (name, level) in [
        ("lapin, acks", Level::NONE),
        ("amqplib", Level::at_least(0.85)),
        ("nestjs", Level::at_least(1.4)),
        ("moleculer, tuned", Level::at_least(1.1)),
        ("moleculer, default", Level::NONE),
        ("sdk, plain", Level::NONE),
    ] {
        let what = format!("calls, {BUSY} at a time, against {name}");
        report.ratio(what, "/s", &of("sdk", BUSY).rates, &of(name, BUSY).rates, level);
    }
    let what = format!("plain calls, {BUSY} at a time, against lapin");
    report.ratio(what, "/s", &of("sdk, plain", BUSY).rates, &of("lapin", BUSY).rates, Level::NONE);
    let what = "time of one call at a time, against lapin";
    report.ratio(what, "us", &of("sdk", 1).p50, &of("lapin", 1).p50, Level::at_most(1.2));
    let what = format!("M1 calls, {BUSY} at a time, against packing by hand");
    report.ratio(what, "/s", &of("sdk", BUSY).rates, &of("raw", BUSY).rates, Level::NONE);
    let what = "M3 time of one call at a time, against packing by hand";
    report.ratio(what, "us", &of("sdk", 1).p50, &of("raw", 1).p50, Level::NONE);
    let share = median(&of("lapin", BUSY).rates) / median(&of("raw", BUSY).rates);
    report.note(format!("lapin by itself reaches {share:.2} of packing by hand with {BUSY} calls at a time"));
    for ((name, level), rounds) in results {
        report.keep(format!("{name}, {level} at a time, calls per second"), &rounds.rates);
        report.keep(format!("{name}, {level} at a time, median time in microseconds"), &rounds.p50);
    }
}

fn conditions(report: &mut Report) {
    report.condition(
        "calls",
        "transient, direct reply-to, matched by id, servers with prefetch 200, TCP_NODELAY (but Moleculer by default); \
         bodies: lapin, amqplib and packed by hand 128 bytes, the others a text of 100",
    );
    report.condition(
        "sdk",
        "acknowledges after the work; envelope, trace, contract check, deadline, circuit breaker, metrics, a permission \
         and the caller who holds it; an event store and a cache are there, which a query that is not kept does not use; \
         telemetry off (see `telemetry`)",
    );
    report.condition("sdk, plain", "the same with a public query and no caller, and without store and cache");
    report.condition(
        "others",
        "lapin, amqplib and NestJS take requests without acknowledgement, as does packing by hand, which writes whatever \
         is ready at once",
    );
}

/// Those in Rust.
fn ours(database: &str) -> Result<Vec<Subject>> {
    let sdk = |name, service: &str, database: Option<&str>| {
        let equipment =
            Equipment { service: service.to_owned(), database: database.map(str::to_owned), collector: None };
        let arguments = equipment.arguments();
        let (_server, client) = (part("sdk-server", &arguments)?, part("sdk-client", &arguments)?);
        Ok::<_, String>(Subject { name, _server, client, always: true })
    };
    let pair = |name, server: &str, client: &str, arguments: &[&str]| {
        let (_server, client) = (part(server, arguments)?, part(client, arguments)?);
        Ok::<_, String>(Subject { name, _server, client, always: true })
    };
    Ok(vec![
        sdk("sdk", "bench-full", Some(database))?,
        sdk("sdk, plain", "bench-plain", None)?,
        pair("lapin", "bare-server", "bare-client", &["bench-bare"])?,
        pair("lapin, acks", "acking-server", "bare-client", &["bench-acking"])?,
        pair("raw", "raw-server", "raw-client", &[])?,
    ])
}

/// The same in JavaScript, when there is Node.js to run it and a way to fetch the packages.
fn others(options: &Options) -> Result<Vec<Subject>, String> {
    let folder = options.node.clone().unwrap_or_else(|| std::env::temp_dir().join("banyan-bench-bus"));
    let files =
        ["bus/node/package.json", "bus/node/amqplib.js", "bus/node/nestjs.js", "bus/node/moleculer.js", "load.js"];
    let folder = packages::npm(folder, &files)?;
    let part = |name: &str, arguments: &[&str]| {
        let mut command = Command::new("node");
        command.current_dir(&folder).args(arguments);
        Part::start(name, command)
    };
    [
        ("amqplib", "amqplib.js", ""),
        ("nestjs", "nestjs.js", ""),
        ("moleculer, tuned", "moleculer.js", "tuned"),
        ("moleculer, default", "moleculer.js", "default"),
    ]
    .into_iter()
    .map(|(name, program, tuning)| {
        let _server = part(name, &[program, "server", tuning])?;
        let client = part(name, &[program, "client", tuning])?;
        Ok(Subject { name, _server, client, always: false })
    })
    .collect()
}
