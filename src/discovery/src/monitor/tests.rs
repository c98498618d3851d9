//! A clock that is turned by hand, questions and answers: what follows.

use super::*;

const LIMITS: Limits = Limits { interval: Duration::from_secs(10), timeout: Duration::from_secs(5), threshold: 3 };

/// A monitor and its time.
struct Scene {
    monitor: Monitor,
    start: Now,
    millis: u64,
    told: BTreeMap<String, Option<HealthStatus>>,
    instances: BTreeSet<(String, String)>,
    findings: Vec<String>,
}

fn word(status: HealthStatus) -> String {
    format!("{status:?}").to_lowercase()
}

impl Scene {
    /// `users` with these instances.
    fn new(instances: &[&str]) -> Self {
        let mut scene = Self {
            monitor: Monitor::new(LIMITS),
            start: Now::read(),
            millis: 0,
            told: BTreeMap::from([("users".to_owned(), None)]),
            instances: instances.iter().map(|it| ("users".to_owned(), (*it).to_owned())).collect(),
            findings: Vec::new(),
        };
        scene.sync();
        scene
    }

    fn now(&self) -> Now {
        let passed = Duration::from_millis(self.millis);
        Now { wall: self.start.wall.plus(passed), steady: self.start.steady + passed }
    }

    fn sync(&mut self) {
        let now = self.now();
        self.monitor.know(&self.told, &self.instances, now);
    }

    /// Time passes; what is due is asked and heard, and these instances answer after so many milliseconds.
    fn pass(&mut self, millis: u64, answers: &[(&str, u64, HealthStatus)]) {
        let end = self.millis + millis;
        let mut under_way: Vec<(u64, HealthCheckResponse)> = Vec::new();
        while self.millis < end {
            for service in self.monitor.due(self.now().steady) {
                let now = self.now();
                self.monitor.asked(&service, now);
                for (id, after, status) in answers {
                    under_way.push((self.millis + after, answer(&service, Some(id), *status)));
                }
            }
            let now = self.now();
            for (_, answer) in under_way.extract_if(.., |(at, _)| *at <= self.millis) {
                self.monitor.answered(&answer, now);
            }
            self.judge();
            self.millis += 100;
        }
    }

    fn judge(&mut self) {
        for finding in self.monitor.judge(self.now()) {
            match finding {
                Finding::Changed { service, before, health } => {
                    self.findings.push(format!("{} {} -> {}", self.millis, word(before), word(health.status)));
                    self.told.insert(service, Some(health.status));
                }
                Finding::Gone { service, instance, .. } => {
                    self.findings.push(format!("{} {instance} gone", self.millis));
                    self.instances.remove(&(service, instance));
                }
            }
        }
        self.sync();
    }

    fn found(&mut self) -> Vec<String> {
        std::mem::take(&mut self.findings)
    }

    fn health(&self) -> Health {
        self.monitor.health("users").unwrap()
    }
}

fn answer(service: &str, id: Option<&str>, status: HealthStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        service_name: service.to_owned(),
        service_id: id.map(str::to_owned),
        status,
        timestamp: 0,
        response_time: 0,
        dependencies: None,
        errors: None,
    }
}

const HEALTHY: HealthStatus = HealthStatus::Healthy;

#[test]
fn a_service_is_unknown_until_it_answers() {
    let mut scene = Scene::new(&["a"]);
    assert_eq!(scene.health(), Health::default());
    scene.pass(1_000, &[("a", 300, HEALTHY)]);
    assert_eq!(scene.found(), ["300 unknown -> healthy"]);
    assert_eq!(scene.health().response_time, Some(300));
    scene.pass(60_000, &[("a", 300, HEALTHY)]);
    assert_eq!(scene.found(), [""; 0], "what does not change is not told");
}

#[test]
fn three_questions_without_an_answer_make_it_unhealthy_and_gone() {
    let mut scene = Scene::new(&["a"]);
    scene.pass(1_000, &[("a", 100, HEALTHY)]);
    scene.found();
    scene.pass(60_000, &[]);
    // Asked at 10, 20 and 30 s; each time is over 5 s later.
    assert_eq!(scene.found(), ["35100 a gone", "35100 healthy -> unhealthy"]);
    assert_eq!(scene.health().errors, ["no instance is running"]);
}

#[test]
fn an_answer_in_between_begins_the_count_anew() {
    let mut scene = Scene::new(&["a"]);
    for _ in 0..4 {
        scene.pass(10_000, &[("a", 100, HEALTHY)]);
        scene.pass(20_000, &[]);
    }
    assert_eq!(scene.found(), ["100 unknown -> healthy"]);
}

