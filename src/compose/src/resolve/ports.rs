//! `ports` and `expose` of a service.

use std::net::IpAddr;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::service::Draft;
use crate::fields;
use crate::hash::{Canonical, object};
use crate::node::{Map, Node, Spot, Value};
use crate::project::Port;
use crate::report::Report;
use crate::template;

const LONG: &[&str] = &["target", "published", "host_ip", "protocol", "mode", "name"];

/// Reads both; a port that is published is not also listed as exposed.
pub(super) fn read(map: &Map, draft: &mut Draft, hash: &mut Canonical, report: &mut Report) {
    let mut found: IndexMap<String, Found> = IndexMap::new();
    if let Some(entry) = map.get("ports") {
        for item in fields::list(&entry.node, "ports", report) {
            for port in published(item, report) {
                found.insert(port.key(), port);
            }
        }
        hash.set("ports", found.values().map(Found::json).collect::<Vec<_>>());
    }
    for port in found.into_values() {
        draft.ports.push(port.spot);
        draft.service.ports.push(port.port);
    }
    if let Some(entry) = map.get("expose") {
        exposed(&entry.node, draft, hash, report);
    }
}

/// A published port with what only the hash and the checks need.
struct Found {
    port: Port,
    spot: Spot,
    name: String,
    mode: String,
}

impl Found {
    fn published(&self) -> String {
        self.port.host.filter(|p| *p != 0).map(|p| p.to_string()).unwrap_or_default()
    }

    /// Two entries with one key are one port: the later one counts.
    fn key(&self) -> String {
        let Port { host_ip, container, protocol, .. } = &self.port;
        format!("{host_ip}:{}:{container}/{protocol}", self.published())
    }

    fn json(&self) -> Json {
        object([
            ("name", self.name.as_str().into()),
            ("mode", self.mode.as_str().into()),
            ("host_ip", self.port.host_ip.as_str().into()),
            ("target", self.port.container.into()),
            ("published", self.published().into()),
            ("protocol", self.port.protocol.as_str().into()),
        ])
    }
}

fn published(item: &Node, report: &mut Report) -> Vec<Found> {
    match &item.value {
        Value::Map(map) => long(item, map, report).into_iter().collect(),
        Value::Text(_) | Value::Int(_) => {
            let text = item.scalar().unwrap_or_default();
            match short(&text) {
                Ok(ports) => found(item, ports, &text),
                Err(Bad { message, hint }) => {
                    report.problem_hint(item.spot, format!("port `{text}`: {message}"), hint.map(str::to_owned));
                    Vec::new()
                }
            }
        }
        _ => {
            report.problem(item.spot, format!("a port must be a string, a number or a mapping, not {}", item.kind()));
            Vec::new()
        }
    }
}

fn found(item: &Node, mut ports: Vec<Port>, text: &str) -> Vec<Found> {
    let template = item.template.as_deref().unwrap_or(text);
    let variable = host_part(template).and_then(template::sole_variable);
    if let [port] = &mut ports[..] {
        port.variable = variable.map(str::to_owned);
    }
    let wrap = |port| Found { port, spot: item.spot, name: String::new(), mode: "ingress".into() };
    ports.into_iter().map(wrap).collect()
}

/// The part of a short form that names the host port: the second from the right.
fn host_part(text: &str) -> Option<&str> {
    let mut depth = 0usize;
    let mut ends = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => ends.push(at),
            _ => {}
        }
    }
    let end = ends.pop()?;
    Some(&text[ends.pop().map_or(0, |at| at + 1)..end])
}

/// Why a port cannot be read.
struct Bad {
    message: String,
    hint: Option<&'static str>,
}

impl Bad {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }
}

/// `[[ip:]host:]container[/protocol]`, each port also as a range `first-last`.
fn short(text: &str) -> Result<Vec<Port>, Bad> {
    let (address, protocol) = protocol(text)?;
    let (rest, container) = address.rsplit_once(':').unwrap_or(("", address));
    let (ip, host) = match rest.rsplit_once(':') {
        Some((ip, host)) => (ip, host),
        None => ("", rest),
    };
    let host_ip = if ip.is_empty() { String::new() } else { parse_ip(ip)? };
    let containers = range(container, "container port")?;
    let hosts = if host.is_empty() { None } else { Some(range(host, "host port")?) };
    let count = containers.clone().count();
    if let Some(hosts) = &hosts
        && hosts.clone().count() != count
    {
        let message = if count == 1 {
            "a range of host ports for one port is not supported yet"
        } else {
            "the ranges differ in length"
        };
        return Err(Bad::new(message));
    }
    let mut ports: Vec<Port> = containers
        .enumerate()
        .map(|(at, container)| Port {
            container,
            host: Some(hosts.clone().and_then(|mut h| h.nth(at)).unwrap_or(0)),
            host_ip: host_ip.clone(),
            protocol: protocol.clone(),
            variable: None,
        })
        .collect();
    // Compose sorts the ports of a range as text, and its hash depends on it
    ports.sort_by_key(|port| port.container.to_string());
    Ok(ports)
}

