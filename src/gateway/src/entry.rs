//! What happens to every request, whatever it asks for: who asks and in which flow, and what is said of it afterwards.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use banyan_sdk::{
    Flow,
    flow::correlation_id,
    ids,
    protocol::TraceContext,
    telemetry::{Span, SpanKind, Tracer},
};

use crate::{Gateway, caller::Caller, problem};

const CORRELATION: HeaderName = HeaderName::from_static("x-correlation-id");
const REQUEST: HeaderName = HeaderName::from_static("x-request-id");
/// Paths at which nobody is asked who they are.
const OPEN: [&str; 5] = ["/health", "/ready", "/live", "/metrics", "/"];

/// Takes a request in, and its answer out.
pub(crate) async fn enter(State(gateway): State<Arc<Gateway>>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    // what was taken is answered before the gateway leaves the bus
    let _unfinished = gateway.room.unfinished();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let address = address(&request);
    let mut span = span(&gateway, request.headers(), method.as_str());
    let mut flow = flow(request.headers(), &span);
    let request_id = ids::message(ids::random()).replace("msg_", "req_");

    let who = match is_open(&path) {
        true => Ok(Caller::anonymous(address)),
        false => gateway.who.of(request.headers(), address, is_foreign(request.headers())).await,
    };
    let (mut answer, user) = match who {
        Ok(caller) => {
            let user = caller.auth.as_ref().map(|auth| auth.user_id.clone());
            flow.auth.clone_from(&caller.auth);
            let flow = Arc::new(flow.clone());
            request.extensions_mut().insert(Arc::new(caller));
            request.extensions_mut().insert(Arc::clone(&flow));
            (flow.scope(next.run(request)).await, user)
        }
        Err(fault) => (problem::response(&fault, &flow.correlation_id), None),
    };

    let status = answer.status();
    let route = answer.extensions().get::<Route>().map_or("", |route| &*route.0);
    if span.is_recorded() {
        span.attribute("http.method", method.to_string());
        span.attribute("http.route", route.to_owned());
        span.attribute("http.status_code", status.as_u16());
        span.attribute("message.correlation_id", flow.correlation_id.clone());
    }
    if status.is_server_error() {
        span.fail(status.as_str(), "");
    }
    if gateway.access_log && !is_open(&path) {
        let millis = began.elapsed().as_secs_f64() * 1_000.0;
        let (user, status) = (user.as_deref().unwrap_or("-"), status.as_u16());
        let (correlation_id, client) = (&flow.correlation_id, address);
        tracing::info!(correlation_id, request_id, %client, user, %method, path, route, status, millis, "request");
    }
    let headers = answer.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&flow.correlation_id) {
        headers.insert(CORRELATION, value);
    }
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert(REQUEST, value);
    }
    answer
}

/// Says by which route a request was answered: put into an answer's extensions for the log and the numbers.
#[derive(Clone)]
pub(crate) struct Route(pub Arc<str>);

impl From<&MatchedPath> for Route {
    fn from(path: &MatchedPath) -> Self {
        Self(path.as_str().into())
    }
}

fn is_open(path: &str) -> bool {
    OPEN.contains(&path) || path.starts_with("/health/")
}

/// Where a request comes from.
fn address(request: &Request) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip().to_canonical())
}

/// Whether a page of another origin sent this.
fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = headers.get("origin") else { return false };
    let place = origin.to_str().ok().and_then(|it| it.split_once("://")).map(|(_, place)| place);
    place.is_none() || place != text("host")
}

/// The span of a request, below the one that the caller names.
fn span(gateway: &Gateway, headers: &HeaderMap, method: &str) -> Span {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let parent = text("traceparent").and_then(|parent| TraceContext::parse(parent, text("tracestate")));
    match gateway.room.context() {
        Some(cx) => cx.tracer().span(SpanKind::Server, format!("HTTP {method}"), parent.as_ref()),
        None => Tracer::off().span(SpanKind::Server, "HTTP", parent.as_ref()),
    }
}

fn flow(headers: &HeaderMap, span: &Span) -> Flow {
    let given = headers.get(&CORRELATION).and_then(|value| value.to_str().ok()).and_then(correlation_id);
    let given = given.map_or_else(|| ids::correlation(ids::random()), str::to_owned);
    Flow { correlation_id: given, causation_id: None, trace: span.context().clone(), auth: None, deadline: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_another_origin_is_foreign() {
        let headers = |origin: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert("host", HeaderValue::from_static("localhost:3003"));
            origin.map(|it| headers.insert("origin", HeaderValue::from_static(it)));
            headers
        };
        assert!(!is_foreign(&headers(None)));
        assert!(!is_foreign(&headers(Some("http://localhost:3003"))));
        for origin in ["http://evil.example", "http://localhost:5173", "null", "", "http://localhost:3003.evil.example"]
        {
            assert!(is_foreign(&headers(Some(origin))), "{origin}");
        }
    }
}
