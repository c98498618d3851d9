//! Why a service did not become ready.

use std::time::Duration;

use tokio::sync::broadcast::Receiver;

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

/// How long after a death by SIGKILL the engine may still find out that memory was the reason.
const LATE_NEWS: Duration = Duration::from_millis(500);

impl Trouble {
    /// The same, when the engine's events say what its state does not: under load, it hears of a lack of memory after
    /// the death that follows from it, and then forgets to write it down.
    pub(super) async fn with_late_news(mut self: Box<Self>, mut events: Receiver<Event>, container: &str) -> Box<Self> {
        let killed = matches!(self.cause, Cause::Exited | Cause::CrashLoop) && self.detail.exit_code == 137;
        if killed && !self.detail.oom_killed {
            let news = async {
                while let Ok(event) = events.recv().await {
                    if event.container == container && event.action == "oom" {
                        return true;
                    }
                }
                false
            };
            self.detail.oom_killed = tokio::time::timeout(LATE_NEWS, news).await.unwrap_or(false);
        }
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
            137 => "killed by SIGKILL",
            139 => "segmentation fault",
            143 => "ended by SIGTERM",
            _ => "an error of the program; see its log",
        }
    }
}
