//! `healthcheck` of a service.

use serde_json::{Map as JsonMap, Value as Json};

use crate::fields;
use crate::hash::Canonical;
use crate::node::{Map, Node, Value};
use crate::project::Healthcheck;
use crate::quantity::go_duration;
use crate::report::Report;

const KEYS: &[&str] = &["test", "timeout", "interval", "retries", "start_period", "start_interval", "disable"];

/// Reads the check; `disable: true` is the test `NONE`.
pub(super) fn read(map: &Map, hash: &mut Canonical, report: &mut Report) -> Option<Healthcheck> {
    let map = fields::map(&map.get("healthcheck")?.node, "healthcheck", report)?;
    fields::check_keys(map, "a health check", KEYS, &[], report);
    let mut json = JsonMap::new();
    let mut check = Healthcheck::default();
    if let Some(entry) = map.get("test") {
        check.test = test(&entry.node, report);
        if !check.test.is_empty() {
            json.insert("test".into(), check.test.clone().into());
        }
    }
    let duration = |key: &str, json: &mut JsonMap<String, Json>, report: &mut Report| {
        let duration = fields::duration(&map.get(key)?.node, key, report)?;
        json.insert(key.into(), go_duration(duration).into());
        Some(duration)
    };
    check.timeout = duration("timeout", &mut json, report);
    check.interval = duration("interval", &mut json, report);
    if let Some(retries) = map.get("retries").and_then(|e| retries(&e.node, report)) {
        json.insert("retries".into(), retries.into());
        check.retries = Some(retries);
    }
    check.start_period = duration("start_period", &mut json, report);
    check.start_interval = duration("start_interval", &mut json, report);
    if let (Some(entry), None) = (map.get("start_interval"), check.start_period) {
        report.problem(entry.key, "`start_interval` needs `start_period`");
    }
    if map.get("disable").and_then(|e| fields::boolean(&e.node, "disable", report)) == Some(true) {
        json.insert("disable".into(), true.into());
        check.test = vec!["NONE".into()];
    }
    hash.keep("healthcheck", json);
    Some(check)
}

fn test(node: &Node, report: &mut Report) -> Vec<String> {
    if let Value::Text(command) = &node.value {
        return vec!["CMD-SHELL".into(), command.clone()];
    }
    let words: Vec<String> = fields::strings(node, "test", report).into_iter().map(|(text, _)| text).collect();
    if let Some(first) = words.first().filter(|w| !matches!(w.as_str(), "CMD" | "CMD-SHELL" | "NONE")) {
        let hint = Some(format!("write `[\"CMD\", \"{first}\", …]`"));
        report.problem_hint(node.spot, "`test` must begin with `CMD`, `CMD-SHELL` or `NONE`", hint);
    }
    words
}

fn retries(node: &Node, report: &mut Report) -> Option<u64> {
    let retries = fields::integer(node, "retries", report)?;
    if retries < 0 {
        report.problem(node.spot, "`retries` must not be negative");
    }
    u64::try_from(retries).ok()
}
