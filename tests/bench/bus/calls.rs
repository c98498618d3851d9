//! Calls and their answers: the SDK beside the client library by itself and beside what others use, in turns.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    Options,
    part::Part,
    report::{Goal, Report},
};

/// Calls under way at a time.
const LEVELS: [usize; 4] = [1, 8, 64, 256];
/// Where throughput is compared.
const BUSY: usize = 64;

/// Subjects in Rust, which come first.
const OURS: usize = 3;

/// Who answers and who calls.
struct Subject {
    name: &'static str,
    _server: Part,
    client: Part,
}

/// Rates and median times of one subject at one level, round by round.
#[derive(Default)]
struct Rounds {
    rates: Vec<f64>,
    p50: Vec<f64>,
}

pub fn measure(options: &Options, report: &mut Report) -> Result<(), String> {
    let mut subjects = vec![
        Subject { name: "sdk", _server: Part::ours("sdk-server", &[])?, client: Part::ours("sdk-client", &[])? },
        Subject {
            name: "lapin",
            _server: Part::ours("bare-server", &["bench-bare"])?,
            client: Part::ours("bare-client", &["bench-bare"])?,
        },
        Subject {
            name: "lapin, acks",
            _server: Part::ours("acking-server", &["bench-acking"])?,
            client: Part::ours("bare-client", &["bench-acking"])?,
        },
    ];
    match others(options) {
        Ok(others) => subjects.extend(others),
        Err(why) => report.note(format!("amqplib, NestJS and Moleculer are not measured: {why}")),
    }
    let mut results: BTreeMap<(&str, usize), Rounds> = BTreeMap::new();
    for level in LEVELS {
        // Goals against others are for the busy level; Moleculer as it comes would take minutes at the others.
        let measured = if level == BUSY { subjects.len() } else { OURS };
        let subjects = &mut subjects[..measured];
        for subject in subjects.iter_mut() {
            subject.client.load(level, options.time.min(Duration::from_millis(500)))?;
        }
        for _ in 0..options.rounds {
            for subject in subjects.iter_mut() {
                let load = subject.client.load(level, options.time)?;
                if load.errors > 0 || load.calls == 0 {
                    report.invalid(format!("{}: {} of {} calls failed", subject.name, load.errors, load.calls));
                }
                let rounds = results.entry((subject.name, level)).or_default();
                rounds.rates.push(load.rate());
                rounds.p50.push(load.p50);
            }
        }
    }
    let none = Rounds::default();
    let of = |name, level| results.get(&(name, level)).unwrap_or(&none);
    for level in LEVELS {
        let goal = if level == BUSY { Goal::AtLeast(0.9) } else { Goal::None };
        let what = format!("calls, {level} at a time, against lapin");
        report.ratio(what, "/s", &of("sdk", level).rates, &of("lapin", level).rates, goal);
    }
    for (name, goal) in [
        ("lapin, acks", Goal::None),
        ("amqplib", Goal::AtLeast(0.85)),
        ("nestjs", Goal::AtLeast(1.4)),
        ("moleculer, tuned", Goal::AtLeast(1.1)),
        ("moleculer, default", Goal::None),
    ] {
        let what = format!("calls, {BUSY} at a time, against {name}");
        report.ratio(what, "/s", &of("sdk", BUSY).rates, &of(name, BUSY).rates, goal);
    }
    let what = "time of one call at a time, against lapin";
    report.ratio(what, "us", &of("sdk", 1).p50, &of("lapin", 1).p50, Goal::AtMost(1.2));
    for ((name, level), rounds) in &results {
        report.keep(format!("{name}, {level} at a time, calls per second"), &rounds.rates);
        report.keep(format!("{name}, {level} at a time, median time in microseconds"), &rounds.p50);
    }
    Ok(())
}

/// The same in JavaScript, when there is Node.js to run it and a way to fetch the packages.
fn others(options: &Options) -> Result<Vec<Subject>, String> {
    let folder = match &options.node {
        Some(folder) => folder.clone(),
        None => std::env::temp_dir().join("banyan-bench-bus"),
    };
    prepare(&folder)?;
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
        Ok(Subject { name, _server, client })
    })
    .collect()
}

/// Puts the programs into `folder`, and fetches their packages when they are not there.
fn prepare(folder: &PathBuf) -> Result<(), String> {
    let trouble = |e: std::io::Error| format!("{}: {e}", folder.display());
    std::fs::create_dir_all(folder).map_err(trouble)?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bench/bus/node");
    for file in ["package.json", "load.js", "amqplib.js", "nestjs.js", "moleculer.js"] {
        std::fs::copy(source.join(file), folder.join(file)).map_err(trouble)?;
    }
    if folder.join("node_modules/moleculer").is_dir() {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.current_dir(folder).args(["install", "--silent", "--no-audit", "--no-fund"]).stdout(Stdio::null());
    match npm.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("npm install ended with {status}")),
        Err(e) => Err(format!("npm: {e}")),
    }
}
