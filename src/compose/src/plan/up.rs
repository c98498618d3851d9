//! From a project, what runs and the wish to bring services up, to steps.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::refusal::{Refusal, refusals};
use super::verdict::{Verdict, anonymous_volumes, verdict};
use super::{Action, Because, Chosen, Images, Plan};
use crate::observed::{Container, LABEL_SOURCE, LABEL_VERSION, Observed, State};
use crate::project::{Condition, Dependency, MountSource, Project, Restart, Service};

/// `up`: exactly which services, from which images.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Up {
    /// Services to bring up; what they depend on is already in here if it is wanted.
    pub services: Vec<String>,
    /// The image that stands behind each of them.
    pub images: Images,
    /// Recreate even what has not changed.
    pub force_recreate: bool,
    /// What is waited for.
    pub waits: Waits,
}

/// What an `up` waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Waits {
    /// Every service, until it is ready.
    All,
    /// Only what must be ready, or have ended, before another service starts.
    #[default]
    Needed,
    /// Only what must have ended, or be ready, before a service starts that nobody would bring back: one that has a
    /// restart policy starts at once, and the engine starts it again should it end because it came too early.
    Unavoidable,
}

/// The services to bring up: required ones (with everything that they need), then those of optional tiers.
///
/// `named` empty means all. Whatever is named, and whatever a required service cannot do without, is required.
pub fn included(project: &Project, named: &[String], no_deps: bool) -> (Vec<String>, Vec<String>) {
    let all: Vec<String> = project.services.keys().cloned().collect();
    included_with(project, named, if named.is_empty() { &all } else { &[] }, no_deps)
}

/// The same with services that are wanted beside the named ones, and that count as what they are.
pub fn included_with(
    project: &Project,
    named: &[String],
    beside: &[String],
    no_deps: bool,
) -> (Vec<String>, Vec<String>) {
    let mut wanted: BTreeSet<&str> = BTreeSet::new();
    let mut required: BTreeSet<&str> = BTreeSet::new();
    for name in named.iter().chain(beside) {
        reach(project, name, no_deps, &|_| true, &mut wanted);
    }
    for s in project.services.values().filter(|s| wanted.contains(s.name.as_str())) {
        if s.is_required() || named.contains(&s.name) {
            reach(project, &s.name, no_deps, &|required| required, &mut required);
        }
    }
    let in_order = |keep: &dyn Fn(&str) -> bool| -> Vec<String> {
        project.services.keys().filter(|name| keep(name)).cloned().collect()
    };
    (in_order(&|n| required.contains(n)), in_order(&|n| wanted.contains(n) && !required.contains(n)))
}

/// Adds a service and what it depends on, along edges whose `required` flag is accepted.
fn reach<'a>(
    project: &'a Project,
    name: &str,
    no_deps: bool,
    follow: &dyn Fn(bool) -> bool,
    into: &mut BTreeSet<&'a str>,
) {
    let Some(service) = project.services.get(name) else { return };
    if !into.insert(&service.name) || no_deps {
        return;
    }
    for (dependency, edge) in &service.depends_on {
        if follow(edge.required) {
            reach(project, dependency, no_deps, follow, into);
        }
    }
}

/// What to do so that the wanted services run as the project says.
pub fn up(project: &Project, observed: &Observed, wish: &Up) -> Result<Plan, Vec<Refusal>> {
    let services = in_dependency_order(project, &wish.services);
    let refusals = refusals(project, observed, &services, &wish.images);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let mut work =
        Work { project, observed, wish, plan: Plan::default(), ends: BTreeMap::new(), made: BTreeMap::new() };
    for service in &services {
        work.resources_of(service);
    }
    for service in &services {
        work.service(service);
    }
    work.mention_orphans();
    let mut plan = work.plan;
    plan.weigh(|action| own_time(project, action));
    Ok(plan)
}

