//! What will be done, in which order and why: a value that is printed by `--dry-run` and applied by the engine.

mod down;
mod ports;
mod refusal;
#[cfg(test)]
mod tests;
mod up;
mod verdict;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

pub use down::{data_of, down};
pub use ports::{Clash, Wanted, clashes, wanted_ports};
pub use refusal::Refusal;
pub use up::{Up, Waits, included, included_with, up};
pub use verdict::is_done_job;

/// `down`: which services, and whether their data goes too.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Down {
    /// Empty: everything that the project owns.
    pub services: Vec<String>,
    /// Delete the volumes too.
    pub volumes: bool,
    /// Names of the volumes that the files give to the named services: they go even where no container mounts them.
    pub data: Vec<String>,
}

/// The image that stands behind a service in this run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Reference to create from.
    pub reference: String,
    /// Image id, `sha256:…`.
    pub id: String,
    /// `image` for one that somebody published, `recipe`, `executable`.
    pub source: String,
    /// Version of the server in it.
    pub version: String,
}

/// Image by service.
pub type Images = BTreeMap<String, Chosen>;

/// Steps with their order, and remarks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// In an order in which they could be done one after the other.
    pub steps: Vec<Step>,
    /// Things worth telling that are no steps.
    pub notes: Vec<String>,
    /// Wanted services for which there is nothing to do: jobs that have ended well.
    pub untouched: Vec<String>,
}

/// One request to Docker, with its place in the order and its reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The request.
    pub action: Action,
    /// Steps (by position) that must have succeeded before.
    pub after: Vec<usize>,
    /// Steps whose failure makes this one pointless, though it need not wait for them.
    pub doomed_by: Vec<usize>,
    /// Why.
    pub because: Because,
    /// Expected time from here to the end of the longest chain; the longest goes first.
    pub weight: Duration,
}

/// Why a step is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Because {
    /// What it makes was not there.
    #[default]
    New,
    /// A wait for what runs already, as it should.
    Unchanged,
    /// Something else, which only people read.
    Told(String),
}

impl<T: Into<String>> From<T> for Because {
    fn from(words: T) -> Self {
        Because::Told(words.into())
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Because::New => "not there yet",
            Because::Unchanged => "unchanged",
            Because::Told(words) => words,
        })
    }
}

/// One request to Docker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "service, name and key mean the same everywhere: the service, the name in Docker, the key in the file"
)]
pub enum Action {
    /// Create the network with this key.
    CreateNetwork { key: String, name: String },
    /// Create the volume with this key.
    CreateVolume { key: String, name: String, labels: BTreeMap<String, String> },
    /// Create a container under `name`.
    CreateContainer { service: String, name: String, image: Chosen, inherit: Vec<(String, String)> },
    /// Copy the service's configuration files into its container.
    CopyConfigs { service: String, name: String },
    /// Give a container its name.
    RenameContainer { service: String, from: String, to: String },
    /// Start a container.
    StartContainer { service: String, name: String },
    /// Thaw a container.
    UnpauseContainer { service: String, name: String },
    /// Wait until the service answers.
    WaitReady { service: String, name: String },
    /// Wait until the container ended with 0.
    WaitCompleted { service: String, name: String },
    /// Ask a container to stop, kill it after its grace period.
    StopContainer { service: String, name: String },
    /// Remove a stopped container.
    RemoveContainer { service: String, name: String },
    /// Remove a network.
    RemoveNetwork { name: String },
    /// Delete a volume and its data.
    RemoveVolume { name: String },
}

impl Action {
    /// The service that it is about.
    pub fn service(&self) -> Option<&str> {
        match self {
            Action::CreateContainer { service, .. }
            | Action::CopyConfigs { service, .. }
            | Action::RenameContainer { service, .. }
            | Action::StartContainer { service, .. }
            | Action::UnpauseContainer { service, .. }
            | Action::WaitReady { service, .. }
            | Action::WaitCompleted { service, .. }
            | Action::StopContainer { service, .. }
            | Action::RemoveContainer { service, .. } => Some(service),
            Action::CreateNetwork { .. }
            | Action::CreateVolume { .. }
            | Action::RemoveNetwork { .. }
            | Action::RemoveVolume { .. } => None,
        }
    }

