//! From a fault to what callers see, whatever protocol they use.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use banyan_sdk::protocol::{Category, Fault, FaultCode};
use serde_json::{Map, Value, json};

use crate::caller::REASON;

/// What callers are told to wait when nobody knows how long, in seconds.
const PAUSE: u64 = 1;
/// The reasons for a 401 that callers can tell apart.
const REASONS: [&str; 4] = ["NO_AUTH_HEADER", "INVALID_TOKEN", "TOKEN_EXPIRED", "INVALID_CREDENTIALS"];

/// The status that says what a fault says.
pub(crate) fn status(fault: &Fault) -> StatusCode {
    match &fault.code {
        FaultCode::ContractViolation => return StatusCode::BAD_GATEWAY,
        FaultCode::Other(code) if code == "RESOURCE_DELETED" => return StatusCode::GONE,
        _ => {}
    }
    match fault.code.category() {
        Category::Invalid => StatusCode::BAD_REQUEST,
        Category::Unauthenticated => StatusCode::UNAUTHORIZED,
        Category::Denied => StatusCode::FORBIDDEN,
        Category::NotFound => StatusCode::NOT_FOUND,
        Category::Conflict => StatusCode::CONFLICT,
        Category::Rule => StatusCode::UNPROCESSABLE_ENTITY,
        Category::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Category::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Category::Timeout => StatusCode::GATEWAY_TIMEOUT,
        Category::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Category::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The code that callers see.
pub(crate) fn code(fault: &Fault) -> &'static str {
    match &fault.code {
        FaultCode::HandlerNotFound => return "HANDLER_NOT_FOUND",
        FaultCode::PolicyViolation => return "POLICY_VIOLATION",
        FaultCode::Authorization | FaultCode::PolicyPermissionDenied => return "INSUFFICIENT_PERMISSIONS",
        FaultCode::ContractViolation => return "SERVICE_UNAVAILABLE",
        FaultCode::Other(code) if code == "RESOURCE_DELETED" => return "RESOURCE_DELETED",
        _ => {}
    }
    match fault.code.category() {
        Category::Invalid | Category::Rule => "VALIDATION_ERROR",
        Category::Unauthenticated => reason(fault),
        Category::Denied => "ACCESS_DENIED",
        Category::NotFound => "NOT_FOUND",
        Category::Conflict => "RESOURCE_CONFLICT",
        Category::TooLarge => "PAYLOAD_TOO_LARGE",
        Category::RateLimited => "RATE_LIMIT_EXCEEDED",
        Category::Timeout => "TIMEOUT",
        Category::Unavailable => "SERVICE_UNAVAILABLE",
        Category::Internal => "INTERNAL_ERROR",
    }
}

fn reason(fault: &Fault) -> &'static str {
    let told = detail(fault, REASON).and_then(Value::as_str);
    REASONS.into_iter().find(|it| Some(*it) == told).unwrap_or("INVALID_CREDENTIALS")
}

/// What it says for people. What went on inside is nobody's business outside.
pub(crate) fn message(fault: &Fault) -> &str {
    match (fault.code.category(), &fault.code) {
        (_, FaultCode::Other(code)) if code == "RESOURCE_DELETED" => &fault.message,
        (Category::Internal, _) => "something went wrong inside; the correlation id tells where to look",
        (_, FaultCode::MessageBus) => "the message bus cannot be reached right now",
        (_, FaultCode::EventStore) => "the data cannot be reached right now",
        _ => &fault.message,
    }
}

/// The field that a path of a checked payload means: `payload.items[0]` is `items[0]`.
fn field(path: &str) -> &str {
    path.strip_prefix("payload.").unwrap_or(path)
}

/// The fields that do not fit, with what is wrong with them.
pub(crate) fn fields(fault: &Fault) -> Vec<(&str, &str)> {
    let listed = detail(fault, "errors").and_then(Value::as_array);
    listed
        .into_iter()
        .flatten()
        .filter_map(|it| Some((field(it.get("field")?.as_str()?), it.get("message")?.as_str()?)))
        .collect()
}

fn detail<'a>(fault: &'a Fault, name: &str) -> Option<&'a Value> {
    fault.details.as_deref()?.get(name)
}

/// The body of an answer that says what a fault says.
pub(crate) fn body(fault: &Fault, correlation_id: &str) -> Value {
    let status = status(fault);
    let mut body = json!({
        "error": name(status), "message": message(fault), "code": code(fault), "correlationId": correlation_id,
    });
    let mut add = |name: &str, value: Value| body[name] = value;
    match fault.code.category() {
        Category::Invalid => {
            let fields = fields(fault);
            if fields.is_empty() {
                fault.details.iter().for_each(|details| add("details", (**details).clone()));
            } else {
                let fields: Map<_, _> = fields.into_iter().map(|(f, message)| (f.to_owned(), message.into())).collect();
                add("details", Value::Object(fields));
            }
        }
        Category::Rule => {
            let fields = fields(fault);
            if fields.is_empty() {
                fault.details.iter().for_each(|details| add("details", (**details).clone()));
            } else {
                let list = fields.into_iter().map(|(field, message)| json!({ "field": field, "message": message }));
                add("validationErrors", list.collect());
            }
        }
        Category::Denied => {
            if let Some(required) = detail(fault, "requiredPermissions") {
                let missing = detail(fault, "missingPermissions").unwrap_or(required);
                add("requiredPermission", missing.get(0).cloned().unwrap_or_default());
                add("requiredPermissions", required.clone());
            }
        }
        Category::NotFound | Category::Conflict => {
            for name in ["resourceType", "resourceId", "conflictingField"] {
                detail(fault, name).into_iter().for_each(|value| add(name, value.clone()));
            }
        }
        Category::RateLimited => {
            for name in ["limit", "window"] {
                detail(fault, name).into_iter().for_each(|value| add(name, value.clone()));
            }
        }
        Category::Timeout | Category::Unavailable => {
            for name in ["service", "timeoutMs"] {
                detail(fault, name).into_iter().for_each(|value| add(name, value.clone()));
            }
        }
        Category::Unauthenticated | Category::TooLarge | Category::Internal => {}
    }
    retry_after(fault).into_iter().for_each(|seconds| add("retryAfter", seconds.into()));
    body
}

