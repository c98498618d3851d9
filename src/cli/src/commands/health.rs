//! `banyan health`: every service is asked in its own protocol.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use compose::observed::{Container, LABEL_SOURCE, LABEL_VERSION, State};
use compose::plan;
use compose::project::{Project, Service};
use engine::Engine;
use engine::wait::ask;
use futures_util::future::join_all;

use super::{check_names, container_of};
use crate::args::HealthArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::report::style::Tone;
use crate::report::table::{Cell, Table};

/// The longest that a service may take to answer.
const LIMIT: Duration = Duration::from_secs(3);

/// The shortest time between two rounds.
const SHORTEST: Duration = Duration::from_millis(100);

/// What one service answered.
struct Checkup {
    service: String,
    required: bool,
    /// `running`, `exited`, `absent` …
    state: String,
    healthy: bool,
    /// The answer, or what came instead of it.
    answer: String,
    latency: Option<Duration>,
    version: String,
    source: String,
    needed_by: Vec<String>,
}

/// Asks once, or again and again with `--watch`.
pub async fn run(context: &Context, args: HealthArgs) -> Result<u8, Failure> {
    let loaded = context.load(&["*".to_owned()], &[])?;
    let project = &loaded.project;
    let known: Vec<&str> = project.services.keys().map(String::as_str).collect();
    check_names(&args.services, &known)?;
    let engine = context.engine().await?;
    if args.watch {
        return watch(context, &args, &engine, project).await;
    }
    let checkups = check_all(&engine, project, &args.services).await?;
    print(context, project, &checkups);
    verdict(context, &checkups)
}

async fn watch(context: &Context, args: &HealthArgs, engine: &Engine, project: &Project) -> Result<u8, Failure> {
    let mut before: BTreeMap<String, bool> = BTreeMap::new();
    loop {
        let checkups = check_all(engine, project, &args.services).await?;
        let mut checkups = checkups;
        // an optional service that is not there is no news
        checkups.retain(|c| c.required || c.state != "absent" || before.contains_key(&c.service));
        for c in &checkups {
            if before.insert(c.service.clone(), c.healthy) == Some(c.healthy) {
                continue;
            }
            if context.json() {
                let mut line = c.json();
                line["at_ms"] = milliseconds_now().into();
                context.print(&line.to_string());
            } else {
                let (tone, word) = if c.healthy { (Tone::Ok, "healthy") } else { (Tone::Fail, "unhealthy") };
                let style = context.style;
                context.print(&format!("{} {} {word}: {}", style.mark(tone), c.service, style.text(&c.answer)));
            }
        }
        tokio::select! {
            () = tokio::time::sleep(args.interval.max(SHORTEST)) => {}
            () = context.cancel.cancelled() => return Ok(Exit::Interrupted as u8),
            () = context.reader_gone.cancelled() => return Ok(0),
        }
    }
}

fn milliseconds_now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

async fn check_all(engine: &Engine, project: &Project, named: &[String]) -> Result<Vec<Checkup>, Failure> {
    let containers = engine.containers(&project.name).await?;
    let of = |s: &Service| container_of(&containers, &s.name);
    let chosen = project
        .services
        .values()
        .filter(|s| if named.is_empty() { s.profiles.is_empty() || of(s).is_some() } else { named.contains(&s.name) });
    // whoever names a service asks about that one
    let counts = |s: &Service| named.contains(&s.name) || (s.is_required() && s.profiles.is_empty());
    Ok(join_all(chosen.map(|s| check(engine, project, s, counts(s), of(s)))).await)
}

