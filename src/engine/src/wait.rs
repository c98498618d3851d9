//! Waiting until a service is ready: by its own protocol, by its check, or by a short watch.

mod crashes;
mod method;
mod trouble;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use compose::project::{Healthcheck, Restart, Service};
use tokio::sync::broadcast::Receiver;
use tokio::sync::watch;

use crate::docker::containers::Detail;
use crate::docker::events::Event;
use crate::docker::{Engine, Error};
use crate::probe::{NoAnswer, Probe};
use crashes::{CRASHES, Crashes};
use method::{Method, check_command, method};

pub use method::{Answered, ask, probe};
pub use trouble::{Cause, Trouble};

/// Between two questions in a service's own protocol.
const PROBE_PAUSE: Duration = Duration::from_millis(15);
/// The longest that one question may take.
const PROBE_LIMIT: Duration = Duration::from_secs(2);
/// Between two looks at the container's state: events come first, this is for those that are lost.
const LOOK_PAUSE: Duration = Duration::from_millis(500);
/// Back-off of a check by exec.
const CHECK_PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(1));
/// How long a service without any check must run in one go …
const WATCH: Duration = Duration::from_secs(2);
/// … and how often that is looked at.
const WATCH_PAUSE: Duration = Duration::from_millis(200);
/// How long a refused login may be a matter of booting: users and databases are made before the first real start ends.
const LOGIN_GRACE: Duration = Duration::from_secs(5);
/// Between two questions when the last login was refused: a server writes each one into its log.
const REFUSED_PAUSE: Duration = Duration::from_millis(500);
/// How long a container that the engine is meant to restart may lie dead: as long as an engine's own restart takes.
const REVIVAL: Duration = Duration::from_secs(5);
/// How long after the end of a wait an engine that does not answer is given.
const ENGINE_GRACE: Duration = Duration::from_secs(2);
/// Probe results that a failure report shows.
const KEPT_PROBES: usize = 3;

/// How it was found that a service is ready.
#[derive(Debug, Clone)]
pub struct Readiness {
    /// `SQL answered in 0.6 ms` …
    pub how: String,
    /// What the server says of itself.
    pub version: Option<String>,
}

/// One wait for one service.
pub struct Wait<'a> {
    engine: &'a Engine,
    name: &'a str,
    events: Receiver<Event>,
    deadline: Instant,
    began: Instant,
    crashes: Crashes,
    probes: VecDeque<String>,
    waited_for: String,
    asks_at_once: bool,
    /// Ended with 0 counts as ready.
    may_end: bool,
    runs_already: bool,
    /// Since when the container has been neither running nor about to be restarted.
    dead_since: Option<Instant>,
}

impl<'a> Wait<'a> {
    /// A wait for container `name` that ends after `limit`.
    pub fn new(engine: &'a Engine, name: &'a str, events: Receiver<Event>, limit: Duration) -> Self {
        let began = Instant::now();
        let waited_for = "its container".to_owned();
        let (deadline, probes) = (began + limit, VecDeque::new());
        Self {
            engine,
            name,
            events,
            deadline,
            began,
            crashes: Crashes::new(began),
            probes,
            waited_for,
            asks_at_once: false,
            may_end: false,
            runs_already: false,
            dead_since: None,
        }
    }

    /// Asks nothing before this turns true, and only looks whether the container lives: a service cannot be ready
    /// before what it depends on, and questions cost the CPU that the others need to boot.
    pub fn held_by(mut self, released: watch::Receiver<bool>) -> Self {
        self.crashes.held_by(released);
        self
    }

    /// Asks all the same, unless the service seems to have suffered: where nothing boots, questions slow nothing down.
    pub fn asks_at_once(mut self, asks_at_once: bool) -> Self {
        self.asks_at_once = asks_at_once;
        self
    }

