//! Health: who is asked when, and what follows from the answers. Pure: questions go out and answers come in elsewhere, and
//! the time is a parameter.
//!
//! Every instance of service discovery hears every question and every answer, so all of them know the same, and a question
//! of one is a question of all. Only a question that was heard counts: who cannot hear its own questions would not hear
//! the answers either. An instance that leaves so many questions unanswered as the threshold says is taken for gone.

mod rounds;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use banyan_sdk::{
    clock::Now,
    protocol::{
        Timestamp,
        discovery::{HealthCheckResponse, HealthStatus},
    },
};

pub(crate) use rounds::{answered, asked, keep};

/// A service says so many things about itself and no more.
const MOST_ERRORS: usize = 10;

/// How often is asked, and how long is waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From one question to the next.
    pub interval: Duration,
    /// How long an answer may take. One that takes longer than half of that is slow.
    pub timeout: Duration,
    /// How many unanswered questions make an instance unhealthy.
    pub threshold: u32,
}

/// What is known of the health of all services.
#[derive(Debug)]
pub struct Monitor {
    limits: Limits,
    services: BTreeMap<String, Service>,
}

#[derive(Debug, Default)]
struct Service {
    instances: BTreeMap<String, Instance>,
    /// When a question of ours was sent last.
    sent: Option<Instant>,
    /// When a question was heard last.
    asked: Option<Now>,
    /// Whether that question's time is not over.
    open: bool,
    health: Health,
    /// What others were told last.
    told: Option<HealthStatus>,
}

#[derive(Debug)]
struct Instance {
    since: Instant,
    status: HealthStatus,
    errors: Vec<String>,
    response_time: Option<u64>,
    answered: bool,
    misses: u32,
}

/// How a service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// In one word.
    pub status: HealthStatus,
    /// When an answer came last, or the time for one was over.
    pub checked: Option<Timestamp>,
    /// How long the slowest of the latest answers took, in milliseconds.
    pub response_time: Option<u64>,
    /// What is wrong.
    pub errors: Vec<String>,
}

impl Default for Health {
    fn default() -> Self {
        Self { status: HealthStatus::Unknown, checked: None, response_time: None, errors: Vec::new() }
    }
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Others are to be told that a service is not what it was.
    Changed {
        /// The service.
        service: String,
        /// What others were told last.
        before: HealthStatus,
        /// How it is.
        health: Health,
    },
    /// An instance is gone.
    Gone {
        /// The service.
        service: String,
        /// The instance.
        instance: String,
        /// Why that is thought.
        reason: String,
    },
}

