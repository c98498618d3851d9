//! What becomes of a schema: one contract, and the SDL that it is translated to.

use insta::assert_snapshot;
use serde_json::json;

use super::*;

/// The SDL of one query, without the scalars that are always there.
fn sdl(input: Value, output: Value) -> String {
    shown(vec![contract("users", "GetUserQuery", input, output)])
}

fn shown(contracts: Vec<Contract>) -> String {
    let visible = visible(contracts);
    assert!(visible.made().schema.types.contains_key("JSON"), "not valid: {}", visible.sdl());
    let sdl = visible.sdl();
    sdl.split_once("scalar Long\n").unwrap().1.to_owned()
}

#[test]
fn the_kind_and_the_name_say_the_field() {
    let text = json!({ "type": "string" });
    let user = || object(json!({ "id": text }), &["id"]);
    let contracts = vec![
        contract("users", "GetUserQuery", user(), user()),
        contract("users", "Users.Commands.CreateUser", none(), json!({ "type": "null" })),
        contract("users", "Users.Events.UserCreated", user(), json!({ "type": "null" })),
    ];
    assert_snapshot!(shown(contracts), @"");
}

#[test]
fn each_json_type_has_its_own() {
    let all = object(
        json!({
            "text": { "type": "string", "description": "Says \"what\"." },
            "yes": { "type": "boolean" },
            "number": { "type": "number" },
            "small": { "type": "integer", "minimum": 0, "maximum": 2_147_483_647 },
            "large": { "type": "integer", "minimum": 0 },
            "maybe": { "type": ["string", "null"] },
            "either": { "anyOf": [{ "type": "integer", "minimum": 0, "maximum": 9 }, { "type": "null" }] },
            "list": { "type": "array", "items": { "type": "string" } },
            "lists": { "type": "array", "items": { "type": "array", "items": { "type": ["number", "null"] } } },
            "tuple": { "type": "array", "prefixItems": [{ "type": "string" }] },
            "free": { "type": "object" },
            "map": { "type": "object", "additionalProperties": { "type": "string" } },
            "union": { "anyOf": [{ "type": "string" }, { "type": "number" }] },
            "any": true,
        }),
        &["text", "yes", "number", "small", "large", "maybe", "either", "list", "lists", "tuple", "free", "map"],
    );
    assert_snapshot!(sdl(all.clone(), all), @"");
}

#[test]
fn enums_are_upper_case_however_they_are_written() {
    let output = object(
        json!({
            "role": { "type": "string", "enum": ["admin", "in-progress"] },
            "state": { "oneOf": [{ "const": "up", "description": "Up." }, { "enum": ["down", "Down"] }] },
            "maybe": { "enum": ["a", null] },
            "number": { "enum": [1, 2] },
        }),
        &["role", "maybe"],
    );
    assert_snapshot!(sdl(none(), output), @"");
}

#[test]
fn what_has_a_name_is_made_once_and_may_hold_itself() {
    let schema = json!({
        "type": "object", "required": ["owner", "node"],
        "properties": {
            "owner": { "$ref": "#/$defs/Person" }, "others": { "type": "array", "items": { "$ref": "#/$defs/Person" } },
            "node": { "$ref": "#" }, "loop": { "$ref": "#/$defs/Loop" }, "gone": { "$ref": "#/$defs/Gone" },
            "both": { "allOf": [{ "$ref": "#/$defs/Person" }, { "properties": { "age": { "type": "number" } }, "required": ["age"] }] },
            "same": { "allOf": [{ "$ref": "#/$defs/Person" }], "description": "As above." },
        },
        "$defs": {
            "Person": { "type": "object", "properties": { "name": { "type": "string" }, "friend": { "$ref": "#/$defs/Person" } }, "required": ["name", "friend"] },
            "Loop": { "type": "array", "items": { "$ref": "#/$defs/Loop" } },
        },
    });
    assert_snapshot!(sdl(schema.clone(), schema), @"");
}

#[test]
fn names_that_graphql_does_not_allow_are_rewritten() {
    let fields =
        json!({ "user.email": { "type": "string" }, "userEmail": { "type": "string" }, "2nd": { "type": "boolean" } });
    assert_snapshot!(sdl(object(fields, &["user.email"]), none()), @"");
}

#[test]
fn what_the_gateway_fills_in_is_no_input() {
    let fields =
        json!({ "ip": { "type": "string", "x-filled-in": true }, "name": { "type": "string", "default": "x" } });
    assert_snapshot!(sdl(object(fields, &["ip", "name"]), none()), @"");
    let only = object(json!({ "ip": { "type": "string", "x-filled-in": true } }), &["ip"]);
    assert_snapshot!(sdl(only, json!({ "type": "array", "items": { "type": "string" } })), @"");
}

#[test]
fn the_first_keeps_a_name_that_two_claim() {
    let text = || object(json!({ "id": { "type": "string" } }), &[]);
    let contracts = vec![
        contract("user-service", "CreateUserCommand", text(), none()),
        contract("order-service", "CreateUserCommand", text(), none()),
        contract("order-service", "Orders.Commands.CreateUser", none(), none()),
        contract("order-service", "CreateUserQuery", none(), none()),
        contract("user-service", "JSON", text(), none()),
    ];
    assert_snapshot!(shown(contracts), @"");
}

#[test]
fn a_nested_type_never_takes_the_name_of_an_operation() {
    let nested = object(json!({ "item": object(json!({ "id": { "type": "string" } }), &[]) }), &[]);
    let result = object(json!({ "id": { "type": "string" } }), &[]);
    let contracts = vec![
        contract("a", "GetQuery", nested.clone(), nested),
        contract("b", "GetInputItemQuery", none(), result),
        contract("b", "GetInputItemInputQuery", none(), none()),
    ];
    let sdl = shown(contracts);
    assert!(sdl.contains("getInputItem(input: GetInputItemInput!)"), "{sdl}");
}

#[test]
fn who_may_see_what() {
    let contracts = vec![
        contract("a", "OpenQuery", none(), none()),
        private(contract("a", "KnownQuery", none(), none()), &[]),
        private(contract("a", "SecretQuery", none(), none()), &["a:read"]),
    ];
    let schemas = Schemas::new(&Arc::new(catalog(contracts)));
    let fields = |permissions: Option<&[&str]>| {
        let visible = schemas.of(&caller(permissions));
        let query = visible.made().schema.get_object("Query").unwrap();
        query.fields.keys().map(|it| it.as_str().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(fields(None), "open");
    assert_eq!(fields(Some(&[])), "open known");
    assert_eq!(fields(Some(&["a:read"])), "open known secret");
    let again = [schemas.of(&caller(Some(&["b:x", "a:read"]))), schemas.of(&caller(Some(&["a:read"])))];
    assert!(Arc::ptr_eq(&again[0], &again[1]), "who sees the same shares it");
}

#[test]
fn nobody_without_queries_is_left_without_a_schema() {
    assert_snapshot!(shown(vec![]), @"");
}
