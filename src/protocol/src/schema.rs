//! JSON Schema (draft 2020-12) of Rust types, and a check that something is one.
//!
//! Types that are used in a schema stand in its `$defs`, under their names. Formats that only Rust knows (`uint32`) are
//! replaced with the bounds that they mean.

use std::collections::HashSet;

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

/// The schema of what can be read as a `T`.
#[must_use]
pub fn input<T: JsonSchema>() -> Value {
    of::<T>(SchemaSettings::draft2020_12().for_deserialize())
}

/// The schema of what a `T` is written as.
#[must_use]
pub fn output<T: JsonSchema>() -> Value {
    of::<T>(SchemaSettings::draft2020_12().for_serialize())
}

fn of<T: JsonSchema>(settings: SchemaSettings) -> Value {
    let settings = settings.with(|it| it.meta_schema = None);
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    RecursiveTransform(bounds_for_formats).transform(&mut schema);
    let mut root = match schema.to_value() {
        Value::Object(root) => root,
        Value::Bool(false) => Map::from_iter([("not".to_owned(), json!({}))]),
        _ => Map::new(),
    };
    if !SAYS_A_TYPE.iter().any(|key| root.contains_key(*key)) {
        root.insert("type".to_owned(), json!(TYPES));
    }
    Value::Object(root)
}

fn bounds_for_formats(schema: &mut Schema) {
    let Some(format) = schema.get("format").and_then(Value::as_str) else { return };
    let bounds = match format {
        "int32" => Some((json!(i32::MIN), json!(i32::MAX))),
        "uint32" => Some((json!(0), json!(u32::MAX))),
        "int8" | "uint8" | "int16" | "uint16" | "int64" | "uint64" | "int128" | "uint128" | "int" | "uint" => None,
        "float" | "double" => None,
        _ => return,
    };
    schema.remove("format");
    if let Some((least, most)) = bounds {
        for (key, bound) in [("minimum", least), ("maximum", most)] {
            if schema.get(key).is_none() {
                schema.insert(key.to_owned(), bound);
            }
        }
    }
}

const TYPES: [&str; 6] = ["null", "boolean", "object", "array", "number", "string"];
const SAYS_A_TYPE: [&str; 8] = ["type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const", "not"];
const SCHEMAS: [&str; 10] = [
    "items",
    "additionalProperties",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
];
const LISTS: [&str; 4] = ["anyOf", "oneOf", "allOf", "prefixItems"];
const MAPS: [&str; 4] = ["properties", "patternProperties", "$defs", "dependentSchemas"];
const COUNTS: [&str; 8] =
    ["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains"];
const NUMBERS: [&str; 5] = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
const TEXTS: [&str; 8] = ["$ref", "$schema", "$id", "$comment", "title", "description", "format", "pattern"];

/// What is not well formed in a schema: the path of the mistake below `path`, and what it is.
///
/// The keywords of draft 2020-12 are checked for their form, references for leading somewhere in the same schema, and
/// the schema itself for saying what type it describes. Patterns are not compiled.
#[must_use]
pub fn check(schema: &Value, path: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    match schema {
        Value::Object(root) if !SAYS_A_TYPE.iter().any(|key| root.contains_key(*key)) => {
            found.push((format!("{path}.type"), "is missing".to_owned()));
        }
        Value::Object(_) => {}
        _ => found.push((path.to_owned(), "is not an object".to_owned())),
    }
    if let Value::Object(_) = schema {
        check_schema(schema, path, schema, &mut found);
    }
    found
}

fn check_schema(schema: &Value, path: &str, root: &Value, found: &mut Vec<(String, String)>) {
    let Value::Object(fields) = schema else {
        if !schema.is_boolean() {
            found.push((path.to_owned(), "is neither an object nor a boolean".to_owned()));
        }
        return;
    };
    for (key, value) in fields {
        let here = format!("{path}.{key}");
        let key = key.as_str();
        if SCHEMAS.contains(&key) {
            check_schema(value, &here, root, found);
        } else if LISTS.contains(&key) {
            match value.as_array() {
                Some(list) if !list.is_empty() => {
                    for (i, item) in list.iter().enumerate() {
                        check_schema(item, &format!("{here}[{i}]"), root, found);
                    }
                }
                _ => found.push((here, "is not a list of at least one schema".to_owned())),
            }
        } else if MAPS.contains(&key) {
            match value.as_object() {
                Some(map) => {
                    for (name, item) in map {
                        check_schema(item, &format!("{here}.{name}"), root, found);
                    }
                }
                None => found.push((here, "is not an object of schemas".to_owned())),
            }
        } else if let Some(problem) = check_keyword(key, value, root) {
            found.push((here, problem.to_owned()));
        }
    }
}

