//! Reads values of a tree as the type that a key wants; what does not fit becomes a problem at its place.

use std::time::Duration;

use indexmap::IndexMap;

use crate::node::{Map, Node, Spot, Value};
use crate::quantity;
use crate::report::Report;
use crate::suggest::did_you_mean;

/// A string with its place.
pub(crate) type Placed = (String, Spot);

/// A mapping; nothing counts as an empty one.
pub(crate) fn map<'n>(node: &'n Node, key: &str, report: &mut Report) -> Option<&'n Map> {
    match &node.value {
        Value::Map(map) => Some(map),
        Value::Null => None,
        _ => wrong(node, key, "a mapping", report),
    }
}

/// A list; nothing counts as an empty one.
pub(crate) fn list<'n>(node: &'n Node, key: &str, report: &mut Report) -> &'n [Node] {
    match &node.value {
        Value::List(items) => items,
        Value::Null => &[],
        _ => {
            wrong::<()>(node, key, "a list", report);
            &[]
        }
    }
}

/// A string; numbers and booleans need quotes.
pub(crate) fn text(node: &Node, key: &str, report: &mut Report) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(text.clone()),
        Value::Null => None,
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
            let message = format!("`{key}` must be a string, not {}", node.kind());
            report.problem_hint(node.spot, message, Some("put it in quotes".into()));
            None
        }
        _ => wrong(node, key, "a string", report),
    }
}

/// A string or a number, as text.
pub(crate) fn scalar(node: &Node, key: &str, report: &mut Report) -> Option<String> {
    match &node.value {
        Value::Text(_) | Value::Int(_) | Value::Float(_) => node.scalar(),
        Value::Null => None,
        _ => wrong(node, key, "a string or a number", report),
    }
}

/// True or false; the words of YAML 1.1 are taken with a warning.
pub(crate) fn boolean(node: &Node, key: &str, report: &mut Report) -> Option<bool> {
    let value = match &node.value {
        Value::Bool(value) => return Some(*value),
        Value::Null => return None,
        Value::Text(text) => match text.to_ascii_lowercase().as_str() {
            "true" => return Some(true),
            "false" => return Some(false),
            "y" | "yes" | "on" => Some(true),
            "n" | "no" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    };
    match value {
        Some(value) => report.warn(node.spot, format!("`{key}`: write `{value}`, the only form that YAML 1.2 knows")),
        None => return wrong(node, key, "true or false", report),
    }
    value
}

/// A whole number, also in quotes.
pub(crate) fn integer(node: &Node, key: &str, report: &mut Report) -> Option<i64> {
    let value = match &node.value {
        Value::Null => return None,
        Value::Int(value) => Some(*value),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    };
    value.or_else(|| wrong(node, key, "a whole number", report))
}

/// A duration such as `1m30s`.
pub(crate) fn duration(node: &Node, key: &str, report: &mut Report) -> Option<Duration> {
    let hint = || Some("write it like `500ms`, `30s` or `1m30s`".to_owned());
    match &node.value {
        Value::Null => None,
        Value::Text(text) => match quantity::duration(text) {
            Ok(duration) => Some(duration),
            Err(message) => {
                report.problem_hint(node.spot, format!("`{key}`: {message}"), hint());
                None
            }
        },
        _ => {
            let message = format!("`{key}` must be a duration, not {}", node.kind());
            report.problem_hint(node.spot, message, hint());
            None
        }
    }
}

/// A size such as `512M`.
pub(crate) fn bytes(node: &Node, key: &str, report: &mut Report) -> Option<i64> {
    let text = scalar(node, key, report)?;
    match quantity::bytes(&text) {
        Ok(size) => Some(size),
        Err(message) => {
            let hint = Some("write it like `64k`, `512m` or `1g`".to_owned());
            report.problem_hint(node.spot, format!("`{key}`: {message}"), hint);
            None
        }
    }
}

/// A list of strings.
pub(crate) fn strings(node: &Node, key: &str, report: &mut Report) -> Vec<Placed> {
    let items = list(node, key, report);
    items.iter().filter_map(|item| Some((text(item, &format!("{key}[]"), report)?, item.spot))).collect()
}

/// A list of strings in which a later repetition is left out.
pub(crate) fn set(node: &Node, key: &str, report: &mut Report) -> Vec<Placed> {
    let mut seen = IndexMap::new();
    for (text, spot) in strings(node, key, report) {
        seen.entry(text).or_insert(spot);
    }
    seen.into_iter().collect()
}

/// `KEY: value` or `- KEY=value`; a key without value has `None`.
pub(crate) fn pairs(node: &Node, key: &str, report: &mut Report) -> IndexMap<String, Option<String>> {
    match &node.value {
        Value::Map(map) => {
            map.iter().filter_map(|(name, e)| Some((name.clone(), pair(&e.node, name, report)?))).collect()
        }
        Value::List(items) => items.iter().filter_map(|item| split(item, key, report)).collect(),
        Value::Null => IndexMap::new(),
        _ => wrong(node, key, "a mapping or a list of `KEY=value`", report).unwrap_or_default(),
    }
}

fn pair(node: &Node, name: &str, report: &mut Report) -> Option<Option<String>> {
    match &node.value {
        Value::List(_) | Value::Map(_) => wrong(node, name, "a single value", report),
        _ => Some(node.scalar()),
    }
}

fn split(item: &Node, key: &str, report: &mut Report) -> Option<(String, Option<String>)> {
    let text = text(item, &format!("{key}[]"), report)?;
    Some(match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (text, None),
    })
}

/// Reports every key that is not in `supported`: `known` ones as not supported yet, others as unknown.
pub(crate) fn check_keys(map: &Map, place: &str, supported: &[&str], known: &[&str], report: &mut Report) {
    for (name, entry) in map {
        let name = name.as_str();
        if name.starts_with("x-") || supported.contains(&name) {
            continue;
        }
        if known.contains(&name) {
            report.problem(entry.key, format!("`{name}` is not supported yet"));
        } else {
            let hint = did_you_mean(name, supported.iter().chain(known).copied());
            report.problem_hint(entry.key, format!("unknown key `{name}` in {place}"), hint);
        }
    }
}

fn wrong<T>(node: &Node, key: &str, wanted: &str, report: &mut Report) -> Option<T> {
    report.problem(node.spot, format!("`{key}` must be {wanted}, not {}", node.kind()));
    None
}
