//! What is printed before banyan gives up: a stable code, what happened, what was found, what to type next.

use std::fmt;

use crate::report::style::Style;
use compose::Problem;
use engine::docker::Error;
use engine::docker::connect::Unreachable;

/// The classes of failure; each has one exit code, and the first two digits of its error codes are that exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Anything else.
    Other = 1,
    /// Wrong options or arguments.
    Usage = 2,
    /// Wrong configuration.
    Config = 3,
    /// Docker does not answer, or is too old.
    Docker = 4,
    /// A port or a name is taken.
    Conflict = 5,
    /// An image cannot be had.
    Image = 6,
    /// A service did not start.
    Start = 7,
    /// A service is not healthy.
    Unhealthy = 8,
    /// A wait took too long.
    TimedOut = 9,
    /// Another banyan works on the project.
    Locked = 10,
    /// A backup could not be written.
    Backup = 11,
    /// Data cannot be opened by this server.
    Refused = 12,
    /// A backup is damaged, or is not what it says.
    Damaged = 13,
    /// The target of `init` or `new-service` exists, or cannot be one.
    Exists = 14,
    /// Some of it was done.
    Partial = 16,
    /// Nothing of the project runs.
    NotRunning = 15,
    /// `up --dry-run --exit-code`: something would change.
    Changes = 20,
    /// Ctrl-C.
    Interrupted = 130,
    /// SIGTERM, or a terminal that was closed.
    Terminated = 143,
}

/// A failure as the user sees it.
#[derive(Debug)]
pub struct Failure {
    /// Class.
    pub exit: Exit,
    /// Number within the class; with it, `E0501`.
    pub number: u8,
    /// One line: what could not be done, and why.
    pub message: String,
    /// What was found, one line each.
    pub details: Vec<String>,
    /// What to do about it; commands in it work as pasted.
    pub hint: Option<String>,
    /// The same for programs, when there is more than the lines say.
    pub data: serde_json::Value,
}

impl Failure {
    /// A failure without details.
    pub fn new(exit: Exit, number: u8, message: impl Into<String>) -> Self {
        let (message, data) = (message.into(), serde_json::Value::Null);
        Self { exit, number, message, details: vec![], hint: None, data }
    }

    /// The same with a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with details.
    pub fn details(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(lines.into_iter().flat_map(|l| l.lines().map(str::to_owned).collect::<Vec<_>>()));
        self
    }

    /// `E0501`
    pub fn code(&self) -> String {
        match self.exit as u8 {
            exit @ 100.. => format!("E{exit}{}", self.number),
            exit => format!("E{exit:02}{:02}", self.number),
        }
    }

    /// Every mistake in the user's files.
    pub fn problems(problems: &[Problem]) -> Self {
        let many = if problems.len() == 1 { "a mistake" } else { "mistakes" };
        Self::new(Exit::Config, 1, format!("{many} in the configuration; nothing was changed"))
            .details(problems.iter().map(ToString::to_string))
    }

    /// No engine: everything that was tried, and why it failed.
    pub fn unreachable(error: &Unreachable, setup: &str) -> Self {
        let failure = Self::new(Exit::Docker, 1, "cannot reach a Docker engine")
            .details(error.attempts.iter().map(ToString::to_string));
        match error.hint() {
            Some(hint) if !error.explicit && error.denied().is_some() => {
                failure.hint(format!("{hint}; or go on through sudo: {setup}"))
            }
            Some(hint) if error.explicit => failure.hint(hint),
            _ if error.explicit => failure.hint("correct the address (--host, DOCKER_HOST or the context), or take it away to use the engine of this machine"),
            _ => failure.hint(format!("install and start Docker: {setup}")),
        }
    }

    /// One JSON object.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "schema_version": 1,
            "error": {
                "code": self.code(), "exit_code": self.exit as u8, "message": self.message,
                "details": self.details, "hint": self.hint, "data": self.data,
            }
        })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match &error {
            Error::Transport { .. } => Self::new(Exit::Docker, 2, error.to_string())
                .hint("the engine stopped answering; look at its log, then type the same command again"),
            e if e.message().contains("no space left on device") => Self::new(Exit::Start, 3, error.to_string()).hint(
                "the engine's disk is full; `docker system df` shows what takes it, `docker system prune` frees some",
            ),
            e if e.is_conflict() => Self::new(Exit::Conflict, 3, error.to_string()),
            _ => Self::new(Exit::Other, 1, error.to_string()),
        }
    }
}

/// `error[E0501]: …`, indented details, the hint.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // names from files, logs and answers must not steer the terminal
        let plain = Style { color: false, unicode: true };
        write!(f, "error[{}]: {}", self.code(), plain.text(&self.message))?;
        for line in &self.details {
            write!(f, "\n  {}", plain.text(line))?;
        }
        let mut label = "hint:";
        for line in self.hint.iter().flat_map(|hint| hint.lines()) {
            write!(f, "\n  {label} {}", plain.text(line))?;
            label = "     ";
        }
        Ok(())
    }
}
