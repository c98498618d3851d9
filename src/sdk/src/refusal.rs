//! The answer to a request that no route takes, in the platform's error shape.

use axum::{
    Json,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{
    clock,
    protocol::{Category, Fault},
};

const CORRELATION_HEADER: &str = "x-correlation-id";
const LONGEST_CORRELATION_ID: usize = 128;

pub(crate) async fn not_found(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let message = format!("nothing is served at {method} {}", uri.path());
    refusal(StatusCode::NOT_FOUND, "NotFound", "NOT_FOUND", message, correlation(&headers))
}

pub(crate) async fn method_not_allowed(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let message = format!("{} does not take {method}", uri.path());
    refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "METHOD_NOT_ALLOWED", message, correlation(&headers))
}

/// The answer that says what a fault says.
pub fn refused(fault: &Fault, headers: &HeaderMap) -> Response {
    let (status, error) = match fault.code.category() {
        Category::Invalid => (StatusCode::BAD_REQUEST, "BadRequest"),
        Category::Unauthenticated => (StatusCode::UNAUTHORIZED, "Unauthorized"),
        Category::Denied => (StatusCode::FORBIDDEN, "Forbidden"),
        Category::NotFound => (StatusCode::NOT_FOUND, "NotFound"),
        Category::Conflict => (StatusCode::CONFLICT, "Conflict"),
        Category::Rule => (StatusCode::UNPROCESSABLE_ENTITY, "UnprocessableEntity"),
        Category::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge"),
        Category::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests"),
        Category::Timeout => (StatusCode::GATEWAY_TIMEOUT, "GatewayTimeout"),
        Category::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
        Category::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"),
    };
    let mut answer = refusal(status, error, fault.code.as_str(), fault.message.clone(), correlation(headers));
    if status == StatusCode::UNAUTHORIZED {
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}

/// The answer to a body that says itself that it is longer than `limit`.
pub(crate) fn too_large(limit: usize, headers: &HeaderMap) -> Response {
    let message = format!("the body is longer than {limit} bytes");
    refusal(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", "PAYLOAD_TOO_LARGE", message, correlation(headers))
}

/// The answer to a body that did not come in time.
pub(crate) fn too_slow(correlation_id: Option<&HeaderValue>) -> Response {
    let message = "the body did not come in time".to_owned();
    refusal(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", "REQUEST_TIMEOUT", message, correlation_id)
}

/// The id that answers to a request repeat.
pub(crate) fn correlation(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(CORRELATION_HEADER)
}

fn refusal(
    status: StatusCode,
    error: &str,
    code: &str,
    message: String,
    correlation_id: Option<&HeaderValue>,
) -> Response {
    let mut body = json!({
        "error": error,
        "message": message,
        "code": code,
        "timestamp": clock::now(),
    });
    let correlation_id = correlation_id
        .and_then(|value| value.to_str().ok())
        .filter(|id| !id.is_empty() && id.len() <= LONGEST_CORRELATION_ID);
    if let Some(id) = correlation_id {
        body["correlationId"] = id.into();
    }
    (status, Json(body)).into_response()
}
