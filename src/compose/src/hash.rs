//! The hash by which Docker Compose sees whether a service, network or volume changed.
//!
//! It is the SHA-256 of the JSON that Go writes for Compose's own structures, so field order, left-out empty values
//! and escapes all count.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Fields of a service in the order of Compose's structure; only those that can be set here.
const SERVICE: [&str; 36] = [
    "profiles",
    "cap_add",
    "cap_drop",
    "cpus",
    "command",
    "configs",
    "container_name",
    "depends_on",
    "deploy",
    "entrypoint",
    "environment",
    "expose",
    "extra_hosts",
    "hostname",
    "healthcheck",
    "image",
    "init",
    "labels",
    "mem_limit",
    "mem_reservation",
    "networks",
    "pids_limit",
    "ports",
    "read_only",
    "restart",
    "shm_size",
    "stdin_open",
    "stop_grace_period",
    "stop_signal",
    "tmpfs",
    "tty",
    "ulimits",
    "user",
    "volumes",
    "working_dir",
    "",
];

/// A service as Compose's JSON has it, field by field.
#[derive(Debug, Clone, Default)]
pub(crate) struct Canonical(BTreeMap<&'static str, Value>);

impl Canonical {
    /// Sets a field; empty values are left out, as Go does with `omitempty`.
    pub(crate) fn set(&mut self, field: &'static str, value: impl Into<Value>) {
        let value = value.into();
        if !is_empty(&value) {
            self.0.insert(field, value);
        }
    }

    /// Sets a field even when it is empty.
    pub(crate) fn keep(&mut self, field: &'static str, value: impl Into<Value>) {
        self.0.insert(field, value.into());
    }

    /// The label's value.
    pub(crate) fn hash(&self) -> String {
        let mut fields = Map::new();
        for name in SERVICE {
            match self.0.get(name) {
                Some(value) => _ = fields.insert(name.into(), value.clone()),
                None if matches!(name, "command" | "entrypoint") => _ = fields.insert(name.into(), Value::Null),
                None => {}
            }
        }
        digest(&Value::Object(fields))
    }
}

/// An object from fields in order; empty ones are left out.
pub(crate) fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let kept = fields.into_iter().filter(|(_, value)| !is_empty(value));
    Value::Object(kept.map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A number as Go writes a 32-bit float.
pub(crate) fn float32(value: f32) -> Value {
    serde_json::from_str(&value.to_string()).unwrap_or(Value::Null)
}

/// SHA-256 of the JSON, in hex.
pub(crate) fn digest(value: &Value) -> String {
    let bytes = Sha256::digest(go_json(value).as_bytes());
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// JSON as Go's encoder writes it: without spaces, and safe to stand in HTML.
fn go_json(value: &Value) -> String {
    let mut out = String::new();
    for c in value.to_string().chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::String(s) => s.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(_) | Value::Bool(true) => false,
    }
}

#[cfg(test)]
mod tests;