#[test]
fn slow_answers_degrade_and_late_ones_do_not_count() {
    let mut scene = Scene::new(&["a"]);
    scene.pass(10_000, &[("a", 2_600, HEALTHY)]);
    assert_eq!(scene.found(), ["2600 unknown -> degraded"]);
    assert!(scene.health().errors[0].starts_with("answers slowly"));
    scene.pass(10_000, &[("a", 100, HEALTHY)]);
    assert_eq!(scene.found(), ["10100 degraded -> healthy"]);
    scene.pass(40_000, &[("a", 5_100, HEALTHY)]);
    assert_eq!(scene.found(), ["45100 a gone", "45100 healthy -> unhealthy"]);
}

#[test]
fn of_several_instances_one_may_fail() {
    let mut scene = Scene::new(&["a", "b"]);
    let both = [("a", 100, HEALTHY), ("b", 200, HEALTHY)];
    scene.pass(10_000, &both);
    assert_eq!(scene.found(), ["100 unknown -> healthy"]);
    scene.pass(10_000, &[("a", 100, HEALTHY), ("b", 100, HealthStatus::Unhealthy)]);
    assert_eq!(scene.found(), ["10100 healthy -> degraded"]);
    scene.pass(10_000, &both);
    assert_eq!(scene.found().len(), 1);
    // b falls silent: first the service is degraded, and then it is one instance smaller.
    scene.pass(40_000, &[("a", 100, HEALTHY)]);
    assert_eq!(scene.found(), ["55100 b gone", "55100 healthy -> degraded", "55200 degraded -> healthy"]);
}

#[test]
fn whoever_does_not_name_an_instance_speaks_for_all() {
    let mut scene = Scene::new(&["a", "b"]);
    scene.pass(100, &[]);
    let now = scene.now();
    scene.monitor.answered(&answer("users", None, HEALTHY), now);
    scene.pass(100, &[]);
    assert_eq!(scene.found(), ["100 unknown -> healthy"]);
}

/// Questions of others count as ours, those that nobody heard do not count, and no answer counts without a question.
#[test]
fn only_what_is_heard_counts() {
    let mut scene = Scene::new(&["a"]);
    let now = scene.now();
    scene.monitor.answered(&answer("users", Some("a"), HEALTHY), now);
    scene.judge();
    assert_eq!(scene.found(), [""; 0]);
    for second in 0..120 {
        scene.millis = second * 1_000;
        scene.monitor.due(scene.now().steady);
        scene.judge();
    }
    assert_eq!(scene.found(), [""; 0], "the broker took the questions nowhere");
    let now = scene.now();
    scene.monitor.asked("users", now);
    scene.millis += 9_000;
    assert_eq!(scene.monitor.due(scene.now().steady), [""; 0], "another one has asked");
    scene.millis += 1_000;
    assert_eq!(scene.monitor.due(scene.now().steady), ["users"]);
}

#[test]
fn an_instance_that_comes_after_a_question_need_not_answer_it() {
    let mut scene = Scene::new(&["a"]);
    scene.pass(1_000, &[("a", 100, HEALTHY)]);
    scene.instances.insert(("users".to_owned(), "late".to_owned()));
    scene.sync();
    scene.pass(8_000, &[]);
    let misses = |scene: &Scene| scene.monitor.services["users"].instances["late"].misses;
    assert_eq!(misses(&scene), 0);
    scene.pass(10_000, &[("a", 100, HEALTHY)]);
    assert_eq!(misses(&scene), 1);
}

/// Service discovery that stood still counts one unanswered question, and not as many as there were meanwhile.
#[test]
fn standing_still_is_nobodys_fault() {
    let mut scene = Scene::new(&["a"]);
    scene.pass(1_000, &[("a", 100, HEALTHY)]);
    scene.millis = 10_000;
    scene.pass(100, &[]);
    scene.millis += 3_600_000;
    scene.pass(20_000, &[("a", 100, HEALTHY)]);
    assert_eq!(scene.found(), ["100 unknown -> healthy"]);
}

#[test]
fn what_was_told_before_a_restart_is_not_told_again() {
    let mut scene = Scene::new(&["a"]);
    scene.told.insert("users".to_owned(), Some(HEALTHY));
    scene.sync();
    scene.pass(1_000, &[("a", 100, HEALTHY)]);
    assert_eq!(scene.found(), [""; 0]);
    scene.pass(10_000, &[("a", 100, HealthStatus::Degraded)]);
    assert_eq!(scene.found(), ["10100 healthy -> degraded"]);
}
