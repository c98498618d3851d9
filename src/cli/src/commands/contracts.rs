//! `banyan contracts`: what services offer, what would break, who needs whom.

use std::path::Path;

use banyan_sdk::protocol::compat::{self, Difference};
use banyan_sdk::protocol::{Contract, contract};
use serde_json::Value;

use super::services::{chosen, health, text};
use crate::args::{ContractsCommand, DiffArgs, Drawing};
use crate::context::Context;
use crate::discovery::{Registry, escaped};
use crate::failure::{Exit, Failure};
use crate::report::style::Tone;
use crate::report::table::{Cell, Table};

/// Lists, shows, compares or draws.
pub async fn run(context: &Context, command: ContractsCommand) -> Result<u8, Failure> {
    match &command {
        ContractsCommand::List { services, registry } => {
            list(context, &Registry::of(context, registry).await?, services).await
        }
        ContractsCommand::Show { service, message_type, service_version, registry } => {
            let registry = Registry::of(context, registry).await?;
            show(context, &registry, service, message_type.as_deref(), service_version.as_deref()).await
        }
        ContractsCommand::Diff(args) => diff(context, args).await,
        ContractsCommand::Graph { format, registry } => {
            graph(context, &Registry::of(context, registry).await?, *format).await
        }
    }
}

async fn list(context: &Context, registry: &Registry, named: &[String]) -> Result<u8, Failure> {
    let mut services = registry.json("/api/contracts?includeInternalServices=true").await?["services"].take();
    chosen(&mut services, "serviceName", named)?;
    if context.json() {
        context.print_json(&serde_json::json!({ "schema_version": 1, "items": services }));
        return Ok(0);
    }
    let mut table = Table::new(["SERVICE", "VERSION", "CONTRACT", "TYPE", "WHO MAY", "CONTRACT'S VERSION"]);
    for service in services.as_array().into_iter().flatten() {
        for contract in contracts(&service["contracts"])? {
            table.row([
                text(service, "serviceName"),
                text(service, "version"),
                contract.message_type.clone(),
                contract.kind().to_string(),
                who_may(&contract),
                contract.version.clone(),
            ]);
        }
    }
    if table.is_empty() {
        context.note("no contracts");
    }
    context.print(&table.render(context.style, context.terminal.table_width()));
    Ok(0)
}

fn who_may(contract: &Contract) -> String {
    match contract.required_permissions.as_slice() {
        _ if contract.kind() == banyan_sdk::protocol::Kind::Event => String::new(),
        [] if contract.is_public => "everybody".to_owned(),
        [] => "who is logged in".to_owned(),
        permissions => permissions.join(" and "),
    }
}

async fn show(
    context: &Context,
    registry: &Registry,
    service: &str,
    message_type: Option<&str>,
    version: Option<&str>,
) -> Result<u8, Failure> {
    let mut found = registered(registry, service, version).await?;
    if let (Some(message_type), Some(all)) = (message_type, found["contracts"].as_array_mut()) {
        let known: Vec<String> = all.iter().map(|it| text(it, "messageType")).collect();
        all.retain(|it| it["messageType"] == message_type);
        if all.is_empty() {
            let failure = Failure::new(Exit::Usage, 63, format!("{service} has no contract `{message_type}`"));
            return Err(match compose::suggest(message_type, known.iter().map(String::as_str)) {
                Some(similar) => failure.hint(format!("did you mean `{similar}`?")),
                None => failure.hint(format!("it has {}", known.join(", "))),
            });
        }
    }
    if context.json() {
        found["schema_version"] = 1.into();
        context.print_json(&found);
        return Ok(0);
    }
    let style = context.style;
    let mut out = format!("{} {}\n", style.text(&text(&found, "service")), style.text(&text(&found, "version")));
    for contract in contracts(&found["contracts"])? {
        let pretty = |schema: &Value| {
            let schema = serde_json::to_string_pretty(schema).unwrap_or_default();
            schema.lines().map(|line| format!("    {}\n", style.text(line))).collect::<String>()
        };
        let (name, who) = (style.text(&contract.message_type), style.text(&who_may(&contract)));
        out.push_str(&format!(
            "\n{name} {} ({})\n  {}\n",
            contract.version,
            contract.kind(),
            style.text(&contract.description)
        ));
        if !who.is_empty() {
            out.push_str(&format!("  who may: {who}\n"));
        }
        let is_event = contract.kind() == banyan_sdk::protocol::Kind::Event;
        out.push_str(&format!("  {}:\n{}", if is_event { "payload" } else { "input" }, pretty(&contract.input_schema)));
        if !is_event {
            out.push_str(&format!("  output:\n{}", pretty(&contract.output_schema)));
        }
    }
    context.print(&out);
    Ok(0)
}

