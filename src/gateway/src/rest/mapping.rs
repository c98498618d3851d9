//! From a contract's name to the paths that it would like to have.

use std::borrow::Cow;

use axum::http::{Method, StatusCode};
use banyan_sdk::protocol::{Contract, Kind, names, names::ServiceName};
use heck::ToKebabCase as _;
use serde_json::Value;

use super::schema::{self, Types};

/// Where all paths are.
pub(crate) const ROOT: &str = "/api/";

/// What the name of a contract says of its requests.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// What a request that went well is answered with.
    pub(crate) success: StatusCode,
    /// Where the things are that it is about: `/api/users`.
    pub(crate) collection: Option<String>,
    /// The paths, the most wanted first. The last ones belong to its service alone.
    pub(crate) wishes: Vec<Wish>,
}

/// A path that a contract would like to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    /// With which method.
    pub(crate) method: Method,
    /// The path, without its parameter and the slash before it.
    pub(crate) path: String,
    /// The field that stands in the path's last segment.
    pub(crate) parameter: Option<String>,
    /// Whether the path begins with the name of the service, so that nobody else has a claim to it.
    pub(crate) own: bool,
}

/// What a name begins with when it is about one thing or about all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Create,
    Update,
    Delete,
    Get,
    List,
}

/// Maps a contract. Commands are sent with POST and queries with GET, unless their verb says more.
pub(crate) fn map(contract: &Contract, service: &ServiceName) -> Mapping {
    let kind = contract.kind();
    let name = kebab(names::operation(kind, &contract.message_type));
    let found = verb(kind, &name);
    let collection = found.map(|(_, noun)| format!("{ROOT}{}", plural(noun)));
    let method = if kind == Kind::Query { Method::GET } else { Method::POST };
    let wish = |path: String, own: bool| Wish { method: method.clone(), path, parameter: None, own };

    let mut wishes = Vec::with_capacity(5);
    wishes.extend(stated(contract, &method));
    if let (Some((verb, noun)), Some(collection)) = (found, &collection) {
        wishes.extend(resource(verb, noun, collection, &contract.input_schema));
    }
    wishes.push(wish(format!("{ROOT}{name}"), false));
    if let Some(short) = service.as_str().strip_suffix("-service").filter(|it| !it.is_empty()) {
        wishes.push(wish(format!("{ROOT}{short}/{name}"), false));
    }
    wishes.push(wish(format!("{ROOT}{service}/{name}"), true));
    wishes.push(wish(format!("{ROOT}{service}/{}", contract.message_type), true));
    let success = match found {
        Some((Verb::Create, _)) => StatusCode::CREATED,
        Some((Verb::Delete, _)) => StatusCode::NO_CONTENT,
        _ => StatusCode::OK,
    };
    Mapping { success, collection, wishes }
}

/// `CreateOrderItem` in kebab case; what has neither letters nor digits stays as it is.
fn kebab(operation: &str) -> Cow<'_, str> {
    let kebab = operation.to_kebab_case();
    if kebab.is_empty() { Cow::Borrowed(operation) } else { Cow::Owned(kebab) }
}

/// The verb that a name begins with, and what it is about.
fn verb(kind: Kind, name: &str) -> Option<(Verb, &str)> {
    let (word, noun) = name.split_once('-')?;
    let verb = match (kind, word) {
        (Kind::Command, "create") => Verb::Create,
        (Kind::Command, "update") => Verb::Update,
        (Kind::Command, "delete") => Verb::Delete,
        (Kind::Query, "get") => Verb::Get,
        (Kind::Query, "list") => Verb::List,
        _ => return None,
    };
    Some((verb, noun))
}

/// The path of a resource, for what is about one thing only when its input says which one.
fn resource(verb: Verb, noun: &str, collection: &str, input: &Value) -> Option<Wish> {
    let (method, one) = match verb {
        Verb::Create => (Method::POST, false),
        Verb::List => (Method::GET, false),
        Verb::Get => (Method::GET, true),
        Verb::Update => (Method::PUT, true),
        Verb::Delete => (Method::DELETE, true),
    };
    let parameter = if one { Some(id_field(noun, input)?.to_owned()) } else { None };
    Some(Wish { method, path: collection.to_owned(), parameter, own: false })
}

/// The field that names the thing: `id`, else `userId` for a user, else the only field that is required and has one
/// value.
fn id_field<'a>(noun: &str, input: &'a Value) -> Option<&'a str> {
    let fields = || schema::fields(input).into_iter();
    let scalar = |field: &Value| schema::types(input, &[field]).intersects(Types::SCALAR);
    let named = |name: &str| fields().find(|(known, field)| *known == name && scalar(field)).map(|(name, _)| name);
    let of_noun = format!("{}Id", heck::AsLowerCamelCase(noun));
    named("id").or_else(|| named(&of_noun)).or_else(|| {
        let mut required = fields().filter(|(name, field)| schema::is_required(input, name) && scalar(field));
        let (name, _) = required.next()?;
        required.next().is_none().then_some(name)
    })
}

