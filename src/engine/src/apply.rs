//! Carries a plan out: what is ready goes first, the longest chain before the rest. Decides nothing.

mod news;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use compose::labels;
use compose::plan::{Action, Because, Plan};
use compose::project::Project;
use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::docker::containers::NewContainer;
use crate::docker::events::Events;
use crate::docker::{Engine, Error};
use crate::progress::{Journal, Phase};
use crate::wait::{Cause, Readiness, Trouble, Wait};

/// How long the engine may take to give a container's last lines.
const LOG_LIMIT: Duration = Duration::from_secs(3);

/// Bounds of one run.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long one wait may take.
    pub wait: Duration,
    /// Containers that are created or started at the same time. The engine does that on the CPU, so more than its cores
    /// can do gains nothing and delays the service that takes longest to boot.
    pub set_ups: usize,
}

/// What came of a plan.
#[derive(Debug, Default)]
pub struct Applied {
    /// What failed, in the order in which it did.
    pub failures: Vec<StepFailure>,
    /// Services that were not started or waited for, and the one that stood in their way.
    pub blocked: BTreeMap<String, String>,
    /// Containers that did not stop within their grace period.
    pub killed: Vec<String>,
    /// Networks, volumes and containers that were removed: what, and its name.
    pub removed: Vec<(&'static str, String)>,
    /// Networks that stay because of containers of somebody else.
    pub kept: Vec<(String, Vec<String>)>,
    /// What each service said when it was ready.
    pub ready: BTreeMap<String, Readiness>,
    /// Why containers were made or started, by service.
    pub changes: BTreeMap<String, Because>,
    /// Services for which there was nothing to do and nothing to wait for: jobs that have ended.
    pub untouched: Vec<String>,
    /// When each step began and how long it took.
    pub timings: Vec<Timing>,
    /// True when the user asked to stop.
    pub interrupted: bool,
}

/// One step that failed.
#[derive(Debug)]
pub struct StepFailure {
    /// The step.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// The container's last lines, when it has one.
    pub log: Vec<String>,
}

/// Why a step failed.
#[derive(Debug)]
pub enum Reason {
    /// The engine refused.
    Request(Error),
    /// The service did not become ready.
    Wait(Box<Trouble>),
}

/// How long a step took.
#[derive(Debug, Clone)]
pub struct Timing {
    /// The step in words.
    pub what: String,
    /// From the beginning of the run.
    pub began: Duration,
    /// From its own beginning.
    pub took: Duration,
}

impl Applied {
    /// True when a failure may come from requests of another run that the engine was still busy with: a banyan that
    /// was killed leaves them under way, so what was observed was no longer true. Another look tells.
    pub fn was_overtaken(&self, plan: &Plan) -> bool {
        self.failures.iter().any(|failure| match &failure.reason {
            Reason::Request(error) => error.is_conflict() || error.is_not_found(),
            Reason::Wait(trouble) => {
                let unchanged = plan.steps.iter().any(|s| s.action == failure.action && s.after.is_empty());
                unchanged && matches!(trouble.cause, Cause::Exited | Cause::Gone)
            }
        })
    }
}

/// What a step gave.
enum Done {
    Nothing,
    Ready(Readiness),
    Killed,
    Kept(Vec<String>),
}

/// Carries the plan out. `project` may be left out for a plan that creates nothing.
pub async fn apply(
    engine: &Engine,
    project: &Project,
    plan: &Plan,
    journal: &Journal,
    limits: &Limits,
    cancel: &CancellationToken,
) -> Applied {
    let events = engine.events(&project.name);
    let gates = Gates::new(plan);
    let run = Run { engine, project, plan, journal, limits, events: &events, gates: &gates };
    let mut applied = Applied { untouched: plan.untouched.clone(), ..Applied::default() };
    let mut state = vec![Status::Pending; plan.steps.len()];
    let mut news = events.subscribe();
    let mut running = FuturesUnordered::new();
    let mut aborts: BTreeMap<usize, AbortHandle> = BTreeMap::new();

    loop {
        if !cancel.is_cancelled() {
            while let Some(i) = next(plan, &state, limits.set_ups) {
                state[i] = Status::Running;
                let (handle, registration) = AbortHandle::new_pair();
                aborts.insert(i, handle);
                let step = run.step(i);
                running.push(async move { (i, Abortable::new(step, registration).await) });
            }
        }
        if running.is_empty() {
            break;
        }
        let finished = tokio::select! {
            finished = running.next() => finished,
            Ok(event) = news.recv() => {
                if event.action == "die" {
                    note_death(plan, &mut state, &event.container);
                }
                continue;
            }
            () = cancel.cancelled(), if !applied.interrupted => {
                applied.interrupted = true;
                // requests under way finish; waiting is pointless now
                aborts.iter().filter(|(i, _)| plan.steps[**i].action.is_wait()).for_each(|(_, abort)| abort.abort());
                continue;
            }
        };
        let Some((i, outcome)) = finished else { break };
        aborts.remove(&i);
        let Ok((timing, result)) = outcome else {
            state[i] = Status::Failed;
            continue;
        };
        applied.timings.push(timing);
        match result {
            Ok(done) => {
                state[i] = Status::Done;
                gates.open(plan, &state);
                run.record(i, done, &mut applied);
            }
            Err(reason) => {
                state[i] = Status::Failed;
                run.fail(i, reason, &mut state, &aborts, &mut applied).await;
            }
        }
    }
    applied.interrupted |= cancel.is_cancelled() && state.iter().any(|s| *s != Status::Done);
    applied
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Pending,
    Running,
    /// A stop whose container is dead already, while the engine still tidies up after it.
    Dead,
    Done,
    Failed,
}

/// Keeps that a container which is being stopped has died: whatever it depended on may be stopped now.
fn note_death(plan: &Plan, state: &mut [Status], container: &str) {
    for (status, step) in state.iter_mut().zip(&plan.steps) {
        let stops = matches!(&step.action, Action::StopContainer { name, .. } if name == container);
        if stops && *status == Status::Running {
            *status = Status::Dead;
        }
    }
}

/// The heaviest step that may begin now; set-ups are limited, since the engine does them on the CPU.
fn next(plan: &Plan, state: &[Status], set_ups: usize) -> Option<usize> {
    let sets_up =
        |i: usize| matches!(plan.steps[i].action, Action::CreateContainer { .. } | Action::StartContainer { .. });
    let is_stop = |i: usize| matches!(plan.steps[i].action, Action::StopContainer { .. });
    let busy = (0..state.len()).filter(|&i| state[i] == Status::Running && sets_up(i)).count();
    let passed =
        |i: usize, before: usize| state[before] == Status::Done || (state[before] == Status::Dead && is_stop(i));
    (0..state.len())
        .filter(|&i| state[i] == Status::Pending)
        .filter(|&i| !sets_up(i) || busy < set_ups)
        .filter(|&i| plan.steps[i].after.iter().all(|&before| passed(i, before)))
        .max_by_key(|&i| (plan.steps[i].weight, std::cmp::Reverse(i)))
}

/// For each step, whether all that it would fail with is done.
struct Gates(Vec<watch::Sender<bool>>);

impl Gates {
    fn new(plan: &Plan) -> Self {
        Self(plan.steps.iter().map(|step| watch::Sender::new(step.doomed_by.is_empty())).collect())
    }

