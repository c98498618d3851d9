//! `networks` at the top and of a service.

use indexmap::IndexMap;
use serde_json::{Map as JsonMap, Value as Json, json};

use super::Context;
use super::service::Draft;
use super::volumes::resource_name;
use crate::fields;
use crate::hash::{Canonical, digest, object};
use crate::node::{Entry, Map, Node, Spot, Value};
use crate::project::{Attachment, Network};
use crate::report::Report;

const SUPPORTED: &[&str] = &["name", "driver", "external", "internal", "labels"];
const KNOWN: &[&str] = &["driver_opts", "ipam", "attachable", "enable_ipv4", "enable_ipv6"];

/// The networks of the files, and `default`.
pub(super) fn declared(section: Option<&Map>, context: &Context<'_>, report: &mut Report) -> IndexMap<String, Network> {
    let mut networks = IndexMap::new();
    for (key, entry) in section.into_iter().flatten() {
        networks.insert(key.clone(), network(key, Some(entry), context, report));
    }
    if !networks.contains_key("default") {
        networks.insert("default".into(), network("default", None, context, report));
    }
    networks
}

fn network(key: &str, entry: Option<&Entry>, context: &Context<'_>, report: &mut Report) -> Network {
    let empty = Map::new();
    let map = entry.and_then(|e| fields::map(&e.node, key, report)).unwrap_or(&empty);
    fields::check_keys(map, "a network", SUPPORTED, KNOWN, report);
    let flag = |key: &str, report: &mut Report| {
        map.get(key).and_then(|e| fields::boolean(&e.node, key, report)).unwrap_or_default()
    };
    let external = flag("external", report);
    let internal = flag("internal", report);
    let name = resource_name(key, map, external, context, report);
    let driver = map.get("driver").and_then(|e| fields::text(&e.node, "driver", report));
    let labels = map.get("labels").map(|e| fields::pairs(&e.node, "labels", report)).unwrap_or_default();
    let labels: std::collections::BTreeMap<_, _> =
        labels.into_iter().map(|(name, value)| (name, value.unwrap_or_default())).collect();
    let config_hash = digest(&object([
        ("name", name.as_str().into()),
        ("driver", driver.as_deref().into()),
        ("ipam", json!({})),
        ("external", external.into()),
        ("internal", internal.into()),
        ("labels", if labels.is_empty() { Json::Null } else { json!(labels) }),
    ]));
    Network { name, driver: driver.unwrap_or("bridge".into()), external, internal, labels, config_hash }
}

/// A service's attachment, before it is put in order.
struct Found {
    key: String,
    attachment: Attachment,
    priority: i64,
    json: Json,
    spot: Spot,
}

/// Reads the networks of a service; none means `default`.
pub(super) fn read(map: &Map, draft: &mut Draft, hash: &mut Canonical, report: &mut Report) {
    let mut found = match map.get("networks").map(|e| &e.node) {
        Some(Node { value: Value::List(_), .. }) => {
            let names = fields::set(&map["networks"].node, "networks", report);
            names.into_iter().map(|(key, spot)| plain(key, spot)).collect()
        }
        Some(node) => match fields::map(node, "networks", report) {
            Some(networks) => networks.iter().map(|(key, entry)| attachment(key, entry, report)).collect(),
            None => Vec::new(),
        },
        None => Vec::new(),
    };
    if found.is_empty() {
        found.push(plain("default".into(), draft.key));
    }
    let mut json: Vec<(String, Json)> = found.iter().map(|f| (f.key.clone(), f.json.clone())).collect();
    json.sort_by(|a, b| a.0.cmp(&b.0));
    hash.keep("networks", JsonMap::from_iter(json));
    found.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.key.cmp(&b.key)));
    for Found { key, attachment, spot, .. } in found {
        draft.networks.push(spot);
        draft.service.networks.insert(key, attachment);
    }
}

fn plain(key: String, spot: Spot) -> Found {
    Found { key, attachment: Attachment::default(), priority: 0, json: Json::Null, spot }
}

fn attachment(key: &str, entry: &Entry, report: &mut Report) -> Found {
    let Some(map) = fields::map(&entry.node, key, report) else { return plain(key.into(), entry.key) };
    let known = ["ipv6_address", "link_local_ips", "mac_address", "gw_priority", "driver_opts", "interface_name"];
    fields::check_keys(map, "a network of a service", &["aliases", "ipv4_address", "priority"], &known, report);
    let aliases = map.get("aliases").map(|e| fields::set(&e.node, "aliases", report)).unwrap_or_default();
    let aliases: Vec<String> = aliases.into_iter().map(|(text, _)| text).collect();
    let ipv4_address = map.get("ipv4_address").and_then(|e| fields::text(&e.node, "ipv4_address", report));
    if let Some(address) = ipv4_address.as_deref().filter(|a| a.parse::<std::net::Ipv4Addr>().is_err()) {
        report.problem(map["ipv4_address"].node.spot, format!("`{address}` is not an IPv4 address"));
    }
    let priority = map.get("priority").and_then(|e| fields::integer(&e.node, "priority", report)).unwrap_or(0);
    let json = object([
        ("priority", priority.into()),
        ("aliases", aliases.clone().into()),
        ("ipv4_address", ipv4_address.as_deref().into()),
    ]);
    Found { key: key.into(), attachment: Attachment { aliases, ipv4_address }, priority, json, spot: entry.key }
}