    /// Until the service answers, or it is certain that it will not.
    pub async fn until_ready(self, service: Option<&Service>) -> Result<Readiness, Box<Trouble>> {
        let (seen, name) = (self.events.resubscribe(), self.name);
        match self.ready(service).await {
            Err(trouble) => Err(trouble.with_news(seen, name).await),
            ready => ready,
        }
    }

    async fn ready(mut self, service: Option<&Service>) -> Result<Readiness, Box<Trouble>> {
        self.may_end = may_end(service);
        let detail = match self.until_running().await? {
            Ok(detail) => detail,
            Err(done) => return Ok(done),
        };
        let method = method(self.engine, service, &detail);
        self.waited_for = match &method {
            Method::Protocol(probe) => probe.describe(),
            Method::Check(check) => format!("its health check ({})", check.test.join(" ")),
            Method::Watch => format!("{} s without a restart", WATCH.as_secs()),
        };
        if !self.asks_at_once || detail.restarts > 0 {
            self.until_released().await?;
        }
        match method {
            Method::Protocol(probe) => self.by_protocol(probe, service).await,
            Method::Check(check) => self.by_check(&check).await,
            Method::Watch => self.by_watch().await,
        }
    }

    /// Until its process runs: between two runs a container has no address that could be asked.
    async fn until_running(&mut self) -> Result<Result<Detail, Readiness>, Box<Trouble>> {
        loop {
            let detail = self.look().await?;
            if let Some(done) = self.finished_well(&detail) {
                return Ok(Err(done));
            }
            self.judge_death(&detail)?;
            if is_alive(&detail) {
                return Ok(Ok(detail));
            }
            self.pause(CHECK_PAUSE.0).await?;
        }
    }

    /// The container was there before this run: what it has proved so far counts.
    pub fn runs_already(mut self, runs_already: bool) -> Self {
        self.runs_already = runs_already;
        self
    }

    async fn until_released(&mut self) -> Result<(), Box<Trouble>> {
        let Some(mut held) = self.crashes.held() else { return Ok(()) };
        loop {
            tokio::select! {
                released = held.wait_for(|released| *released) => {
                    drop(released);
                    self.crashes.release();
                    return Ok(());
                }
                paused = self.pause(LOOK_PAUSE) => paused?,
            };
            self.check_alive().await?;
        }
    }

    /// Until the container ended with 0.
    pub async fn until_completed(self) -> Result<Readiness, Box<Trouble>> {
        let (seen, name) = (self.events.resubscribe(), self.name);
        match self.completed().await {
            Err(trouble) => Err(trouble.with_news(seen, name).await),
            completed => completed,
        }
    }

    async fn completed(mut self) -> Result<Readiness, Box<Trouble>> {
        self.waited_for = "its end with exit code 0".to_owned();
        loop {
            let detail = self.look().await?;
            if !detail.running && !detail.restarting && detail.state == "exited" {
                if detail.exit_code == 0 {
                    return Ok(Readiness { how: "ended with 0".to_owned(), version: None });
                }
                return Err(self.trouble(Cause::Exited, detail));
            }
            self.pause(LOOK_PAUSE).await?;
        }
    }

    async fn by_protocol(mut self, mut probe: Probe, service: Option<&Service>) -> Result<Readiness, Box<Trouble>> {
        let mut looked = Instant::now();
        let mut refused_since: Option<Instant> = None;
        loop {
            let limit = PROBE_LIMIT.min(self.deadline.saturating_duration_since(Instant::now())).max(PROBE_PAUSE);
            let asked = tokio::select! {
                asked = probe.ask(limit) => asked,
                died = died(&mut self.events, self.name) => Err(NoAnswer::NotYet(died)),
            };
            let mut pause = PROBE_PAUSE;
            match asked {
                Ok(answer) => {
                    return Ok(Readiness { how: probe.answered(&answer), version: answer.version });
                }
                Err(NoAnswer::NotYet(message)) => {
                    refused_since = None;
                    self.remember(message);
                }
                Err(NoAnswer::LoginRefused(message)) => {
                    self.remember(message);
                    pause = REFUSED_PAUSE;
                    if refused_since.get_or_insert_with(Instant::now).elapsed() > LOGIN_GRACE {
                        let detail = self.look().await?;
                        return Err(self.trouble(Cause::LoginRefused, detail));
                    }
                }
            }
            if self.pause(pause).await? || looked.elapsed() > LOOK_PAUSE {
                looked = Instant::now();
                let detail = self.check_alive().await?;
                // a container that was started again may have another address
                probe = service.and_then(|s| method::probe(self.engine, s, &detail)).unwrap_or(probe);
            }
        }
    }

