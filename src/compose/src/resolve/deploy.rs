//! Limits of a service: `deploy`, the older keys beside it, `ulimits`, `scale`, and `extra_hosts`.

use serde_json::{Map as JsonMap, Value as Json, json};

use crate::fields;
use crate::hash::{Canonical, float32, object};
use crate::node::{Map, Node, Value};
use crate::project::{Service, Ulimit};
use crate::report::Report;

const DEPLOY_KNOWN: &[&str] =
    &["mode", "labels", "update_config", "rollback_config", "restart_policy", "placement", "endpoint_mode"];

/// Reads all of them.
pub(super) fn read(map: &Map, service: &mut Service, hash: &mut Canonical, report: &mut Report) {
    plain_limits(map, service, hash, report);
    if let Some(deploy) = map.get("deploy").and_then(|e| fields::map(&e.node, "deploy", report)) {
        fields::check_keys(deploy, "`deploy`", &["replicas", "resources"], DEPLOY_KNOWN, report);
        only_one(deploy, "replicas", report);
        let resources = deploy.get("resources").and_then(|e| fields::map(&e.node, "resources", report));
        let resources = resources.map(|r| read_resources(r, service, report)).unwrap_or_else(|| json!({}));
        hash.keep("deploy", object([("resources", resources), ("placement", json!({}))]));
    }
    only_one(map, "scale", report);
    if let Some(entry) = map.get("ulimits") {
        ulimits(&entry.node, service, hash, report);
    }
    if let Some(entry) = map.get("extra_hosts") {
        extra_hosts(&entry.node, service, hash, report);
    }
}

fn only_one(map: &Map, key: &str, report: &mut Report) {
    let Some(entry) = map.get(key) else { return };
    if let Some(count) = fields::integer(&entry.node, key, report)
        && count != 1
    {
        report.problem(entry.node.spot, format!("`{key}: {count}` is not supported yet: a service runs once"));
    }
}

fn plain_limits(map: &Map, service: &mut Service, hash: &mut Canonical, report: &mut Report) {
    let resources = &mut service.resources;
    for (key, target) in [
        ("mem_limit", &mut resources.memory),
        ("mem_reservation", &mut resources.memory_reservation),
        ("shm_size", &mut resources.shm_size),
    ] {
        *target = map.get(key).and_then(|e| fields::bytes(&e.node, key, report)).filter(|size| *size != 0);
        if let Some(size) = target {
            hash.set(key, size.to_string());
        }
    }
    if let Some(cpus) = map.get("cpus").and_then(|e| cpus(&e.node, report)) {
        resources.nano_cpus = Some(nano(cpus));
        hash.set("cpus", float32(cpus));
    }
    if let Some(pids) = map.get("pids_limit").and_then(|e| fields::integer(&e.node, "pids_limit", report)) {
        resources.pids = Some(pids);
        hash.set("pids_limit", pids);
    }
}

fn read_resources(map: &Map, service: &mut Service, report: &mut Report) -> Json {
    fields::check_keys(map, "`resources`", &["limits", "reservations"], &[], report);
    let mut json = JsonMap::new();
    if let Some(limits) = map.get("limits").and_then(|e| fields::map(&e.node, "limits", report)) {
        fields::check_keys(limits, "`limits`", &["cpus", "memory", "pids"], &[], report);
        let cpus = limits.get("cpus").and_then(|e| cpus(&e.node, report));
        let memory = limits.get("memory").and_then(|e| fields::bytes(&e.node, "memory", report));
        let pids = limits.get("pids").and_then(|e| fields::integer(&e.node, "pids", report));
        let resources = &mut service.resources;
        agree(&mut resources.nano_cpus, cpus.map(nano), "cpus", limits, report);
        agree(&mut resources.memory, memory, "memory", limits, report);
        agree(&mut resources.pids, pids, "pids", limits, report);
        json.insert("limits".into(), resource(cpus, memory, pids));
    }
    if let Some(reserved) = map.get("reservations").and_then(|e| fields::map(&e.node, "reservations", report)) {
        let known = ["cpus", "devices", "generic_resources", "pids"];
        fields::check_keys(reserved, "`reservations`", &["memory"], &known, report);
        let memory = reserved.get("memory").and_then(|e| fields::bytes(&e.node, "memory", report));
        agree(&mut service.resources.memory_reservation, memory, "memory", reserved, report);
        json.insert("reservations".into(), resource(None, memory, None));
    }
    json.into()
}

