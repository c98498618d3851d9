//! A Docker that exists only in memory: it carries plans out and refuses what the real one refuses.

use std::collections::{BTreeMap, BTreeSet};

use crate::labels;
use crate::observed::{Container, Labelled, Observed, State, VolumeMount};
use crate::plan::{Action, Plan, Step};
use crate::project::{MountSource, Project, Service};

/// The engine.
#[derive(Debug, Clone, Default)]
pub(super) struct Docker {
    /// What a look at it sees.
    pub observed: Observed,
    /// Services that became ready, in order.
    pub ready: Vec<String>,
    /// Ids of containers whose configuration files are in place.
    filled: BTreeSet<String>,
    made: usize,
}

impl Docker {
    /// Carries a plan out from first to last.
    #[track_caller]
    pub fn apply(&mut self, project: &Project, plan: &Plan) {
        self.apply_some(project, &plan.steps);
    }

    /// Carries the first steps of a plan out, as if the rest had been cut off.
    #[track_caller]
    pub fn apply_some(&mut self, project: &Project, steps: &[Step]) {
        for step in steps {
            if let Err(refused) = self.perform(project, &step.action) {
                panic!("{}: {refused}", step.action);
            }
        }
    }

    /// One request; the error says why the engine would refuse it.
    pub fn perform(&mut self, project: &Project, action: &Action) -> Result<(), String> {
        match action {
            Action::CreateNetwork { key, name } => {
                let labels = labels::of_network(project, key, &project.networks[key.as_str()]);
                let before = self.observed.networks.insert(name.clone(), Labelled { labels });
                refuse_if(before.is_some(), "it exists")
            }
            Action::CreateVolume { key, name, labels } => {
                let labels = labels::of_volume(project, key, &project.volumes[key.as_str()], labels);
                let before = self.observed.volumes.insert(name.clone(), Labelled { labels });
                refuse_if(before.is_some(), "it exists")
            }
            Action::CreateContainer { service, name, image, inherit } => {
                let service = &project.services[service.as_str()];
                refuse_if(self.observed.containers.iter().any(|c| c.name == *name), "the name is taken")?;
                self.made += 1;
                let networks: BTreeMap<String, String> = service
                    .networks
                    .keys()
                    .map(|k| (project.networks[k.as_str()].name.clone(), String::new()))
                    .collect();
                let missing = networks.keys().find(|n| !self.observed.networks.contains_key(*n));
                refuse_if(missing.is_some(), "a network is not there")?;
                let volumes = mounted(project, service, inherit);
                let missing =
                    volumes.iter().find(|v| v.name.len() < 64 && !self.observed.volumes.contains_key(&v.name));
                refuse_if(missing.is_some(), "a volume is not there")?;
                self.observed.containers.push(Container {
                    id: format!("{:012x}{:052}", self.made, 0),
                    name: name.clone(),
                    image: image.reference.clone(),
                    image_id: image.id.clone(),
                    state: State::Created,
                    labels: labels::of_container(project, service, image),
                    networks,
                    volumes,
                    ..Container::default()
                });
                Ok(())
            }
            Action::CopyConfigs { name, .. } => {
                let id = self.container(name)?.id.clone();
                self.filled.insert(id);
                Ok(())
            }
            Action::RenameContainer { from, to, .. } => {
                refuse_if(self.observed.containers.iter().any(|c| c.name == *to), "the new name is taken")?;
                self.container(from)?.name.clone_from(to);
                Ok(())
            }
            Action::StartContainer { service, name } => {
                let id = self.container(name)?.id.clone();
                let has_configs = project.services.get(service).is_some_and(|s| !s.configs.is_empty());
                refuse_if(has_configs && !self.filled.contains(&id), "its configuration files are not there")?;
                let container = self.container(name)?;
                refuse_if(container.state == State::Running, "it runs already")?;
                container.state = State::Running;
                Ok(())
            }
            Action::UnpauseContainer { name, .. } => {
                let container = self.container(name)?;
                refuse_if(container.state != State::Paused, "it is not paused")?;
                container.state = State::Running;
                Ok(())
            }
            Action::WaitReady { service, name } => {
                refuse_if(self.container(name)?.state != State::Running, "it does not run")?;
                self.ready.push(service.clone());
                Ok(())
            }
            Action::WaitCompleted { service, name } => {
                let container = self.container(name)?;
                refuse_if(container.state != State::Running, "it does not run")?;
                container.state = State::Exited;
                container.status = "Exited (0) 1 second ago".into();
                self.ready.push(service.clone());
                Ok(())
            }
            Action::StopContainer { name, .. } => {
                let container = self.container(name)?;
                container.state = State::Exited;
                container.status = "Exited (0) 1 second ago".into();
                Ok(())
            }
            Action::RemoveContainer { name, .. } => {
                refuse_if(self.container(name)?.state == State::Running, "it runs")?;
                self.observed.containers.retain(|c| c.name != *name);
                Ok(())
            }
            Action::RemoveNetwork { name } => {
                let used = self.observed.containers.iter().any(|c| c.networks.contains_key(name));
                refuse_if(used, "it is in use")?;
                self.observed.networks.remove(name).map(|_| ()).ok_or_else(|| "it is not there".to_owned())
            }
            Action::RemoveVolume { name } => {
                let used = self.observed.containers.iter().any(|c| c.volumes.iter().any(|v| v.name == *name));
                refuse_if(used, "it is in use")?;
                self.observed.volumes.remove(name).map(|_| ()).ok_or_else(|| "it is not there".to_owned())
            }
        }
    }

    fn container(&mut self, name: &str) -> Result<&mut Container, String> {
        let found = self.observed.containers.iter_mut().find(|c| c.name == name);
        found.ok_or_else(|| "there is no such container".to_owned())
    }
}

fn mounted(project: &Project, service: &Service, inherit: &[(String, String)]) -> Vec<VolumeMount> {
    let named = service.mounts.iter().filter_map(|m| match &m.source {
        MountSource::Volume(key) => Some((project.volumes[key.as_str()].name.clone(), m.target.clone())),
        _ => None,
    });
    named.chain(inherit.iter().cloned()).map(|(name, target)| VolumeMount { name, target }).collect()
}

fn refuse_if(refused: bool, why: &str) -> Result<(), String> {
    if refused { Err(why.to_owned()) } else { Ok(()) }
}
