//! From path, query string and body to the one payload of a message.

use banyan_sdk::protocol::Fault;
use serde_json::{Map, Value};

use super::flaws::Flaws;
use super::schema::{self, Types};
use super::{body, query};

/// Where the fields of a request stand.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Parts<'a> {
    /// The field in the path, and its value as it stands there.
    pub(crate) parameter: Option<(&'a str, &'a str)>,
    /// The query string, without its question mark.
    pub(crate) query: &'a str,
    /// JSON, or nothing.
    pub(crate) body: &'a [u8],
}

/// A payload, and what is wrong with it so far: whether it is what the contract says is yet to be checked.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) payload: Value,
    pub(crate) flaws: Flaws,
}

/// Puts a payload together. Text in the path and the query becomes what the schema says; what is in the body stays as it
/// is.
///
/// # Errors
/// A fault when the body is no JSON; anything else that is wrong is told with the payload.
pub(crate) fn gather(parts: Parts<'_>, schema: &Value) -> Result<Gathered, Fault> {
    let mut flaws = Flaws::default();
    let mut said = query::read(parts.query, schema, &mut flaws);
    if let Some((name, raw)) = parts.parameter {
        let value = in_path(name, raw, schema, &mut flaws);
        put(&mut said, name, value, "differs from the one in the path", &mut flaws);
    }
    let body = if parts.body.is_empty() { None } else { Some(body::read(parts.body, &mut flaws)?) };
    let payload = match body {
        None if said.is_empty() && takes_nothing(schema) => Value::Null,
        None => Value::Object(said),
        Some(Value::Object(mut fields)) => {
            for (name, value) in said {
                put(&mut fields, &name, value, "differs from the one in the address", &mut flaws);
            }
            Value::Object(fields)
        }
        Some(other) => {
            if !said.is_empty() {
                flaws.add("body", "is not an object, so there is no place for the fields in the address");
            }
            other
        }
    };
    Ok(Gathered { payload, flaws })
}

fn in_path(name: &str, raw: &str, schema: &Value, flaws: &mut Flaws) -> Value {
    let types = schema::field(schema, &[schema], name).map_or(Types::TEXT, |field| schema::types(schema, &field));
    let value = query::decoded_path(raw).ok_or("is not percent-encoded text");
    value.and_then(|text| query::coerced(text, types)).unwrap_or_else(|problem| {
        flaws.add(name, problem);
        Value::Null
    })
}

/// Adds a field; what is there already must be the same.
fn put(fields: &mut Map<String, Value>, name: &str, value: Value, conflict: &str, flaws: &mut Flaws) {
    match fields.get(name) {
        Some(known) if *known != value => flaws.add(name, conflict),
        Some(_) => {}
        None => {
            fields.insert(name.to_owned(), value);
        }
    }
}