fn check_keyword(key: &str, value: &Value, root: &Value) -> Option<&'static str> {
    let right = match key {
        "type" => return (!is_type(value)).then_some("is no JSON type, nor a list of different ones"),
        "required" => return (!is_set_of_texts(value)).then_some("is not a list of different names"),
        "enum" => return (!value.is_array()).then_some("is not a list"),
        // anchors and references to elsewhere are taken as they are
        "$ref" if value.as_str().is_some_and(|it| it == "#" || it.starts_with("#/")) => {
            let target = value.as_str().and_then(|it| root.pointer(&it[1..]));
            return target.is_none().then_some("leads nowhere");
        }
        "uniqueItems" | "deprecated" | "readOnly" | "writeOnly" => {
            return (!value.is_boolean()).then_some("is neither true nor false");
        }
        key if COUNTS.contains(&key) => return (!value.is_u64()).then_some("is not a count"),
        key if NUMBERS.contains(&key) => return (!value.is_number()).then_some("is not a number"),
        key => !TEXTS.contains(&key) || value.is_string(),
    };
    (!right).then_some("is not text")
}

fn is_type(value: &Value) -> bool {
    let known = |it: &Value| it.as_str().is_some_and(|name| name == "integer" || TYPES.contains(&name));
    match value {
        Value::String(_) => known(value),
        Value::Array(list) => !list.is_empty() && list.iter().all(known) && is_set_of_texts(value),
        _ => false,
    }
}

fn is_set_of_texts(value: &Value) -> bool {
    let Some(list) = value.as_array() else { return false };
    let mut seen = HashSet::new();
    list.iter().all(|item| item.as_str().is_some_and(|text| seen.insert(text)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A user.
    #[derive(serde::Serialize, serde::Deserialize, JsonSchema)]
    #[serde(rename_all = "camelCase")]
    struct User {
        /// How old.
        age: u8,
        big_age: u32,
        offset: i32,
        #[schemars(range(max = 5))]
        score: u32,
        ratio: f64,
        total: i64,
        #[serde(default)]
        nick_name: Option<String>,
        #[schemars(email)]
        mail: String,
        friends: Vec<User>,
        role: Role,
        #[serde(skip_deserializing)]
        computed: String,
    }

    #[derive(serde::Serialize, serde::Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Role {
        Admin,
        Member,
    }

    #[test]
    fn a_type_becomes_plain_json_schema() {
        let schema = input::<User>();
        let expected = json!({
            "title": "User", "description": "A user.", "type": "object",
            "properties": {
                "age": { "description": "How old.", "type": "integer", "minimum": 0, "maximum": 255 },
                "bigAge": { "type": "integer", "minimum": 0, "maximum": 4_294_967_295_u32 },
                "offset": { "type": "integer", "minimum": -2_147_483_648_i32, "maximum": 2_147_483_647 },
                "score": { "type": "integer", "minimum": 0, "maximum": 5 },
                "ratio": { "type": "number" },
                "total": { "type": "integer" },
                "nickName": { "type": ["string", "null"], "default": null },
                "mail": { "type": "string", "format": "email" },
                "friends": { "type": "array", "items": { "$ref": "#" } },
                "role": { "$ref": "#/$defs/Role" },
            },
            "required": ["age", "bigAge", "offset", "score", "ratio", "total", "mail", "friends", "role"],
            "$defs": { "Role": { "type": "string", "enum": ["admin", "member"] } },
        });
        assert_eq!(schema, expected);
        assert!(output::<User>()["properties"]["computed"].is_object(), "what is written has more fields");
    }

    #[test]
    fn every_type_makes_a_schema_that_says_a_type() {
        #[derive(serde::Serialize, JsonSchema)]
        #[serde(tag = "kind")]
        enum Shape {
            Circle { radius: f32 },
        }
        assert_eq!(serde_json::to_value(Shape::Circle { radius: 1.0 }).unwrap()["kind"], "Circle");
        let schemas = [
            input::<Value>(),
            input::<()>(),
            output::<Shape>(),
            input::<Option<User>>(),
            input::<BTreeMap<String, (u8, String)>>(),
            input::<Role>(),
        ];
        for schema in schemas {
            assert_eq!(check(&schema, "s"), [], "{schema}");
        }
        assert_eq!(input::<()>()["type"], "null");
        assert_eq!(input::<Value>()["type"], json!(TYPES));
    }

    #[test]
    fn what_is_no_schema_is_named_by_its_place() {
        let told = |schema: Value| check(&schema, "s").into_iter().map(|(at, what)| format!("{at}: {what}")).collect();
        let none: [String; 0] = [];
        let known: Vec<String> = told(json!({ "type": ["object", "null"], "additionalProperties": false, "x-own": 1 }));
        assert_eq!(known, none);
        let wrong = json!({
            "type": ["object", "object"], "required": ["a", "a"], "properties": { "a": 5, "b": { "items": [] } },
            "anyOf": [], "allOf": [{ "minLength": -1 }], "$ref": "#/$defs/Missing", "title": 5, "minimum": "1",
            "enum": 5, "uniqueItems": "yes", "$defs": [],
        });
        let mut found: Vec<String> = told(wrong);
        found.sort();
        assert_eq!(
            found,
            [
                "s.$defs: is not an object of schemas",
                "s.$ref: leads nowhere",
                "s.allOf[0].minLength: is not a count",
                "s.anyOf: is not a list of at least one schema",
                "s.enum: is not a list",
                "s.minimum: is not a number",
                "s.properties.a: is neither an object nor a boolean",
                "s.properties.b.items: is neither an object nor a boolean",
                "s.required: is not a list of different names",
                "s.title: is not text",
                "s.type: is no JSON type, nor a list of different ones",
                "s.uniqueItems: is neither true nor false",
            ]
        );
    }
}
