//! `environment` and `env_file` of a service.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use serde_json::Value as Json;

use super::Context;
use super::service::Draft;
use crate::environment;
use crate::fields;
use crate::hash::Canonical;
use crate::node::{Map, Node, Value};
use crate::report::Report;

/// Reads both; `environment` is stronger, and a later env file is stronger than an earlier one.
pub(super) fn read(map: &Map, context: &Context<'_>, draft: &mut Draft, hash: &mut Canonical, report: &mut Report) {
    let mut variables = BTreeMap::new();
    if let Some(entry) = map.get("env_file") {
        for file in env_files(&entry.node, report) {
            read_file(&file, draft.enabled, context, &mut variables, report);
        }
    }
    if let Some(entry) = map.get("environment") {
        for (name, value) in fields::pairs(&entry.node, "environment", report) {
            if name.is_empty() || name.ends_with(' ') {
                report.problem(entry.key, format!("variable name {name:?} is empty or ends in a space"));
            }
            let value = value.or_else(|| context.environment.get(&name).map(str::to_owned));
            variables.insert(name, value);
        }
    }
    let json: serde_json::Map<String, Json> =
        variables.iter().map(|(name, value)| (name.clone(), Json::from(value.clone()))).collect();
    if !json.is_empty() {
        hash.set("environment", json);
    }
    draft.service.environment = variables;
}

struct EnvFile<'n> {
    node: &'n Node,
    path: String,
    required: bool,
    raw: bool,
}

fn env_files<'n>(node: &'n Node, report: &mut Report) -> Vec<EnvFile<'n>> {
    match &node.value {
        Value::List(items) => items.iter().filter_map(|item| env_file(item, report)).collect(),
        _ => env_file(node, report).into_iter().collect(),
    }
}

fn env_file<'n>(node: &'n Node, report: &mut Report) -> Option<EnvFile<'n>> {
    let Value::Map(map) = &node.value else {
        let path = fields::text(node, "env_file", report)?;
        return Some(EnvFile { node, path, required: true, raw: false });
    };
    fields::check_keys(map, "an env file", &["path", "required", "format"], &[], report);
    let required = map.get("required").and_then(|e| fields::boolean(&e.node, "required", report)).unwrap_or(true);
    let format = map.get("format").and_then(|e| fields::text(&e.node, "format", report));
    if let Some(other) = format.as_deref().filter(|f| *f != "raw") {
        report.problem_hint(node.spot, format!("unknown format `{other}`"), Some("the only one is `raw`".into()));
    }
    let Some(path) = map.get("path").and_then(|e| fields::text(&e.node, "path", report)) else {
        report.problem(node.spot, "an env file has no `path`");
        return None;
    };
    Some(EnvFile { node, path, required, raw: format.is_some() })
}

fn read_file(
    file: &EnvFile<'_>,
    enabled: bool,
    context: &Context<'_>,
    variables: &mut BTreeMap<String, Option<String>>,
    report: &mut Report,
) {
    if !enabled {
        return;
    }
    let path = context.path(&file.path);
    let text = match (context.read)(&path) {
        Ok(text) => text,
        Err(error) if !file.required && error.kind() == ErrorKind::NotFound => return,
        Err(error) => {
            return environment::unreadable_at(file.node.spot, "env file", &path, &error, report);
        }
    };
    if file.raw {
        variables.extend(raw(&text));
        return;
    }
    let outer = |name: &str| {
        let earlier = variables.get(name).cloned().flatten();
        earlier.or_else(|| context.environment.get(name).map(str::to_owned))
    };
    let values = environment::parse(&path, &text, &outer, report);
    variables.extend(values.into_iter().map(|(name, value)| (name, Some(value))));
}

/// `format: raw`: each line is `NAME=value`, taken as it stands.
fn raw(text: &str) -> Vec<(String, Option<String>)> {
    let lines = text.lines().filter(|l| !l.trim().is_empty() && !l.trim_start().starts_with('#'));
    lines.filter_map(|l| l.split_once('=')).map(|(k, v)| (k.trim().to_owned(), Some(v.to_owned()))).collect()
}
