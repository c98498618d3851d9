//! Documents, the messages that they send, and the responses made of the answers.

use banyan_sdk::protocol::{Fault, FaultCode};
use proptest::prelude::*;

use super::super::execute::{Answers, Asked, Call, Ready, ready};
use super::super::limits::Limits;
use super::super::trouble::refused;
use super::*;

fn users() -> Vec<Contract> {
    let role = json!({ "type": "string", "enum": ["admin", "read-only"] });
    let user = json!({
        "type": "object", "required": ["id", "score"],
        "properties": {
            "id": { "type": "string" }, "user.role": role, "score": { "type": "number" }, "total": { "type": "integer" },
            "friends": { "type": "array", "items": { "$ref": "#" } }, "more": { "type": "object" },
        },
    });
    let input = json!({
        "type": "object", "required": ["user.role"],
        "properties": {
            "user.role": role, "tags": { "type": "array", "items": { "type": "string" } }, "more": { "type": "object" },
            "friend": { "type": "object", "properties": { "a-b": { "type": "integer" } } },
        },
    });
    vec![
        contract("users", "GetUserQuery", object(json!({ "id": { "type": "string" } }), &["id"]), user.clone()),
        contract("users", "PingQuery", json!({ "type": "null" }), json!({ "type": "string" })),
        contract("users", "CreateUserCommand", input, user.clone()),
        private(contract("users", "DropUserCommand", none(), none()), &["users:drop"]),
        contract("users", "UserCreated", user, none()),
    ]
}

fn asked(query: &str, variables: Value) -> Asked {
    let Value::Object(variables) = variables else { unreachable!() };
    Asked { query: query.to_owned(), operation: None, variables }
}

fn try_ready(query: &str, variables: Value) -> Result<Ready, Value> {
    let visible = visible(users());
    let ready = ready(&visible, &caller(None), &Limits::default(), true, &asked(query, variables));
    ready.map_err(|troubles| refused(&troubles, "c1"))
}

fn calls(query: &str, variables: Value) -> Vec<(String, String, Value)> {
    let calls = try_ready(query, variables).ok().unwrap().calls().into_iter();
    calls.map(|Call { key, field, payload }| (key, field, payload)).collect()
}

fn response(query: &str, answers: Answers) -> Value {
    try_ready(query, json!({})).ok().unwrap().response(&answers, "c1")
}

#[test]
fn input_has_the_names_of_the_wire() {
    let query = r#"mutation ($role: CreateUserInputUserRole!, $n: Long) {
        a: createUser(input: { userRole: READ_ONLY, tags: "one", friend: { aB: $n }, more: { any: ["X", 1.5, null] } }) { id }
        b: createUser(input: { userRole: $role }) { id }
        c: createUser(input: { userRole: ADMIN }) @skip(if: true) { id }
    }"#;
    let found = calls(query, json!({ "role": "ADMIN", "n": 9_007_199_254_740_993_i64 }));
    let expected = [
        (
            "a",
            json!({ "user.role": "read-only", "tags": ["one"], "friend": { "a-b": 9_007_199_254_740_993_i64 }, "more": { "any": ["X", 1.5, null] } }),
        ),
        ("b", json!({ "user.role": "admin" })),
    ];
    let expected = expected.map(|(key, payload)| (key.to_owned(), "createUser".to_owned(), payload));
    assert_eq!(found, expected);
}

#[test]
fn an_empty_input_is_what_its_schema_says() {
    assert_eq!(calls("{ ping(input: {}) }", json!({})), [("ping".to_owned(), "ping".to_owned(), Value::Null)]);
}

