//! Why a service did not become ready.

use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};

use crate::docker::containers::Detail;
use crate::docker::events::Event;

/// Why a service did not become ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Its container ended.
    Exited,
    /// Its container ended again and again.
    CrashLoop,
    /// The time was over.
    TimedOut,
    /// It answers, but does not let us in.
    LoginRefused,
    /// There is no such container any more.
    Gone,
}

/// What is known about a wait that failed.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// Why.
    pub cause: Cause,
    /// What was asked: `SQL at 127.0.0.1:55432`.
    pub waited_for: String,
    /// How long.
    pub waited: Duration,
    /// The last answers, oldest first.
    pub probes: Vec<String>,
    /// The container at that moment.
    pub detail: Detail,
}

/// The exit code that stands for a death by SIGKILL.
const SIGKILLED: i64 = 137;
/// How long the engine's news may come after the state that they explain.
const LATE_NEWS: Duration = Duration::from_millis(500);

impl Trouble {
    /// The same, when the engine's events since the wait began say what its state does not: what a container that
    /// runs again ended with before, and, under load, that memory was the reason for a death by SIGKILL.
    pub(super) async fn with_news(mut self: Box<Self>, mut events: Receiver<Event>, container: &str) -> Box<Self> {
        let ended = matches!(self.cause, Cause::Exited | Cause::CrashLoop);
        let runs_again = self.cause == Cause::CrashLoop && self.detail.running;
        let (mut code, mut oom) = ((!runs_again).then_some(self.detail.exit_code), self.detail.oom_killed);
        let deadline = Instant::now() + LATE_NEWS;
        while ended && (!events.is_empty() || code.is_none() || (code == Some(SIGKILLED) && !oom)) {
            match timeout_at(deadline, events.recv()).await {
                Ok(Ok(event)) if event.container == container => {
                    oom |= event.action == "oom";
                    code = event.exit_code.filter(|_| runs_again).or(code);
                }
                Ok(Ok(_) | Err(RecvError::Lagged(_))) => {}
                Ok(Err(RecvError::Closed)) | Err(_) => break,
            }
        }
        self.detail.exit_code = code.unwrap_or(self.detail.exit_code);
        self.detail.oom_killed |= oom && self.detail.exit_code == SIGKILLED;
        self
    }

    /// One line: state, exit code and its meaning.
    pub fn summary(&self) -> String {
        let seconds = self.waited.as_secs_f64();
        match self.cause {
            Cause::Exited => format!("exited with code {} ({})", self.detail.exit_code, self.meaning()),
            Cause::CrashLoop => {
                format!("crashes again and again: last exit code {} ({})", self.detail.exit_code, self.meaning())
            }
            Cause::LoginRefused => {
                format!("answers but refuses the login: {}", self.probes.last().map_or("", String::as_str))
            }
            Cause::TimedOut => format!("not ready after {seconds:.0} s; waited for {}", self.waited_for),
            Cause::Gone => "its container was removed by somebody else".to_owned(),
        }
    }

    /// What the exit code usually means.
    pub fn meaning(&self) -> &'static str {
        if self.detail.oom_killed {
            return "killed by the kernel: out of memory, raise its memory limit";
        }
        match self.detail.exit_code {
            0 => "ended without an error, though it should go on running",
            125 => "the engine could not run it",
            126 => "the command cannot be executed",
            127 => "the command was not found in the image",
            134 => "aborted",
            SIGKILLED => "killed by SIGKILL",
            139 => "segmentation fault",
            143 => "ended by SIGTERM",
            _ => "an error of the program; see its log",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(action: &str, exit_code: Option<i64>) -> Event {
        Event { container: "broken".to_owned(), action: action.to_owned(), exit_code }
    }

    async fn told(cause: Cause, detail: Detail, news: &[Event]) -> Detail {
        let (sender, events) = tokio::sync::broadcast::channel(8);
        for event in news {
            sender.send(event.clone()).unwrap();
        }
        let waited_for = "SQL".to_owned();
        let trouble = Trouble { cause, waited_for, waited: Duration::ZERO, probes: Vec::new(), detail };
        Box::new(trouble).with_news(events, "broken").await.detail
    }

    #[tokio::test]
    async fn a_container_that_runs_again_is_reported_with_the_code_of_its_last_death() {
        let running = Detail { running: true, ..Detail::default() };
        let news = [event("die", Some(1)), event("start", None), event("die", Some(5)), event("start", None)];
        assert_eq!(told(Cause::CrashLoop, running, &news).await.exit_code, 5);
    }

    #[tokio::test]
    async fn a_death_by_sigkill_after_a_lack_of_memory_is_the_kernels() {
        let dead = Detail { exit_code: 137, ..Detail::default() };
        let news = [event("die", Some(137)), event("oom", None)];
        assert!(told(Cause::Exited, dead.clone(), &news).await.oom_killed);
        assert!(!told(Cause::Exited, dead, &news[..1]).await.oom_killed);
    }
}