/// Typical time of one request; it only orders the work.
fn own_time(project: &Project, action: &Action) -> Duration {
    match action {
        Action::CreateNetwork { .. } => Duration::from_millis(90),
        Action::StartContainer { .. } => Duration::from_millis(200),
        Action::WaitReady { service, .. } | Action::WaitCompleted { service, .. } => {
            let boot = project.services.get(service).map_or(Duration::ZERO, |s| s.extension.boot);
            if boot.is_zero() { Duration::from_millis(500) } else { boot }
        }
        _ => Duration::from_millis(10),
    }
}

/// Where the work on a service ends: positions of its last start step and of its wait.
#[derive(Default, Clone, Copy)]
struct Ends {
    started: Option<usize>,
    ready: Option<usize>,
}

struct Work<'a> {
    project: &'a Project,
    observed: &'a Observed,
    wish: &'a Up,
    plan: Plan,
    ends: BTreeMap<&'a str, Ends>,
    /// Step that creates a network or a volume, by its name in Docker.
    made: BTreeMap<String, usize>,
}

impl<'a> Work<'a> {
    fn resources_of(&mut self, service: &'a Service) {
        for key in service.networks.keys() {
            let Some(network) = self.project.networks.get(key) else { continue };
            if network.external
                || self.observed.networks.contains_key(&network.name)
                || self.made.contains_key(&network.name)
            {
                continue;
            }
            let action = Action::CreateNetwork { key: key.clone(), name: network.name.clone() };
            let step = self.plan.push(action, vec![], Because::New);
            self.made.insert(network.name.clone(), step);
        }
        for mount in &service.mounts {
            let MountSource::Volume(key) = &mount.source else { continue };
            let Some(volume) = self.project.volumes.get(key) else { continue };
            if volume.external
                || self.observed.volumes.contains_key(&volume.name)
                || self.made.contains_key(&volume.name)
            {
                continue;
            }
            let image = self.wish.images.get(&service.name).cloned().unwrap_or_default();
            let labels =
                BTreeMap::from([(LABEL_SOURCE.to_owned(), image.source), (LABEL_VERSION.to_owned(), image.version)]);
            let action = Action::CreateVolume { key: key.clone(), name: volume.name.clone(), labels };
            let step = self.plan.push(action, vec![], Because::New);
            self.made.insert(volume.name.clone(), step);
        }
    }

    fn service(&mut self, service: &'a Service) {
        let image = self.wish.images.get(&service.name).cloned().unwrap_or_default();
        let found = self.observed.of_service(&service.name, &service.container_name);
        let current = found.first().copied();
        let mut before_start = Vec::new();
        for extra in found.iter().skip(1) {
            before_start.push(self.remove(extra, "left over from an interrupted run"));
        }
        let started = match self.verdict(service) {
            Verdict::Create { because } => {
                let ready_to_start =
                    self.create(service, &service.container_name, image, vec![], before_start, &because);
                Some(self.start(service, vec![ready_to_start], &because))
            }
            Verdict::Replace { because } => {
                let old = current.expect("only an existing container is replaced");
                let step = self.replace(service, old, image, before_start, &because);
                Some(self.start(service, vec![step], &because))
            }
            Verdict::Start { because } => Some(self.start(service, before_start, &because.into())),
            Verdict::Finish => {
                let because = "was made but never started".into();
                let filled = self.fill(service, &service.container_name, before_start, &because);
                Some(self.start(service, filled, &because))
            }
            Verdict::Unpause => {
                let action =
                    Action::UnpauseContainer { service: service.name.clone(), name: service.container_name.clone() };
                Some(self.plan.push(action, before_start, "was paused"))
            }
            Verdict::Leave => self.restart_with_dependency(service),
        };
        let finished_job = started.is_none() && current.is_some_and(|c| c.state == State::Exited);
        let ready = if finished_job {
            self.plan.untouched.push(service.name.clone());
            None
        } else {
            self.wait(service, started)
        };
        self.ends.insert(&service.name, Ends { started, ready });
    }

