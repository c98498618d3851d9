//! Properties that hold for every graph: random projects from a seeded generator.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::{Docker, all, plan, project};
use crate::observed::Observed;
use crate::plan::{Down, Plan, down, included};
use crate::project::{Condition, Project};

/// Projects per property.
const ROUNDS: u64 = 200;

/// Numbers that look random and are the same in every run (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// A compose file with up to twelve services; edges go to services of a lower number, which are written anywhere.
fn compose(dice: &mut Dice) -> String {
    let count = 1 + dice.roll(12);
    let mut services: Vec<String> = (0..count)
        .map(|i| {
            let mut text = format!("  s{i}:\n    image: i{}\n", dice.roll(5));
            let edges: Vec<u64> = (0..i).filter(|_| dice.roll(3) == 0).collect();
            if !edges.is_empty() {
                text.push_str("    depends_on:\n");
            }
            for edge in edges {
                // the same service is a job for all or for nobody
                let condition = match (edge % 4, dice.roll(2)) {
                    (3, _) => "service_completed_successfully",
                    (_, 0) => "service_healthy",
                    _ => "service_started",
                };
                let (required, restart) = (dice.roll(5) != 0, dice.roll(4) == 0);
                writeln!(text, "      s{edge}: {{condition: {condition}, required: {required}, restart: {restart}}}")
                    .unwrap();
            }
            for (key, sides) in
                [("volumes: ['vol:/v']", 4), ("x-banyan: {tier: extra}", 5), ("networks: [n, default]", 4)]
            {
                if dice.roll(sides) == 0 {
                    writeln!(text, "    {key}").unwrap();
                }
            }
            if dice.roll(4) == 0 {
                text.push_str("    configs: [{source: c, target: /c}]\n");
            }
            text
        })
        .collect();
    for i in (1..services.len()).rev() {
        services.swap(i, usize::try_from(dice.roll(i as u64 + 1)).unwrap());
    }
    format!(
        "services:\n{}volumes: {{vol: {{}}}}\nnetworks: {{n: {{}}}}\nconfigs: {{c: {{content: x}}}}\n",
        services.concat()
    )
}

/// Steps name only steps before them, and none is there twice.
fn assert_ordered(plan: &Plan, text: &str) {
    for (i, step) in plan.steps.iter().enumerate() {
        assert!(step.after.iter().chain(&step.doomed_by).all(|&before| before < i), "{text}\n{plan}");
        let twice = plan.steps[..i].iter().any(|s| s.action == step.action);
        assert!(!twice, "{} is there twice\n{text}\n{plan}", step.action);
    }
}

/// True when `late` cannot begin before `early` has ended.
fn follows(plan: &Plan, late: usize, early: usize) -> bool {
    let (mut open, mut seen) = (vec![late], BTreeSet::new());
    while let Some(step) = open.pop() {
        if seen.insert(step) {
            open.extend(&plan.steps[step].after);
        }
    }
    seen.contains(&early)
}

fn position(plan: &Plan, line: &str) -> Option<usize> {
    plan.steps.iter().position(|s| s.action.to_string() == line)
}

/// Every required edge holds its service back until what it asks for is true.
fn assert_edges(project: &Project, plan: &Plan, text: &str) {
    for service in project.services.values() {
        let start = position(plan, &format!("start container {}", service.container_name)).unwrap();
        for (name, edge) in service.depends_on.iter().filter(|(_, e)| e.required) {
            let what = match edge.condition {
                Condition::Started => format!("start container {}", project.services[name.as_str()].container_name),
                Condition::Healthy => format!("wait until {name} is ready"),
                Condition::Completed => format!("wait until {name} has ended"),
            };
            // a service that others wait to end is never asked whether it is ready
            let end =
                position(plan, &what).or_else(|| position(plan, &format!("wait until {name} has ended"))).unwrap();
            assert!(follows(plan, start, end), "{} does not wait: {what}\n{text}\n{plan}", service.name);
        }
    }
}

#[test]
fn every_service_gets_ready_exactly_once_and_after_what_it_needs() {
    for seed in 0..ROUNDS {
        let text = compose(&mut Dice(seed));
        let project = project(&text);
        let up = plan(&project, &Observed::default(), &all(&project));
        assert_ordered(&up, &text);
        assert_edges(&project, &up, &text);
        let mut docker = Docker::default();
        docker.apply(&project, &up);
        let mut ready = docker.ready.clone();
        ready.sort();
        let mut wanted: Vec<String> = project.services.keys().cloned().collect();
        wanted.sort();
        assert_eq!(ready, wanted, "{text}");
        assert!(plan(&project, &docker.observed, &all(&project)).changes_nothing(), "{text}");
    }
}

#[test]
fn a_run_cut_at_a_random_step_is_finished_by_the_next_and_down_leaves_nothing() {
    for seed in 0..ROUNDS {
        let mut dice = Dice(seed ^ 0xf00d);
        let text = compose(&mut dice);
        let project = project(&text);
        let up = plan(&project, &Observed::default(), &all(&project));
        let cut = usize::try_from(dice.roll(up.steps.len() as u64)).unwrap();
        let mut docker = Docker::default();
        docker.apply_some(&project, &up.steps[..cut]);
        docker.apply(&project, &plan(&project, &docker.observed, &all(&project)));
        assert_eq!(docker.observed.containers.len(), project.services.len(), "{text}");
        let away = down("shop", &docker.observed, &Down { volumes: true, ..Down::default() });
        assert_ordered(&away, &text);
        docker.apply(&project, &away);
        assert_eq!(docker.observed, Observed::default(), "{text}");
    }
}

#[test]
fn the_required_services_need_nothing_of_the_others() {
    for seed in 0..ROUNDS {
        let text = compose(&mut Dice(seed ^ 0xbeef));
        let project = project(&text);
        let (required, optional) = included(&project, &[], false);
        assert_eq!(required.len() + optional.len(), project.services.len(), "{text}");
        for name in &required {
            let service = &project.services[name.as_str()];
            for (dependency, _) in service.depends_on.iter().filter(|(_, e)| e.required) {
                assert!(required.contains(dependency), "{name} needs {dependency}\n{text}");
            }
        }
        assert!(optional.iter().all(|name| !project.services[name.as_str()].is_required()), "{text}");
    }
}