impl Monitor {
    /// Nothing is known.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, services: BTreeMap::new() }
    }

    /// Takes over which services and instances there are, and what others were told of the services.
    pub fn know(
        &mut self,
        services: &BTreeMap<String, Option<HealthStatus>>,
        instances: &BTreeSet<(String, String)>,
        now: Now,
    ) {
        self.services.retain(|name, _| services.contains_key(name));
        for (name, told) in services {
            let service = self.services.entry(name.clone()).or_default();
            service.told = *told;
            service.instances.retain(|id, _| instances.contains(&(name.clone(), id.clone())));
        }
        for (name, id) in instances {
            if let Some(service) = self.services.get_mut(name) {
                service.instances.entry(id.clone()).or_insert_with(|| Instance {
                    since: now.steady,
                    status: HealthStatus::Unknown,
                    errors: Vec::new(),
                    response_time: None,
                    answered: false,
                    misses: 0,
                });
            }
        }
    }

    /// The services that are to be asked now.
    pub fn due(&mut self, now: Instant) -> Vec<String> {
        let interval = self.limits.interval;
        let mut due = Vec::new();
        for (name, service) in self.services.iter_mut().filter(|(_, it)| !it.instances.is_empty()) {
            let last = service.sent.max(service.asked.map(|it| it.steady));
            if last.is_none_or(|last| now.saturating_duration_since(last) >= interval) {
                service.sent = Some(now);
                due.push(name.clone());
            }
        }
        due
    }

    /// A question to a service was heard, whoever asked it.
    pub fn asked(&mut self, name: &str, now: Now) {
        let Some(service) = self.services.get_mut(name) else { return };
        // Two that ask at the same time have asked once.
        if service.open && !is_over(service.asked, self.limits.timeout, now) {
            return;
        }
        service.close(self.limits, now);
        service.asked = Some(now);
        service.open = true;
        service.instances.values_mut().for_each(|it| it.answered = false);
    }

    /// An answer was heard. One that came too late is none.
    pub fn answered(&mut self, answer: &HealthCheckResponse, now: Now) {
        let Some(service) = self.services.get_mut(&answer.service_name) else { return };
        let Some(asked) = service.asked.filter(|_| service.open) else { return };
        let took = now.steady.saturating_duration_since(asked.steady);
        if took > self.limits.timeout {
            return;
        }
        let mut errors = answer.errors.clone().unwrap_or_default();
        errors.truncate(MOST_ERRORS);
        let mut status = answer.status;
        if took > self.limits.timeout / 2 && status == HealthStatus::Healthy {
            status = HealthStatus::Degraded;
            errors.push(format!("answers slowly: after {took:.1?}"));
        }
        // Who does not say which instance it is speaks for all of them.
        let id = answer.service_id.as_deref();
        for (_, instance) in service.instances.iter_mut().filter(|(known, _)| id.is_none_or(|id| id == *known)) {
            instance.status = status;
            instance.errors.clone_from(&errors);
            instance.response_time = Some(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
            instance.answered = true;
            instance.misses = 0;
            service.health.checked = Some(now.wall);
        }
    }

    /// What follows from everything that was heard until now.
    pub fn judge(&mut self, now: Now) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (name, service) in &mut self.services {
            if is_over(service.asked, self.limits.timeout, now) {
                service.close(self.limits, now);
            }
            let threshold = self.limits.threshold;
            for (id, _) in service.instances.iter().filter(|(_, it)| it.misses >= threshold) {
                let reason = format!("did not answer {threshold} health checks");
                findings.push(Finding::Gone { service: name.clone(), instance: id.clone(), reason });
            }
            service.sum_up();
            let before = service.told.unwrap_or(HealthStatus::Unknown);
            if service.health.status != HealthStatus::Unknown && service.health.status != before {
                findings.push(Finding::Changed { service: name.clone(), before, health: service.health.clone() });
            }
        }
        findings
    }

    /// How a service is; nothing of one that is not known.
    #[must_use]
    pub fn health(&self, service: &str) -> Option<Health> {
        self.services.get(service).map(|it| it.health.clone())
    }

    /// How all services are.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, Health> {
        self.services.iter().map(|(name, it)| (name.clone(), it.health.clone())).collect()
    }
}

/// Whether the time for answers to a question is over.
fn is_over(asked: Option<Now>, timeout: Duration, now: Now) -> bool {
    asked.is_some_and(|it| now.steady.saturating_duration_since(it.steady) > timeout)
}

impl Service {
    /// The time for answers is over: counts those that are missing.
    fn close(&mut self, limits: Limits, now: Now) {
        let Some(asked) = self.asked.filter(|_| self.open) else { return };
        self.open = false;
        // Who came after the question did not hear it.
        for instance in self.instances.values_mut().filter(|it| !it.answered && it.since <= asked.steady) {
            instance.misses += 1;
            instance.response_time = None;
            self.health.checked = Some(now.wall);
            if instance.misses >= limits.threshold {
                instance.status = HealthStatus::Unhealthy;
                instance.errors = vec![format!("did not answer {} health checks", instance.misses)];
            }
        }
    }

    /// The service as the sum of its instances: as they are, or degraded when they differ and one of them works.
    fn sum_up(&mut self) {
        let known: Vec<_> = self.instances.values().filter(|it| it.status != HealthStatus::Unknown).collect();
        let statuses: BTreeSet<_> = known.iter().map(|it| it.status).collect();
        let mut errors: Vec<String> = Vec::new();
        for error in known.iter().flat_map(|it| &it.errors) {
            if !errors.contains(error) && errors.len() < MOST_ERRORS {
                errors.push(error.clone());
            }
        }
        self.health.status = match (statuses.first(), statuses.len()) {
            (None, _) if self.instances.is_empty() => {
                errors.push("no instance is running".to_owned());
                HealthStatus::Unhealthy
            }
            (None, _) => HealthStatus::Unknown,
            (Some(status), 1) => *status,
            _ => HealthStatus::Degraded,
        };
        self.health.response_time = known.iter().filter_map(|it| it.response_time).max();
        self.health.errors = errors;
    }
}
