//! What the document says of answers, good and bad ones.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::rest::routes::Served;

/// The bad answers: status, name, and what it means.
const PROBLEMS: [(&str, &str, &str); 13] = [
    ("400", "Invalid", "The request is malformed; `details` names each bad field."),
    ("401", "Unauthenticated", "The caller is not known."),
    ("403", "Denied", "The caller may not do that."),
    ("404", "NotFound", "There is no such thing."),
    ("409", "Conflict", "Somebody else was first."),
    ("413", "TooLarge", "The body is too large."),
    ("415", "NotJson", "The body is not JSON."),
    ("422", "Rule", "A rule of the business forbids it."),
    ("429", "TooMany", "The caller asks too often."),
    ("500", "Internal", "The service is at fault."),
    ("502", "Failed", "What the service needs has failed."),
    ("503", "Unavailable", "The service cannot be reached right now."),
    ("504", "Timeout", "There was no answer in time."),
];

/// The schema of the body of bad answers.
pub(super) fn problem() -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    json!({
        "type": "object",
        "description": "What went wrong.",
        "properties": {
            "error": text("The kind of error."),
            "message": text("What went wrong, for people."),
            "code": text("What went wrong, for programs."),
            "correlationId": text("Names the request in logs."),
            "details": { "description": "More, for programs: what is wrong with each field." },
        },
        "required": ["error", "message", "code"],
    })
}

/// All bad answers, by name.
pub(super) fn problems(problem: &Value) -> Value {
    let content = json!({ "application/json": { "schema": problem } });
    let all = PROBLEMS.iter().map(|(status, name, description)| {
        let mut response = json!({ "description": description, "content": content });
        if matches!(*status, "429" | "503") {
            let seconds = json!({ "type": "integer", "minimum": 0 });
            let after = json!({ "description": "When to ask again, in seconds.", "schema": seconds });
            response["headers"] = json!({ "Retry-After": after });
        }
        ((*name).to_owned(), response)
    });
    Value::Object(all.collect::<Map<_, _>>())
}

/// The answers to one operation.
pub(super) fn of(served: &Served, has_body: bool, answer: Option<&Value>) -> Value {
    let contract = &served.operation.contract;
    let content = json!({ "application/json": { "schema": answer } });
    let text = |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    let mut responses = Map::new();
    let good = match served.success {
        StatusCode::CREATED => json!({
            "description": "It was made.",
            "headers": { "Location": text("Where it is.") },
            "content": content,
        }),
        StatusCode::NO_CONTENT => json!({ "description": "It is gone." }),
        _ if served.is_query() => json!({
            "description": "The answer.",
            "headers": { "ETag": text("Changes when the answer does.") },
            "content": content,
        }),
        _ => json!({ "description": "It was done.", "content": content }),
    };
    responses.insert(served.success.as_str().to_owned(), good);
    if served.is_query() {
        responses.insert("304".to_owned(), json!({ "description": "The answer is the one that the caller has." }));
    }
    for (status, name, _) in PROBLEMS {
        let happens = match status {
            "401" => !contract.is_public,
            "403" => !contract.is_public,
            "413" | "415" => has_body,
            "409" => !served.is_query(),
            _ => true,
        };
        if happens {
            responses.insert(status.to_owned(), json!({ "$ref": format!("#/components/responses/{name}") }));
        }
    }
    Value::Object(responses)
}
