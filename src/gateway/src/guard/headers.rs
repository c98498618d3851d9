//! The headers that requests must not bring, and those that answers must have.

use axum::{
    Json,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{self, Entry},
    },
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{
    Admitted,
    verdict::{FORWARDED, Refusal},
};

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
const TAKEN: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, X-Correlation-Id",
);
const SHOWN: HeaderValue = HeaderValue::from_static(
    "ETag, Location, Retry-After, X-Correlation-Id, X-Request-Id, X-RateLimit-Limit, X-RateLimit-Remaining, \
     X-RateLimit-Reset",
);
const DAY: HeaderValue = HeaderValue::from_static("86400");
const LONGEST_CORRELATION_ID: usize = 128;

/// What a browser is told by every answer that does not say it in its own way.
const ALWAYS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Takes out what this sender may not say: who it is, in the words that only development or a proxy uses.
pub(super) fn take_out(headers: &mut HeaderMap, admitted: Admitted, trusted: bool) {
    headers.remove("x-user-id");
    if !trusted {
        FORWARDED.iter().for_each(|name| {
            headers.remove(*name);
        });
    }
    if admitted.foreign {
        let said: Vec<_> = headers.keys().filter(|name| name.as_str().starts_with("x-dev-")).cloned().collect();
        said.iter().for_each(|name| {
            headers.remove(name);
        });
    }
}

/// The answer to a browser that asks what a listed origin may do.
pub(super) fn preflight() -> Response {
    let allowed = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, TAKEN),
        (header::ACCESS_CONTROL_MAX_AGE, DAY),
    ];
    (StatusCode::NO_CONTENT, allowed).into_response()
}

/// The answer to a request that is not let through.
pub(super) fn refused(refusal: Refusal, headers: &HeaderMap) -> Response {
    let (error, code, message) = refusal.words();
    let mut body = json!({ "error": error, "message": message, "code": code });
    let id = headers.get("x-correlation-id").and_then(|value| value.to_str().ok());
    if let Some(id) = id.filter(|id| !id.is_empty() && id.len() <= LONGEST_CORRELATION_ID) {
        body["correlationId"] = id.into();
    }
    let mut response = (refusal.status(), Json(body)).into_response();
    if refusal == Refusal::Method {
        response.headers_mut().insert(header::ALLOW, METHODS);
    }
    response
}

/// Adds what every answer says. `origin` may read it; `varies` says whether that depends on the origin.
pub(super) fn complete(headers: &mut HeaderMap, origin: Option<&HeaderValue>, varies: bool) {
    for (name, value) in ALWAYS {
        if let Entry::Vacant(vacant) = headers.entry(name) {
            vacant.insert(HeaderValue::from_static(value));
        }
    }
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, SHOWN);
    }
    if varies {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
}
