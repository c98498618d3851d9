//! What auth costs others: a token that is checked, and a storm of log-ins beside other calls.
//!
//! ```text
//! cargo bench -p auth --bench auth -- [--rounds N] [--seconds S] [--json FILE]
//! ```
//!
//! `BANYAN_TEST_DATABASE_URL` and `BANYAN_TEST_AMQP_URL` are the servers. The service runs in this process, with two
//! threads of its own; whoever calls it has two others. `--seconds` is how long others call, quiet and in the storm.
//!
//! A missed level is printed and fails nothing. A call that fails does.

#[path = "../database.rs"]
#[allow(dead_code, reason = "auth comes with its own tables")]
mod database;
#[path = "../report.rs"]
#[allow(dead_code, reason = "there is nobody to compare with")]
mod report;
#[path = "../start.rs"]
mod start;
mod storm;
mod tokens;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use report::Report;

/// Whatever went wrong, in words.
pub type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// What was asked for.
pub struct Options {
    rounds: usize,
    time: Duration,
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    start::start("auth", |args| Options::read(args).and_then(|options| bench(&options)))
}

impl Options {
    fn read(args: &[String]) -> Result<Self> {
        let mut options = Self { rounds: 3, time: Duration::from_secs(8), json: None };
        let mut args = args.iter().map(String::as_str);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg {
                "--bench" => {}
                "--rounds" => options.rounds = value()?.parse::<usize>()?.max(1),
                "--seconds" => options.time = Duration::from_secs(value()?.parse()?),
                "--json" => options.json = Some(value()?.into()),
                other => return Err(format!("unknown option {other}").into()),
            }
        }
        Ok(options)
    }
}

/// Measures and prints; true when the run counts.
fn bench(options: &Options) -> Result<bool> {
    let mut report = Report::new("auth");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    report.condition("machine", format!("{cores} cores for servers, service and callers together"));
    tokens::tokens(options, &mut report)?;
    storm::storm(options, &mut report)?;
    let counts = report.print();
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_string_pretty(&report.json())?)?;
    }
    Ok(counts)
}