async fn diff(context: &Context, args: &DiffArgs) -> Result<u8, Failure> {
    let registry = Registry::of(context, &args.registry).await?;
    let old = registered(&registry, &args.service, args.from.as_deref()).await?;
    let (name, new) = match (&args.with, &args.to) {
        (Some(file), _) => (file.display().to_string(), from_file(file)?),
        (None, to) => {
            let new = registered(&registry, &args.service, to.as_deref()).await?;
            (text(&new, "version"), contracts(&new["contracts"])?)
        }
    };
    let differences = compat::compare(&contracts(&old["contracts"])?, &new);
    let breaks = differences.iter().any(|it| it.breaking);
    if context.json() {
        context.print_json(&serde_json::json!({
            "schema_version": 1, "service": args.service, "from": old["version"], "to": name,
            "breaking": breaks, "items": differences,
        }));
    } else {
        print_differences(context, &differences);
    }
    Ok(if breaks && args.exit_code { Exit::Changes as u8 } else { 0 })
}

fn print_differences(context: &Context, differences: &[Difference]) {
    let mut table = Table::new(["BREAKS", "CONTRACT", "WHERE", "WHAT"]);
    for it in differences {
        let verdict = if it.breaking { Cell::new(Tone::Fail, "yes") } else { Cell::new(Tone::Ok, "no") };
        table.row([verdict, it.message_type.clone().into(), it.path.clone().into(), it.reason.clone().into()]);
    }
    if table.is_empty() {
        context.note("nothing differs");
    }
    context.print(&table.render(context.style, context.terminal.table_width()));
}

async fn graph(context: &Context, registry: &Registry, format: Drawing) -> Result<u8, Failure> {
    let path = match format {
        Drawing::Text => "/admin/graph",
        Drawing::Dot => "/admin/graph?format=dot",
        Drawing::Mermaid => "/admin/graph?format=mermaid",
    };
    if format != Drawing::Text {
        context.print(&registry.text(path).await?);
        return Ok(0);
    }
    let mut graph = registry.json(path).await?;
    if context.json() {
        graph["schema_version"] = 1.into();
        context.print_json(&graph);
        return Ok(0);
    }
    let mut table = Table::new(["SERVICE", "HEALTH", "WITH WHAT IT CALLS", "NEEDS", "FOR"]);
    for service in graph["services"].as_array().into_iter().flatten() {
        let needs = graph["dependencies"].as_array().into_iter().flatten();
        let mut needs = needs.filter(|it| it["from"] == service["serviceName"]).peekable();
        let own = |need: &str, what: String| {
            let [status, cascading] = [health(&service["status"]), health(&service["cascadingStatus"])];
            [text(service, "serviceName").into(), status, cascading, Cell::from(need.to_owned()), what.into()]
        };
        if needs.peek().is_none() {
            table.row(own("", String::new()));
        }
        for need in needs {
            let types = need["messageTypes"].as_array().into_iter().flatten();
            let types: Vec<&str> = types.filter_map(Value::as_str).collect();
            table.row(own(
                need["to"].as_str().unwrap_or_default(),
                format!("{} {}", text(need, "kind"), types.join(", ")),
            ));
        }
    }
    if table.is_empty() {
        context.note("no service has registered");
    }
    context.print(&table.render(context.style, context.terminal.table_width()));
    Ok(0)
}

async fn registered(registry: &Registry, service: &str, version: Option<&str>) -> Result<Value, Failure> {
    let version = version.map(|it| format!("?version={}", escaped(it))).unwrap_or_default();
    registry.json(&format!("/api/services/{}/contracts{version}", escaped(service))).await
}

fn contracts(value: &Value) -> Result<Vec<Contract>, Failure> {
    serde_json::from_value(value.clone()).map_err(|error| {
        Failure::new(Exit::Other, 61, "service discovery sent contracts that this version does not understand")
            .details([error.to_string()])
    })
}

/// The contracts in a file, which must be right.
fn from_file(path: &Path) -> Result<Vec<Contract>, Failure> {
    let wrong = |why: String| {
        Failure::new(Exit::Usage, 64, format!("{} holds no contracts", path.display()))
            .details([why])
            .hint("it must be a JSON list of contracts, or an object with one in `contracts`")
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let mut value: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if value.is_object() {
        value = value["contracts"].take();
    }
    let contracts: Vec<Contract> = serde_json::from_value(value).map_err(|error| wrong(error.to_string()))?;
    let validation = contract::validate(&contracts);
    if !validation.is_valid {
        let flaws: Vec<_> = validation.errors.iter().map(|it| format!("{}: {}", it.field, it.message)).collect();
        return Err(wrong(flaws.join("\n")));
    }
    Ok(contracts)
}
