//! What a service costs where it runs and where it is built: memory when it has nothing to do, the time until it is
//! ready, and the time of its first build.
//!
//! ```text
//! cargo bench --bench service -- [--only idle,release,debug] [--rounds N] [--build] [--json FILE]
//! ```
//!
//! `BANYAN_TEST_DATABASE_URL`, `BANYAN_TEST_AMQP_URL` and `BANYAN_TEST_REDIS_URL` are the servers. `--build` adds the
//! builds, which take minutes; what Cargo says of each crate is kept beside the compiled code, in `bench-service`.
//!
//! A missed level is printed and fails nothing. A service that does not become ready, or does not compile, does.

mod build;
#[path = "../database.rs"]
#[allow(dead_code, reason = "services come with their own tables")]
mod database;
mod lookups;
mod process;
#[path = "../report.rs"]
#[allow(dead_code, reason = "there is nobody to compare with")]
mod report;
#[path = "../start.rs"]
mod start;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use database::Server;
use process::{Process, Program, memory};
use report::{Level, Report, median};

/// Whatever went wrong, in words.
pub type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// How long a service has nothing to do before its memory is looked at.
const IDLE: Duration = Duration::from_secs(5);

/// What was asked for.
struct Options {
    only: Option<Vec<String>>,
    rounds: usize,
    build: bool,
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    start::start("service", |args| Options::read(args).and_then(|options| bench(&options)))
}

impl Options {
    fn read(args: &[String]) -> Result<Self> {
        let mut options = Self { only: None, rounds: 5, build: false, json: None };
        let mut args = args.iter().map(String::as_str);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg {
                "--bench" => {}
                "--only" => options.only = Some(value()?.split(',').map(str::to_owned).collect()),
                "--rounds" => {
                    let text = value()?;
                    let rounds = text.parse::<usize>().map_err(|_| format!("{text} is no number"))?;
                    options.rounds = rounds.max(1);
                }
                "--build" => options.build = true,
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
fn bench(options: &Options) -> Result<bool> {
    let mut report = Report::new("service");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    report.condition("machine", format!("{cores} cores for servers and services together"));
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
    if options.wants("idle") {
        idle(options, report)?;
    }
    for profile in ["release", "debug"] {
        if !options.wants(profile) {
            continue;
        }
        if options.build {
            let seconds = build::cold(profile, report)?;
            report.plain(format!("first build of a service, {profile}"), "s", &[seconds], Level::at_most(120.0));
        } else {
            report.absent(&format!("first build of a service, {profile}"), "it needs --build");
        }
    }
    Ok(())
}

/// Memory and time to be ready: of the example, and of the platform's own services.
fn idle(options: &Options, report: &mut Report) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let server = Server::from_environment()?;
    let database = runtime.block_on(server.database())?;
    let orders = Program::example("orders")?;
    let name = format!("orders-{:08x}", banyan_sdk::ids::random() as u32);
    let start = || orders.start(&name, &database.url, &[]);
    // It makes its tables and queues, which the others find.
    let first = start()?;
    report.note(format!("orders: with no tables and queues yet, ready after {:.0} ms", first.ready));
    first.stop()?;
    let (mut ready, mut resident, mut anonymous) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let process = start()?;
        ready.push(process.ready);
        let memory = idling(&process)?;
        resident.push(memory.resident);
        anonymous.push(memory.anonymous);
        process.stop()?;
    }
    report.condition(
        "idle",
        format!(
            "{} rounds; release build; the example `orders` with PostgreSQL, RabbitMQ and Redis, which run; from starting \
             the process to the first 200 of /health, asked every millisecond; VmRSS after {IDLE:?} without work, \
             megabytes of 10^6",
            options.rounds
        ),
    );
    report.plain("memory of an idle service", "MB", &resident, Level::at_most(15.0));
    report.plain("of that, not of its file", "MB", &anonymous, Level::NONE);
    report.plain("from start to ready", "ms", &ready, Level::at_most(150.0));
    platform(options, &database.url, report)?;
    lookups::lookups(&runtime, &database.url, report)
}

/// The platform's own services. Those without a level have no handlers yet.
fn platform(options: &Options, database: &str, report: &mut Report) -> Result<()> {
    let banyan = Program::banyan();
    let auth = banyan.start("auth-service", database, &["auth"])?;
    let discovery = banyan.start("service-discovery", database, &["discovery"])?;
    let others = [("AUTH_SERVICE_URL", auth.address()), ("SERVICE_DISCOVERY_URL", discovery.address())];
    let banyan = banyan.with(&others);
    for service in ["auth", "discovery", "gateway"] {
        let (mut ready, mut resident) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds.min(3) {
            let process = banyan.start(&format!("bench-{service}"), database, &[service])?;
            ready.push(process.ready);
            resident.push(idling(&process)?.resident);
            process.stop()?;
        }
        let level = |most| if service == "discovery" { Level::at_most(most) } else { Level::NONE };
        report.plain(format!("banyan serve {service}: memory when idle"), "MB", &resident, level(25.0));
        report.plain(format!("banyan serve {service}: from start to ready"), "ms", &ready, level(300.0));
        report.note(format!("{service}: {:.1} MB, ready after {:.0} ms", median(&resident), median(&ready)));
    }
    auth.stop()?;
    discovery.stop()
}

fn idling(process: &Process) -> Result<memory::Memory> {
    std::thread::sleep(IDLE);
    memory::of(process.id())
}