fn protocol(text: &str) -> Result<(&str, String), Bad> {
    let (address, protocol) = text.rsplit_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(Bad { message: format!("unknown protocol `{protocol}`"), hint: Some("use `tcp` or `udp`") });
    }
    Ok((address, protocol))
}

fn parse_ip(text: &str) -> Result<String, Bad> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    match bare.parse::<IpAddr>() {
        Ok(_) => Ok(bare.to_owned()),
        Err(_) => Err(Bad {
            message: format!("`{bare}` is not an IP address"),
            hint: Some("write it like `127.0.0.1:8080:80`"),
        }),
    }
}

fn range(text: &str, what: &str) -> Result<std::ops::RangeInclusive<u16>, Bad> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (one(first, what)?, one(last, what)?);
    if last < first {
        return Err(Bad::new(format!("the {what} range ends before it begins")));
    }
    Ok(first..=last)
}

fn one(text: &str, what: &str) -> Result<u16, Bad> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if port > 0 && digits => Ok(port),
        _ if digits => {
            Err(Bad { message: format!("{what} {text} is out of range"), hint: Some("ports go from 1 to 65535") })
        }
        _ => Err(Bad { message: format!("`{text}` is not a port number"), hint: Some("write it like `8080:80`") }),
    }
}

fn long(item: &Node, map: &Map, report: &mut Report) -> Option<Found> {
    fields::check_keys(map, "a port", LONG, &["app_protocol"], report);
    let text = |key: &str, report: &mut Report| {
        map.get(key).and_then(|e| fields::scalar(&e.node, key, report)).unwrap_or_default()
    };
    let checked = |key: &str, result: Result<u16, Bad>, report: &mut Report| match result {
        Ok(port) => Some(port),
        Err(bad) => {
            let spot = map.get(key).map_or(item.spot, |e| e.node.spot);
            report.problem_hint(spot, bad.message, bad.hint.map(str::to_owned));
            None
        }
    };
    let target = text("target", report);
    if target.is_empty() {
        report.problem(item.spot, "a port has no `target`");
        return None;
    }
    let container = checked("target", one(&target, "container port"), report)?;
    let written = text("published", report);
    let host = match written.as_str() {
        "" | "0" => 0,
        range if range.contains('-') => {
            report.problem(map["published"].node.spot, "a range of host ports for one port is not supported yet");
            return None;
        }
        port => checked("published", one(port, "host port"), report)?,
    };
    let host_ip = text("host_ip", report);
    if !host_ip.is_empty()
        && let Err(bad) = parse_ip(&host_ip)
    {
        report.problem(map["host_ip"].node.spot, bad.message);
    }
    let protocol =
        match protocol(&format!("/{}", map.get("protocol").and_then(|e| e.node.scalar()).unwrap_or("tcp".into()))) {
            Ok((_, protocol)) => protocol,
            Err(bad) => {
                report.problem_hint(map["protocol"].node.spot, bad.message, bad.hint.map(str::to_owned));
                return None;
            }
        };
    let mode = Some(text("mode", report)).filter(|m| !m.is_empty()).unwrap_or("ingress".into());
    let template = map.get("published").and_then(|e| e.node.template.as_deref());
    let variable = template.and_then(template::sole_variable).map(str::to_owned);
    let port = Port { container, host: Some(host), host_ip, protocol, variable };
    Some(Found { port, spot: item.spot, name: text("name", report), mode })
}

fn exposed(node: &Node, draft: &mut Draft, hash: &mut Canonical, report: &mut Report) {
    let mut seen = Vec::new();
    for item in fields::list(node, "expose", report) {
        let Some(text) = fields::scalar(item, "expose[]", report) else { continue };
        let ports = protocol(&text).and_then(|(ports, protocol)| Ok((range(ports, "port")?, protocol)));
        match ports {
            Ok((ports, protocol)) => ports.for_each(|port| expose(port, &protocol, item.spot, draft)),
            Err(bad) => report.problem_hint(item.spot, bad.message, bad.hint.map(str::to_owned)),
        }
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    hash.set("expose", seen);
}

fn expose(container: u16, protocol: &str, spot: Spot, draft: &mut Draft) {
    let ports = &mut draft.service.ports;
    if !ports.iter().any(|p| p.container == container && p.protocol == protocol) {
        ports.push(Port { container, host: None, host_ip: String::new(), protocol: protocol.into(), variable: None });
        draft.ports.push(spot);
    }
}