fn resource(cpus: Option<f32>, memory: Option<i64>, pids: Option<i64>) -> Json {
    let memory = memory.filter(|m| *m != 0).map(|m| m.to_string());
    object([("cpus", cpus.map(float32).into()), ("memory", memory.into()), ("pids", pids.into())])
}

/// The older key beside `deploy` must say the same.
fn agree(earlier: &mut Option<i64>, now: Option<i64>, key: &str, map: &Map, report: &mut Report) {
    match (*earlier, now) {
        (Some(a), Some(b)) if a != b => {
            report.problem(map[key].node.spot, format!("`{key}` differs from the same limit outside `deploy`"));
        }
        (None, Some(value)) => *earlier = Some(value).filter(|v| *v != 0),
        _ => {}
    }
}

fn cpus(node: &Node, report: &mut Report) -> Option<f32> {
    let value = match &node.value {
        Value::Null => return None,
        Value::Int(_) | Value::Float(_) | Value::Text(_) => node.scalar().and_then(|text| text.parse::<f32>().ok()),
        _ => None,
    };
    let value = value.filter(|v| v.is_finite() && *v >= 0.0);
    if value.is_none() {
        report.problem_hint(node.spot, "`cpus` must be a number", Some("write it like `\"0.5\"`".into()));
    }
    value
}

fn nano(cpus: f32) -> i64 {
    (f64::from(cpus) * 1e9).round() as i64
}

fn ulimits(node: &Node, service: &mut Service, hash: &mut Canonical, report: &mut Report) {
    let Some(map) = fields::map(node, "ulimits", report) else { return };
    let mut found: Vec<(String, Json)> = Vec::new();
    for (name, entry) in map {
        let (limit, json) = match &entry.node.value {
            Value::Map(limits) => {
                fields::check_keys(limits, "a ulimit", &["soft", "hard"], &[], report);
                let mut get = |key: &str| limits.get(key).and_then(|e| fields::integer(&e.node, key, report));
                let (soft, hard) = (get("soft"), get("hard"));
                if soft.is_none() || hard.is_none() {
                    report.problem(entry.key, format!("ulimit `{name}` needs both `soft` and `hard`"));
                }
                let (soft, hard) = (soft.unwrap_or_default(), hard.unwrap_or_default());
                (Ulimit { soft, hard }, object([("soft", soft.into()), ("hard", hard.into())]))
            }
            _ => {
                let Some(value) = fields::integer(&entry.node, name, report) else { continue };
                let json = if value == 0 { json!({}) } else { value.into() };
                (Ulimit { soft: value, hard: value }, json)
            }
        };
        service.ulimits.insert(name.clone(), limit);
        found.push((name.clone(), json));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    if !found.is_empty() {
        hash.set("ulimits", JsonMap::from_iter(found));
    }
}

/// `host:address` or `host=address` in a list, or a mapping.
fn extra_hosts(node: &Node, service: &mut Service, hash: &mut Canonical, report: &mut Report) {
    let mut found: Vec<(String, String)> = Vec::new();
    match &node.value {
        Value::Map(map) => {
            for (host, entry) in map {
                let address = fields::text(&entry.node, host, report).unwrap_or_default();
                found.push((host.clone(), bare(&address)));
            }
        }
        _ => {
            for (text, spot) in fields::strings(node, "extra_hosts", report) {
                match text.split_once('=').or_else(|| text.split_once(':')) {
                    Some((host, address)) if !host.is_empty() => {
                        let entry = (host.to_owned(), bare(address));
                        if !found.contains(&entry) {
                            found.push(entry);
                        }
                    }
                    _ => report.problem_hint(
                        spot,
                        format!("`{text}` is no extra host"),
                        Some("write it like `name=10.0.0.1`".into()),
                    ),
                }
            }
        }
    }
    service.extra_hosts = found.iter().map(|(host, address)| format!("{host}:{address}")).collect();
    let mut json: Vec<String> = found.iter().map(|(host, address)| format!("{host}={address}")).collect();
    json.sort();
    hash.set("extra_hosts", json);
}

fn bare(address: &str) -> String {
    let inner = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).filter(|a| !a.is_empty());
    inner.unwrap_or(address).to_owned()
}
