//! What went wrong, as GraphQL tells it.

use apollo_compiler::response::GraphQLError;
use banyan_sdk::protocol::{Category, Fault};
use serde_json::{Map, Value, json};

use crate::problem;

/// The code of a document or an input that cannot be taken.
pub(super) const INVALID: &str = "VALIDATION_ERROR";
/// The code of an answer that is not what its contract says.
const INTERNAL: &str = "INTERNAL_ERROR";

/// One member of `errors`, but for the correlation id.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trouble {
    message: String,
    code: &'static str,
    at: Option<GraphQLError>,
    more: Map<String, Value>,
}

impl Trouble {
    /// Something about the document or the request.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: INVALID, at: None, more: Map::new() }
    }

    /// Something about the document, as the parser or validator found it.
    pub(super) fn found(error: GraphQLError) -> Self {
        Self {
            at: Some(GraphQLError { extensions: Default::default(), ..error.clone() }),
            ..Self::invalid(error.message)
        }
    }

    /// An answer that does not fit: what it was is nothing for callers.
    pub(super) fn misfit(error: GraphQLError) -> Self {
        let message = "the answer of the service is not what its contract says".to_owned();
        Self { message, code: INTERNAL, at: Some(error), more: Map::new() }
    }

    /// A refusal or failure of one field.
    pub(super) fn fault(fault: &Fault, at: Option<GraphQLError>) -> Self {
        let body = problem::body(fault, "");
        let message = body["message"].as_str().unwrap_or_default().to_owned();
        let mut more = Map::new();
        for key in ["details", "requiredPermission", "retryAfter"] {
            if let Some(value) = body.get(key).filter(|it| !it.is_null()) {
                more.insert(key.to_owned(), value.clone());
            }
        }
        Self { message, code: code(fault.code.category()), at, more }
    }

    /// The member of `errors`.
    pub(super) fn json(&self, correlation_id: &str) -> Value {
        let mut error = Map::from_iter([("message".to_owned(), json!(self.message))]);
        if let Some(at) = &self.at {
            let places = [("locations", json!(at.locations)), ("path", json!(at.path))];
            let some = |value: &Value| value.as_array().is_some_and(|it| !it.is_empty());
            error.extend(places.into_iter().filter(|(_, it)| some(it)).map(|(key, it)| (key.to_owned(), it)));
        }
        let mut extensions = Map::from_iter([("code".to_owned(), json!(self.code))]);
        extensions.insert("correlationId".to_owned(), json!(correlation_id));
        extensions.extend(self.more.clone());
        error.insert("extensions".to_owned(), Value::Object(extensions));
        Value::Object(error)
    }
}

const fn code(category: Category) -> &'static str {
    match category {
        Category::Invalid | Category::Rule | Category::TooLarge => INVALID,
        Category::Unauthenticated => "UNAUTHENTICATED",
        Category::Denied => "PERMISSION_DENIED",
        Category::NotFound => "NOT_FOUND",
        Category::Conflict => "RESOURCE_CONFLICT",
        Category::RateLimited => "RATE_LIMIT_EXCEEDED",
        Category::Timeout => "TIMEOUT",
        Category::Unavailable => "SERVICE_UNAVAILABLE",
        Category::Internal => INTERNAL,
    }
}

/// The body of a request that was not executed.
pub(super) fn refused(troubles: &[Trouble], correlation_id: &str) -> Value {
    json!({ "errors": troubles.iter().map(|it| it.json(correlation_id)).collect::<Value>() })
}
