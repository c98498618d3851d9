//! Whether callers of an old contract can go on with a new one: every difference, whether it breaks them, and why.
//!
//! What callers send may be accepted more freely than before, and no less so; what they get may be promised more strictly,
//! and no less so. An event is something that its subscribers get. Fields that a schema does not declare count as not sent,
//! also where it allows them, so that new fields can come; a field that is gone breaks callers in both directions, since
//! they may still send or read it.
//!
//! Schemas are compared by what they allow: references are followed, `allOf` is merged, `oneOf` counts as `anyOf`, and the
//! alternatives of both are matched with each other. What cannot be told (`not`, `if`, patterns that changed) counts as
//! breaking.

mod alternatives;
mod facets;
mod schemas;
mod settle;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Contract, Kind};

/// One thing that differs between two contracts of the same message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The message.
    pub message_type: String,
    /// The field of the contract, or the way to a field of the message: `input.items[].price`, `requiredPermissions`.
    pub path: String,
    /// Whether callers (or subscribers) that go by the old contract may fail by it.
    pub breaking: bool,
    /// What differs, and why that breaks them.
    pub reason: String,
}

/// Who writes what a schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Those who go by the contract: the payload of a command or query.
    Input,
    /// The service: an answer, or the payload of an event.
    Output,
}

/// Every difference between the contracts of a service before and after, in the order of message types.
#[must_use]
pub fn compare(old: &[Contract], new: &[Contract]) -> Vec<Difference> {
    let named = |all: &[Contract], name: &str| all.iter().find(|it| it.message_type == name).cloned();
    let mut names: Vec<&str> = old.iter().chain(new).map(|it| it.message_type.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut found = Vec::new();
    for name in names {
        let whole = |breaking, reason: &str| {
            let (message_type, path) = (name.to_owned(), "messageType".to_owned());
            Difference { message_type, path, breaking, reason: reason.to_owned() }
        };
        match (named(old, name), named(new, name)) {
            (Some(old), Some(new)) => found.extend(contracts(&old, &new)),
            (Some(_), None) => found.push(whole(true, "is gone; callers still need it")),
            (None, Some(_)) => found.push(whole(false, "is new")),
            (None, None) => {}
        }
    }
    found
}

/// Every difference between two contracts of one message.
#[must_use]
pub fn contracts(old: &Contract, new: &Contract) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut tell = |path: &str, breaking: bool, reason: String| {
        let (message_type, path) = (new.message_type.clone(), path.to_owned());
        found.push(Difference { message_type, path, breaking, reason });
    };
    if old.kind() != new.kind() {
        let reason = format!("changes from {} to {}; it goes to another queue", old.kind(), new.kind());
        tell("type", true, reason);
    }
    if old.target_service != new.target_service {
        let (before, after) = (&old.target_service, &new.target_service);
        tell("targetService", true, format!("changes from {before} to {after}; it goes to another queue"));
    }
    match (old.is_public, new.is_public) {
        (true, false) => tell("isPublic", true, "is no longer public; anonymous callers are refused".to_owned()),
        (false, true) => tell("isPublic", false, "is public now".to_owned()),
        _ => {}
    }
    for permission in new.required_permissions.iter().filter(|it| !old.required_permissions.contains(it)) {
        let reason = format!("`{permission}` is needed now; callers without it are refused");
        tell("requiredPermissions", true, reason);
    }
    for permission in old.required_permissions.iter().filter(|it| !new.required_permissions.contains(it)) {
        tell("requiredPermissions", false, format!("`{permission}` is no longer needed"));
    }
    if old.metadata.idempotent && !new.metadata.idempotent {
        let reason = "may no longer be handled twice without harm; callers may still send it again";
        tell("metadata.idempotent", true, reason.to_owned());
    }
    let parts = match new.kind() {
        Kind::Event => vec![("payload", Direction::Output, &old.input_schema, &new.input_schema)],
        _ => vec![
            ("input", Direction::Input, &old.input_schema, &new.input_schema),
            ("output", Direction::Output, &old.output_schema, &new.output_schema),
        ],
    };
    for (path, direction, before, after) in parts {
        for (path, breaking, reason) in schema(direction, path, before, after) {
            tell(&path, breaking, reason);
        }
    }
    found
}

/// Every difference between two schemas, as path (below `path`), whether it breaks, and the reason.
#[must_use]
pub fn schema(direction: Direction, path: &str, old: &Value, new: &Value) -> Vec<(String, bool, String)> {
    let told = schemas::changes(old, new, path).into_iter().map(|change| {
        let why = match direction {
            _ if change.lost && direction == Direction::Input => Some("callers may still send it"),
            _ if change.lost => Some("callers may still read it"),
            Direction::Input if change.narrows => Some("what callers send may be refused"),
            Direction::Output if change.widens => Some("callers may get what they are not prepared for"),
            _ => None,
        };
        let reason = why.map_or_else(|| change.what.clone(), |why| format!("{}; {why}", change.what));
        (change.path, why.is_some(), reason)
    });
    told.collect()
}
