//! Five services that answer at once: in a chain, and independent of each other. What is left is the tool's own time.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::clients::{Clients, Protocol, Target};
use crate::report::{Report, Series};
use crate::stage::{Stage, run};
use crate::{Options, machine};

const SERVICES: usize = 5;

/// Lines of the table, their shape, the interval of the checks, and the most that the ratio may be.
const SCENARIOS: [(&str, Shape, &str, f64); 3] = [
    ("chain of 5 / compose, 100 ms checks", Shape::Chain, "100ms", 0.40),
    ("chain of 5 / compose, 1 s checks", Shape::Chain, "1s", 0.20),
    ("5 independent / compose, 100 ms checks", Shape::Independent, "100ms", 0.70),
];

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Chain,
    Independent,
}

/// Measures.
pub fn measure(stage: &Stage, options: &Options, has_compose: bool, report: &mut Report) -> Result<(), String> {
    let clients = Clients::new()?;
    let image = redis_image(stage)?;
    let mut ours: BTreeMap<usize, Series> = BTreeMap::new();
    let mut theirs: BTreeMap<usize, Series> = BTreeMap::new();
    let mut busy = Vec::new();
    for round in 1..=options.quick_rounds {
        eprintln!("chain: round {round} of {}", options.quick_rounds);
        for (i, (_, shape, interval, _)) in SCENARIOS.iter().enumerate() {
            let project = stage.project("five");
            let file = stage.write("five.yml", &file(&project, &image, *shape, Some(interval)))?;
            let mut turns = [true, false];
            if round % 2 == 0 {
                turns.reverse();
            }
            for is_banyan in turns.into_iter().filter(|is_banyan| *is_banyan || has_compose) {
                busy.push(format!("{:.0} %", machine::settle(options.idle_wait) * 100.0));
                let took = once(stage, &clients, &project, &file, is_banyan, report)?;
                if is_banyan { &mut ours } else { &mut theirs }.entry(i).or_default().push(took);
            }
        }
    }
    for (i, (what, _, _, goal)) in SCENARIOS.iter().enumerate() {
        let (ours, theirs) = (ours.entry(i).or_default(), theirs.entry(i).or_default());
        report.ratio(what, ours, (format!("compose {}", theirs.seconds()), theirs.median()), Some(*goal));
        report.keep(format!("{what}: banyan"), ours);
        report.keep(format!("{what}: compose"), theirs);
    }
    if has_compose {
        let project = stage.project("five");
        let file = stage.write("five.yml", &file(&project, &image, Shape::Chain, None))?;
        let floor = once(stage, &clients, &project, &file, false, report)?;
        report.note(format!("compose, chain of 5 with the checks taken out (once, not scored): {floor:.2} s"));
    }
    report.note(format!("busy before each of the five-service runs: {}", busy.join(", ")));
    Ok(())
}

/// One run from nothing to ready.
fn once(
    stage: &Stage,
    clients: &Clients,
    project: &str,
    file: &Path,
    is_banyan: bool,
    report: &mut Report,
) -> Result<f64, String> {
    let file = file.display().to_string();
    let command = if is_banyan {
        stage.banyan(&["--progress", "quiet", "--file", &file, "up"])
    } else {
        stage.compose(&["-p", project, "-f", &file, "up", "-d", "--wait"])
    };
    let tool = if is_banyan { "banyan" } else { "compose" };
    let up = run(command)?.ok(&format!("{tool} up of five services"))?;
    let targets = targets(stage, project)?;
    if targets.len() != SERVICES {
        report.invalid(format!("{tool} up of five services: {} run", targets.len()));
    }
    if let Err(why) = clients.all_at_once(&targets) {
        report.invalid(format!("{tool} up of five services: {why}"));
    }
    stage.remove(project)?;
    std::thread::sleep(Duration::from_millis(200));
    Ok(up.took.as_secs_f64())
}

/// The containers by their own addresses; nothing is published.
fn targets(stage: &Stage, project: &str) -> Result<Vec<Target>, String> {
    let containers = stage.inspect(project)?;
    let address = |c: &serde_json::Value| {
        let networks = c["NetworkSettings"]["Networks"].as_object()?;
        networks.values().find_map(|n| Some(n["IPAddress"].as_str().filter(|ip| !ip.is_empty())?.to_owned()))
    };
    Ok(containers
        .iter()
        .filter_map(|c| {
            let service = c["Config"]["Labels"]["com.docker.compose.service"].as_str()?.to_owned();
            Some(Target { service, host: address(c)?, port: 6379, protocol: Protocol::Redis { password: None } })
        })
        .collect())
}

/// The image that the stack's redis would run.
fn redis_image(stage: &Stage) -> Result<String, String> {
    let listed = run(stage.banyan(&["images", "list", "--output", "json"]))?.ok("banyan images list")?;
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).map_err(crate::stage::text)?;
    let items = listed["items"].as_array().into_iter().flatten();
    let redis = items.into_iter().find(|i| i["service"] == "redis");
    let image = redis.and_then(|r| r["image"].as_str().or_else(|| r["reference"].as_str()));
    image.map(str::to_owned).ok_or_else(|| format!("no image of redis in {listed}"))
}

fn file(project: &str, image: &str, shape: Shape, interval: Option<&str>) -> String {
    let mut text = format!("name: {project}\nservices:\n");
    for i in 1..=SERVICES {
        text.push_str(&format!(
            "  s{i}:\n    image: {image}\n    command: [redis-server, --save, \"\"]\n    x-banyan: {{ boot: 100ms, ready: {{ protocol: redis, port: 6379 }} }}\n"
        ));
        if let Some(interval) = interval {
            text.push_str(&format!(
                "    healthcheck: {{ test: [CMD-SHELL, \"redis-cli ping | grep -qx PONG\"], interval: {interval}, timeout: 5s, retries: 100 }}\n"
            ));
        }
        if shape == Shape::Chain && i > 1 {
            let condition = if interval.is_some() { "service_healthy" } else { "service_started" };
            text.push_str(&format!("    depends_on: {{ s{}: {{ condition: {condition} }} }}\n", i - 1));
        }
    }
    text
}
