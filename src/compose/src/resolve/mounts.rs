//! `volumes` and `tmpfs` of a service.

use indexmap::IndexMap;
use serde_json::{Value as Json, json};

use super::Context;
use super::service::Draft;
use crate::fields;
use crate::hash::{Canonical, object};
use crate::node::{Map, Node, Spot, Value};
use crate::project::{Mount, MountSource};
use crate::report::Report;

/// Reads both; of two mounts at one path the later one counts.
pub(super) fn read(map: &Map, context: &Context<'_>, draft: &mut Draft, hash: &mut Canonical, report: &mut Report) {
    let mut found: IndexMap<String, Found> = IndexMap::new();
    if let Some(entry) = map.get("volumes") {
        for item in fields::list(&entry.node, "volumes", report) {
            if let Some(mount) = volume(item, context, report) {
                found.insert(mount.mount.target.clone(), mount);
            }
        }
        hash.set("volumes", found.values().map(|f| f.json.clone()).collect::<Vec<_>>());
    }
    for Found { mount, spot, .. } in found.into_values() {
        draft.mounts.push(spot);
        draft.service.mounts.push(mount);
    }
    if let Some(entry) = map.get("tmpfs") {
        tmpfs(&entry.node, draft, hash, report);
    }
}

struct Found {
    mount: Mount,
    json: Json,
    spot: Spot,
}

fn volume(item: &Node, context: &Context<'_>, report: &mut Report) -> Option<Found> {
    match &item.value {
        Value::Map(map) => long(item, map, context, report),
        Value::Text(text) => short(item, text, context, report),
        _ => {
            report.problem(item.spot, format!("a volume must be a string or a mapping, not {}", item.kind()));
            None
        }
    }
}

/// `target`, `source:target` or `source:target:options`.
fn short(item: &Node, text: &str, context: &Context<'_>, report: &mut Report) -> Option<Found> {
    let parts: Vec<&str> = text.split(':').collect();
    if parts.iter().any(|p| p.is_empty()) {
        report.problem(item.spot, format!("volume `{text}` has an empty part"));
        return None;
    }
    let (source, target, options) = match parts[..] {
        [target] => (None, target, ""),
        [source, target] => (Some(source), target, ""),
        [source, target, options] => (Some(source), target, options),
        _ => {
            report.problem(item.spot, format!("volume `{text}` has too many colons"));
            return None;
        }
    };
    if source.is_some_and(|s| s.len() == 1 && s.chars().all(char::is_alphabetic)) {
        let hint = Some("use the long form with `source:` and `target:`".into());
        report.problem_hint(item.spot, format!("volume `{text}`: one letter reads as a Windows drive"), hint);
        return None;
    }
    let read_only = read_only(item, options, report);
    let target = clean(target);
    let source = match source {
        None => MountSource::Anonymous,
        Some(path) if path.starts_with(['.', '/', '~']) => bind(path, context),
        Some(name) => MountSource::Volume(name.into()),
    };
    let details = match source {
        MountSource::Bind(_) => ("bind", json!({"create_host_path": true})),
        _ => ("volume", json!({})),
    };
    let json = mount_json(&source, &target, read_only, Some(details));
    Some(Found { mount: Mount { source, target, read_only }, json, spot: item.spot })
}

fn read_only(item: &Node, options: &str, report: &mut Report) -> bool {
    let mut read_only = false;
    for option in options.split(',').filter(|o| !o.is_empty()) {
        match option {
            "ro" => read_only = true,
            "rw" => read_only = false,
            "nocopy" | "z" | "Z" | "rprivate" | "private" | "rshared" | "shared" | "rslave" | "slave" => {
                report.problem(item.spot, format!("volume option `{option}` is not supported yet"));
            }
            other => report.warn(item.spot, format!("volume option `{other}` is unknown and ignored")),
        }
    }
    read_only
}

fn bind(path: &str, context: &Context<'_>) -> MountSource {
    MountSource::Bind(context.path(path).to_string_lossy().into_owned())
}

fn mount_json(source: &MountSource, target: &str, read_only: bool, details: Option<(&str, Json)>) -> Json {
    let (kind, name) = match source {
        MountSource::Volume(name) => ("volume", name.as_str()),
        MountSource::Bind(path) => ("bind", path.as_str()),
        MountSource::Anonymous => ("volume", ""),
        MountSource::Tmpfs => ("tmpfs", ""),
    };
    let (key, details) = details.unwrap_or(("", Json::Null));
    object([
        ("type", kind.into()),
        ("source", name.into()),
        ("target", target.into()),
        ("read_only", read_only.into()),
        (key, details),
    ])
}