/// A path that the contract itself states, in its metadata: `{"rest": {"method": "POST", "path": "/api/login"}}`.
fn stated(contract: &Contract, usual: &Method) -> Option<Wish> {
    let rest = contract.metadata.rest.get("rest")?;
    let path = rest.get("path")?.as_str()?;
    let method = match rest.get("method").and_then(Value::as_str) {
        None => usual.clone(),
        Some("GET") if contract.kind() == Kind::Query => Method::GET,
        Some("POST") => Method::POST,
        Some("PUT") => Method::PUT,
        Some("DELETE") => Method::DELETE,
        Some(_) => return None,
    };
    if method != Method::GET && contract.kind() == Kind::Query {
        return None;
    }
    let (path, parameter) = match path.rsplit_once('/')? {
        (before, last) if last.starts_with('{') => {
            let name = last.strip_prefix('{')?.strip_suffix('}')?;
            let (name, _) = schema::fields(&contract.input_schema).into_iter().find(|(known, _)| *known == name)?;
            (before, Some(name.to_owned()))
        }
        _ => (path, None),
    };
    let segment = |it: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        !it.is_empty() && it.bytes().all(allowed) && !it.bytes().all(|b| b == b'.')
    };
    let usable = path.len() <= 200 && path.strip_prefix(ROOT)?.split('/').all(segment);
    usable.then(|| Wish { method, path: path.to_owned(), parameter, own: false })
}

