//! Schemas of contracts as components of one document, where names must not clash.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use crate::rest::schema;

const HERE: &str = "#/components/schemas/";

/// What is data in a schema, not schemas.
const DATA: [&str; 5] = ["const", "enum", "default", "examples", "example"];

/// What has a meaning only where the schema stood by itself.
const PLACES: [&str; 6] = ["$schema", "$id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$defs"];

/// The components so far.
#[derive(Default)]
pub(super) struct Components {
    schemas: Map<String, Value>,
    /// Definitions that were met: their names, with everything that they lead to, and the components that they became.
    known: HashMap<(String, String), String>,
}

/// A schema whose definitions are components.
pub(super) struct Moved<'a> {
    root: &'a Value,
    /// What the schema itself would be called, in case that something in it refers to it.
    name: &'a str,
    names: HashMap<&'a str, String>,
    /// The component that the schema itself is, once it is one.
    whole: OnceCell<String>,
}

impl Components {
    /// Makes the definitions of a schema components. The same definition, met again, is the same component; another one of
    /// the same name gets the name of the schema before its own.
    pub(super) fn take<'a>(&mut self, name: &'a str, root: &'a Value) -> Moved<'a> {
        let definitions = root.get("$defs").and_then(Value::as_object);
        let mut names = HashMap::new();
        let mut new = Vec::new();
        for (definition, value) in definitions.into_iter().flatten() {
            let key = (definition.clone(), closure(root, definition));
            let component = match self.known.get(&key) {
                Some(known) => known.clone(),
                None => {
                    let component = self.free_name(&[definition, &format!("{name}{definition}")]);
                    self.schemas.insert(component.clone(), Value::Null);
                    self.known.insert(key, component.clone());
                    new.push((component.clone(), value));
                    component
                }
            };
            names.insert(definition.as_str(), component);
        }
        let moved = Moved { root, name, names, whole: OnceCell::new() };
        for (component, value) in new {
            let value = moved.rewritten(value, self);
            self.schemas.insert(component, value);
        }
        moved
    }

    /// Makes a whole schema a component, and gives the reference to it.
    pub(super) fn add(&mut self, name: &str, schema: &Value) -> Value {
        let moved = self.take(name, schema);
        json!({ "$ref": format!("{HERE}{}", moved.whole(self)) })
    }

    /// All of them, by name.
    pub(super) fn finish(mut self) -> Map<String, Value> {
        self.schemas.sort_keys();
        self.schemas
    }

    fn free_name(&self, wanted: &[&str]) -> String {
        let allowed = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' };
        let wanted: Vec<String> = wanted.iter().map(|name| name.chars().map(allowed).collect()).collect();
        let last = wanted.last().map_or("Schema", String::as_str);
        let numbered = (2..).map(|number| format!("{last}{number}"));
        let mut names = wanted.iter().cloned().filter(|name| !name.is_empty()).chain(numbered);
        names.find(|name| !self.schemas.contains_key(name)).unwrap_or_default()
    }
}