fn long(item: &Node, map: &Map, context: &Context<'_>, report: &mut Report) -> Option<Found> {
    let supported = ["type", "source", "target", "read_only", "bind", "volume", "tmpfs"];
    fields::check_keys(map, "a volume", &supported, &["consistency", "image", "cluster"], report);
    let text = |key: &str, report: &mut Report| map.get(key).and_then(|e| fields::text(&e.node, key, report));
    let Some(kind) = text("type", report) else {
        let hint = Some("add `type: volume`, `type: bind` or `type: tmpfs`".into());
        report.problem_hint(item.spot, "a volume has no `type`", hint);
        return None;
    };
    let Some(target) = text("target", report) else {
        report.problem(item.spot, "a volume has no `target`");
        return None;
    };
    let target = clean(&target);
    let source = source(&kind, text("source", report), item, map, context, report)?;
    let read_only = map.get("read_only").and_then(|e| fields::boolean(&e.node, "read_only", report)).unwrap_or(false);
    let details = details(&kind, map, report);
    let details = details.as_ref().map(|json| (kind.as_str(), json.clone()));
    let json = mount_json(&source, &target, read_only, details);
    Some(Found { mount: Mount { source, target, read_only }, json, spot: item.spot })
}

fn source(
    kind: &str,
    source: Option<String>,
    item: &Node,
    map: &Map,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<MountSource> {
    match (kind, source) {
        ("volume", None) => Some(MountSource::Anonymous),
        ("volume", Some(name)) => Some(MountSource::Volume(name)),
        ("bind", Some(path)) => Some(bind(&path, context)),
        ("tmpfs", None) => Some(MountSource::Tmpfs),
        ("bind", None) => {
            report.problem(item.spot, "a bind mount has no `source`");
            None
        }
        ("tmpfs", Some(_)) => {
            report.problem(map["source"].node.spot, "a tmpfs mount takes no `source`");
            None
        }
        ("npipe" | "cluster" | "image", _) => {
            report.problem(map["type"].node.spot, format!("volume type `{kind}` is not supported yet"));
            None
        }
        _ => {
            let hint = Some("use `volume`, `bind` or `tmpfs`".into());
            report.problem_hint(map["type"].node.spot, format!("unknown volume type `{kind}`"), hint);
            None
        }
    }
}

/// The options under the key of the mount's own type; nearly none of them can be carried out yet.
fn details(kind: &str, map: &Map, report: &mut Report) -> Option<Json> {
    let mut own = None;
    for key in ["bind", "volume", "tmpfs"] {
        let Some(options) = map.get(key).and_then(|e| fields::map(&e.node, key, report)) else { continue };
        let known = ["propagation", "selinux", "recursive", "nocopy", "subpath", "size", "mode"];
        fields::check_keys(options, &format!("`{key}` of a volume"), &["create_host_path"], &known, report);
        let create = options.get("create_host_path").and_then(|e| fields::boolean(&e.node, "create_host_path", report));
        if create == Some(false) {
            report.problem(options["create_host_path"].key, "`create_host_path: false` is not supported yet");
        }
        if key == kind {
            own = Some(if create == Some(true) { json!({"create_host_path": true}) } else { json!({}) });
        }
    }
    own
}

fn tmpfs(node: &Node, draft: &mut Draft, hash: &mut Canonical, report: &mut Report) {
    let items = match &node.value {
        Value::Text(text) => vec![(text.clone(), node.spot)],
        _ => fields::set(node, "tmpfs", report),
    };
    for (target, spot) in &items {
        if target.contains(':') {
            report.problem(*spot, format!("options of tmpfs `{target}` are not supported yet"));
        }
        draft.mounts.push(*spot);
        draft.service.mounts.push(Mount { source: MountSource::Tmpfs, target: target.clone(), read_only: false });
    }
    hash.set("tmpfs", items.into_iter().map(|(text, _)| text).collect::<Vec<_>>());
}

/// A path in a container without doubled or trailing slashes, `.` and `..`.
fn clean(target: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    let root = if target.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}