/// The plural of a noun in kebab case; what is a plural already stays.
fn plural(noun: &str) -> String {
    let (before, word) = noun.rfind('-').map_or(("", noun), |at| noun.split_at(at + 1));
    format!("{before}{}", pluralizer::pluralize(word, 2, false))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rest::samples::contract;

    fn mapped(message_type: &str, input: Value) -> Mapping {
        map(&contract(message_type, input), &ServiceName::new("user-service").unwrap())
    }

    /// The paths as text, without those that begin with the service's name.
    fn paths(mapping: &Mapping) -> Vec<String> {
        let shared = mapping.wishes.iter().filter(|it| !it.own && !it.path.starts_with("/api/user/"));
        let text = |it: &Wish| match &it.parameter {
            Some(parameter) => format!("{} {}/{{{parameter}}}", it.method, it.path),
            None => format!("{} {}", it.method, it.path),
        };
        shared.map(text).collect()
    }

    #[test]
    fn every_row_of_the_mapping() {
        let id = json!({ "type": "object", "properties": { "id": { "type": "string" } } });
        let free = json!({ "type": "object" });
        for (message_type, input, status, expected) in [
            ("CreateUserCommand", &free, 201, &["POST /api/users", "POST /api/create-user"][..]),
            ("UpdateUserCommand", &id, 200, &["PUT /api/users/{id}", "POST /api/update-user"]),
            ("DeleteUserCommand", &id, 204, &["DELETE /api/users/{id}", "POST /api/delete-user"]),
            ("GetUserQuery", &id, 200, &["GET /api/users/{id}", "GET /api/get-user"]),
            ("ListUsersQuery", &free, 200, &["GET /api/users", "GET /api/list-users"]),
            ("RegisterUserCommand", &id, 200, &["POST /api/register-user"]),
            ("SearchQuery", &id, 200, &["GET /api/search"]),
            ("CreateOrderItemCommand", &free, 201, &["POST /api/order-items", "POST /api/create-order-item"]),
            ("Users.Commands.CreateUser", &free, 201, &["POST /api/users", "POST /api/create-user"]),
            ("Users.Queries.ListUsers", &free, 200, &["GET /api/users", "GET /api/list-users"]),
            ("GetHTTPStatusQuery", &id, 200, &["GET /api/http-statuses/{id}", "GET /api/get-http-status"]),
            // a verb of the other kind, and a verb without a noun, are no verbs
            ("GetUserCommand", &id, 200, &["POST /api/get-user"]),
            ("CreateUserQuery", &id, 200, &["GET /api/create-user"]),
            ("CreateCommand", &id, 200, &["POST /api/create"]),
            ("GetawayQuery", &id, 200, &["GET /api/getaway"]),
            // which user?
            ("GetUserQuery", &free, 200, &["GET /api/get-user"]),
            ("___Command", &free, 200, &["POST /api/___"]),
        ] {
            let mapping = mapped(message_type, input.clone());
            assert_eq!(paths(&mapping), expected, "{message_type}");
            assert_eq!(mapping.success.as_u16(), status, "{message_type}");
        }
    }

    #[test]
    fn each_has_paths_behind_the_name_of_its_service() {
        let mapping = mapped("RefreshTokenCommand", json!({ "type": "object" }));
        let own: Vec<_> = mapping.wishes.iter().map(|it| (it.path.as_str(), it.own)).collect();
        assert_eq!(
            own,
            [
                ("/api/refresh-token", false),
                ("/api/user/refresh-token", false),
                ("/api/user-service/refresh-token", true),
                ("/api/user-service/RefreshTokenCommand", true),
            ]
        );
        let other = map(&contract("PingQuery", json!({ "type": "null" })), &ServiceName::new("billing").unwrap());
        let own: Vec<_> = other.wishes.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(own, ["/api/ping", "/api/billing/ping", "/api/billing/PingQuery"]);
    }

    #[test]
    fn plurals_are_those_of_english() {
        for (one, many) in [
            ("user", "users"),
            ("users", "users"),
            ("person", "people"),
            ("people", "people"),
            ("category", "categories"),
            ("categories", "categories"),
            ("day", "days"),
            ("status", "statuses"),
            ("statuses", "statuses"),
            ("child", "children"),
            ("children", "children"),
            ("box", "boxes"),
            ("address", "addresses"),
            ("addresses", "addresses"),
            ("analysis", "analyses"),
            ("knife", "knives"),
            ("mouse", "mice"),
            ("news", "news"),
            ("datum", "data"),
            ("data", "data"),
            ("process", "processes"),
            ("bus", "buses"),
            ("quiz", "quizzes"),
            ("order-item", "order-items"),
            ("role-permissions", "role-permissions"),
            ("sales-person", "sales-people"),
        ] {
            assert_eq!(plural(one), many, "{one}");
        }
    }

    #[test]
    fn the_parameter_is_the_field_that_names_the_thing() {
        let object =
            |fields: Value, required: &[&str]| json!({ "type": "object", "properties": fields, "required": required });
        let text = json!({ "type": "string" });
        for (expected, input) in [
            (Some("id"), object(json!({ "userId": text, "id": { "type": "integer" } }), &["userId", "id"])),
            (Some("userId"), object(json!({ "name": text, "userId": text }), &["name", "userId"])),
            (Some("userId"), object(json!({ "userId": { "type": ["string", "null"] } }), &[])),
            (
                Some("roleName"),
                object(json!({ "roleName": text, "permissions": { "type": "array" } }), &["roleName", "permissions"]),
            ),
            (Some("name"), object(json!({ "name": { "$ref": "#/$defs/Name" }, "x": text }), &["name"])),
            (None, object(json!({ "a": text, "b": text }), &["a", "b"])),
            (None, object(json!({ "a": text }), &[])),
            (None, object(json!({ "id": { "type": "object" } }), &["id"])),
            (None, object(json!({ "id": { "type": "string", "x-filled-in": true } }), &["id"])),
            (None, json!({ "type": "null" })),
        ] {
            let mut input = input;
            input["$defs"] = json!({ "Name": { "type": "string" } });
            assert_eq!(id_field("user", &input), expected, "{input}");
        }
        let order_item = object(json!({ "orderItemId": text, "other": text }), &["orderItemId", "other"]);
        assert_eq!(id_field("order-item", &order_item), Some("orderItemId"));
    }

    #[test]
    fn a_contract_can_state_its_path() {
        let stated = |message_type: &str, rest: Value| {
            let mut contract =
                contract(message_type, json!({ "type": "object", "properties": { "name": { "type": "string" } } }));
            contract.metadata.rest.insert("rest".to_owned(), rest);
            paths(&map(&contract, &ServiceName::new("user-service").unwrap())).remove(0)
        };
        assert_eq!(stated("LogInCommand", json!({ "path": "/api/auth/login" })), "POST /api/auth/login");
        let with = json!({ "path": "/api/by-name/{name}", "method": "DELETE" });
        assert_eq!(stated("LogInCommand", with.clone()), "DELETE /api/by-name/{name}");
        assert_eq!(stated("FindQuery", json!({ "path": "/api/by-name/{name}" })), "GET /api/by-name/{name}");
        // what cannot be is left out
        for (message_type, rest) in [
            ("LogInCommand", json!({ "path": "/auth/login" })),
            ("LogInCommand", json!({ "path": "/api//login" })),
            ("LogInCommand", json!({ "path": "/api/../login" })),
            ("LogInCommand", json!({ "path": "/api/" })),
            ("LogInCommand", json!({ "path": "/api/{name}/login" })),
            ("LogInCommand", json!({ "path": "/api/login/{other}" })),
            ("LogInCommand", json!({ "path": "/api/log in" })),
            ("LogInCommand", json!({ "path": "/api/login", "method": "GET" })),
            ("LogInCommand", json!({ "path": "/api/login", "method": "PATCH" })),
            ("LogInCommand", json!("/api/login")),
        ] {
            assert_eq!(stated(message_type, rest.clone()), "POST /api/log-in", "{rest}");
        }
        assert_eq!(stated("FindQuery", with), "GET /api/find");
    }
}
