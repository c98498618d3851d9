//! What became of one service.

use engine::apply::{Applied, Reason};

use crate::report::style::Tone;

/// What became of a service in this run.
#[derive(Debug, PartialEq, Eq)]
pub enum State {
    /// It answered.
    Ready,
    /// It was started, and not waited for.
    Started,
    /// It ran before, and was not asked.
    Running,
    /// A job that has ended well.
    Ended,
    /// It could not be started, or did not become ready.
    Failed(String),
    /// Another one stood in its way.
    Blocked(String),
}

impl State {
    /// As a run left it.
    pub fn of(applied: &Applied, service: &str) -> Self {
        if let Some(failed) = applied.failures.iter().find(|f| f.action.service() == Some(service)) {
            return State::Failed(match &failed.reason {
                Reason::Request(error) => error.message(),
                Reason::Wait(trouble) => trouble.summary(),
            });
        }
        if let Some(by) = applied.blocked.get(service) {
            return State::Blocked(by.clone());
        }
        match () {
            () if applied.ready.contains_key(service) => State::Ready,
            () if applied.changes.contains_key(service) => State::Started,
            () if applied.untouched.iter().any(|s| s == service) => State::Ended,
            () => State::Running,
        }
    }

    /// For programs.
    pub fn word(&self) -> &'static str {
        match self {
            State::Ready => "ready",
            State::Started => "started",
            State::Running => "running",
            State::Ended => "ended",
            State::Failed(_) => "failed",
            State::Blocked(_) => "blocked",
        }
    }

    /// For people, in a table.
    pub fn told(&self) -> String {
        match self {
            State::Blocked(by) => format!("blocked by {by}"),
            other => other.word().to_owned(),
        }
    }

    /// What went wrong.
    pub fn error(&self) -> Option<String> {
        match self {
            State::Failed(why) => Some(why.clone()),
            State::Blocked(by) => Some(format!("blocked by {by}")),
            _ => None,
        }
    }

    /// How it is shown.
    pub fn tone(&self) -> Tone {
        match self {
            State::Ready => Tone::Ok,
            State::Failed(_) | State::Blocked(_) => Tone::Fail,
            _ => Tone::Plain,
        }
    }
}
