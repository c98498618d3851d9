//! What a JSON Schema says of the fields in it, as far as text must be turned into values and parameters be named.

use std::ops::{BitOr, BitOrAssign};

use serde_json::Value;

/// Parts of a schema that are looked at for one field, so that one that leads to itself comes to an end.
const MOST_PARTS: usize = 64;

/// A set of JSON types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Types(u8);

impl Types {
    pub(crate) const NULL: Self = Self(1);
    pub(crate) const BOOLEAN: Self = Self(2);
    pub(crate) const INTEGER: Self = Self(4);
    pub(crate) const NUMBER: Self = Self(8);
    pub(crate) const TEXT: Self = Self(16);
    pub(crate) const ARRAY: Self = Self(32);
    pub(crate) const OBJECT: Self = Self(64);
    /// What is written as one text.
    pub(crate) const SCALAR: Self = Self(2 | 4 | 8 | 16);

    /// Whether the two have a type in common.
    pub(crate) const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn named(name: &str) -> Self {
        match name {
            "null" => Self::NULL,
            "boolean" => Self::BOOLEAN,
            "integer" => Self::INTEGER,
            "number" => Self::NUMBER | Self::INTEGER,
            "string" => Self::TEXT,
            "array" => Self::ARRAY,
            "object" => Self::OBJECT,
            _ => Self::default(),
        }
    }

    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Number(number) if number.is_f64() => Self::NUMBER,
            Value::Number(_) => Self::INTEGER,
            Value::String(_) => Self::TEXT,
            Value::Array(_) => Self::ARRAY,
            Value::Object(_) => Self::OBJECT,
        }
    }
}

impl BitOr for Types {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Types {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// The schemas that a value must or may fit: those given, what they refer to, and the members of their `allOf`, `anyOf`
/// and `oneOf`.
fn parts<'a>(root: &'a Value, schemas: &[&'a Value]) -> Vec<&'a Value> {
    let mut parts = schemas.to_vec();
    let mut next = 0;
    while let Some(part) = parts.get(next).copied() {
        next += 1;
        if let Some(target) = part.get("$ref").and_then(|it| refers_to(root, it.as_str()?)) {
            add(&mut parts, target);
        }
        for key in ["allOf", "anyOf", "oneOf"] {
            for member in part.get(key).and_then(Value::as_array).into_iter().flatten() {
                add(&mut parts, member);
            }
        }
    }
    parts
}

fn add<'a>(parts: &mut Vec<&'a Value>, part: &'a Value) {
    if parts.len() < MOST_PARTS && !parts.iter().any(|known| std::ptr::eq(*known, part)) {
        parts.push(part);
    }
}

fn refers_to<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    root.pointer(reference.strip_prefix('#')?)
}

/// The types that a value may have; none when the schemas do not say.
pub(crate) fn types<'a>(root: &'a Value, schemas: &[&'a Value]) -> Types {
    let mut types = Types::default();
    for part in parts(root, schemas) {
        match part.get("type") {
            Some(Value::String(name)) => types |= Types::named(name),
            Some(Value::Array(names)) => {
                names.iter().filter_map(Value::as_str).for_each(|name| types |= Types::named(name));
            }
            _ => {
                part.get("const").into_iter().for_each(|value| types |= Types::of(value));
                let values = part.get("enum").and_then(Value::as_array);
                values.into_iter().flatten().for_each(|value| types |= Types::of(value));
            }
        }
    }
    types
}

/// Whether the caller may say a field: what is filled in on the way is not his.
pub(crate) fn is_callers(field: &Value) -> bool {
    field.get("x-filled-in") != Some(&Value::Bool(true))
}

/// The fields of an object that a caller may say, each once, in their order.
pub(crate) fn fields(root: &Value) -> Vec<(&str, &Value)> {
    let mut fields: Vec<(&str, &Value)> = Vec::new();
    for part in parts(root, &[root]) {
        for (name, field) in part.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if is_callers(field) && !fields.iter().any(|(known, _)| known == name) {
                fields.push((name, field));
            }
        }
    }
    fields
}

