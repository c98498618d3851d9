//! `banyan status`: the services, and what runs of them.

use compose::observed::{Container, LABEL_SOURCE, LABEL_VERSION, State};
use compose::project::Project;

use super::{check_names, container_of};
use crate::args::StatusArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::report::style::Tone;
use crate::report::table::{Cell, Table};

/// One service as `status` shows it.
struct Row<'a> {
    service: &'a str,
    container: Option<&'a Container>,
    tier: Option<&'a str>,
    addresses: Vec<String>,
}

/// One look, no questions asked.
pub async fn run(context: &Context, args: StatusArgs) -> Result<u8, Failure> {
    let loaded = context.load(&["*".to_owned()], &[])?;
    let project = &loaded.project;
    let engine = context.engine().await?;
    let containers = engine.containers(&project.name).await?;
    let mut known: Vec<&str> = project.services.keys().map(String::as_str).collect();
    known.extend(containers.iter().map(Container::service).filter(|s| !project.services.contains_key(*s)));
    known.dedup();
    check_names(&args.services, &known)?;
    let rows: Vec<Row<'_>> = known
        .iter()
        .filter(|s| args.services.is_empty() || args.services.iter().any(|a| a == *s))
        .map(|s| row(project, &containers, s))
        // a service that only a profile brings up is worth a line only when it is there
        .filter(|r| r.container.is_some() || !is_profiled(project, r.service))
        .collect();
    if context.json() {
        let items: Vec<_> = rows.iter().map(json).collect();
        context.print_json(&serde_json::json!({ "schema_version": 1, "project": project.name, "items": items }));
        return Ok(0);
    }
    let required = table(context, rows.iter().filter(|r| r.tier.is_none()));
    let optional = table(context, rows.iter().filter(|r| r.tier.is_some()));
    let mut text = required;
    if !optional.is_empty() {
        let gap = if text.is_empty() { "" } else { "\n" };
        text.push_str(&format!("{gap}Optional\n{optional}"));
    }
    if containers.is_empty() {
        context.note(&format!("nothing of project {} runs; bring it up: {}", project.name, context.pasteable(&["up"])));
    }
    context.print(&text);
    Ok(0)
}

fn is_profiled(project: &Project, service: &str) -> bool {
    project.services.get(service).is_some_and(|s| !s.profiles.is_empty())
}

fn row<'a>(project: &'a Project, containers: &'a [Container], service: &'a str) -> Row<'a> {
    let container = container_of(containers, service);
    let declared = project.services.get(service);
    let mut addresses: Vec<String> =
        declared.map(|s| super::addresses(s).into_iter().map(|(_, url, _)| url).collect()).unwrap_or_default();
    if addresses.is_empty() {
        // ports that the engine chose
        let ports = container.iter().flat_map(|c| &c.ports).filter(|p| !p.host_ip.contains(':'));
        addresses.extend(ports.map(|p| format!("localhost:{}", p.host)));
    }
    Row { service, container, tier: declared.and_then(|s| s.extension.tier.as_deref()), addresses }
}

fn table<'a>(context: &Context, rows: impl Iterator<Item = &'a Row<'a>>) -> String {
    let mut table = Table::new(["SERVICE", "STATE", "VERSION", "SOURCE", "IMAGE", "ADDRESS"]);
    for row in rows {
        let Some(c) = row.container else {
            table.row([Cell::from(row.service), Cell::new(Tone::Dim, "not there")]);
            continue;
        };
        let tone = match c.state {
            State::Running => Tone::Ok,
            State::Exited if c.status.starts_with("Exited (0)") => Tone::Dim,
            State::Created | State::Paused => Tone::Warn,
            _ => Tone::Fail,
        };
        let label = |name: &str| c.labels.get(name).cloned().unwrap_or_default();
        let status = if c.status.is_empty() { c.state.as_str().to_owned() } else { c.status.clone() };
        table.row([
            Cell::from(row.service),
            Cell::new(tone, status),
            label(LABEL_VERSION).into(),
            label(LABEL_SOURCE).into(),
            image(c).into(),
            row.addresses.first().cloned().unwrap_or_default().into(),
        ]);
    }
    if table.is_empty() { String::new() } else { table.render(context.style, context.terminal.table_width()) }
}

/// The image by name; a container made by id has its name in the listing only while the tag still points at it.
fn image(c: &Container) -> String {
    match c.image.strip_prefix("sha256:") {
        Some(id) => format!("sha256:{}", &id[..id.len().min(12)]),
        None => c.image.clone(),
    }
}

fn json(row: &Row<'_>) -> serde_json::Value {
    let c = row.container;
    let label = |name: &str| c.and_then(|c| c.labels.get(name));
    serde_json::json!({
        "service": row.service,
        "required": row.tier.is_none(),
        "tier": row.tier,
        "state": c.map_or("absent", |c| c.state.as_str()),
        "status": c.map(|c| &c.status),
        "container": c.map(|c| &c.name),
        "image": c.map(image),
        "version": label(LABEL_VERSION),
        "source": label(LABEL_SOURCE),
        "addresses": row.addresses,
        "ports": c.map(|c| c.ports.iter().map(|p| serde_json::json!({ "host_ip": p.host_ip, "host": p.host, "container": p.container, "protocol": p.protocol })).collect::<Vec<_>>()).unwrap_or_default(),
    })
}