/// When it is worth another attempt, in seconds.
fn retry_after(fault: &Fault) -> Option<u64> {
    let told = || detail(fault, "retryAfter").and_then(Value::as_u64).unwrap_or(PAUSE);
    let worth = matches!(status(fault), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    worth.then(told)
}

/// What a status is called, in one word.
fn name(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or("Error").split([' ', '-']).collect()
}

/// The answer that says what a fault says.
pub(crate) fn response(fault: &Fault, correlation_id: &str) -> Response {
    let mut answer = (status(fault), Json(body(fault, correlation_id))).into_response();
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if fault.code.category() == Category::Unauthenticated {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = retry_after(fault) {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::unauthorized;

    fn told(fault: &Fault) -> String {
        format!("{} {}", status(fault).as_u16(), body(fault, "cor_1"))
    }

    #[test]
    fn every_kind_of_fault_has_its_answer() {
        let errors = json!({ "errors": [{ "field": "payload.a.b", "message": "is missing" }] });
        let denied = json!({ "requiredPermissions": ["a:b", "c:d"], "missingPermissions": ["c:d"] });
        let table = [
            (
                Fault::validation("bad").with_details(errors.clone()),
                r#"400 {"error":"BadRequest","message":"bad","code":"VALIDATION_ERROR","correlationId":"cor_1","details":{"a.b":"is missing"}}"#,
            ),
            (
                unauthorized("TOKEN_EXPIRED", "over"),
                r#"401 {"error":"Unauthorized","message":"over","code":"TOKEN_EXPIRED","correlationId":"cor_1"}"#,
            ),
            (
                Fault::unauthorized("who").with_details(json!({ "reason": "<b>" })),
                r#"401 {"error":"Unauthorized","message":"who","code":"INVALID_CREDENTIALS","correlationId":"cor_1"}"#,
            ),
            (
                Fault::new(FaultCode::Authorization, "no").with_details(denied),
                r#"403 {"error":"Forbidden","message":"no","code":"INSUFFICIENT_PERMISSIONS","correlationId":"cor_1","requiredPermission":"c:d","requiredPermissions":["a:b","c:d"]}"#,
            ),
            (
                Fault::not_found("none")
                    .with_details(json!({ "resourceType": "User", "resourceId": "7", "table": "x" })),
                r#"404 {"error":"NotFound","message":"none","code":"NOT_FOUND","correlationId":"cor_1","resourceType":"User","resourceId":"7"}"#,
            ),
            (
                Fault::rule("no").with_details(errors),
                r#"422 {"error":"UnprocessableEntity","message":"no","code":"VALIDATION_ERROR","correlationId":"cor_1","validationErrors":[{"field":"a.b","message":"is missing"}]}"#,
            ),
            (
                Fault::new(FaultCode::RateLimitExceeded, "slow").with_details(json!({ "retryAfter": 7, "limit": 10 })),
                r#"429 {"error":"TooManyRequests","message":"slow","code":"RATE_LIMIT_EXCEEDED","correlationId":"cor_1","limit":10,"retryAfter":7}"#,
            ),
            (
                Fault::internal("select * from users").with_details(json!({ "sql": "x" })),
                r#"500 {"error":"InternalServerError","message":"something went wrong inside; the correlation id tells where to look","code":"INTERNAL_ERROR","correlationId":"cor_1"}"#,
            ),
            (
                Fault::new(FaultCode::MessageBus, "amqp://u:p@host"),
                r#"503 {"error":"ServiceUnavailable","message":"the message bus cannot be reached right now","code":"SERVICE_UNAVAILABLE","correlationId":"cor_1","retryAfter":1}"#,
            ),
        ];
        for (fault, expected) in table {
            assert_eq!(told(&fault), expected);
        }
        let gone = Fault::new(FaultCode::from("RESOURCE_DELETED"), "deleted");
        assert_eq!((status(&gone), message(&gone)), (StatusCode::GONE, "deleted"));
        assert_eq!(status(&Fault::new(FaultCode::ContractViolation, "")), StatusCode::BAD_GATEWAY);
    }

    #[test]
    fn headers_say_when_to_come_again_and_how_to_log_in() {
        let answer = response(&Fault::unavailable("x"), "c");
        assert_eq!(answer.headers()[header::RETRY_AFTER], "1");
        assert_eq!(response(&Fault::unauthorized("x"), "c").headers()[header::WWW_AUTHENTICATE], "Bearer");
        assert!(response(&Fault::new(FaultCode::Timeout, "x"), "c").headers().get(header::RETRY_AFTER).is_none());
    }
}
