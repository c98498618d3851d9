//! `configs` at the top and of a service.

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::Context;
use super::service::Draft;
use crate::environment::unreadable_at;
use crate::fields;
use crate::hash::{Canonical, object};
use crate::node::{Entry, Map, Node, Value};
use crate::project::ConfigFile;
use crate::report::Report;
use crate::suggest::did_you_mean;

/// The configs of the files, by key; `None` when its content could not be had.
pub(super) type Declared = IndexMap<String, Option<String>>;

/// Reads the top-level section.
pub(super) fn declared(section: Option<&Map>, context: &Context<'_>, report: &mut Report) -> Declared {
    let mut declared = Declared::new();
    for (name, entry) in section.into_iter().flatten() {
        declared.insert(name.clone(), content(name, entry, context, report));
    }
    declared
}

fn content(name: &str, entry: &Entry, context: &Context<'_>, report: &mut Report) -> Option<String> {
    let empty = Map::new();
    let map = fields::map(&entry.node, name, report).unwrap_or(&empty);
    let supported = ["name", "content", "file", "environment", "external"];
    fields::check_keys(map, "a config", &supported, &["labels", "template_driver", "driver", "driver_opts"], report);
    if let Some(external) = map.get("external")
        && fields::boolean(&external.node, "external", report) == Some(true)
    {
        report.problem(external.key, "an external config is not supported: there is nothing that could hold it");
        return None;
    }
    let given: Vec<&str> = ["content", "file", "environment"].into_iter().filter(|k| map.contains_key(*k)).collect();
    let [key] = given[..] else {
        let message = format!("config `{name}` needs exactly one of `content`, `file` and `environment`");
        report.problem(entry.key, message);
        return None;
    };
    let node = &map[key].node;
    let text = fields::text(node, key, report)?;
    match key {
        "content" => Some(text),
        "file" => file(node, &text, context, report),
        _ => variable(node, &text, context, report),
    }
}

fn file(node: &Node, written: &str, context: &Context<'_>, report: &mut Report) -> Option<String> {
    let path = context.path(written);
    match (context.read)(&path) {
        Ok(text) => Some(text),
        Err(error) => {
            unreadable_at(node.spot, "config file", &path, &error, report);
            None
        }
    }
}

fn variable(node: &Node, name: &str, context: &Context<'_>, report: &mut Report) -> Option<String> {
    let value = context.environment.get(name);
    if value.is_none() {
        report.problem(node.spot, format!("variable `{name}` is not set"));
    }
    value.map(str::to_owned)
}

/// Reads the configs of a service; of two at one path the later one counts.
pub(super) fn read(map: &Map, declared: &Declared, draft: &mut Draft, hash: &mut Canonical, report: &mut Report) {
    let Some(entry) = map.get("configs") else { return };
    let mut found: IndexMap<String, (ConfigFile, Json)> = IndexMap::new();
    for item in fields::list(&entry.node, "configs", report) {
        let Some((mut config, json)) = reference(item, report) else { continue };
        match declared.get(&config.source) {
            Some(content) => config.content = content.clone().unwrap_or_default(),
            None if draft.enabled => {
                let hint = did_you_mean(&config.source, declared.keys().map(String::as_str));
                report.problem_hint(item.spot, format!("config `{}` is not defined", config.source), hint);
            }
            None => {}
        }
        found.insert(config.target.clone(), (config, json));
    }
    hash.set("configs", found.values().map(|(_, json)| json.clone()).collect::<Vec<_>>());
    draft.service.configs = found.into_values().map(|(config, _)| config).collect();
}

fn reference(item: &Node, report: &mut Report) -> Option<(ConfigFile, Json)> {
    let Value::Map(map) = &item.value else {
        let source = fields::text(item, "configs[]", report)?;
        let json = object([("source", source.as_str().into())]);
        return Some((config(source, None), json));
    };
    fields::check_keys(map, "a config of a service", &["source", "target", "uid", "gid", "mode"], &[], report);
    let text = |key: &str, report: &mut Report| map.get(key).and_then(|e| fields::text(&e.node, key, report));
    let Some(source) = text("source", report) else {
        report.problem(item.spot, "a config of a service has no `source`");
        return None;
    };
    let (target, uid, gid) = (text("target", report), text("uid", report), text("gid", report));
    let mut file = config(source.clone(), target.clone());
    file.uid = owner(uid.as_deref(), "uid", map, report);
    file.gid = owner(gid.as_deref(), "gid", map, report);
    let mode = map.get("mode").and_then(|e| mode(&e.node, report));
    if let Some(mode) = &mode {
        file.mode = mode.bits;
    }
    let mut json =
        object([("source", source.into()), ("target", target.into()), ("uid", uid.into()), ("gid", gid.into())]);
    if let (Some(mode), Json::Object(fields)) = (mode, &mut json) {
        fields.insert("mode".into(), mode.hashed.into());
    }
    Some((file, json))
}

fn config(source: String, target: Option<String>) -> ConfigFile {
    let target = target.unwrap_or_else(|| format!("/{source}"));
    ConfigFile { source, target, content: String::new(), mode: 0o444, uid: 0, gid: 0 }
}

fn owner(text: Option<&str>, key: &str, map: &Map, report: &mut Report) -> u64 {
    let Some(text) = text else { return 0 };
    text.parse().unwrap_or_else(|_| {
        report.problem(map[key].node.spot, format!("`{key}` must be a number in quotes"));
        0
    })
}

/// Permission bits, and the number that Compose's hash has for them.
struct Mode {
    bits: u32,
    hashed: i64,
}

/// A number stands for itself (YAML reads `0440` as octal); a string is octal.
fn mode(node: &Node, report: &mut Report) -> Option<Mode> {
    let (bits, hashed) = match &node.value {
        Value::Null => return None,
        Value::Int(value) => (u32::try_from(*value).ok(), *value),
        Value::Text(text) => {
            let octal = text.strip_prefix("0o").unwrap_or(text);
            (u32::from_str_radix(octal, 8).ok(), text.parse().unwrap_or_default())
        }
        _ => (None, 0),
    };
    match bits.filter(|bits| *bits <= 0o7777) {
        Some(bits) => Some(Mode { bits, hashed }),
        None => {
            let hint = Some("write it like `0440`".into());
            report.problem_hint(node.spot, "`mode` must be permission bits", hint);
            None
        }
    }
}
