//! How fast the platform comes up: against what the containers need by themselves, and against Docker Compose on the
//! same files, images and engine, side by side in one run.
//!
//! ```text
//! cargo bench --bench up -- [--only core|chain] [--rounds N] [--quick-rounds N] [--idle-wait SECONDS]
//!                           [--long] [--json FILE]
//! ```
//!
//! `BANYAN_COMPOSE` names the Compose executable to compare with (2.26 or newer), if it is not Docker's plugin.
//! `BANYAN_TEST_LONG=1` is `--long`: full counts, and Compose with the checks as documented.
//!
//! A missed goal is printed and fails nothing. A run that does not count (something was not ready when the tool
//! returned, or had to be killed) does: exit code 1.

mod chain;
mod clients;
mod core;
mod machine;
mod report;
mod stage;
#[path = "../start.rs"]
mod start;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use report::Report;
use stage::{Cleaner, Stage, run};

/// What was asked for.
pub struct Options {
    only: Option<String>,
    /// Rounds of the core stack; each takes about a minute.
    rounds: usize,
    /// Rounds of what takes seconds.
    quick_rounds: usize,
    /// How long to wait for an idle machine before each measurement.
    idle_wait: Duration,
    long: bool,
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    start::start("up", |args| Options::read(args).and_then(|options| bench(&options)))
}

impl Options {
    fn read(args: &[String]) -> Result<Self, String> {
        let long = std::env::var("BANYAN_TEST_LONG").is_ok_and(|v| v == "1") || args.iter().any(|a| a == "--long");
        let idle_wait = Duration::from_secs(30);
        let rounds = if long { 7 } else { 3 };
        let mut options = Self { only: None, rounds, quick_rounds: 7, idle_wait, long, json: None };
        let mut args = args.iter().map(String::as_str);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            let number = |text: &str| text.parse::<usize>().map_err(|_| format!("{text} is no number"));
            match arg {
                "--bench" | "--long" => {}
                "--only" => options.only = Some(value()?.to_owned()),
                "--rounds" => options.rounds = number(value()?)?.max(1),
                "--quick-rounds" => options.quick_rounds = number(value()?)?.max(1),
                "--idle-wait" => options.idle_wait = Duration::from_secs(number(value()?)? as u64),
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

/// Measures and prints; true when every run counts.
fn bench(options: &Options) -> Result<bool, String> {
    let stage = Arc::new(Stage::new()?);
    let cleaner = Cleaner(stage.clone());
    clean_when_interrupted(stage.clone());
    let mut report = Report::default();
    let engine = stage.ask(&[
        "version",
        "--format",
        "{{.Server.Version}} (API {{.Server.APIVersion}}, {{.Server.Os}}/{{.Server.Arch}})",
    ])?;
    report.condition("engine", engine);
    let compose = run(stage.compose(&["version", "--short"]))?;
    let has_compose = compose.code == 0;
    let compose = if has_compose {
        compose.stdout.trim().to_owned()
    } else {
        "none, so nothing is compared with it (BANYAN_COMPOSE names one)".to_owned()
    };
    report.condition("compose", compose);
    report.condition("banyan", run(stage.banyan(&["--version"]))?.stdout.trim());
    report.condition(
        "machine",
        format!("{} cores, {}, kernel {}", machine::cores(), machine::processor(), machine::kernel()),
    );
    report.condition(
        "rounds",
        format!("{} of the core stack, {} of five services", options.rounds, options.quick_rounds),
    );
    report.condition(
        "rules",
        "same engine, images, files and machine; interleaved; medians (least to most); containers, network and volumes \
         removed between rounds; page cache warm; both tools start the same six services (--no-deps); `alone` is one \
         container after another, a platform service when its dependencies run already, until its /health answers 200",
    );
    if options.wants("core") {
        core::measure(&stage, options, has_compose, &mut report)?;
    }
    if options.wants("chain") {
        chain::measure(&stage, options, has_compose, &mut report)?;
    }
    drop(cleaner);
    let counts = report.print();
    if let Some(path) = &options.json {
        std::fs::write(path, format!("{:#}\n", report.json())).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(counts)
}

/// Ctrl-C and SIGTERM remove what was made, too.
fn clean_when_interrupted(stage: Arc<Stage>) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            // what is under way ends by the same signal
            std::thread::sleep(Duration::from_secs(1));
            stage.clean();
            std::process::exit(130);
        });
    });
}
