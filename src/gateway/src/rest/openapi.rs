//! The OpenAPI 3.1 document of a catalog.

mod components;
mod responses;

use std::collections::{BTreeSet, HashSet};

use axum::http::StatusCode;
use banyan_sdk::protocol::names;
use serde_json::{Map, Value, json};

use super::mapping::Wish;
use super::routes::Served;
use super::schema::{self, Types};
use crate::catalog::Operation;
use components::Components;

/// What a document says of the gateway itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) version: &'a str,
    /// Whether the headers of development are accepted in place of a token.
    pub(crate) development: bool,
}

/// Describes the operations that are `visible`.
pub(crate) fn document(served: &[Served], about: About<'_>, visible: impl Fn(&Operation) -> bool) -> Value {
    let mut components = Components::default();
    // their names are taken before those of contracts are
    let problem = components.add("Problem", &responses::problem());
    let mut paths: Map<String, Value> = Map::new();
    let mut services = BTreeSet::new();
    let ids = ids(served);
    for (served, id) in served.iter().zip(&ids).filter(|(served, _)| visible(&served.operation)) {
        let Some(way) = served.ways.first() else { continue };
        services.insert(served.operation.service.as_str());
        let path = path_of(way);
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        methods[way.method.as_str().to_ascii_lowercase()] =
            Writing { served, id, way, about }.operation(&mut components);
    }
    paths.sort_keys();
    let mut security = json!({ "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } });
    if about.development {
        security["user"] = json!({ "type": "apiKey", "in": "header", "name": "X-Dev-User-Id" });
        security["permissions"] = json!({ "type": "apiKey", "in": "header", "name": "X-Dev-Permissions" });
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Banyan platform",
            "description": "Every command and query of the services that are registered now.",
            "version": about.version,
        },
        "servers": [{ "url": "/" }],
        "tags": services.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": components.finish(),
            "responses": responses::problems(&problem),
            "parameters": { "IdempotencyKey": {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "Commands of one caller with the same key take effect once.",
                "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
            } },
            "securitySchemes": security,
        },
    })
}

/// `/api/users/{id}`.
fn path_of(way: &Wish) -> String {
    match &way.parameter {
        Some(parameter) => format!("{}/{{{parameter}}}", way.path),
        None => way.path.clone(),
    }
}

/// A name for each operation, all different: `createUser`, or `userServiceCreateUser` when that is taken.
fn ids(served: &[Served]) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut ids = Vec::with_capacity(served.len());
    for served in served {
        let Operation { contract, service, .. } = &*served.operation;
        let name = names::operation(served.operation.kind(), &contract.message_type);
        let camel = |text: &str| heck::AsLowerCamelCase(text).to_string();
        let wanted =
            [camel(name), camel(&format!("{service}-{name}")), camel(&format!("{service}-{}", contract.message_type))];
        let numbered = (2..).map(|number| format!("{}{number}", wanted[2]));
        let id = wanted.iter().cloned().chain(numbered).find(|id| !id.is_empty() && !taken.contains(id));
        let id = id.unwrap_or_default();
        taken.insert(id.clone());
        ids.push(id);
    }
    ids
}

struct Writing<'a> {
    served: &'a Served,
    id: &'a str,
    way: &'a Wish,
    about: About<'a>,
}

impl Writing<'_> {
    fn operation(&self, components: &mut Components) -> Value {
        let Self { served, id, way, about } = self;
        let contract = &served.operation.contract;
        let title = heck::AsUpperCamelCase(id).to_string();
        let mut operation = json!({
            "operationId": id,
            "tags": [served.operation.service],
            "summary": first_line(&contract.description),
            "description": contract.description,
            "x-contract": { "messageType": contract.message_type, "version": contract.version },
        });
        if served.ways.len() > 1 {
            let others = served.ways[1..].iter().map(|it| format!("{} {}", it.method, path_of(it)));
            operation["x-also-at"] = others.collect();
        }
        let parameters = self.parameters(&title, components);
        if !parameters.is_empty() {
            operation["parameters"] = Value::Array(parameters);
        }
        let has_body = matches!(way.method.as_str(), "POST" | "PUT");
        if let Some(body) = has_body.then(|| self.body(&title, components)).flatten() {
            operation["requestBody"] = body;
        }
        let has_answer = served.success != StatusCode::NO_CONTENT;
        let answer = has_answer.then(|| components.add(&format!("{title}Result"), &contract.output_schema));
        operation["responses"] = responses::of(served, has_body, answer.as_ref());
        operation["security"] = match (contract.is_public, about.development) {
            (true, _) => json!([]),
            (false, false) => json!([{ "bearer": [] }]),
            (false, true) => json!([{ "bearer": [] }, { "user": [], "permissions": [] }]),
        };
        if !contract.required_permissions.is_empty() {
            operation["x-required-permissions"] = json!(contract.required_permissions);
        }
        operation
    }

    /// The field in the path, those in the query where there is no body, and the headers.
    fn parameters(&self, title: &str, components: &mut Components) -> Vec<Value> {
        let schema = &self.served.operation.contract.input_schema;
        let name = format!("{title}Input");
        let moved = components.take(&name, schema);
        let in_query = matches!(self.way.method.as_str(), "GET" | "DELETE");
        let mut parameters = Vec::new();
        for (name, field) in schema::fields(schema) {
            let in_path = self.way.parameter.as_deref() == Some(name);
            if !in_path && !in_query {
                continue;
            }
            let place = if in_path { "path" } else { "query" };
            let required = in_path || schema::is_required(schema, name);
            let mut parameter = json!({ "name": name, "in": place, "required": required });
            if let Some(description) = field.get("description") {
                parameter["description"] = description.clone();
            }
            if !in_path && schema::types(schema, &[field]).intersects(Types::OBJECT) {
                parameter["style"] = json!("deepObject");
                parameter["explode"] = json!(true);
            }
            parameter["schema"] = moved.rewritten(field, components);
            parameters.push(parameter);
        }
        if !self.served.is_query() {
            parameters.push(json!({ "$ref": "#/components/parameters/IdempotencyKey" }));
        }
        parameters
    }

    /// The fields that are not in the path; none when there are no others.
    fn body(&self, title: &str, components: &mut Components) -> Option<Value> {
        let schema = &self.served.operation.contract.input_schema;
        let in_path = self.way.parameter.as_deref();
        let fields = schema::fields(schema);
        let is_object = schema::types(schema, &[schema]).intersects(Types::OBJECT);
        let mut others = fields.iter().map(|(name, _)| *name).filter(|name| in_path != Some(name)).peekable();
        let nothing = others.peek().is_none() && (is_object && !fields.is_empty() || schema["type"] == "null");
        if nothing {
            return None;
        }
        let required = !is_object || others.any(|name| schema::is_required(schema, name));
        let mut schema = schema.clone();
        if let Some(name) = in_path {
            if let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) {
                fields.shift_remove(name);
            }
            if let Some(names) = schema.get_mut("required").and_then(Value::as_array_mut) {
                names.retain(|known| known != name);
            }
        }
        let reference = components.add(&format!("{title}Input"), &schema);
        Some(json!({ "required": required, "content": { "application/json": { "schema": reference } } }))
    }
}

fn first_line(description: &str) -> &str {
    description.trim().lines().next().unwrap_or_default()
}

#[cfg(test)]
#[path = "openapi/tests.rs"]
mod tests;