    fn verdict(&self, service: &Service) -> Verdict {
        let current = self.observed.of_service(&service.name, &service.container_name).first().copied();
        if self.wish.force_recreate && current.is_some() {
            return Verdict::Replace { because: "asked to recreate".into() };
        }
        let image = self.wish.images.get(&service.name).cloned().unwrap_or_default();
        verdict(self.project, self.observed, service, current, &image)
    }

    /// Create and fill; the returned step is the one after which the container may start.
    fn create(
        &mut self,
        service: &Service,
        name: &str,
        image: Chosen,
        inherit: Vec<(String, String)>,
        mut after: Vec<usize>,
        because: &Because,
    ) -> usize {
        let names = service.networks.keys().filter_map(|k| self.project.networks.get(k).map(|n| &n.name)).chain(
            service.mounts.iter().filter_map(|m| match &m.source {
                MountSource::Volume(key) => self.project.volumes.get(key).map(|v| &v.name),
                _ => None,
            }),
        );
        after.extend(names.filter_map(|name| self.made.get(name)));
        after.sort_unstable();
        after.dedup();
        let action = Action::CreateContainer { service: service.name.clone(), name: name.to_owned(), image, inherit };
        let created = self.plan.push(action, after, because.clone());
        self.fill(service, name, vec![created], because)[0]
    }

    /// Copies the configuration, if there is any; the steps after which the container has it.
    fn fill(&mut self, service: &Service, name: &str, after: Vec<usize>, because: &Because) -> Vec<usize> {
        if service.configs.is_empty() {
            return after;
        }
        let action = Action::CopyConfigs { service: service.name.clone(), name: name.to_owned() };
        vec![self.plan.push(action, after, because.clone())]
    }

    /// The new container is made beside the old one, so that a mistake in it leaves the old one running.
    fn replace(
        &mut self,
        service: &Service,
        old: &Container,
        image: Chosen,
        after: Vec<usize>,
        because: &Because,
    ) -> usize {
        let name = format!("{}_{}", &old.id[..old.id.len().min(12)], service.container_name);
        let inherit = anonymous_volumes(service, old);
        let created = self.create(service, &name, image, inherit, after, because);
        let service_name = service.name.clone();
        let mut last = created;
        if old.state != State::Exited && old.state != State::Created {
            let stop = Action::StopContainer { service: service_name.clone(), name: old.name.clone() };
            last = self.plan.push(stop, vec![last], because.clone());
        }
        let remove = Action::RemoveContainer { service: service_name.clone(), name: old.name.clone() };
        last = self.plan.push(remove, vec![last], because.clone());
        let rename = Action::RenameContainer { service: service_name, from: name, to: service.container_name.clone() };
        self.plan.push(rename, vec![last], because.clone())
    }

    fn remove(&mut self, container: &Container, because: &str) -> usize {
        let (service, name) = (container.service().to_owned(), container.name.clone());
        let stop =
            self.plan.push(Action::StopContainer { service: service.clone(), name: name.clone() }, vec![], because);
        self.plan.push(Action::RemoveContainer { service, name }, vec![stop], because)
    }

    fn start(&mut self, service: &Service, mut after: Vec<usize>, because: &Because) -> usize {
        // an edge that is not required cannot hold the service back, so it only puts it later in the list
        for (dependency, edge) in service.depends_on.iter().filter(|(_, edge)| edge.required) {
            let Some(ends) = self.ends.get(dependency.as_str()) else { continue };
            after.extend(if self.holds(service, edge) { ends.ready.or(ends.started) } else { ends.started });
        }
        after.sort_unstable();
        after.dedup();
        let action = Action::StartContainer { service: service.name.clone(), name: service.container_name.clone() };
        self.plan.push(action, after, because.clone())
    }

