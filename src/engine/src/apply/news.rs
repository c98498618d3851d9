//! What is told and kept while a plan is carried out.

use compose::plan::{Action, Because, Step};

use super::{Applied, Done, Run};
use crate::progress::{Kind, Phase};

impl Run<'_> {
    /// Tells that a step begins.
    pub(super) fn announce(&self, step: &Step) {
        let word = match &step.action {
            Action::CreateNetwork { .. } | Action::CreateVolume { .. } | Action::CreateContainer { .. } => "creating",
            Action::CopyConfigs { .. } | Action::RenameContainer { .. } => "configuring",
            Action::StartContainer { .. } | Action::UnpauseContainer { .. } => "starting",
            Action::WaitReady { .. } | Action::WaitCompleted { .. } => "waiting",
            Action::StopContainer { .. } => "stopping",
            Action::RemoveContainer { .. } | Action::RemoveNetwork { .. } | Action::RemoveVolume { .. } => "removing",
        };
        let note = if step.action.is_wait() {
            let services: Vec<&str> =
                step.doomed_by.iter().filter_map(|&before| self.plan.steps[before].action.service()).collect();
            (!services.is_empty() && step.because != Because::Unchanged).then(|| format!("for {}", services.join(", ")))
        } else {
            // that something was not there is worth no words
            Some(&step.because).filter(|because| **because != Because::New).map(ToString::to_string)
        };
        self.tell(&step.action, Phase::Doing(word), note);
    }

    /// Tells and keeps what a step gave.
    pub(super) fn record(&self, i: usize, done: Done, applied: &mut Applied) {
        let action = &self.plan.steps[i].action;
        let is_last = !self.plan.steps.iter().skip(i + 1).any(|s| s.action.service() == action.service());
        let end = |word| if is_last { Phase::Done(word) } else { Phase::Reached(word) };
        match (action, &done) {
            (_, Done::Kept(_)) => {}
            (Action::RemoveContainer { name, .. }, _) => applied.removed.push(("container", name.clone())),
            (Action::RemoveNetwork { name }, _) => applied.removed.push(("network", name.clone())),
            (Action::RemoveVolume { name }, _) => applied.removed.push(("volume", name.clone())),
            _ => {}
        }
        if let Action::StartContainer { service, .. } = action {
            applied.changes.insert(service.clone(), self.plan.steps[i].because.clone());
        }
        match (action, done) {
            (_, Done::Ready(readiness)) => {
                let service = action.service().unwrap_or_default();
                let word = if self.plan.steps[i].because == Because::Unchanged { "running" } else { "ready" };
                let change = applied.changes.get(service).filter(|because| **because != Because::New);
                let note = change.map_or(readiness.how.clone(), |because| format!("{because}; {}", readiness.how));
                self.tell(action, Phase::Done(word), Some(note));
                applied.ready.insert(service.to_owned(), readiness);
            }
            (Action::StopContainer { name, .. }, Done::Killed) => {
                applied.killed.push(name.clone());
                self.tell(action, Phase::Reached("killed"), Some("did not stop within its grace period".into()));
            }
            (Action::RemoveNetwork { name }, Done::Kept(users)) => {
                let note = format!("still used by {}", users.join(", "));
                applied.kept.push((name.clone(), users));
                self.tell(action, Phase::Warned("kept"), Some(note));
            }
            (Action::CreateNetwork { .. } | Action::CreateVolume { .. }, _) => {
                self.tell(action, Phase::Done("created"), None);
            }
            (Action::CreateContainer { .. }, _) => self.tell(action, Phase::Reached("created"), None),
            (Action::StartContainer { .. } | Action::UnpauseContainer { .. }, _) => {
                self.tell(action, end("started"), None)
            }
            (Action::StopContainer { .. }, _) => self.tell(action, end("stopped"), None),
            (Action::RemoveContainer { name, .. }, _) if is_last => {
                let killed = applied.killed.contains(name);
                let phase = if killed { Phase::Warned("killed and removed") } else { Phase::Done("removed") };
                self.tell(action, phase, killed.then(|| "did not stop within its grace period".into()));
            }
            (Action::RemoveNetwork { .. } | Action::RemoveVolume { .. }, _) => {
                self.tell(action, Phase::Done("removed"), None);
            }
            _ => {}
        }
    }

    pub(super) fn tell(&self, action: &Action, phase: Phase, note: Option<String>) {
        let (kind, name) = match action {
            Action::CreateNetwork { name, .. } | Action::RemoveNetwork { name } => (Kind::Network, name.as_str()),
            Action::CreateVolume { name, .. } | Action::RemoveVolume { name } => (Kind::Volume, name.as_str()),
            other => (Kind::Service, other.service().unwrap_or_default()),
        };
        self.journal.tell(kind, name, phase, note);
    }
}
