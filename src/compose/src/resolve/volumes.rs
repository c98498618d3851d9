//! `volumes` at the top.

use indexmap::IndexMap;
use serde_json::{Value as Json, json};

use super::Context;
use crate::fields;
use crate::hash::{digest, object};
use crate::node::{Entry, Map};
use crate::project::Volume;
use crate::report::Report;

/// The volumes of the files.
pub(super) fn declared(section: Option<&Map>, context: &Context<'_>, report: &mut Report) -> IndexMap<String, Volume> {
    let mut volumes = IndexMap::new();
    for (key, entry) in section.into_iter().flatten() {
        volumes.insert(key.clone(), volume(key, entry, context, report));
    }
    volumes
}

fn volume(key: &str, entry: &Entry, context: &Context<'_>, report: &mut Report) -> Volume {
    let empty = Map::new();
    let map = fields::map(&entry.node, key, report).unwrap_or(&empty);
    fields::check_keys(map, "a volume", &["name", "driver", "external", "labels"], &["driver_opts"], report);
    let external = map.get("external").and_then(|e| fields::boolean(&e.node, "external", report)).unwrap_or_default();
    let name = resource_name(key, map, external, context, report);
    let driver = map.get("driver").and_then(|e| fields::text(&e.node, "driver", report)).unwrap_or("local".into());
    let labels = map.get("labels").map(|e| fields::pairs(&e.node, "labels", report)).unwrap_or_default();
    let labels: std::collections::BTreeMap<_, _> =
        labels.into_iter().map(|(name, value)| (name, value.unwrap_or_default())).collect();
    let config_hash = digest(&object([
        ("name", name.as_str().into()),
        ("driver", driver.as_str().into()),
        ("external", external.into()),
        ("labels", if labels.is_empty() { Json::Null } else { json!(labels) }),
    ]));
    Volume { name, external, driver, labels, config_hash }
}

/// `name:`; or the key of an external resource; or project and key.
pub(super) fn resource_name(
    key: &str,
    map: &Map,
    external: bool,
    context: &Context<'_>,
    report: &mut Report,
) -> String {
    match map.get("name").and_then(|e| fields::text(&e.node, "name", report)) {
        Some(name) => name,
        None if external => key.to_owned(),
        None => format!("{}_{key}", context.project),
    }
}