/// Whether a message without fields is `null` and not an empty object.
fn takes_nothing(schema: &Value) -> bool {
    let types = schema::types(schema, &[schema]);
    types.intersects(Types::NULL) && !types.intersects(Types::OBJECT)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn user() -> Value {
        json!({
            "type": "object",
            "properties": {
                "id": { "type": "integer" },
                "name": { "type": "string" },
                "active": { "type": ["boolean", "null"] },
                "tags": { "type": "array", "items": { "type": "string" } },
            },
            "required": ["id", "name"],
        })
    }

    fn gathered(parameter: Option<&str>, query: &str, body: &str) -> Gathered {
        let parameter = parameter.map(|value| ("id", value));
        gather(Parts { parameter, query, body: body.as_bytes() }, &user()).unwrap()
    }

    #[test]
    fn all_three_become_one() {
        let Gathered { payload, flaws } = gathered(Some("7"), "active=true&tags=a,b", r#"{"name":"Ada","more":{}}"#);
        assert!(flaws.is_empty(), "{flaws:?}");
        assert_eq!(payload, json!({ "name": "Ada", "more": {}, "active": true, "tags": ["a", "b"], "id": 7 }));
    }

    #[test]
    fn what_is_said_twice_must_be_the_same() {
        let same = gathered(Some("7"), "id=7&name=Ada", r#"{"name":"Ada","id":7}"#);
        assert!(same.flaws.is_empty(), "{:?}", same.flaws);
        let path = gathered(Some("7"), "", r#"{"id":8}"#);
        assert_eq!(path.flaws.fields(), ["id"]);
        let query = gathered(Some("7"), "id=8&name=Ada", r#"{"name":"Bob","name":"Bob"}"#);
        assert_eq!(query.flaws.fields(), ["id", "name"]);
    }

    #[test]
    fn every_bad_field_is_named() {
        let all = gathered(Some("x%2"), "active=1&tags=%ff&nmae=Ada", r#"{"a":"\u0000"}"#);
        assert_eq!(all.flaws.fields(), ["active", "tags[0]", "nmae", "id", "a"]);
    }

    #[test]
    fn a_path_may_hold_anything() {
        let schema = json!({ "type": "object", "properties": { "id": { "type": "string" } } });
        for (raw, value) in [("a%2Fb", "a/b"), ("a+b", "a+b"), ("%C3%A4", "ä"), ("..", ".."), ("007", "007")] {
            let parts = Parts { parameter: Some(("id", raw)), ..Parts::default() };
            let gathered = gather(parts, &schema).unwrap();
            assert!(gathered.flaws.is_empty());
            assert_eq!(gathered.payload, json!({ "id": value }));
        }
        for raw in ["%", "%zz", "%f", "%ff", "%00"] {
            let parts = Parts { parameter: Some(("id", raw)), ..Parts::default() };
            assert_eq!(gather(parts, &schema).unwrap().flaws.fields(), ["id"], "{raw}");
        }
    }

    #[test]
    fn what_takes_nothing_gets_nothing() {
        let payload = |schema: Value| gather(Parts::default(), &schema).unwrap().payload;
        assert_eq!(payload(json!({ "type": "null" })), Value::Null);
        assert_eq!(payload(json!({ "type": "object" })), json!({}));
        assert_eq!(payload(json!({ "type": ["object", "null"] })), json!({}));
    }

    #[test]
    fn a_body_that_is_no_object_stands_alone() {
        let schema = json!({ "type": "array" });
        let alone = gather(Parts { body: b"[1]", ..Parts::default() }, &schema).unwrap();
        assert!(alone.flaws.is_empty());
        assert_eq!(alone.payload, json!([1]));
        assert_eq!(gathered(Some("7"), "", "[1]").flaws.fields(), ["body"]);
    }

    proptest! {
        #[test]
        fn nothing_panics(raw in ".{0,20}", query in "[a-z0-9%=&+.,\\[\\]]{0,60}", body in any::<Vec<u8>>()) {
            let parts = Parts { parameter: Some(("id", &raw)), query: &query, body: &body };
            let _ = gather(parts, &user());
        }

        /// What is written into a query by the rules comes out as it was, and fits the schema.
        #[test]
        fn what_is_accepted_fits(id in any::<i64>(), name in "[^\0]{0,20}", active in any::<Option<bool>>(), tags in prop::collection::vec("[^\0]{1,10}", 0..4)) {
            let encoded = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
            let mut query = format!("name={}", encoded(&name));
            query.push_str(&format!("&active={}", active.map_or_else(String::new, |it| it.to_string())));
            tags.iter().for_each(|tag| query.push_str(&format!("&tags[]={}", encoded(tag))));
            let raw = id.to_string();
            let gathered = gather(Parts { parameter: Some(("id", &raw)), query: &query, body: b"" }, &user()).unwrap();
            prop_assert!(gathered.flaws.is_empty(), "{:?}", gathered.flaws);
            let mut expected = json!({ "name": name, "active": active, "id": id });
            if !tags.is_empty() {
                expected["tags"] = json!(tags);
            }
            prop_assert_eq!(&gathered.payload, &expected);
            prop_assert!(jsonschema::is_valid(&user(), &gathered.payload));
        }

        /// Whatever is not complained of has the types that the schema says.
        #[test]
        fn what_is_not_complained_of_fits(value in "[a-z0-9.,-]{0,6}", field in "id|name|active|tags", other in "id|name|active|tags") {
            let query = format!("{field}={value}&{other}={value}");
            let gathered = gather(Parts { query: &query, ..Parts::default() }, &user()).unwrap();
            if gathered.flaws.is_empty() {
                let mut schema = user();
                schema["required"] = json!([]);
                prop_assert!(jsonschema::is_valid(&schema, &gathered.payload), "{} from {}", gathered.payload, query);
            }
        }
    }
}