/// Whether the schema asks for a field.
pub(crate) fn is_required(root: &Value, name: &str) -> bool {
    let alternatives = ["anyOf", "oneOf"].iter().any(|key| root.get(*key).is_some());
    let mut required = parts(root, &[root]).into_iter().filter_map(|part| part.get("required")?.as_array()).flatten();
    !alternatives && required.any(|it| it == name)
}

/// The schemas of a field of an object; none when the object has no such field, or not for callers.
pub(crate) fn field<'a>(root: &'a Value, objects: &[&'a Value], name: &str) -> Option<Vec<&'a Value>> {
    let parts = parts(root, objects);
    let known: Vec<_> = parts.iter().filter_map(|part| part.get("properties")?.get(name)).collect();
    if !known.is_empty() {
        return known.iter().all(|field| is_callers(field)).then_some(known);
    }
    let free: Vec<_> = parts.iter().filter_map(|part| part.get("additionalProperties")).collect();
    let free: Vec<_> = free.into_iter().filter(|it| **it != Value::Bool(false)).collect();
    let patterns = parts.iter().any(|part| part.get("patternProperties").is_some());
    (!free.is_empty() || patterns).then_some(free)
}

/// The schemas of the items of an array.
pub(crate) fn items<'a>(root: &'a Value, arrays: &[&'a Value]) -> Vec<&'a Value> {
    parts(root, arrays).iter().filter_map(|part| part.get("items")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_found_wherever_they_are_said() {
        let root = json!({ "$defs": { "Name": { "type": "string" }, "Loop": { "$ref": "#/$defs/Loop" } } });
        for (schema, expected) in [
            (json!({ "type": "integer" }), Types::INTEGER),
            (json!({ "type": "number" }), Types::NUMBER | Types::INTEGER),
            (json!({ "type": ["boolean", "null"] }), Types::BOOLEAN | Types::NULL),
            (json!({ "enum": ["a", 1, 1.5] }), Types::TEXT | Types::INTEGER | Types::NUMBER),
            (json!({ "const": true }), Types::BOOLEAN),
            (json!({ "$ref": "#/$defs/Name" }), Types::TEXT),
            (json!({ "anyOf": [{ "$ref": "#/$defs/Name" }, { "type": "null" }] }), Types::TEXT | Types::NULL),
            (json!({ "allOf": [{ "oneOf": [{ "type": "array" }] }] }), Types::ARRAY),
            (json!({ "$ref": "#/$defs/Loop" }), Types::default()),
            (json!({ "$ref": "https://example.com/schema" }), Types::default()),
            (json!(true), Types::default()),
        ] {
            assert_eq!(types(&root, &[&schema]), expected, "{schema}");
        }
    }

    #[test]
    fn a_schema_that_contains_itself_comes_to_an_end() {
        let root = json!({ "anyOf": [{ "$ref": "#" }, { "anyOf": [{ "$ref": "#" }] }], "properties": { "a": true } });
        assert_eq!(fields(&root), [("a", &json!(true))]);
    }

    #[test]
    fn fields_are_those_of_every_alternative() {
        let root = json!({
            "type": "object",
            "properties": { "a": true, "ip": { "type": "string", "x-filled-in": true } },
            "required": ["a"],
            "allOf": [{ "properties": { "b": true, "a": false }, "required": ["b"] }],
        });
        let names: Vec<_> = fields(&root).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "b"]);
        assert!(is_required(&root, "a") && is_required(&root, "b") && !is_required(&root, "c"));
        assert_eq!(field(&root, &[&root], "a").map(|it| it.len()), Some(2));
        assert_eq!(field(&root, &[&root], "ip"), None);
        assert_eq!(field(&root, &[&root], "c"), None);
        let free = json!({ "additionalProperties": { "type": "integer" } });
        assert_eq!(field(&free, &[&free], "c"), Some(vec![&json!({ "type": "integer" })]));
        assert_eq!(field(&free, &[&json!({ "additionalProperties": false })], "c"), None);
    }
}
