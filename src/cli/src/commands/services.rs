//! `banyan services`: who registered with service discovery, and how they are.

use serde_json::Value;

use crate::args::ServicesArgs;
use crate::context::Context;
use crate::discovery::Registry;
use crate::failure::Failure;
use crate::report::style::Tone;
use crate::report::table::{Cell, Table};

/// Shows the services.
pub async fn run(context: &Context, args: ServicesArgs) -> Result<u8, Failure> {
    let registry = Registry::of(context, &args.registry).await?;
    let mut items = registry.json("/admin/services").await?["services"].take();
    chosen(&mut items, "serviceName", &args.services)?;
    if context.json() {
        context.print_json(&serde_json::json!({ "schema_version": 1, "items": items }));
        return Ok(0);
    }
    let mut table = Table::new([
        "SERVICE",
        "VERSION",
        "HEALTH",
        "WITH WHAT IT CALLS",
        "INSTANCES",
        "CONTRACTS",
        "ANSWERS IN",
        "ERRORS",
    ]);
    for item in items.as_array().into_iter().flatten() {
        let count = item["instances"].as_array().map_or(0, Vec::len);
        let errors: Vec<&str> = item["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        table.row([
            text(item, "serviceName").into(),
            text(item, "version").into(),
            health(&item["status"]),
            health(&item["cascadingStatus"]),
            count.to_string().into(),
            item["contracts"].to_string().into(),
            item["responseTime"].as_u64().map(|it| format!("{it} ms")).unwrap_or_default().into(),
            Cell::from(errors.join("; ")),
        ]);
    }
    if table.is_empty() {
        context.note("no service has registered");
    }
    context.print(&table.render(context.style, context.terminal.table_width()));
    Ok(0)
}

/// Leaves only the services that were named; an error when one of them is not there.
pub fn chosen(items: &mut Value, key: &str, named: &[String]) -> Result<(), Failure> {
    let Some(all) = items.as_array_mut() else { return Ok(()) };
    let known: Vec<&str> = all.iter().filter_map(|it| it[key].as_str()).collect();
    super::check_names(named, &known)?;
    all.retain(|it| named.is_empty() || named.iter().any(|name| it[key] == name.as_str()));
    Ok(())
}

/// The text of a field; nothing when it has none.
pub fn text(item: &Value, key: &str) -> String {
    item[key].as_str().unwrap_or_default().to_owned()
}

/// A word about health, in its tone.
pub fn health(word: &Value) -> Cell {
    let word = word.as_str().unwrap_or("unknown");
    let tone = match word {
        "healthy" => Tone::Ok,
        "degraded" => Tone::Warn,
        "unhealthy" => Tone::Fail,
        _ => Tone::Dim,
    };
    Cell::new(tone, word)
}
