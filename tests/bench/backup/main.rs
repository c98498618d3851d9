//! How fast backups and restores are: against `tar` with zstd and gzip, and against PostgreSQL's own tools, on the same
//! data, side by side in one run.
//!
//! ```text
//! cargo bench --bench backup -- [--only database,stack,queues,seed] [--rounds N] [--mebibytes N] [--json FILE]
//! ```
//!
//! It needs an engine of this machine with the images of the core stack, and root, who reads the volumes for `tar`. Half
//! of the data is random bytes, half is JSON. A missed level is printed and fails nothing; a run that does not end well
//! does.

#[path = "../report.rs"]
#[allow(dead_code, reason = "there is no load with errors")]
mod report;
mod stack;
#[path = "../start.rs"]
mod start;

use std::path::PathBuf;
use std::process::ExitCode;

use report::{Level, Report, median};
use stack::{Stack, Timed};

/// Whatever went wrong, in words.
pub type Result<T> = std::result::Result<T, String>;

/// Messages that are queued while the window is measured.
const QUEUED: usize = 1_000;
/// Messages of 1 KB that go out and come back.
const MANY: usize = 100_000;
const MEBIBYTE: f64 = 1_048_576.0;

/// What was asked for.
struct Options {
    only: Option<Vec<String>>,
    rounds: usize,
    mebibytes: usize,
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    start::start("backup", |args| Options::read(args).and_then(|options| bench(&options)))
}

