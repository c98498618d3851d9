//! How fast messages are: the SDK with all that it does for a service, against the client library by itself, against a
//! client that is packed by hand, and against what others use, side by side in one run.
//!
//! ```text
//! cargo bench --bench bus -- [--only calls,telemetry,publishing,commands,fan-out,poison] [--rounds N] [--seconds S]
//!                            [--node FOLDER] [--json FILE]
//! ```
//!
//! `BANYAN_TEST_AMQP_URL`, `BANYAN_TEST_DATABASE_URL` and `BANYAN_TEST_REDIS_URL` are the servers, best some of their own
//! on this machine; `BANYAN_TEST_POSTGRES_BIN` is the folder of PostgreSQL's programs, for pgbench. `--seconds` is the time
//! of one load, and `--node` a folder that keeps the packages of the JavaScript clients from one run to the next.
//!
//! A missed level is printed and fails nothing. A run that does not count (a call failed or got another's answer, or some
//! client waited for small packets to be acknowledged) does.

mod bare;
mod calls;
mod collector;
mod commands;
#[path = "../database.rs"]
mod database;
mod fan_out;
mod load;
mod orders;
#[path = "../packages.rs"]
#[allow(dead_code, reason = "the other peers are JavaScript")]
mod packages;
#[path = "../part.rs"]
mod part;
#[path = "../pgbench.rs"]
#[allow(dead_code, reason = "rates are compared")]
mod pgbench;
mod poison;
mod publishing;
mod raw;
#[path = "../report.rs"]
mod report;
mod sdk;
mod service;
#[path = "../start.rs"]
mod start;
mod telemetry;
mod wire;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use report::Report;

/// Whatever went wrong, in words.
pub type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// What was asked for.
pub struct Options {
    only: Option<Vec<String>>,
    rounds: usize,
    /// How long one load lasts.
    time: Duration,
    node: Option<PathBuf>,
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args[..] {
        [flag, name, rest @ ..] if flag == "--part" => start::end("bus", play(name, rest).map(|()| true)),
        _ => start::start("bus", |args| Options::read(args).map_err(Into::into).and_then(|options| bench(&options))),
    }
}

impl Options {
    fn read(args: &[String]) -> Result<Self, String> {
        let mut options = Self { only: None, rounds: 3, time: Duration::from_secs(1), node: None, json: None };
        let mut args = args.iter().map(String::as_str);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            let wrong = |text: &str| format!("{arg} {text}: not a number that it can be");
            match arg {
                "--bench" => {}
                "--only" => options.only = Some(value()?.split(',').map(str::to_owned).collect()),
                "--rounds" => {
                    let text = value()?;
                    options.rounds = text.parse::<usize>().map_err(|_| wrong(text))?.max(1);
                }
                "--seconds" => {
                    let text = value()?;
                    let seconds = text.parse().map_err(|_| wrong(text))?;
                    options.time = Duration::try_from_secs_f64(seconds).map_err(|_| wrong(text))?;
                }
                "--node" => options.node = Some(value()?.into()),
                "--json" => options.json = Some(value()?.into()),
                other => return Err(format!("unknown option {other}")),
            }
        }
        Ok(options)
    }

    fn wants(&self, scenario: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|it| it == scenario))
    }
}

/// Measures and prints; true when the run counts.
fn bench(options: &Options) -> Result<bool> {
    let mut report = Report::new("bus");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    report.condition("machine", format!("{cores} cores for servers, services and clients together"));
    report.condition("loads", format!("{} rounds in turns of {:?} each; medians", options.rounds, options.time));
    if let Err(why) = scenarios(options, &mut report) {
        report.invalid(format!("it broke off: {why}"));
    }
    let counts = report.print();
    if let Some(path) = &options.json {
        std::fs::write(path, format!("{:#}\n", report.json())).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(counts)
}

fn scenarios(options: &Options, report: &mut Report) -> Result<()> {
    if options.wants("calls") {
        calls::measure(options, report)?;
    }
    if options.wants("telemetry") {
        telemetry::measure(options, report)?;
    }
    if options.wants("publishing") {
        publishing::measure(options, report)?;
    }
    if options.wants("commands") {
        commands::measure(options, report)?;
    }
    if options.wants("fan-out") {
        fan_out::measure(options, report)?;
    }
    if options.wants("poison") {
        poison::measure(report)?;
    }
    Ok(())
}

/// The address of a server.
pub fn server(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| format!("{name} names no server"))
}

/// Where things are measured that need no process of their own.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// One part of the benchmark in this process.
fn play(name: &str, args: &[String]) -> Result<()> {
    let url = server("BANYAN_TEST_AMQP_URL")?;
    let first = || args.first().map(String::as_str).ok_or("this part needs an argument");
    runtime()?.block_on(async {
        match name {
            "bare-server" => bare::server(&url, first()?, false).await,
            "acking-server" => bare::server(&url, first()?, true).await,
            "bare-client" => bare::client(&url, first()?.to_owned()).await,
            "raw-server" => raw::server(&url).await,
            "raw-client" => raw::client(&url).await,
            "sdk-server" => sdk::server(&url, args).await,
            "sdk-client" => sdk::client(&url, args).await,
            "collector" => collector::collect().await,
            "drain" => publishing::drain(&url).await,
            "sdk-publisher" => publishing::sdk_publisher(&url).await,
            "bare-publisher" => publishing::bare_publisher(&url).await,
            "command-service" => commands::service(&url, first()?).await,
            "command-sender" => commands::sender(&url).await,
            "sdk-fan-out" => fan_out::sdk(&url).await,
            "bare-fan-out" => fan_out::bare(&url, first()?.parse()?).await,
            _ => Err("no such part".into()),
        }
    })
}
