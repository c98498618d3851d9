use super::*;
use crate::catalog::Catalog;
use crate::rest::routes::Routes;
use crate::rest::samples::{catalog, contract, operation, with_id};
use std::sync::Arc;

const ABOUT: About<'_> = About { version: "1.2.3", development: false };

fn document_of(catalog: &Arc<Catalog>) -> Value {
    document(Routes::new(catalog).served(), ABOUT, |_| true)
}

fn users() -> Arc<Catalog> {
    let mut create = contract(
        "CreateUserCommand",
        json!({
            "type": "object",
            "properties": {
                "email": { "type": "string", "format": "email" },
                "profile": { "anyOf": [{ "$ref": "#/$defs/Profile" }, { "type": "null" }] },
                "ip": { "type": "string", "x-filled-in": true },
            },
            "required": ["email", "ip"],
            "$defs": { "Profile": { "type": "object" } },
        }),
    );
    create.is_public = false;
    create.required_permissions = vec!["users:create".to_owned()];
    let update = json!({
        "type": "object",
        "properties": { "userId": { "type": "string" }, "name": { "type": "string" } },
        "required": ["userId", "name"],
    });
    let list = json!({
        "type": "object",
        "properties": {
            "page": { "type": "integer", "description": "From 1." },
            "filter": { "type": "object", "properties": { "name": { "type": "string" } } },
        },
    });
    catalog([
        operation("user-service", create),
        operation("user-service", contract("UpdateUserCommand", update)),
        operation("user-service", contract("DeleteUserCommand", with_id("userId"))),
        operation("user-service", contract("GetUserQuery", with_id("id"))),
        operation("user-service", contract("ListUsersQuery", list)),
        operation("other", contract("GetUserQuery", with_id("id"))),
    ])
}

#[test]
fn paths_and_names_are_all_there() {
    let document = document_of(&users());
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            all.push(format!("{method} {path} {}", operation["operationId"].as_str().unwrap()));
        }
    }
    assert_eq!(
        all,
        [
            "get /api/other/get-user otherGetUser",
            "post /api/users createUser",
            "get /api/users listUsers",
            "get /api/users/{id} getUser",
            "put /api/users/{userId} updateUser",
            "delete /api/users/{userId} deleteUser",
        ]
    );
}

#[test]
fn a_command_has_a_body_without_what_is_in_the_path_or_filled_in() {
    let document = document_of(&users());
    let create = &document["paths"]["/api/users"]["post"];
    let body = &create["requestBody"];
    assert_eq!(body["required"], true);
    assert_eq!(body["content"]["application/json"]["schema"]["$ref"], "#/components/schemas/CreateUserInput");
    let schemas = &document["components"]["schemas"];
    let fields = schemas["CreateUserInput"]["properties"].as_object().unwrap();
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["email", "profile"]);
    assert_eq!(schemas["CreateUserInput"]["required"], json!(["email"]));
    assert_eq!(fields["profile"]["anyOf"][0]["$ref"], "#/components/schemas/Profile");
    assert_eq!(create["security"], json!([{ "bearer": [] }]));
    assert_eq!(create["x-required-permissions"], json!(["users:create"]));
    assert_eq!(create["responses"]["201"]["headers"]["Location"]["schema"]["type"], "string");
    assert_eq!(create["tags"], json!(["user-service"]));

    let update = &document["paths"]["/api/users/{userId}"]["put"];
    assert_eq!(
        update["parameters"][0],
        json!({ "name": "userId", "in": "path", "required": true, "schema": { "type": "string" } })
    );
    assert_eq!(
        schemas["UpdateUserInput"],
        json!({ "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] })
    );
    assert_eq!(update["security"], json!([]));
}

#[test]
fn a_query_has_parameters() {
    let document = document_of(&users());
    let list = &document["paths"]["/api/users"]["get"];
    assert_eq!(list.get("requestBody"), None);
    assert_eq!(
        list["parameters"],
        json!([
            { "name": "page", "in": "query", "required": false, "description": "From 1.", "schema": { "type": "integer", "description": "From 1." } },
            { "name": "filter", "in": "query", "required": false, "style": "deepObject", "explode": true, "schema": { "type": "object", "properties": { "name": { "type": "string" } } } },
        ])
    );
    assert_eq!(
        list["x-also-at"],
        json!(["GET /api/list-users", "GET /api/user/list-users", "GET /api/user-service/list-users"])
    );
    let delete = &document["paths"]["/api/users/{userId}"]["delete"];
    assert_eq!(delete.get("requestBody"), None);
    assert_eq!(delete["responses"]["204"], json!({ "description": "It is gone." }));
}

#[test]
fn only_what_is_visible_is_shown_under_the_same_name() {
    let catalog = users();
    let routes = Routes::new(&catalog);
    let document = document(routes.served(), ABOUT, |it| it.service.as_str() == "other");
    assert_eq!(document["tags"], json!([{ "name": "other" }]));
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 1);
    assert_eq!(paths["/api/other/get-user"]["get"]["operationId"], "otherGetUser");
    assert_eq!(
        document["components"]["schemas"].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["OtherGetUserResult", "Problem"]
    );
}

#[test]
fn names_of_operations_are_all_different() {
    let get = |service: &str, name: &str| operation(service, contract(name, json!({ "type": "object" })));
    let routes = Routes::new(&catalog([
        get("a", "GetUserQuery"),
        get("a", "GetUserCommand"),
        get("a", "Other.Commands.GetUser"),
        get("a-b", "CQuery"),
        get("a", "BCQuery"),
        get("a", "B.Queries.C"),
        get("x", "___"),
    ]));
    let ids = ids(routes.served());
    let different: HashSet<_> = ids.iter().collect();
    assert_eq!(different.len(), ids.len(), "{ids:?}");
}

#[test]
fn development_offers_its_headers() {
    let catalog = users();
    let routes = Routes::new(&catalog);
    let document = document(routes.served(), About { development: true, ..ABOUT }, |_| true);
    let security = &document["paths"]["/api/users"]["post"]["security"];
    assert_eq!(*security, json!([{ "bearer": [] }, { "user": [], "permissions": [] }]));
    assert_eq!(document["components"]["securitySchemes"]["user"]["name"], "X-Dev-User-Id");
}

/// Every local reference of a document that leads nowhere.
fn lost(document: &Value, part: &Value, found: &mut Vec<String>) {
    match part {
        Value::Array(items) => items.iter().for_each(|item| lost(document, item, found)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(target) if key == "$ref" => {
                        if document.pointer(target.trim_start_matches('#')).is_none() {
                            found.push(target.clone());
                        }
                    }
                    _ => lost(document, value, found),
                }
            }
        }
        _ => {}
    }
}

#[test]
fn no_reference_is_lost() {
    let document = document_of(&users());
    let mut found = Vec::new();
    lost(&document, &document, &mut found);
    assert_eq!(found, [""; 0]);
}