impl Moved<'_> {
    /// A part of the schema as it stands in the document: without what is filled in on the way, and with references to
    /// components.
    pub(super) fn rewritten(&self, part: &Value, components: &mut Components) -> Value {
        match part {
            Value::Array(items) => items.iter().map(|item| self.rewritten(item, components)).collect(),
            Value::Object(fields) => {
                let mut written = Map::new();
                for (key, value) in fields {
                    match (key.as_str(), value) {
                        ("$ref", Value::String(target)) => {
                            if let Some(target) = self.target(target, components) {
                                written.insert(key.clone(), Value::String(target));
                            }
                        }
                        ("properties", Value::Object(all)) => {
                            let mut callers = Map::new();
                            for (name, field) in all.iter().filter(|(_, field)| schema::is_callers(field)) {
                                callers.insert(name.clone(), self.rewritten(field, components));
                            }
                            written.insert(key.clone(), Value::Object(callers));
                        }
                        ("required", Value::Array(names)) => {
                            let names: Vec<_> = names.iter().filter(|name| is_callers(fields, name)).cloned().collect();
                            if !names.is_empty() {
                                written.insert(key.clone(), Value::Array(names));
                            }
                        }
                        (place, _) if PLACES.contains(&place) => {}
                        (data, _) if DATA.contains(&data) => {
                            written.insert(key.clone(), value.clone());
                        }
                        _ => {
                            written.insert(key.clone(), self.rewritten(value, components));
                        }
                    }
                }
                Value::Object(written)
            }
            other => other.clone(),
        }
    }

    /// The component that the schema itself is, made when there is none.
    fn whole(&self, components: &mut Components) -> String {
        if let Some(name) = self.whole.get() {
            return name.clone();
        }
        let name = components.free_name(&[self.name]);
        components.schemas.insert(name.clone(), Value::Null);
        let name = self.whole.get_or_init(|| name).clone();
        let written = self.rewritten(self.root, components);
        components.schemas.insert(name.clone(), written);
        name
    }

    /// Where a reference leads to in the document; none when that is outside of the schema.
    fn target(&self, reference: &str, components: &mut Components) -> Option<String> {
        let pointer = reference.strip_prefix('#')?;
        self.root.pointer(pointer)?;
        if let Some((name, rest)) = defined(pointer) {
            let component = self.names.get(name.as_str())?;
            return Some(format!("{HERE}{component}{rest}"));
        }
        Some(format!("{HERE}{}{pointer}", self.whole(components)))
    }
}

fn is_callers(object: &Map<String, Value>, name: &Value) -> bool {
    let field = object.get("properties").zip(name.as_str()).and_then(|(all, name)| all.get(name));
    field.is_none_or(schema::is_callers)
}

/// The definition that a pointer leads to, and the rest of the way.
fn defined(pointer: &str) -> Option<(String, &str)> {
    let name = pointer.strip_prefix("/$defs/")?;
    let (name, rest) = name.split_at(name.find('/').unwrap_or(name.len()));
    Some((name.replace("~1", "/").replace("~0", "~"), rest))
}

/// A definition and all that it leads to, as text: what is equal means the same.
fn closure(root: &Value, name: &str) -> String {
    let mut names = BTreeSet::from([name.to_owned()]);
    let mut next = vec![name.to_owned()];
    let mut text = String::new();
    while let Some(name) = next.pop() {
        let Some(value) = root.get("$defs").and_then(|all| all.get(&name)) else { continue };
        references(value, &mut |reference| match reference.strip_prefix('#').map(|it| (it, defined(it))) {
            Some((_, Some((name, _)))) => {
                if names.insert(name.clone()) {
                    next.push(name);
                }
            }
            // what leads to the schema itself means something else in every schema
            Some((_, None)) => text = root.to_string(),
            None => {}
        });
    }
    let definitions = names.iter().map(|name| format!("{name}={}\n", root["$defs"][name]));
    definitions.for_each(|definition| text.push_str(&definition));
    text
}

