//! `x-banyan`: what only this tool reads.

use super::Context;
use crate::environment::Environment;
use crate::fields;
use crate::node::{Map, Node};
use crate::project::{Address, Extension, Protocol, Ready, SecretDefault};
use crate::report::Report;
use crate::suggest::did_you_mean;

/// Reads `x-banyan` of a service.
pub(super) fn read(node: &Node, context: &Context<'_>, report: &mut Report) -> Extension {
    let Some(map) = fields::map(node, "x-banyan", report) else { return Extension::default() };
    fields::check_keys(map, "`x-banyan`", &["tier", "recipe", "executable", "boot", "ready", "addresses"], &[], report);
    let ready = map.get("ready").and_then(|e| ready(&e.node, report));
    Extension {
        tier: text(map, "tier", report),
        recipe: text(map, "recipe", report),
        executable: text(map, "executable", report).map(|path| context.path(&path)),
        boot: map.get("boot").and_then(|e| fields::duration(&e.node, "boot", report)).unwrap_or_default(),
        ready,
        addresses: map.get("addresses").map(|e| addresses(&e.node, report)).unwrap_or_default(),
    }
}

/// Reads `secrets` of the top-level `x-banyan`.
pub(super) fn secrets(node: Option<&Node>, environment: &Environment, report: &mut Report) -> Vec<SecretDefault> {
    let Some(map) = node.and_then(|n| fields::map(n, "x-banyan", report)) else { return Vec::new() };
    fields::check_keys(map, "`x-banyan`", &["secrets"], &[], report);
    let Some(entry) = map.get("secrets") else { return Vec::new() };
    let items = fields::list(&entry.node, "secrets", report);
    items.iter().filter_map(|item| secret(item, environment, report)).collect()
}

fn secret(item: &Node, environment: &Environment, report: &mut Report) -> Option<SecretDefault> {
    let map = fields::map(item, "secrets[]", report)?;
    fields::check_keys(map, "a secret", &["variable", "default", "in_address"], &[], report);
    let variable = required(item, map, "variable", report)?;
    let default = required(item, map, "default", report)?;
    let value = environment.get(&variable).filter(|v| !v.is_empty());
    let is_default = value.is_none_or(|v| v == default);
    let in_address = map.get("in_address").and_then(|e| fields::boolean(&e.node, "in_address", report));
    // in addresses such as amqp://user:password@host other characters would end the password
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~!*'(),;=+&".contains(c);
    if let Some(bad) = value.filter(|_| in_address == Some(true)).and_then(|v| v.chars().find(|c| !plain(*c))) {
        let message = format!("{variable} contains `{}`, which cannot stand in an address", bad.escape_default());
        let hint = "use letters, digits and any of - . _ ~ ! * ( ) , ; = + &";
        report.problem_hint(item.spot, message, Some(hint.into()));
    }
    Some(SecretDefault { variable, is_default })
}

fn ready(node: &Node, report: &mut Report) -> Option<Ready> {
    let map = fields::map(node, "ready", report)?;
    fields::check_keys(map, "`ready`", &["protocol", "port", "user", "password", "database", "path"], &[], report);
    let protocol = protocol(node, map, report);
    let port = port(node, map, report);
    Some(Ready {
        protocol: protocol?,
        port: port?,
        user: text(map, "user", report),
        password: text(map, "password", report),
        database: text(map, "database", report),
        path: text(map, "path", report).unwrap_or_else(|| "/".into()),
    })
}

fn protocol(node: &Node, map: &Map, report: &mut Report) -> Option<Protocol> {
    let known = [Protocol::Sql, Protocol::Amqp, Protocol::Redis, Protocol::Http];
    let text = required(node, map, "protocol", report)?;
    let found = known.into_iter().find(|p| p.as_str() == text);
    if found.is_none() {
        let hint = did_you_mean(&text, known.map(Protocol::as_str));
        let hint = hint.unwrap_or_else(|| "use `sql`, `amqp`, `redis` or `http`".into());
        report.problem_hint(map["protocol"].node.spot, format!("unknown protocol `{text}`"), Some(hint));
    }
    found
}

fn port(node: &Node, map: &Map, report: &mut Report) -> Option<u16> {
    let Some(entry) = map.get("port") else {
        report.problem(node.spot, "`port` is missing");
        return None;
    };
    let port = fields::integer(&entry.node, "port", report)?;
    let in_range = u16::try_from(port).ok().filter(|p| *p > 0);
    if in_range.is_none() {
        let hint = Some("ports go from 1 to 65535".into());
        report.problem_hint(entry.node.spot, format!("port {port} is out of range"), hint);
    }
    in_range
}

fn addresses(node: &Node, report: &mut Report) -> Vec<Address> {
    let items = fields::list(node, "addresses", report);
    items.iter().filter_map(|item| address(item, report)).collect()
}

fn address(item: &Node, report: &mut Report) -> Option<Address> {
    let map = fields::map(item, "addresses[]", report)?;
    fields::check_keys(map, "an address", &["name", "url", "login"], &[], report);
    let name = required(item, map, "name", report);
    let url = required(item, map, "url", report);
    Some(Address { name: name?, url: url?, login: text(map, "login", report) })
}

fn text(map: &Map, key: &str, report: &mut Report) -> Option<String> {
    fields::text(&map.get(key)?.node, key, report)
}

fn required(node: &Node, map: &Map, key: &str, report: &mut Report) -> Option<String> {
    if !map.contains_key(key) {
        report.problem(node.spot, format!("`{key}` is missing"));
    }
    text(map, key, report)
}
