//! How fast messages are: the SDK with all that it does for a service, against the client library by itself and against
//! what others use, side by side in one run.
//!
//! ```text
//! cargo bench --bench bus -- [--only calls|publishing] [--rounds N] [--seconds S] [--node FOLDER] [--json FILE]
//! ```
//!
//! `BANYAN_TEST_AMQP_URL` is the broker, best one of its own on this machine. `--seconds` is the time of one load, and
//! `--node` a folder that keeps the packages of the JavaScript clients from one run to the next.
//!
//! A missed goal is printed and fails nothing. A run that does not count (a call failed or got another's answer) does.

mod bare;
mod calls;
mod load;
mod part;
mod publishing;
mod report;
mod sdk;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use report::Report;

/// What was asked for.
pub struct Options {
    only: Option<String>,
    rounds: usize,
    /// How long one load lasts.
    time: Duration,
    node: Option<PathBuf>,
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match &args[..] {
        [flag, name, rest @ ..] if flag == "--part" => play(name, rest).map(|()| true).map_err(|e| e.to_string()),
        args if !args.iter().any(|it| it == "--bench") => {
            println!("nothing is measured without `cargo bench`");
            Ok(true)
        }
        args => Options::read(args).and_then(|options| bench(&options)),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("bench bus: {why}");
            ExitCode::FAILURE
        }
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
                "--only" => options.only = Some(value()?.to_owned()),
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
        self.only.as_deref().is_none_or(|only| only == scenario)
    }
}

/// Measures and prints; true when the run counts.
fn bench(options: &Options) -> Result<bool, String> {
    let mut report = Report::default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    report.condition("machine", format!("{cores} cores for broker, servers and clients together"));
    report.condition("loads", format!("{} rounds in turns of {:?} each; medians", options.rounds, options.time));
    report.condition(
        "calls",
        "transient, direct reply-to, matched by id, servers with prefetch 200, TCP_NODELAY; lapin, amqplib and NestJS \
         take requests without acknowledgement; the SDK acknowledges after the work, and adds envelope, trace, contract \
         check, deadline, circuit breaker and metrics; bodies: lapin and amqplib 128 bytes, the others a text of 100",
    );
    report.condition(
        "publishing",
        "persistent, 256 bytes, quorum queue on one node, mandatory, confirmed, one consumer that empties the queue; the \
         SDK has so many tasks that wait, lapin one task with so many promises",
    );
    if options.wants("calls") {
        calls::measure(options, &mut report)?;
    }
    if options.wants("publishing") {
        publishing::measure(options, &mut report)?;
    }
    let counts = report.print();
    if let Some(path) = &options.json {
        std::fs::write(path, format!("{:#}\n", report.json())).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(counts)
}

/// One part of the benchmark in this process.
fn play(name: &str, args: &[String]) -> Result<(), bare::Error> {
    let url = std::env::var("BANYAN_TEST_AMQP_URL").map_err(|_| "BANYAN_TEST_AMQP_URL names no broker")?;
    let queue = || args.first().ok_or("this part needs a queue");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match name {
            "bare-server" => bare::server(&url, queue()?, false).await,
            "acking-server" => bare::server(&url, queue()?, true).await,
            "bare-client" => bare::client(&url, queue()?.clone()).await,
            "sdk-server" => sdk::server(&url).await,
            "sdk-client" => sdk::client(&url).await,
            "drain" => publishing::drain(&url).await,
            "sdk-publisher" => publishing::sdk_publisher(&url).await,
            "bare-publisher" => publishing::bare_publisher(&url).await,
            _ => Err("no such part".into()),
        }
    })
}
