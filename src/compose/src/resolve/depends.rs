//! `depends_on` of a service.

use indexmap::IndexMap;
use serde_json::{Map as JsonMap, Value as Json};

use super::service::Draft;
use crate::fields;
use crate::hash::Canonical;
use crate::node::{Entry, Map, Node, Value};
use crate::project::{Condition, Dependency};
use crate::report::Report;

const STARTED: Dependency = Dependency { condition: Condition::Started, required: true, restart: false };

/// Reads the short and the long form.
pub(super) fn read(map: &Map, draft: &mut Draft, report: &mut Report) {
    let Some(entry) = map.get("depends_on") else { return };
    let found: Vec<_> = match &entry.node.value {
        Value::List(_) => {
            let names = fields::set(&entry.node, "depends_on", report);
            names.into_iter().map(|(name, spot)| (name, spot, STARTED)).collect()
        }
        _ => match fields::map(&entry.node, "depends_on", report) {
            Some(map) => map.iter().map(|(name, e)| (name.clone(), e.key, dependency(name, e, report))).collect(),
            None => Vec::new(),
        },
    };
    for (name, spot, dependency) in found {
        draft.depends_on.push(spot);
        draft.service.depends_on.insert(name, dependency);
    }
}

/// The dependencies as Compose hashes them, once those that are left out are gone.
pub(super) fn hash(dependencies: &IndexMap<String, Dependency>, hash: &mut Canonical) {
    let mut json: Vec<(String, Json)> = dependencies.iter().map(|(name, d)| (name.clone(), canonical(d))).collect();
    json.sort_by(|a, b| a.0.cmp(&b.0));
    if !json.is_empty() {
        hash.set("depends_on", JsonMap::from_iter(json));
    }
}

fn canonical(dependency: &Dependency) -> Json {
    let mut fields = JsonMap::new();
    fields.insert("condition".into(), dependency.condition.as_str().into());
    if dependency.restart {
        fields.insert("restart".into(), true.into());
    }
    fields.insert("required".into(), dependency.required.into());
    fields.into()
}

fn dependency(name: &str, entry: &Entry, report: &mut Report) -> Dependency {
    let Some(map) = fields::map(&entry.node, name, report) else { return STARTED };
    fields::check_keys(map, "a dependency", &["condition", "required", "restart"], &[], report);
    let flag = |key: &str, default: bool, report: &mut Report| {
        map.get(key).and_then(|e| fields::boolean(&e.node, key, report)).unwrap_or(default)
    };
    let condition = match map.get("condition") {
        Some(entry) => condition(&entry.node, report),
        None => {
            let hint = Some("add `condition: service_healthy`, or use the short form".into());
            report.problem_hint(entry.key, format!("dependency `{name}` has no `condition`"), hint);
            None
        }
    };
    Dependency {
        condition: condition.unwrap_or(Condition::Started),
        required: flag("required", true, report),
        restart: flag("restart", false, report),
    }
}

fn condition(node: &Node, report: &mut Report) -> Option<Condition> {
    let known = [Condition::Started, Condition::Healthy, Condition::Completed];
    let text = fields::text(node, "condition", report)?;
    let found = known.into_iter().find(|c| c.as_str() == text);
    if found.is_none() {
        let words = known.map(Condition::as_str);
        let hint = crate::suggest::did_you_mean(&text, words)
            .unwrap_or_else(|| format!("use `{}`, `{}` or `{}`", words[0], words[1], words[2]));
        report.problem_hint(node.spot, format!("unknown condition `{text}`"), Some(hint));
    }
    found
}
