//! Pairs of schemas with the verdict and the reason, for callers who send and for callers who get.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Difference, Direction, compare, contracts, schema};
use crate::{Contract, contract};

/// Old, new, and what is said of it for input and for output: `!` in front of what breaks. The reason after `;` is
/// checked for all of them together.
type Row = (&'static str, Value, Value, &'static [&'static str], &'static [&'static str]);

fn object(fields: Value, required: Value) -> Value {
    json!({ "type": "object", "properties": fields, "required": required })
}

/// A recursive type, whose leaves are of `leaf`.
fn tree(leaf: Value) -> Value {
    json!({
        "type": "object", "properties": { "root": { "$ref": "#/$defs/Node" } },
        "$defs": { "Node": object(json!({ "value": leaf, "next": { "items": { "$ref": "#/$defs/Node" } } }), json!([])) },
    })
}

fn tagged(kinds: &[(&str, Value)]) -> Value {
    let one = |(kind, field): &(&str, Value)| {
        object(json!({ "kind": { "const": kind }, "size": field }), json!(["kind", "size"]))
    };
    json!({ "oneOf": kinds.iter().map(one).collect::<Vec<_>>() })
}

#[rustfmt::skip]
fn table() -> Vec<Row> {
    let text = || json!({ "type": "string" });
    let number = || json!({ "type": "number" });
    let whole = || json!({ "type": "integer" });
    let list = |items: Value| json!({ "type": "array", "items": items });
    let person = || object(json!({ "name": text(), "age": whole() }), json!(["name"]));
    vec![
        ("nothing changed", person(), person(), &[], &[]),
        ("words only", json!({ "type": "string", "description": "a" }), json!({ "type": "string", "description": "b" }), &[], &[]),
        ("a field is gone", person(), object(json!({ "name": text() }), json!(["name"])),
            &["!s.age: is gone"], &["!s.age: is gone"]),
        ("a required field is gone", person(), object(json!({ "age": whole() }), json!([])),
            &["!s.name: is gone"], &["!s.name: is gone"]),
        ("a new field", object(json!({ "name": text() }), json!(["name"])), person(),
            &["s.age: is new"], &["s.age: is new"]),
        ("a new required field", object(json!({}), json!([])), object(json!({ "name": text() }), json!(["name"])),
            &["!s.name: is new and required"], &["s.name: is new and required"]),
        ("a field becomes required", person(), object(json!({ "name": text(), "age": whole() }), json!(["name", "age"])),
            &["!s.age: is required now"], &["s.age: is required now"]),
        ("a field becomes optional", person(), object(json!({ "name": text(), "age": whole() }), json!([])),
            &["s.name: may be missing now"], &["!s.name: may be missing now"]),
        ("another type", text(), whole(),
            &["!s: changes from string to integer"], &["!s: changes from string to integer"]),
        ("a wider type", whole(), number(),
            &["s: changes from integer to number"], &["!s: changes from integer to number"]),
        ("a narrower type", number(), whole(),
            &["!s: changes from number to integer"], &["s: changes from number to integer"]),
        ("null is allowed", text(), json!({ "type": ["string", "null"] }),
            &["s: can be null now"], &["!s: can be null now"]),
        ("null is allowed, said otherwise", text(), json!({ "anyOf": [text(), { "type": "null" }] }),
            &["s: can be null now"], &["!s: can be null now"]),
        ("null is allowed, in a third way", text(), json!({ "type": "string", "nullable": true }),
            &["s: can be null now"], &["!s: can be null now"]),
        ("the same in two ways", json!({ "type": ["string", "null"] }), json!({ "anyOf": [{ "type": "null" }, text()] }), &[], &[]),
        ("null is refused", json!({ "type": ["string", "null"] }), text(),
            &["!s: can no longer be null"], &["s: can no longer be null"]),
        ("a listed value is gone", json!({ "enum": ["a", "b"] }), json!({ "enum": ["a"] }),
            &["!s: `\"b\"` is no longer allowed"], &["s: `\"b\"` is no longer allowed"]),
        ("a listed value is new", json!({ "enum": ["a"] }), json!({ "enum": ["a", "b"] }),
            &["s: `\"b\"` is allowed now"], &["!s: `\"b\"` is allowed now"]),
        ("listed values, in two ways", json!({ "enum": ["a", "b"] }), json!({ "oneOf": [{ "const": "b" }, { "const": "a" }] }), &[], &[]),
        ("a text becomes a list of values", text(), json!({ "type": "string", "enum": ["a"] }),
            &["!s: is limited to `\"a\"` now"], &["s: is limited to `\"a\"` now"]),
        ("a list of values becomes any text", json!({ "enum": ["a"] }), text(),
            &["s: is no longer limited to `\"a\"`, but any string"], &["!s: is no longer limited to `\"a\"`, but any string"]),
        ("both truth values are all of them", json!({ "type": "boolean" }), json!({ "enum": [true, false] }), &[], &[]),
        ("a higher lower bound", json!({ "type": "integer", "minimum": 0 }), json!({ "type": "integer", "minimum": 1 }),
            &["!s: the smallest value changes from 0 to 1"], &["s: the smallest value changes from 0 to 1"]),
        ("the same bound, said otherwise", json!({ "type": "integer", "minimum": 1 }), json!({ "type": "integer", "exclusiveMinimum": 0 }), &[], &[]),
        ("no upper bound any more", json!({ "type": "number", "maximum": 9 }), number(),
            &["s: the largest value changes from 9 to none"], &["!s: the largest value changes from 9 to none"]),
        ("an open bound", json!({ "type": "number", "maximum": 9 }), json!({ "type": "number", "exclusiveMaximum": 9 }),
            &["!s: the largest value changes from 9 to less than 9"], &["s: the largest value changes from 9 to less than 9"]),
        ("a coarser step", json!({ "type": "integer", "multipleOf": 2 }), json!({ "type": "integer", "multipleOf": 4 }),
            &["!s: must be a multiple of 4, and not of 2"], &["s: must be a multiple of 4, and not of 2"]),
        ("a longer text is needed", text(), json!({ "type": "string", "minLength": 8 }),
            &["!s: needs at least 8 characters, before 0"], &["s: needs at least 8 characters, before 0"]),
        ("a longer text is allowed", json!({ "type": "string", "maxLength": 8 }), json!({ "type": "string", "maxLength": 9 }),
            &["s: has at most 9 characters, before 8"], &["!s: has at most 9 characters, before 8"]),
        ("another pattern", json!({ "type": "string", "pattern": "^a" }), json!({ "type": "string", "pattern": "^b" }),
            &["!s: changes its pattern from \"^a\" to \"^b\""], &["!s: changes its pattern from \"^a\" to \"^b\""]),
        ("a format", text(), json!({ "type": "string", "format": "email" }),
            &["!s: must have the format \"email\" now"], &["s: must have the format \"email\" now"]),
        ("elements of another type", list(text()), list(whole()),
            &["!s[]: changes from string to integer"], &["!s[]: changes from string to integer"]),
        ("elements with a new required field", list(person()), list(object(json!({ "name": text(), "age": whole() }), json!(["age", "name"]))),
            &["!s[].age: is required now"], &["s[].age: is required now"]),
        ("fewer elements", list(text()), json!({ "type": "array", "items": text(), "maxItems": 3, "uniqueItems": true }),
            &["!s: has at most 3 elements now", "!s: elements must differ from each other now"],
            &["s: has at most 3 elements now", "s: elements must differ from each other now"]),
        ("a pair becomes longer", json!({ "type": "array", "prefixItems": [text()], "items": false }), json!({ "type": "array", "prefixItems": [text(), whole()], "items": false }),
            &["s[1]: is allowed now"], &["!s[1]: is allowed now"]),
        ("deep inside", object(json!({ "to": object(json!({ "street": text() }), json!([])) }), json!([])), object(json!({ "to": object(json!({ "street": whole() }), json!([])) }), json!([])),
            &["!s.to.street: changes from string to integer"], &["!s.to.street: changes from string to integer"]),
        ("other fields are refused", person(), json!({ "type": "object", "properties": { "name": text(), "age": whole() }, "required": ["name"], "additionalProperties": false }),
            &["!s: refuses other fields now"], &["s: refuses other fields now"]),
        ("a new field where others are refused", json!({ "type": "object", "properties": {}, "additionalProperties": false }), json!({ "type": "object", "properties": { "a": text() }, "additionalProperties": false }),
            &["s.a: is new"], &["!s.a: is new"]),
        ("values of a map", json!({ "type": "object", "additionalProperties": text() }), json!({ "type": "object", "additionalProperties": whole() }),
            &["!s.*: changes from string to integer"], &["!s.*: changes from string to integer"]),
        ("a reference and what it leads to", json!({ "type": "object", "properties": { "a": { "$ref": "#/$defs/A" } }, "$defs": { "A": text() } }), object(json!({ "a": text() }), json!([])), &[], &[]),
        ("what a reference leads to", json!({ "$ref": "#/$defs/A", "$defs": { "A": text() } }), json!({ "$ref": "#/$defs/A", "$defs": { "A": number() } }),
            &["!s: changes from string to number"], &["!s: changes from string to number"]),
        ("a recursive type", tree(text()), tree(json!({ "type": ["string", "null"] })),
            &["s.root.value: can be null now"], &["!s.root.value: can be null now"]),
        ("a recursive type, unchanged but for its name", tree(text()), serde_json::from_str(&tree(text()).to_string().replace("Node", "Knot")).unwrap(), &[], &[]),
        ("an alternative is new", tagged(&[("circle", number())]), tagged(&[("circle", number()), ("square", number())]),
            &["s: can be `square` now"], &["!s: can be `square` now"]),
        ("an alternative is gone", tagged(&[("circle", number()), ("square", number())]), tagged(&[("square", number())]),
            &["!s: can no longer be `circle`"], &["s: can no longer be `circle`"]),
        ("alternatives in another order", tagged(&[("circle", number()), ("square", whole())]), tagged(&[("square", whole()), ("circle", number())]), &[], &[]),
        ("inside an alternative", tagged(&[("circle", whole()), ("square", whole())]), tagged(&[("circle", whole()), ("square", number())]),
            &["s|`square`.size: changes from integer to number"], &["!s|`square`.size: changes from integer to number"]),
        ("one becomes one of two", whole(), json!({ "anyOf": [number(), text()] }),
            &["s|number: changes from integer to number", "s: can be string now"], &["!s|number: changes from integer to number", "!s: can be string now"]),
        ("an alternative that another covers", json!({ "anyOf": [whole(), number()] }), number(), &[], &[]),
        ("parts that are put together", json!({ "allOf": [object(json!({ "a": text() }), json!(["a"])), object(json!({ "b": text() }), json!([]))] }), object(json!({ "a": text(), "b": text() }), json!(["a"])), &[], &[]),
        ("a part that asks for more", json!({ "allOf": [{ "type": "string" }] }), json!({ "allOf": [{ "type": "string" }, { "minLength": 2 }] }),
            &["!s: needs at least 2 characters, before 0"], &["s: needs at least 2 characters, before 0"]),
        ("anything becomes something", json!(true), text(),
            &["!s: changes from anything to string"], &["s: changes from anything to string"]),
        ("a field that must not be there", object(json!({ "a": true }), json!([])), object(json!({ "a": false }), json!([])),
            &["!s.a: is not allowed any more"], &["s.a: is not allowed any more"]),
        ("what nobody can tell", json!({ "type": "string", "not": { "enum": ["a"] } }), json!({ "type": "string", "not": { "enum": ["b"] } }),
            &["!s: `not` changes, whose effect cannot be told"], &["!s: `not` changes, whose effect cannot be told"]),
        ("another default", json!({ "type": "string", "default": "a" }), json!({ "type": "string", "default": "b" }),
            &["s: has another default"], &["s: has another default"]),
    ]
}

fn told(direction: Direction, old: &Value, new: &Value) -> Vec<String> {
    let why = ["callers may", "what callers send may"];
    schema(direction, "s", old, new)
        .into_iter()
        .map(|(path, breaking, reason)| {
            let (what, because) = reason.split_once("; ").map_or((reason.as_str(), None), |(a, b)| (a, Some(b)));
            assert_eq!(because.is_some(), breaking, "{reason}");
            assert!(because.is_none_or(|it| why.iter().any(|words| it.starts_with(words))), "{reason}");
            format!("{}{path}: {what}", if breaking { "!" } else { "" })
        })
        .collect()
}

#[test]
fn every_pair_gets_its_verdict_and_reason() {
    let table = table();
    assert!(table.len() >= 30);
    for (name, old, new, input, output) in table {
        assert_eq!(told(Direction::Input, &old, &new), input, "{name}, sent");
        assert_eq!(told(Direction::Output, &old, &new), output, "{name}, got");
        for schema in [&old, &new] {
            assert_eq!(told(Direction::Input, schema, schema), [""; 0], "{name}, with itself");
        }
    }
}

/// What narrows in one direction widens in the other: who goes back breaks what going forth did not, and the reverse.
#[test]
fn going_back_is_the_other_way_round() {
    for (name, old, new, ..) in table() {
        let breaks = |direction, old, new| told(direction, old, new).iter().any(|it| it.starts_with('!'));
        let lost = told(Direction::Input, &old, &new)
            .iter()
            .chain(&told(Direction::Input, &new, &old))
            .any(|it| it.ends_with("is gone") || it.ends_with("is new") || it.ends_with("is new and required"));
        if !lost {
            let (forth, back) = (breaks(Direction::Input, &old, &new), breaks(Direction::Output, &new, &old));
            assert_eq!(forth, back, "{name}");
        }
    }
}

fn scalars() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(2),
        json!(3),
        json!(4),
        json!(10),
        json!(9),
        json!(-1),
        json!(0.5),
        json!(""),
        json!("a"),
        json!("b"),
        json!("abcdefgh"),
        json!("abcdefghi"),
        json!("a@b.cd"),
    ]
}

/// Values that a schema may or may not allow, made of what it mentions.
fn candidates(root: &Value, schema: &Value, depth: u32) -> Vec<Value> {
    let all = |key: &str| schema[key].as_array().cloned().unwrap_or_default();
    // What it names comes first, since not everything is combined with everything.
    let mut found: Vec<Value> = all("enum").into_iter().chain(schema.get("const").cloned()).collect();
    found.extend(scalars());
    if depth == 0 {
        return found;
    }
    if let Some(target) = schema["$ref"].as_str().and_then(|it| root.pointer(&it[1..])) {
        found.extend(candidates(root, target, depth - 1));
    }
    let parts: Vec<Value> = ["anyOf", "oneOf", "allOf"].iter().flat_map(|key| all(key)).collect();
    for part in &parts {
        found.extend(candidates(root, part, depth - 1));
    }
    let mut fields: BTreeMap<String, Vec<Vec<Value>>> = BTreeMap::new();
    for part in parts.iter().chain([schema]) {
        for (name, field) in part["properties"].as_object().into_iter().flatten() {
            fields.entry(name.clone()).or_default().push(candidates(root, field, depth - 1));
        }
    }
    let mut objects = vec![json!({}), json!({ "other": "a" }), json!({ "other": 1 })];
    for (name, lists) in &fields {
        let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
        let values = (0..longest).flat_map(|i| lists.iter().filter_map(move |it| it.get(i)));
        let values: Vec<&Value> = values.take(12 << depth).collect();
        let with = |object: &Value| {
            let with = |value: &&Value| {
                let mut object = object.clone();
                object[name] = (*value).clone();
                object
            };
            values.iter().map(with).collect::<Vec<_>>()
        };
        let more: Vec<Value> = objects.iter().take(40).flat_map(with).collect();
        objects.extend(more);
    }
    found.extend(objects);
    let element = schema.get("items").filter(|it| it.is_object()).cloned();
    let elements = candidates(root, &element.unwrap_or(json!(true)), depth - 1);
    found.push(json!([]));
    found.push(json!(["a", 1]));
    found.extend(elements.iter().take(900).flat_map(|it| [json!([it]), json!([it, it]), json!([it, it, it, it])]));
    found.truncate(10_000);
    found
}

/// An independent validator agrees: what is called harmless refuses no value that was allowed, and what is called
/// breaking refuses one.
#[test]
fn a_validator_sees_it_in_the_same_way() {
    let checked = |schema: &Value| {
        jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .should_validate_formats(true)
            .build(schema)
            .unwrap()
    };
    let mut breaks = 0;
    for (name, old, new, ..) in table() {
        // Draft 2020-12 has no such word.
        if [&old, &new].iter().any(|it| it.to_string().contains("nullable")) {
            continue;
        }
        for (from, to) in [(&old, &new), (&new, &old)] {
            let told = told(Direction::Input, from, to);
            if told.iter().any(|it| it.contains("is gone") || it.contains("cannot be told")) {
                continue;
            }
            let breaking = told.iter().any(|it| it.starts_with('!'));
            let (before, after) = (checked(from), checked(to));
            let pool = candidates(from, from, 4);
            let witness = pool.iter().find(|it| before.is_valid(it) && !after.is_valid(it));
            assert_eq!(witness.is_some(), breaking, "{name}: {from} to {to}: {witness:?}, {told:?}");
            breaks += u32::from(breaking);
        }
    }
    assert!(breaks > 30, "{breaks}");
}

#[test]
fn schemas_without_end_are_given_up() {
    let branches: Vec<_> = (0..400).map(|i| object(json!({ "f": { "maximum": i } }), json!([]))).collect();
    let more: Vec<_> = (0..400).map(|i| object(json!({ "f": { "maximum": i + 1000 } }), json!([]))).collect();
    let found = told(Direction::Input, &json!({ "anyOf": branches }), &json!({ "anyOf": more }));
    assert!(found.contains(&"!s: is too complex to be compared".to_owned()), "{found:?}");
}

fn example() -> Contract {
    serde_json::from_value(json!({
        "messageType": "CreateUserCommand", "targetService": "user-service", "description": "Creates a user.",
        "inputSchema": { "type": "object", "properties": { "name": { "type": "string" } } },
        "outputSchema": { "type": "string" }, "requiredPermissions": ["users:create"], "version": "1.0.0",
        "metadata": { "idempotent": true },
    }))
    .unwrap()
}

#[test]
fn what_a_contract_says_beside_its_schemas() {
    assert!(contract::validate(&[example()]).is_valid);
    let told = |change: fn(&mut Contract)| {
        let mut new = example();
        change(&mut new);
        let line = |it: Difference| format!("{}{}: {}", if it.breaking { "!" } else { "" }, it.path, it.reason);
        contracts(&example(), &new).into_iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(told(|_| {}), [""; 0]);
    assert_eq!(
        told(|it| it.required_permissions = vec!["users:write".to_owned()]),
        [
            "!requiredPermissions: `users:write` is needed now; callers without it are refused",
            "requiredPermissions: `users:create` is no longer needed",
        ]
    );
    assert_eq!(
        told(|it| (it.is_public, it.required_permissions) = (true, Vec::new())),
        ["isPublic: is public now", "requiredPermissions: `users:create` is no longer needed"]
    );
    assert!(told(|it| it.kind = Some(crate::Kind::Query))[0].starts_with("!type: changes from command to query"));
    assert!(told(|it| it.target_service = "other".parse().unwrap())[0].starts_with("!targetService"));
    assert!(told(|it| it.metadata.idempotent = false)[0].starts_with("!metadata.idempotent"));
    assert_eq!(
        told(|it| it.output_schema = json!({ "type": "integer" })),
        ["!output: changes from string to integer; callers may get what they are not prepared for"]
    );
}

#[test]
fn an_event_is_something_that_subscribers_get() {
    let event = |name: Value| {
        let input_schema = json!({ "type": "object", "properties": { "name": name }, "required": ["name"] });
        let message_type = "UserCreated".to_owned();
        Contract { message_type, kind: None, input_schema, output_schema: json!({ "type": "null" }), ..example() }
    };
    let found = contracts(&event(json!({ "type": "string" })), &event(json!({ "type": ["string", "null"] })));
    assert_eq!(found.len(), 1);
    assert!(found[0].breaking && found[0].path == "payload.name", "{found:?}");
}

#[test]
fn whole_services_are_compared_by_message() {
    let other = |name: &str| Contract { message_type: name.to_owned(), ..example() };
    let found = compare(&[other("BCommand"), other("ACommand")], &[other("CCommand"), other("BCommand")]);
    let told: Vec<_> = found.iter().map(|it| (it.message_type.as_str(), it.breaking)).collect();
    assert_eq!(told, [("ACommand", true), ("CCommand", false)]);
}