#[test]
fn an_answer_has_the_names_of_graphql() {
    let user = json!({
        "id": "1", "user.role": "read-only", "score": 5, "total": 9_007_199_254_740_993_i64, "secret": "not asked for",
        "friends": [{ "id": "2", "score": 0.5 }], "more": { "user.role": "read-only" },
    });
    let query = "query Q { u: getUser(input: { id: 1 }) { id } __typename }";
    assert!(try_ready(query, json!({})).is_err(), "a number is no string");
    let query = r#"query Q { u: getUser(input: { id: "1" }) { __typename ...F total friends { ...F userRole } more } __typename }
        fragment F on GetUserResult { id userRole score }"#;
    let found = response(query, Answers::from([("u".to_owned(), Ok(user))]));
    let expected = json!({ "data": {
        "u": {
            "__typename": "GetUserResult", "id": "1", "userRole": "READ_ONLY", "score": 5.0, "total": 9_007_199_254_740_993_i64,
            "friends": [{ "id": "2", "userRole": null, "score": 0.5 }], "more": { "user.role": "read-only" },
        },
        "__typename": "Query",
    } });
    assert_eq!(found, expected);
}

#[test]
fn a_fault_is_an_error_of_its_field_alone() {
    let query = "{ a: ping(input: {}) b: ping(input: {}) c: ping(input: {}) }";
    let answers = Answers::from([
        ("a".to_owned(), Ok(json!("pong"))),
        ("b".to_owned(), Err(Fault::not_found("no such user"))),
        ("c".to_owned(), Err(Fault::internal("the password is 1234"))),
    ]);
    let found = response(query, answers);
    assert_eq!(found["data"], json!({ "a": "pong", "b": null, "c": null }));
    let expected = json!({
        "message": "no such user", "locations": [{ "line": 1, "column": 22 }], "path": ["b"],
        "extensions": { "code": "NOT_FOUND", "correlationId": "c1" },
    });
    assert_eq!(found["errors"][0], expected);
    assert_eq!(found["errors"][1]["extensions"]["code"], "INTERNAL_ERROR");
    assert!(!found.to_string().contains("1234"), "{found}");
}

#[test]
fn an_answer_that_does_not_fit_says_nothing_of_itself() {
    let query = r#"{ getUser(input: { id: "1" }) { id userRole score friends { id } } }"#;
    for user in [
        json!({ "id": 5, "score": 1, "x": "s3cret" }),
        json!({ "score": 1 }),
        json!({ "id": "1", "score": "s3cret" }),
        json!({ "id": "1", "score": 1, "user.role": "s3cret" }),
        json!({ "id": "1", "score": 1, "friends": "s3cret" }),
        json!({ "id": "1", "score": 1, "friends": ["s3cret"] }),
        json!(["s3cret"]),
        json!("s3cret"),
    ] {
        let found = response(query, Answers::from([("getUser".to_owned(), Ok(user.clone()))]));
        assert_eq!(found["errors"][0]["extensions"]["code"], "INTERNAL_ERROR", "{user} gives {found}");
        assert!(!found.to_string().contains("s3cret"), "{found}");
    }
}

#[test]
fn what_is_wrong_with_a_document_is_said_with_its_place() {
    for (query, message) in [
        ("{", "syntax error"),
        ("{ nothing }", "nothing"),
        ("{ ping }", "input"),
        ("{ getUser(input: { id: 1 }) { id } }", "String"),
        ("query ($x: String!) { ping(input: {}) }", "$x"),
        ("{ ...A } fragment A on Query { ...A }", "A"),
        ("subscription { a: userCreated { id } b: userCreated { id } }", "one"),
    ] {
        let refused = try_ready(query, json!({})).err().unwrap();
        let error = &refused["errors"][0];
        assert_eq!(error["extensions"]["code"], "VALIDATION_ERROR", "{query}: {refused}");
        assert!(error["locations"][0]["line"].is_u64(), "{query}: {refused}");
        assert!(error["message"].as_str().unwrap().contains(message), "{query}: {refused}");
        assert!(refused.get("data").is_none());
    }
}