async fn check(
    engine: &Engine,
    project: &Project,
    service: &Service,
    required: bool,
    container: Option<&Container>,
) -> Checkup {
    let label = |name: &str| container.and_then(|c| c.labels.get(name)).cloned().unwrap_or_default();
    let mut checkup = Checkup {
        service: service.name.clone(),
        required,
        state: container.map_or("absent", |c| c.state.as_str()).to_owned(),
        healthy: false,
        answer: String::new(),
        latency: None,
        version: label(LABEL_VERSION),
        source: label(LABEL_SOURCE),
        needed_by: project
            .services
            .values()
            .filter(|s| s.depends_on.get(&service.name).is_some_and(|e| e.required))
            .map(|s| s.name.clone())
            .collect(),
    };
    let Some(container) = container else {
        checkup.answer = "there is no container".to_owned();
        return checkup;
    };
    if plan::is_done_job(project, service, container) {
        checkup.healthy = true;
        checkup.answer = "ended with 0".to_owned();
        return checkup;
    }
    if container.state != State::Running {
        checkup.answer = container.status.clone();
        return checkup;
    }
    match ask(engine, service, &container.name, LIMIT).await {
        Ok(answer) => {
            checkup.healthy = true;
            checkup.answer = answer.how;
            checkup.latency = answer.latency;
            checkup.version = answer.version.unwrap_or(checkup.version);
        }
        Err(message) => checkup.answer = message,
    }
    checkup
}

fn print(context: &Context, project: &Project, checkups: &[Checkup]) {
    if context.json() {
        let items: Vec<_> = checkups.iter().map(Checkup::json).collect();
        let healthy = checkups.iter().all(|c| c.healthy || !c.required);
        context.print_json(
            &serde_json::json!({ "schema_version": 1, "project": project.name, "healthy": healthy, "items": items }),
        );
        return;
    }
    let mut text = table(context, checkups.iter().filter(|c| c.required));
    let optional = table(context, checkups.iter().filter(|c| !c.required));
    if !optional.is_empty() {
        let gap = if text.is_empty() { "" } else { "\n" };
        text.push_str(&format!("{gap}Optional\n{optional}"));
    }
    context.print(&text);
}

fn table<'a>(context: &Context, checkups: impl Iterator<Item = &'a Checkup>) -> String {
    let mut table = Table::new(["SERVICE", "HEALTH", "STATE", "ANSWER", "VERSION", "SOURCE", "NEEDED BY"]);
    for c in checkups {
        let (tone, word) = match (c.healthy, c.required, c.state.as_str()) {
            (true, ..) => (Tone::Ok, "healthy"),
            (false, false, "absent") => (Tone::Dim, "not there"),
            (false, ..) => (Tone::Fail, "unhealthy"),
        };
        table.row([
            Cell::from(c.service.clone()),
            Cell::new(tone, word),
            c.state.clone().into(),
            context.style.text(&c.answer).into(),
            c.version.clone().into(),
            c.source.clone().into(),
            c.needed_by.join(", ").into(),
        ]);
    }
    if table.is_empty() { String::new() } else { table.render(context.style, context.terminal.table_width()) }
}

fn verdict(context: &Context, checkups: &[Checkup]) -> Result<u8, Failure> {
    let bad: Vec<&Checkup> = checkups.iter().filter(|c| c.required && !c.healthy).collect();
    if bad.is_empty() {
        return Ok(0);
    }
    if checkups.iter().all(|c| c.state == "absent") {
        return Err(Failure::new(Exit::NotRunning, 1, "nothing of the project runs")
            .hint(format!("bring it up: {}", context.pasteable(&["up"]))));
    }
    let names: Vec<_> = bad.iter().map(|c| c.service.as_str()).collect();
    Err(Failure::new(Exit::Unhealthy, 1, format!("not healthy: {}", names.join(", ")))
        .details(bad.iter().map(|c| format!("{}: {}", c.service, context.style.text(&c.answer))))
        .hint(format!(
            "see its log: {}\nbring up what is missing: {}",
            context.pasteable(&["logs", "--tail", "50", names[0]]),
            context.pasteable(&["up"])
        )))
}

impl Checkup {
    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "schema_version": 1,
            "service": self.service, "required": self.required, "state": self.state, "healthy": self.healthy,
            "answer": self.answer, "latency_ms": self.latency.map(|l| l.as_secs_f64() * 1e3),
            "version": self.version, "source": self.source, "needed_by": self.needed_by,
        })
    }
}
