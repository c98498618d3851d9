//! Doing it: commands as root, every one of them shown, then waiting for the engine.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use engine::progress::{Journal, Kind, Phase};
use tokio::process::Command;

use super::facts::{Facts, Privilege, SYSTEM_FOLDERS};
use super::plan::{Start, Step, install};
use super::shell::Shell;
use super::wait::{self, Awaited, Log};
use super::{Handover, Outcome, SetupError};

/// How many of a command's last lines are worth showing.
const TAIL: usize = 20;
/// How long the engine may take to answer after its start.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the init script's engine may take before another way is tried: it reports success in any case.
const SCRIPT_PATIENCE: Duration = Duration::from_secs(20);

/// What the journal calls the engine.
const ENGINE: &str = "docker";

/// All steps of a plan that ends with an engine.
pub async fn run(
    steps: &[Step],
    facts: &Facts,
    request: &engine::docker::connect::Request<'_>,
    journal: &Journal,
) -> Result<Outcome, SetupError> {
    packages(steps, facts, journal).await?;
    let by = steps.iter().find_map(|step| if let Step::Start(start) = step { Some(*start) } else { None });
    let awaited = match by {
        None => wait::answer(request, PATIENCE, None).await,
        Some(Start::Service) => match start(Start::Service, facts, request, SCRIPT_PATIENCE, journal).await {
            Ok(awaited @ (Awaited::Ready(_) | Awaited::Denied(_))) => awaited,
            Ok(Awaited::Nothing { .. }) | Err(SetupError::Command { .. } | SetupError::NotRun { .. }) => {
                start(Start::Daemon, facts, request, PATIENCE, journal).await?
            }
            Err(error) => return Err(error),
        },
        Some(other) => start(other, facts, request, PATIENCE, journal).await?,
    };
    match awaited {
        Awaited::Ready(engine) => {
            let note = format!("{} {} at {}", engine.product(), engine.version(), engine.endpoint());
            journal.tell(Kind::Engine, ENGINE, Phase::Done("ready"), Some(note));
            Ok(Outcome::Ready(engine))
        }
        Awaited::Denied(endpoint) => Handover::to(&endpoint).map(Outcome::Handover),
        Awaited::Nothing { ended, waited, unreachable, log, tail } => {
            fail(ENGINE, Err(SetupError::NoAnswer { ended, waited, unreachable, log, tail }), journal)
        }
    }
}

/// Only the steps that bring packages.
pub async fn packages(steps: &[Step], facts: &Facts, journal: &Journal) -> Result<(), SetupError> {
    for step in steps {
        match step {
            Step::AskPassword => ask_password().await?,
            Step::UpdateLists => {
                let command = as_root(Shell::new(["apt-get", "update"]), facts);
                // somebody's broken extra source is no reason to stop: what is missing shows when installing
                match told(&command, "package lists", "updating", journal).await {
                    Ok(()) => journal.tell(Kind::Engine, "package lists", Phase::Done("updated"), None),
                    Err(SetupError::Command { tail, .. }) => {
                        let note = tail.last().cloned();
                        journal.tell(Kind::Engine, "package lists", Phase::Warned("not updated"), note);
                    }
                    Err(error) => return Err(error),
                }
            }
            Step::Install { packages, if_offered } => {
                let mut packages = packages.clone();
                for package in if_offered {
                    if is_offered(package).await {
                        packages.push(package);
                    }
                }
                let command = as_root(install(&packages), facts);
                let done = told(&command, "packages", "installing", journal).await;
                fail("packages", done, journal)?;
                journal.tell(Kind::Engine, "packages", Phase::Done("installed"), Some(packages.join(" ")));
            }
            Step::Start(_) | Step::Wait => {}
        }
    }
    Ok(())
}

async fn start(
    how: Start,
    facts: &Facts,
    request: &engine::docker::connect::Request<'_>,
    patience: Duration,
    journal: &Journal,
) -> Result<Awaited, SetupError> {
    let log = Log::of(how);
    let started = told(&as_root(how.command(), facts), ENGINE, "starting", journal).await;
    let started = match started {
        Err(SetupError::Command { command, code, .. }) if how == Start::Systemd => {
            // systemctl itself says only where to look
            let look = Shell::new(["journalctl", "-u", "docker", "-n", "20", "--no-pager", "-o", "cat"]);
            let tail = spoken(&as_root(look, facts)).await.map(|(_, tail)| tail).unwrap_or_default();
            Err(SetupError::Command { command, code, tail })
        }
        other => other,
    };
    if how == Start::Service {
        started?;
    } else {
        fail(ENGINE, started, journal)?;
    }
    journal.tell(Kind::Engine, ENGINE, Phase::Doing("waiting"), Some("until the engine answers".to_owned()));
    Ok(wait::answer(request, patience, log).await)
}

fn as_root(command: Shell, facts: &Facts) -> Shell {
    if facts.privilege == Privilege::Root { command } else { command.with_sudo() }
}

/// The only command that speaks with the user, so that all others can be silent.
async fn ask_password() -> Result<(), SetupError> {
    let prompt = "[sudo] password for %p, to set up Docker: ";
    let command = Shell::new(["sudo", "-v", "-p", prompt]);
    let status = Command::new("sudo").args(&command.0[1..]).status().await;
    let status = status.map_err(|source| SetupError::NotRun { command: "sudo -v".to_owned(), source })?;
    match status.success() {
        true => Ok(()),
        false => Err(SetupError::Command { command: "sudo -v".to_owned(), code: status.code(), tail: Vec::new() }),
    }
}

/// True when this release has such a package.
async fn is_offered(package: &str) -> bool {
    matches!(spoken(&Shell::new(["apt-cache", "show", "--no-all-versions", package])).await, Ok((Some(0), _)))
}

fn fail<T>(name: &str, done: Result<T, SetupError>, journal: &Journal) -> Result<T, SetupError> {
    done.inspect_err(|error| journal.tell(Kind::Engine, name, Phase::Failed("failed"), Some(error.to_string())))
}

/// Run a command and tell that it runs.
async fn told(command: &Shell, name: &str, doing: &'static str, journal: &Journal) -> Result<(), SetupError> {
    journal.tell(Kind::Engine, name, Phase::Doing(doing), Some(command.to_string()));
    match spoken(command).await? {
        (Some(0), _) => Ok(()),
        (code, tail) => Err(SetupError::Command { command: command.to_string(), code, tail }),
    }
}

/// Run a command to its end; its exit code and the last lines of what it said, complaints last.
async fn spoken(command: &Shell) -> Result<(Option<i32>, Vec<String>), SetupError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(SYSTEM_FOLDERS.map(Into::into));
    let mut child = Command::new(&command.0[0]);
    child.args(&command.0[1..]).stdin(Stdio::null());
    if let Ok(path) = std::env::join_paths(folders) {
        child.env("PATH", path);
    }
    let output = child.output().await;
    let output = output.map_err(|source| SetupError::NotRun { command: command.to_string(), source })?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), tail(&String::from_utf8_lossy(&said))))
}

/// The last lines that say something.
pub fn tail(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(TAIL)..].iter().map(|line| (*line).to_owned()).collect()
}

/// What a log says from a place in it on.
pub fn tail_of(file: &Path, from: u64) -> Vec<String> {
    let text = std::fs::read(file).unwrap_or_default();
    let from = usize::try_from(from).unwrap_or(0).min(text.len());
    tail(&String::from_utf8_lossy(&text[from..]))
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