    async fn by_check(mut self, check: &Healthcheck) -> Result<Readiness, Box<Trouble>> {
        let command = check_command(check);
        let limit = check.timeout.unwrap_or(Duration::from_secs(30));
        let mut pause = check.start_interval.unwrap_or(CHECK_PAUSE.0);
        loop {
            let checked = tokio::time::timeout_at(self.last_moment(), self.engine.exec(self.name, &command, limit));
            match checked.await.unwrap_or(Ok(None)) {
                Ok(Some(ended)) if ended.code == 0 => {
                    return Ok(Readiness { how: "health check passed".to_owned(), version: None });
                }
                Ok(Some(ended)) => self.remember(format!("exit code {}: {}", ended.code, ended.output)),
                Ok(None) => self.remember(format!("the check took longer than {} s", limit.as_secs())),
                Err(error) => self.remember(error.message()),
            }
            self.pause(pause).await?;
            let detail = self.look().await?;
            if let Some(done) = self.finished_well(&detail) {
                return Ok(done);
            }
            self.judge_death(&detail)?;
            if detail.health.as_deref() == Some("healthy") {
                return Ok(Readiness { how: "healthy (engine)".to_owned(), version: None });
            }
            if check.start_interval.is_none() {
                pause = (pause * 2).min(CHECK_PAUSE.1);
            }
        }
    }

    /// A service that nobody can ask is watched until it has run for a while in one go.
    async fn by_watch(mut self) -> Result<Readiness, Box<Trouble>> {
        let mut run = self.look().await?;
        if self.runs_already && run.restarts == 0 && is_alive(&run) {
            return Ok(Readiness { how: "runs (it has no check)".to_owned(), version: None });
        }
        let mut crashes = i64::from(!is_alive(&run));
        let mut since = Instant::now();
        while since.elapsed() < WATCH {
            self.pause(WATCH_PAUSE).await?;
            let now = self.look().await?;
            if let Some(done) = self.finished_well(&now) {
                return Ok(done);
            }
            self.judge_death(&now)?;
            if !is_alive(&now) || now.started_at != run.started_at {
                crashes += i64::from(now.started_at != run.started_at);
                if crashes >= CRASHES {
                    return Err(self.trouble(Cause::CrashLoop, now));
                }
                (run, since) = (now, Instant::now());
            }
        }
        Ok(Readiness { how: format!("ran for {} s (it has no check)", WATCH.as_secs()), version: None })
    }

    /// Pauses, or less when the container dies (then true); an error when the time is over.
    async fn pause(&mut self, pause: Duration) -> Result<bool, Box<Trouble>> {
        let woken = tokio::select! {
            () = tokio::time::sleep(pause) => false,
            message = died(&mut self.events, self.name) => {
                self.remember(message);
                true
            }
        };
        if Instant::now() < self.deadline {
            return Ok(woken);
        }
        let detail = tokio::time::timeout_at(self.last_moment(), self.engine.inspect(self.name)).await;
        Err(self.trouble(Cause::TimedOut, detail.ok().and_then(Result::ok).unwrap_or_default()))
    }