impl Options {
    fn read(args: &[String]) -> Result<Self> {
        let mut options = Self { only: None, rounds: 3, mebibytes: 1_024, json: None };
        let mut args = args.iter().map(String::as_str);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            let number = |text: &str| text.parse::<usize>().map_err(|_| format!("{text} is no number"));
            match arg {
                "--bench" => {}
                "--only" => options.only = Some(value()?.split(',').map(str::to_owned).collect()),
                "--rounds" => options.rounds = number(value()?)?.max(1),
                "--mebibytes" => options.mebibytes = number(value()?)?.max(8),
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
    let mut report = Report::new("bench backup");
    report.condition("data", format!("{} MiB in PostgreSQL, half random bytes, half JSON", options.mebibytes));
    report.condition("rounds", format!("{}, in turns, medians", options.rounds));
    report.condition("files", "written to the same disk and flushed to it; page cache warm; not encrypted");
    let mut peak = Vec::new();
    if options.wants("database") {
        database(options, &mut report, &mut peak)?;
    }
    if options.wants("stack") {
        stack(options, &mut report, &mut peak)?;
    }
    if options.wants("queues") {
        queues(options, &mut report, &mut peak)?;
    }
    if options.wants("seed") {
        seed(options, &mut report)?;
    }
    let most = peak.into_iter().fold(f64::NAN, f64::max) / MEBIBYTE;
    report.plain("peak memory of all these", "MiB", &[most], Level::at_most(64.0));
    let counts = report.print();
    if let Some(path) = &options.json {
        std::fs::write(path, format!("{:#}\n", report.json())).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(counts)
}

/// The database alone, against the tools that come with it.
fn database(options: &Options, report: &mut Report, peak: &mut Vec<f64>) -> Result<()> {
    let stack = Stack::up("database", &["postgres"])?;
    stack.fill_database(options.mebibytes)?;
    let (mut out, mut dump, mut back, mut restore) = (vec![], vec![], vec![], vec![]);
    let (mut out_files, mut back_files) = (vec![], vec![]);
    let name = stack.container("postgres");
    for _ in 0..options.rounds {
        out.push(stack.backup("logical.banyan", &[], peak)?.seconds);
        let line = format!("docker exec {name} pg_dump -Fc -U actor_user eventstore > x.dump && sync x.dump");
        dump.push(stack.shell(&line)?);
        out_files.push(stack.backup("physical.banyan", &["--physical"], peak)?.seconds);

        back.push(stack.restore("logical.banyan", peak)?);
        stack.shell(&format!("docker cp x.dump {name}:/tmp/ && docker exec {name} createdb -U actor_user other"))?;
        restore.push(stack.shell(&format!("docker exec {name} pg_restore -j2 -U actor_user -d other /tmp/x.dump"))?);
        stack.shell(&format!("docker exec {name} dropdb -U actor_user other && docker exec {name} rm /tmp/x.dump"))?;
        back_files.push(stack.restore("physical.banyan", peak)?);
    }
    report.ratio("backup / pg_dump -Fc", "s", &out, &dump, Level::at_most(0.8).goal(0.5));
    report.ratio("restore / pg_restore -j2", "s", &back, &restore, Level::at_most(1.0).goal(0.5));
    report.ratio("backup --physical / pg_dump -Fc", "s", &out_files, &dump, Level::NONE);
    report.ratio("restore of that / pg_restore -j2", "s", &back_files, &restore, Level::at_most(0.5).goal(0.35));
    report
        .note("a restore includes the check of every byte, the proof by a server of its own, the swap and the restart");
    Ok(())
}

/// All stores, against what scripts do with their volumes while everything is stopped.
fn stack(options: &Options, report: &mut Report, peak: &mut Vec<f64>) -> Result<()> {
    let stack = Stack::up("stack", &["postgres", "rabbitmq", "redis", "auth-service"])?;
    stack.fill_database(options.mebibytes)?;
    stack.fill_queue(QUEUED)?;
    let (mut files, mut dumps, mut zstd, mut gzip, mut windows) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..options.rounds {
        let Timed { seconds, window } = stack.backup("files.banyan", &["--physical"], peak)?;
        files.push(seconds);
        windows.push(window);
        let Timed { seconds, window } = stack.backup("dumps.banyan", &[], peak)?;
        dumps.push(seconds);
        windows.push(window);
        let stores = ["postgres", "rabbitmq", "redis"];
        stack.each("stop", &stores)?;
        let volumes = stack.volumes()?;
        let tar = format!("tar -C {} -cf - {}", volumes.folder, volumes.names.join(" "));
        zstd.push(stack.shell(&format!("{tar} | zstd -q -1 -T2 -f -o x.tar.zst && sync x.tar.zst"))?);
        gzip.push(stack.shell(&format!("{tar} | gzip > x.tar.gz && sync x.tar.gz"))?);
        stack.each("start", &stores)?;
        stack.ready()?;
    }
    report.ratio("B1 backup --physical / tar | zstd -1 -T2", "s", &files, &zstd, Level::at_most(2.0).goal(1.1));
    report.ratio("B2 backup --physical / tar | gzip", "s", &files, &gzip, Level::at_most(0.35).goal(0.15));
    report.ratio("backup / tar | gzip", "s", &dumps, &gzip, Level::NONE);
    let what = format!("B5 window with {QUEUED} queued messages");
    report.plain(what, "ms", &windows, Level::at_most(1_000.0));
    Ok(())
}

/// Many messages, out and back.
fn queues(options: &Options, report: &mut Report, peak: &mut Vec<f64>) -> Result<()> {
    let stack = Stack::up("queues", &["rabbitmq"])?;
    stack.fill_queue(MANY)?;
    let (mut out, mut back, mut windows) = (vec![], vec![], vec![]);
    for _ in 0..options.rounds {
        let Timed { seconds, window } = stack.backup("queues.banyan", &[], peak)?;
        out.push(seconds);
        windows.push(window);
        back.push(stack.restore("queues.banyan", peak)?);
    }
    report.plain("100,000 messages of 1 KB, out", "s", &out, Level::at_most(20.0));
    report.plain("and back", "s", &back, Level::at_most(20.0));
    report.plain("their window", "ms", &windows, Level::NONE);
    Ok(())
}

/// Back to a known state, as somebody does between two tries.
fn seed(options: &Options, report: &mut Report) -> Result<()> {
    let core = ["postgres", "rabbitmq", "redis", "auth-service", "service-discovery", "api-gateway"];
    let stack = Stack::up("seed", &core)?;
    stack.fill_database(8)?;
    stack.backup("seed.banyan", &["--physical"], &mut Vec::new())?;
    let mut took = Vec::new();
    for _ in 0..options.rounds.max(3) {
        stack.answer("DELETE FROM events WHERE position % 2 = 0")?;
        stack.shell(&format!("docker exec {} redis-cli set t:later x", stack.container("redis")))?;
        took.push(stack.banyan(&["reset", "--to", "seed.banyan", "--yes", "--no-snapshot"], &mut Vec::new())?.0);
    }
    report.plain("B6 reset to a seed state", "s", &took, Level::at_most(5.0).goal(1.0));
    report.keep("B6, least", &[took.iter().copied().fold(f64::INFINITY, f64::min), median(&took)]);
    Ok(())
}
