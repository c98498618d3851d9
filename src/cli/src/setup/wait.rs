//! Waiting for an engine that has been started.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use engine::docker::Engine;
use engine::docker::connect::{Failure, Request, Unreachable, connect};

use super::facts;
use super::plan::{DAEMON_LOG, Start};
use super::run::tail_of;

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(50);
/// An engine's process that is gone for so long is not coming back.
const GONE: Duration = Duration::from_secs(1);

/// What came of it.
#[derive(Debug)]
pub enum Awaited {
    /// It answers.
    Ready(Box<Engine>),
    /// Its socket is there, and this user may not use it: no more can be known from here.
    Denied(String),
    /// It does not answer.
    Nothing {
        /// Its process was seen, and is gone.
        ended: bool,
        /// How long we waited.
        waited: Duration,
        /// What was tried last.
        unreachable: Unreachable,
        /// The engine's log.
        log: Option<PathBuf>,
        /// What it said since the start.
        tail: Vec<String>,
    },
}

/// A log, and how long it was before the start.
#[derive(Debug, Clone)]
pub struct Log {
    file: PathBuf,
    from: u64,
}

impl Log {
    /// The log of an engine that is about to be started.
    pub fn of(start: Start) -> Option<Self> {
        let file = match start {
            Start::Systemd => return None,
            Start::Service => "/var/log/docker.log",
            Start::Daemon => DAEMON_LOG,
        };
        Some(Self { from: std::fs::metadata(file).map(|file| file.len()).unwrap_or(0), file: file.into() })
    }
}

/// Ask again and again until the engine answers, its process ends, or patience does.
pub async fn answer(request: &Request<'_>, patience: Duration, log: Option<Log>) -> Awaited {
    let began = Instant::now();
    let mut seen = false;
    let mut gone = None;
    loop {
        let unreachable = match connect(request).await {
            Ok(engine) => return Awaited::Ready(Box::new(engine)),
            Err(unreachable) => unreachable,
        };
        if let Some(denied) = facts::in_default_place(&unreachable)
            && matches!(denied.failure, Failure::PermissionDenied)
        {
            return Awaited::Denied(denied.endpoint.clone());
        }
        match runs() {
            true => (seen, gone) = (true, None),
            false if seen => gone = gone.or_else(|| Some(Instant::now())),
            false => {}
        }
        let ended = gone.is_some_and(|since| since.elapsed() >= GONE);
        if ended || began.elapsed() >= patience {
            let tail = log.as_ref().map(|log| tail_of(&log.file, log.from)).unwrap_or_default();
            return Awaited::Nothing {
                ended,
                waited: began.elapsed(),
                unreachable,
                log: log.map(|log| log.file),
                tail,
            };
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// True when a process of the engine can be seen.
fn runs() -> bool {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut names = processes.filter_map(|process| std::fs::read_to_string(process.path().join("comm")).ok());
    names.any(|name| name.trim_end() == "dockerd")
}