#[test]
fn what_is_not_for_the_caller_says_what_it_takes() {
    let refused = try_ready("mutation { dropUser(input: {}) }", json!({})).err().unwrap();
    assert_eq!(refused["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{refused}");
    let visible = Schemas::new(&Arc::new(catalog(users()))).of(&caller(Some(&["users:read"])));
    let asked = asked("mutation { x: dropUser(input: {}) }", json!({}));
    let troubles = ready(&visible, &caller(Some(&["users:read"])), &Limits::default(), true, &asked).err().unwrap();
    let error = troubles[0].json("c1");
    assert_eq!(error["extensions"]["code"], "PERMISSION_DENIED", "{error}");
    assert_eq!(error["path"], json!(["x"]));
}

#[test]
fn a_filter_has_the_names_of_the_wire() {
    let query =
        "subscription ($role: GetUserResultUserRole) { userCreated(filter: { id: \"1\", userRole: ADMIN }) { id } }";
    let refused = try_ready(query, json!({})).err().unwrap();
    assert!(refused.to_string().contains("role"), "an unused variable: {refused}");
    let query = "subscription { userCreated(filter: { id: \"1\", userRole: READ_ONLY, score: null }) { id userRole } }";
    let expected = json!({ "id": "1", "user.role": "read-only" });
    assert_eq!(calls(query, json!({})), [("userCreated".to_owned(), "userCreated".to_owned(), expected)]);
    let event = json!({ "id": "1", "user.role": "admin", "score": 1 });
    let found = response(query, Answers::from([("userCreated".to_owned(), Ok(event))]));
    assert_eq!(found, json!({ "data": { "userCreated": { "id": "1", "userRole": "ADMIN" } } }));
}

#[test]
fn codes_are_those_of_the_platform() {
    for (code, expected) in [
        (FaultCode::Validation, "VALIDATION_ERROR"),
        (FaultCode::Unauthorized, "UNAUTHENTICATED"),
        (FaultCode::Authorization, "PERMISSION_DENIED"),
        (FaultCode::NotFound, "NOT_FOUND"),
        (FaultCode::RateLimitExceeded, "RATE_LIMIT_EXCEEDED"),
        (FaultCode::Timeout, "TIMEOUT"),
        (FaultCode::ServiceUnavailable, "SERVICE_UNAVAILABLE"),
        (FaultCode::Other("NEW".to_owned()), "INTERNAL_ERROR"),
    ] {
        let fault = Fault::new(code.clone(), "x");
        let found = response("{ ping(input: {}) }", Answers::from([("ping".to_owned(), Err(fault))]));
        assert_eq!(found["errors"][0]["extensions"]["code"], expected, "{code}");
    }
}

proptest! {
    #[test]
    fn no_document_panics(query in "\\PC{0,200}") {
        let _ = try_ready(&query, json!({}));
    }

    #[test]
    fn no_document_of_right_words_panics(words in prop::collection::vec(word(), 0..60), n in any::<i64>()) {
        let query = words.join(" ");
        if let Ok(ready) = try_ready(&query, json!({ "x": n })) {
            let answers = ready.calls().into_iter().map(|call| (call.key, Ok(json!({ "id": n })))).collect();
            prop_assert!(ready.response(&answers, "c1").is_object());
        }
    }
}

fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "{",
        "}",
        "(",
        ")",
        "{",
        "}",
        "query",
        "mutation",
        "subscription",
        "fragment",
        "on",
        "...",
        "$x",
        ":",
        "!",
        "[",
        "]",
        "@skip(if: true)",
        "@include(if: $x)",
        "getUser",
        "ping(input: {})",
        "getUser(input: { id: \"1\" }) { id }",
        "input:",
        "id",
        "friends { id }",
        "GetUserResult",
        "Query",
        "__typename",
        "__schema { types { name } }",
        "null",
        "1",
        "\"x\"",
        "userCreated { id }",
        "createUser(input: { userRole: ADMIN }) { id }",
        "F",
        "\u{feff}",
        "#",
        "\"\"\"",
    ])
}
