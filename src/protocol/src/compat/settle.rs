//! Schemas without indirection: references followed, `allOf` merged, `const` and `nullable` written in the usual way.

use serde_json::{Map, Value, json};

use super::facets::Types;

/// How many references may lead to references.
const DEPTH: u32 = 32;

/// A schema of which the outermost level says all that holds there.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Settled {
    /// It allows nothing.
    Nothing,
    /// Its keywords, `anyOf` for alternatives among them.
    Map(Map<String, Value>),
}

/// The outermost level of `schema`, whose references lead into `root`.
pub(super) fn settle(root: &Value, schema: &Value) -> Settled {
    settled(root, schema, DEPTH)
}

fn settled(root: &Value, schema: &Value, depth: u32) -> Settled {
    let fields = match schema {
        Value::Bool(false) => return Settled::Nothing,
        Value::Object(fields) => fields,
        _ => return Settled::Map(Map::new()),
    };
    let mut own = fields.clone();
    own.retain(|key, _| !matches!(key.as_str(), "$defs" | "definitions" | "$schema" | "$id"));
    let mut parts = Vec::new();
    if depth > 0 {
        if let Some(target) = own.get("$ref").and_then(Value::as_str).and_then(|it| target(root, it)) {
            parts.push(target.clone());
            own.remove("$ref");
        }
        if let Some(Value::Array(all)) = own.get("allOf").cloned() {
            parts.extend(all);
            own.remove("allOf");
        }
    }
    usual(&mut own);
    for part in parts {
        match settled(root, &part, depth - 1) {
            Settled::Nothing => return Settled::Nothing,
            Settled::Map(part) => merge(&mut own, part),
        }
    }
    Settled::Map(own)
}

/// Other ways to say the same.
fn usual(schema: &mut Map<String, Value>) {
    if let Some(value) = schema.remove("const") {
        schema.insert("enum".to_owned(), json!([value]));
    }
    if schema.remove("nullable") == Some(Value::Bool(true)) {
        let types = Types::of(schema).with(Types::NULL);
        schema.insert("type".to_owned(), types.to_json());
        if let Some(Value::Array(values)) = schema.get_mut("enum") {
            values.push(Value::Null);
        }
    }
    if !schema.contains_key("anyOf")
        && let Some(alternatives) = schema.remove("oneOf")
    {
        schema.insert("anyOf".to_owned(), alternatives);
    }
}

/// Makes `one` hold as well as `other` does.
pub(super) fn merge(one: &mut Map<String, Value>, other: Map<String, Value>) {
    for (key, value) in other {
        let Some(own) = one.get_mut(&key) else {
            one.insert(key, value);
            continue;
        };
        if *own == value {
            continue;
        }
        match (key.as_str(), &mut *own, value) {
            ("properties", Value::Object(own), Value::Object(fields)) => {
                for (name, field) in fields {
                    match own.get_mut(&name) {
                        Some(known) if *known != field => *known = json!({ "allOf": [known, field] }),
                        Some(_) => {}
                        None => drop(own.insert(name, field)),
                    }
                }
            }
            ("required", Value::Array(own), Value::Array(names)) => {
                own.extend(names.into_iter().filter(|it| !own.contains(it)).collect::<Vec<_>>());
            }
            ("enum", Value::Array(own), Value::Array(values)) => own.retain(|it| values.contains(it)),
            ("type", own, value) => {
                let both = Types::named(own).common(Types::named(&value));
                *own = both.to_json();
            }
            ("minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties", own, value) => {
                if value.as_f64() > own.as_f64() {
                    *own = value;
                }
            }
            ("maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties", own, value) => {
                if value.as_f64() < own.as_f64() {
                    *own = value;
                }
            }
            ("title" | "description" | "default" | "examples" | "$comment", ..) => {}
            // Both hold; how that works out together is not followed.
            (_, _, value) => {
                let rest = one.entry("allOf").or_insert_with(|| json!([]));
                if let Value::Array(rest) = rest {
                    rest.push(json!({ key: value }));
                }
            }
        }
    }
}

/// What a reference within the schema leads to.
fn target<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    let pointer = reference.strip_prefix('#').filter(|it| it.is_empty() || it.starts_with('/'))?;
    root.pointer(&pointer.replace("%25", "%").replace("%20", " "))
}

/// Whether there is a reference anywhere in it.
pub(super) fn refers(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => fields.iter().any(|(key, value)| key == "$ref" || refers(value)),
        Value::Array(items) => items.iter().any(refers),
        _ => false,
    }
}

/// The same with references replaced by what they lead to, a few levels deep.
pub(super) fn inlined(root: &Value, schema: &Value) -> Value {
    replaced(root, schema, 8)
}

fn replaced(root: &Value, schema: &Value, depth: u32) -> Value {
    match schema {
        Value::Object(fields) => {
            if depth > 0
                && let Some(target) = fields.get("$ref").and_then(Value::as_str).and_then(|it| target(root, it))
            {
                return replaced(root, target, depth - 1);
            }
            let documentation = |key: &str| matches!(key, "title" | "description" | "examples" | "$comment" | "$defs");
            let kept = fields.iter().filter(|(key, _)| !documentation(key));
            Value::Object(kept.map(|(key, value)| (key.clone(), replaced(root, value, depth))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(|it| replaced(root, it, depth)).collect()),
        other => other.clone(),
    }
}