    /// When even an engine that says nothing is no longer waited for.
    fn last_moment(&self) -> tokio::time::Instant {
        (self.deadline.max(Instant::now()) + ENGINE_GRACE).into()
    }

    /// The container's state; an error when it is dead for good.
    async fn check_alive(&mut self) -> Result<Detail, Box<Trouble>> {
        let detail = self.look().await?;
        self.judge_death(&detail)?;
        Ok(detail)
    }

    /// A container that ended comes back only if the engine restarts it, at once and not too often.
    fn judge_death(&mut self, detail: &Detail) -> Result<(), Box<Trouble>> {
        let alive = is_alive(detail);
        let cannot_run = matches!(detail.exit_code, 125..=127);
        if !alive && (!detail.restart_always || cannot_run) {
            return Err(self.trouble(Cause::Exited, detail.clone()));
        }
        if self.crashes.are_a_loop(detail) {
            return Err(self.trouble(Cause::CrashLoop, detail.clone()));
        }
        if alive || detail.restarting {
            self.dead_since = None;
        } else if self.dead_since.get_or_insert_with(Instant::now).elapsed() > REVIVAL {
            return Err(self.trouble(Cause::Exited, detail.clone()));
        }
        Ok(())
    }

    /// A container that is not restarted and ended with 0 has done its work, unless it was meant to serve.
    fn finished_well(&self, detail: &Detail) -> Option<Readiness> {
        let finished = detail.state == "exited" && detail.exit_code == 0 && self.may_end;
        finished.then(|| Readiness { how: "ended with 0".to_owned(), version: None })
    }

    /// One inspection. An engine that does not answer now may answer later, until the time is over.
    async fn look(&mut self) -> Result<Detail, Box<Trouble>> {
        loop {
            let Ok(looked) = tokio::time::timeout_at(self.last_moment(), self.engine.inspect(self.name)).await else {
                self.remember("the engine does not answer".to_owned());
                return Err(self.trouble(Cause::TimedOut, Detail::default()));
            };
            match looked {
                Ok(detail) => return Ok(detail),
                Err(Error::Refused { status: 404, .. }) => return Err(self.trouble(Cause::Gone, Detail::default())),
                Err(error) if Instant::now() >= self.deadline => {
                    self.remember(error.to_string());
                    return Err(self.trouble(Cause::TimedOut, Detail::default()));
                }
                Err(error) => self.remember(error.to_string()),
            }
            tokio::time::sleep(CHECK_PAUSE.0).await;
        }
    }

    fn remember(&mut self, message: String) {
        if self.probes.back() == Some(&message) {
            return;
        }
        if self.probes.len() == KEPT_PROBES {
            self.probes.pop_front();
        }
        self.probes.push_back(message);
    }

    fn trouble(&self, cause: Cause, detail: Detail) -> Box<Trouble> {
        let probes =
            if self.probes.is_empty() { detail.health_log.clone() } else { self.probes.iter().cloned().collect() };
        Box::new(Trouble { cause, waited_for: self.waited_for.clone(), waited: self.began.elapsed(), probes, detail })
    }
}

/// True for a service that may be a job: nothing asks it anything, and the engine does not restart it when it ends.
fn may_end(service: Option<&Service>) -> bool {
    service.is_none_or(|s| {
        s.extension.ready.is_none()
            && s.healthcheck.is_none()
            && matches!(s.restart, Restart::No | Restart::OnFailure(_))
    })
}

/// The engine calls a container running also while it waits to start it again.
fn is_alive(detail: &Detail) -> bool {
    detail.running && !detail.restarting
}

/// Returns when the container died.
async fn died(events: &mut Receiver<Event>, name: &str) -> String {
    use tokio::sync::broadcast::error::RecvError;
    loop {
        match events.recv().await {
            Ok(event) if event.container == name && matches!(event.action.as_str(), "die" | "oom") => {
                return format!("the container's main process ended ({})", event.action);
            }
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return "missed some of the engine's events".to_owned(),
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
