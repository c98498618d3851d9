//! How fast the event store is: beside what PostgreSQL gives the same callers one commit at a time, beside its own COPY,
//! beside reading alone, and beside other event stores on the same server.
//!
//! ```text
//! cargo bench --bench store -- [--only E1,E3] [--rounds N] [--seconds S] [--events N] [--peers FOLDER]
//!                              [--json FILE]
//! ```
//!
//! `BANYAN_TEST_DATABASE_URL` is the server, best one of its own on this machine; both sides reach it the way that the URL
//! says, over TCP or a Unix socket (`postgresql:///postgres?host=FOLDER&port=PORT&user=postgres`). The server reads one
//! file in this machine's folder for temporary files. `BANYAN_TEST_POSTGRES_BIN` is the folder of its programs, for
//! pgbench. `--seconds` is the time of one load, `--events` how many are imported and projected (a million and 200,000 with
//! `BANYAN_TEST_LONG=1`, 200,000 otherwise), `--peers` a folder that keeps other stores' packages from one run to the next.
//!
//! A missed level is printed and fails nothing. A run that does not count (an append failed, an event is missing) does.

mod aggregate;
mod append;
mod catch_up;
#[path = "../database.rs"]
mod database;
mod import;
mod lag;
mod load;
#[path = "../packages.rs"]
mod packages;
#[path = "../part.rs"]
mod part;
mod peers;
#[path = "../pgbench.rs"]
mod pgbench;
#[path = "../report.rs"]
mod report;
#[path = "../start.rs"]
mod start;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use database::Server;
use report::Report;

/// Whatever went wrong, in words.
pub type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// What was asked for.
pub struct Options {
    only: Option<Vec<String>>,
    rounds: usize,
    /// How long one load lasts.
    time: Duration,
    /// How many events are imported.
    imported: usize,
    /// How many events are projected.
    projected: usize,
    peers: Option<PathBuf>,
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    start::start("store", |args| {
        let options = Options::read(args)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(bench(&options))
    })
}

impl Options {
    fn read(args: &[String]) -> Result<Self> {
        let long = std::env::var("BANYAN_TEST_LONG").is_ok_and(|it| it == "1");
        let imported = if long { 1_000_000 } else { 200_000 };
        let time = Duration::from_secs(2);
        let mut options = Self { only: None, rounds: 3, time, imported, projected: 200_000, peers: None, json: None };
        let mut args = args.iter().map(String::as_str);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            let wrong = |text: &str| format!("{arg} {text}: not a number that it can be");
            match arg {
                "--bench" => {}
                "--only" => options.only = Some(value()?.split(',').map(str::to_uppercase).collect()),
                "--rounds" => {
                    let text = value()?;
                    options.rounds = text.parse::<usize>().map_err(|_| wrong(text))?.max(1);
                }
                "--events" => {
                    let text = value()?;
                    options.imported = text.parse::<usize>().map_err(|_| wrong(text))?.max(1_000);
                    options.projected = options.imported;
                }
                "--seconds" => {
                    let text = value()?;
                    let seconds = text.parse().map_err(|_| wrong(text))?;
                    options.time = Duration::try_from_secs_f64(seconds).map_err(|_| wrong(text))?;
                }
                "--peers" => options.peers = Some(value()?.into()),
                "--json" => options.json = Some(value()?.into()),
                other => return Err(format!("unknown option {other}").into()),
            }
        }
        Ok(options)
    }

    fn wants(&self, scenario: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|it| it == scenario))
    }
}

/// Measures and prints; true when the run counts.
async fn bench(options: &Options) -> Result<bool> {
    let server = Server::from_environment()?;
    let mut report = Report::new("store");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    report.condition("machine", format!("{cores} cores for server, store and callers together"));
    report.condition("loads", format!("{} rounds in turns of {:?} each; medians", options.rounds, options.time));
    for (name, value) in server.conditions().await? {
        report.condition(name, value);
    }
    report.condition("event", format!("{} bytes of JSON, metadata none", pgbench::DATA.len()));
    if let Err(why) = scenarios(options, &server, &mut report).await {
        report.invalid(format!("it broke off: {why}"));
    }
    let counts = report.print();
    if let Some(path) = &options.json {
        std::fs::write(path, format!("{:#}\n", report.json())).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(counts)
}

async fn scenarios(options: &Options, server: &Server, report: &mut Report) -> Result<()> {
    let mut full = None;
    if options.wants("E1") || options.wants("E3") {
        full = append::measure(options, server, report).await?;
    }
    if options.wants("E2") {
        peers::measure(options, server, report).await?;
    }
    if options.wants("E4") {
        import::measure(options, server, report).await?;
    }
    if options.wants("E5") {
        catch_up::measure(options, server, report).await?;
    }
    if options.wants("E6") {
        aggregate::measure(options, server, report).await?;
    }
    if options.wants("E8") {
        lag::measure(options, server, full, report).await?;
    }
    Ok(())
}