    /// True when a service must not start before the one at the other end of an edge is ready, or has ended.
    fn holds(&self, service: &Service, edge: &Dependency) -> bool {
        match edge.condition {
            Condition::Started => false,
            Condition::Completed => true,
            Condition::Healthy => {
                let is_brought_back =
                    matches!(service.restart, Restart::Always | Restart::UnlessStopped | Restart::OnFailure(0));
                !(is_brought_back && self.wish.waits == Waits::Unavoidable)
            }
        }
    }

    /// `depends_on.restart: true`: a service that has not changed is restarted with the one that it depends on.
    fn restart_with_dependency(&mut self, service: &'a Service) -> Option<usize> {
        let (dependency, start) = service
            .depends_on
            .iter()
            .filter(|(_, edge)| edge.restart)
            .find_map(|(name, _)| Some((name, self.ends.get(name.as_str())?.started?)))?;
        let because = Because::from(format!("its dependency {dependency} starts anew"));
        let action = Action::StopContainer { service: service.name.clone(), name: service.container_name.clone() };
        // not before the dependency is about to start: what cannot even be made must not take this one down
        let after = self.plan.steps[start].after.clone();
        let stop = self.plan.push(action, after, because.clone());
        Some(self.start(service, vec![stop], &because))
    }

    fn wait(&mut self, service: &'a Service, started: Option<usize>) -> Option<usize> {
        let wanted = self.wish.services.iter().filter_map(|s| self.project.services.get(s));
        let dependents: Vec<_> = wanted.filter_map(|s| Some((s, s.depends_on.get(&service.name)?))).collect();
        let is_needed = dependents.iter().any(|(dependent, edge)| {
            let starts = || !matches!(self.verdict(dependent), Verdict::Leave) || (edge.restart && started.is_some());
            edge.required && self.holds(dependent, edge) && starts()
        });
        if self.wish.waits != Waits::All && !is_needed {
            return None;
        }
        let is_job = dependents.iter().any(|(_, edge)| edge.condition == Condition::Completed);
        let (service_name, name) = (service.name.clone(), service.container_name.clone());
        let action = if is_job {
            Action::WaitCompleted { service: service_name, name }
        } else {
            Action::WaitReady { service: service_name, name }
        };
        let because = if started.is_some() { "started in this run".into() } else { Because::Unchanged };
        let step = self.plan.push(action, started.into_iter().collect(), because);
        self.plan.steps[step].doomed_by = service
            .depends_on
            .iter()
            .filter(|(_, edge)| edge.required)
            .filter_map(|(d, _)| self.ends.get(d.as_str())?.ready)
            .collect();
        Some(step)
    }

    fn mention_orphans(&mut self) {
        let orphans: BTreeSet<&str> = self
            .observed
            .containers
            .iter()
            .filter(|c| !c.is_one_off())
            .filter(|c| {
                !self.project.services.contains_key(c.service()) && !self.project.disabled.contains(c.service())
            })
            .map(|c| c.name.as_str())
            .collect();
        if !orphans.is_empty() {
            let names = orphans.into_iter().collect::<Vec<_>>().join(", ");
            self.plan
                .notes
                .push(format!("containers of services that the files no longer name: {names} (`down` removes them)"));
        }
    }
}

/// The wanted services, each after those that it depends on; ties in file order.
fn in_dependency_order<'a>(project: &'a Project, wanted: &[String]) -> Vec<&'a Service> {
    fn visit<'a>(
        project: &'a Project,
        name: &str,
        wanted: &[String],
        seen: &mut BTreeSet<String>,
        out: &mut Vec<&'a Service>,
    ) {
        let Some(service) = project.services.get(name) else { return };
        if !wanted.iter().any(|w| w == name) || !seen.insert(name.to_owned()) {
            return;
        }
        for dependency in service.depends_on.keys() {
            visit(project, dependency, wanted, seen, out);
        }
        out.push(service);
    }
    let (mut seen, mut out) = (BTreeSet::new(), Vec::new());
    for name in project.services.keys() {
        visit(project, name, wanted, &mut seen, &mut out);
    }
    out
}