    fn open(&self, plan: &Plan, state: &[Status]) {
        for (gate, step) in self.0.iter().zip(&plan.steps) {
            let open = step.doomed_by.iter().all(|&before| state[before] == Status::Done);
            gate.send_if_modified(|was| open && !std::mem::replace(was, open));
        }
    }
}

struct Run<'a> {
    engine: &'a Engine,
    project: &'a Project,
    plan: &'a Plan,
    journal: &'a Journal,
    limits: &'a Limits,
    events: &'a Events,
    gates: &'a Gates,
}

impl Run<'_> {
    async fn step(&self, i: usize) -> (Timing, Result<Done, Reason>) {
        let step = &self.plan.steps[i];
        let (began, clock) = (self.journal.elapsed(), Instant::now());
        self.announce(step);
        let result = self.perform(i).await;
        (Timing { what: step.action.to_string(), began, took: clock.elapsed() }, result)
    }

    async fn perform(&self, i: usize) -> Result<Done, Reason> {
        let engine = self.engine;
        let action = &self.plan.steps[i].action;
        let request = match action {
            Action::CreateNetwork { key, .. } => match self.project.networks.get(key) {
                Some(network) => engine.create_network(network, labels::of_network(self.project, key, network)).await,
                None => Ok(()),
            },
            Action::CreateVolume { key, labels: extra, .. } => match self.project.volumes.get(key) {
                Some(volume) => engine.create_volume(volume, labels::of_volume(self.project, key, volume, extra)).await,
                None => Ok(()),
            },
            Action::CreateContainer { service, name, image, inherit } => {
                let service = &self.project.services[service.as_str()];
                let labels = labels::of_container(self.project, service, image);
                let new =
                    NewContainer { name, image: &image.reference, project: self.project, service, labels, inherit };
                engine.create_container(new).await
            }
            Action::CopyConfigs { service, name } => {
                engine.copy_files(name, &self.project.services[service.as_str()].configs).await
            }
            Action::RenameContainer { from, to, .. } => engine.rename_container(from, to).await,
            Action::StartContainer { name, .. } => engine.start_container(name).await,
            Action::UnpauseContainer { name, .. } => engine.unpause_container(name).await,
            Action::WaitReady { service, name } => {
                let service = self.project.services.get(service);
                let wait = Wait::new(engine, name, self.events.subscribe(), self.limits.wait);
                let unchanged = self.plan.steps[i].because == Because::Unchanged;
                let wait = wait.runs_already(unchanged);
                // where nothing was started, nothing boots that questions could slow down
                let calm =
                    self.plan.steps[i].doomed_by.iter().all(|&d| self.plan.steps[d].because == Because::Unchanged);
                let wait = wait.held_by(self.gates.0[i].subscribe()).asks_at_once(calm && unchanged);
                return wait.until_ready(service).await.map(Done::Ready).map_err(Reason::Wait);
            }
            Action::WaitCompleted { name, .. } => {
                let wait = Wait::new(engine, name, self.events.subscribe(), self.limits.wait);
                return wait.until_completed().await.map(Done::Ready).map_err(Reason::Wait);
            }
            Action::StopContainer { name, .. } => match engine.stop_container(name).await {
                Ok(true) => return Ok(Done::Killed),
                other => other.map(|_| ()),
            },
            Action::RemoveContainer { name, .. } => engine.remove_container(name).await,
            Action::RemoveNetwork { name } => match engine.remove_network(name).await {
                Ok(Some(users)) => return Ok(Done::Kept(users)),
                other => other.map(|_| ()),
            },
            Action::RemoveVolume { name } => engine.remove_volume(name).await,
        };
        request.map(|()| Done::Nothing).map_err(Reason::Request)
    }

    /// Keeps a failure, undoes a container that could not start, and calls off whatever hangs on it.
    async fn fail(
        &self,
        i: usize,
        reason: Reason,
        state: &mut [Status],
        aborts: &BTreeMap<usize, AbortHandle>,
        applied: &mut Applied,
    ) {
        let action = self.plan.steps[i].action.clone();
        let note = match &reason {
            Reason::Request(error) => error.message(),
            Reason::Wait(trouble) => trouble.summary(),
        };
        self.tell(&action, Phase::Failed("failed"), Some(note));
        let mut log = Vec::new();
        if let (Action::WaitReady { name, .. } | Action::WaitCompleted { name, .. }, _) = (&action, &reason) {
            let lines = tokio::time::timeout(LOG_LIMIT, self.engine.last_lines(name, 20));
            log = lines.await.unwrap_or_default();
        }
        if let Action::StartContainer { service, name } = &action {
            let created_now = self
                .plan
                .steps
                .iter()
                .any(|s| matches!(&s.action, Action::CreateContainer { service: s, .. } if s == service));
            if created_now {
                let _ = self.engine.remove_container(name).await;
            }
        }
        let culprit = action.service().unwrap_or_default().to_owned();
        self.block(i, &culprit, state, aborts, applied);
        applied.failures.push(StepFailure { action, reason, log });
    }

    fn block(
        &self,
        i: usize,
        culprit: &str,
        state: &mut [Status],
        aborts: &BTreeMap<usize, AbortHandle>,
        applied: &mut Applied,
    ) {
        let mut fallen = BTreeSet::from([i]);
        for (j, step) in self.plan.steps.iter().enumerate() {
            let hit = step.after.iter().chain(&step.doomed_by).any(|before| fallen.contains(before));
            if !hit || matches!(state[j], Status::Done | Status::Failed) {
                continue;
            }
            fallen.insert(j);
            if let Some(abort) = aborts.get(&j).filter(|_| step.action.is_wait()) {
                abort.abort();
            }
            if state[j] == Status::Pending {
                state[j] = Status::Failed;
            }
            let service = step.action.service().unwrap_or_default();
            if service != culprit && !service.is_empty() && !applied.blocked.contains_key(service) {
                applied.blocked.insert(service.to_owned(), culprit.to_owned());
                self.tell(&step.action, Phase::Failed("blocked"), Some(format!("by {culprit}")));
            }
        }
    }
}