fn references(schema: &Value, found: &mut impl FnMut(&str)) {
    match schema {
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(target) if key == "$ref" => found(target),
                    _ => references(value, found),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_become_components() {
        let mut components = Components::default();
        let user = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": { "name": { "$ref": "#/$defs/Name" }, "tree": { "$ref": "#/$defs/Tree" } },
            "$defs": {
                "Name": { "type": "string" },
                "Tree": { "properties": { "in": { "$ref": "#/$defs/Tree" }, "name": { "$ref": "#/$defs/Name" } } },
            },
        });
        assert_eq!(components.add("User", &user), json!({ "$ref": "#/components/schemas/User" }));
        // the same definition again, and another one of the same name
        components.add("Shop", &json!({ "$ref": "#/$defs/Name", "$defs": { "Name": { "type": "string" } } }));
        components.add("Ship", &json!({ "$ref": "#/$defs/Name", "$defs": { "Name": { "type": "integer" } } }));
        assert_eq!(
            Value::Object(components.finish()),
            json!({
                "Name": { "type": "string" },
                "Ship": { "$ref": "#/components/schemas/ShipName" },
                "ShipName": { "type": "integer" },
                "Shop": { "$ref": "#/components/schemas/Name" },
                "Tree": { "properties": {
                    "in": { "$ref": "#/components/schemas/Tree" },
                    "name": { "$ref": "#/components/schemas/Name" },
                } },
                "User": { "type": "object", "properties": {
                    "name": { "$ref": "#/components/schemas/Name" },
                    "tree": { "$ref": "#/components/schemas/Tree" },
                } },
            })
        );
    }

    #[test]
    fn what_looks_the_same_but_leads_elsewhere_stays_apart() {
        let with = |kind: &str| {
            json!({ "$ref": "#/$defs/List", "$defs": {
                "List": { "items": { "$ref": "#/$defs/Item" } }, "Item": { "type": kind },
            } })
        };
        let mut components = Components::default();
        components.add("One", &with("string"));
        components.add("Two", &with("integer"));
        let schemas = components.finish();
        assert_eq!(schemas["Two"], json!({ "$ref": "#/components/schemas/TwoList" }));
        assert_eq!(schemas["TwoList"], json!({ "items": { "$ref": "#/components/schemas/TwoItem" } }));
        assert_eq!(schemas["List"], json!({ "items": { "$ref": "#/components/schemas/Item" } }));
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let odd = json!({
            "type": "object",
            "properties": {
                "self": { "$ref": "#" },
                "name": { "type": "string", "default": { "$ref": "#/data" } },
                "same": { "$ref": "#/properties/name" },
                "far": { "$ref": "https://example.com/x", "description": "far" },
                "lost": { "$ref": "#/$defs/Lost" },
                "odd": { "$ref": "#/$defs/a~1b c/properties/x" },
                "$ref": { "type": "string" },
            },
            "$defs": { "a/b c": { "properties": { "x": true }, "not": { "$ref": "#" } } },
        });
        let mut components = Components::default();
        let moved = components.take("Odd", &odd);
        let written = moved.rewritten(&odd["properties"]["self"], &mut components);
        assert_eq!(written, json!({ "$ref": "#/components/schemas/Odd" }));
        let schemas = components.finish();
        let fields = &schemas["Odd"]["properties"];
        assert_eq!(fields["same"], json!({ "$ref": "#/components/schemas/Odd/properties/name" }));
        assert_eq!(fields["name"]["default"], json!({ "$ref": "#/data" }));
        assert_eq!(fields["far"], json!({ "description": "far" }));
        assert_eq!(fields["lost"], json!({}));
        assert_eq!(fields["odd"], json!({ "$ref": "#/components/schemas/a_b_c/properties/x" }));
        assert_eq!(fields["$ref"], json!({ "type": "string" }));
        assert_eq!(schemas["a_b_c"]["not"], json!({ "$ref": "#/components/schemas/Odd" }));
    }

    #[test]
    fn what_is_filled_in_is_left_out_everywhere() {
        let filled = json!({ "type": "string", "x-filled-in": true });
        let object = json!({ "properties": { "ip": filled, "a": true }, "required": ["ip", "a"] });
        let only = json!({ "properties": { "ip": filled }, "required": ["ip"] });
        let mut components = Components::default();
        components.add("It", &json!({ "allOf": [object, only], "$defs": { "D": object } }));
        let schemas = components.finish();
        let left = json!({ "properties": { "a": true }, "required": ["a"] });
        assert_eq!(schemas["It"], json!({ "allOf": [left, { "properties": {} }] }));
        assert_eq!(schemas["D"], left);
    }
}