    /// True when the user's data goes with it.
    pub fn is_destructive(&self) -> bool {
        matches!(self, Action::RemoveVolume { .. })
    }

    /// True when nothing in Docker changes.
    pub fn is_wait(&self) -> bool {
        matches!(self, Action::WaitReady { .. } | Action::WaitCompleted { .. })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::CreateNetwork { name, .. } => write!(f, "create network {name}"),
            Action::CreateVolume { name, .. } => write!(f, "create volume {name}"),
            Action::CreateContainer { name, image, .. } => {
                write!(f, "create container {name} from {}", image.reference)
            }
            Action::CopyConfigs { name, .. } => write!(f, "copy configuration into {name}"),
            Action::RenameContainer { from, to, .. } => write!(f, "rename container {from} to {to}"),
            Action::StartContainer { name, .. } => write!(f, "start container {name}"),
            Action::UnpauseContainer { name, .. } => write!(f, "unpause container {name}"),
            Action::WaitReady { service, .. } => write!(f, "wait until {service} is ready"),
            Action::WaitCompleted { service, .. } => write!(f, "wait until {service} has ended"),
            Action::StopContainer { name, .. } => write!(f, "stop container {name}"),
            Action::RemoveContainer { name, .. } => write!(f, "remove container {name}"),
            Action::RemoveNetwork { name } => write!(f, "remove network {name}"),
            Action::RemoveVolume { name } => write!(f, "DELETE volume {name}"),
        }
    }
}

/// One numbered line per step: what, after which steps, because of what. The dry run and the tests print this.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.steps.iter().enumerate() {
            write!(f, "{:>3}. {}", i + 1, step.action)?;
            if !step.after.is_empty() {
                let after: Vec<_> = step.after.iter().map(|i| (i + 1).to_string()).collect();
                write!(f, "  [after {}]", after.join(", "))?;
            }
            writeln!(f, "  ({})", step.because)?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

impl Plan {
    /// True when nothing in Docker would change.
    pub fn changes_nothing(&self) -> bool {
        self.steps.iter().all(|s| s.action.is_wait())
    }

    /// The steps that `keep` wants, in their order; the others count as done.
    pub fn only(&self, keep: impl Fn(&Action) -> bool) -> Self {
        let kept: Vec<usize> = (0..self.steps.len()).filter(|i| keep(&self.steps[*i].action)).collect();
        let place = |old: &usize| kept.iter().position(|k| k == old);
        let step = |i: &usize| {
            let step = &self.steps[*i];
            let after = step.after.iter().filter_map(place).collect();
            let doomed_by = step.doomed_by.iter().filter_map(place).collect();
            Step { after, doomed_by, ..step.clone() }
        };
        Self { steps: kept.iter().map(step).collect(), ..Self::default() }
    }

    /// Adds a step; returns its position.
    fn push(&mut self, action: Action, after: Vec<usize>, because: impl Into<Because>) -> usize {
        let because = because.into();
        self.steps.push(Step { action, after, doomed_by: vec![], because, weight: Duration::ZERO });
        self.steps.len() - 1
    }

    /// Sets every step's weight: its own expected time plus that of the longest chain behind it.
    fn weigh(&mut self, own: impl Fn(&Action) -> Duration) {
        let mut behind = vec![Duration::ZERO; self.steps.len()];
        for i in (0..self.steps.len()).rev() {
            self.steps[i].weight = own(&self.steps[i].action) + behind[i];
            for &before in &self.steps[i].after {
                behind[before] = behind[before].max(self.steps[i].weight);
            }
        }
    }
}
