//! Whether a request is let through: a pure decision over its head and the address that it comes from.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};

use super::{Admitted, Guard, networks, origins::Page};

/// No path and query together are longer.
const LONGEST_TARGET: usize = 8 * 1024;

/// Headers in which proxies say for whom they ask.
pub(super) const FORWARDED: [&str; 6] =
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-real-ip"];

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass {
        admitted: Admitted,
        /// Whether a proxy that is trusted sends it.
        trusted: bool,
        /// The listed origin whose page may read the answer.
        origin: Option<HeaderValue>,
    },
    /// A browser asks what a listed origin may do.
    Preflight(HeaderValue),
    Refuse(Refusal),
}

/// Why a request is not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Method,
    Target,
    Host,
    Origin,
    MediaType,
    Neighbours,
}

impl Refusal {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Target => StatusCode::URI_TOO_LONG,
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Origin | Self::Neighbours => StatusCode::FORBIDDEN,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }

    /// The kind, the code and the words of the answer.
    pub(super) fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Method => ("MethodNotAllowed", "METHOD_NOT_ALLOWED", "this method is not for a gateway"),
            Self::Target => ("UriTooLong", "URI_TOO_LONG", "the address is longer than 8 KiB"),
            Self::Host => (
                "MisdirectedRequest",
                "UNKNOWN_HOST",
                "this gateway is not reached by the host in the request, unless GATEWAY_HOSTS lists it",
            ),
            Self::Origin => (
                "Forbidden",
                "FOREIGN_ORIGIN",
                "pages of another origin may not do this, unless CORS_ORIGINS lists that origin",
            ),
            Self::MediaType => {
                ("UnsupportedMediaType", "UNSUPPORTED_MEDIA_TYPE", "a body must be of the type application/json")
            }
            Self::Neighbours => ("Forbidden", "ACCESS_DENIED", "this is for the platform's own network only"),
        }
    }
}

impl Verdict {
    /// The listed origin whose page may read the answer.
    pub(super) fn shared_with(&self) -> Option<&HeaderValue> {
        match self {
            Self::Pass { origin, .. } => origin.as_ref(),
            Self::Preflight(origin) => Some(origin),
            Self::Refuse(_) => None,
        }
    }
}

/// Judges a request that `peer` sent.
pub(super) fn judge(guard: &Guard, parts: &Parts, peer: IpAddr) -> Verdict {
    let Parts { method, uri, headers, .. } = parts;
    if matches!(method.as_str(), "TRACE" | "TRACK" | "CONNECT") {
        return Verdict::Refuse(Refusal::Method);
    }
    if uri.path_and_query().is_some_and(|target| target.as_str().len() > LONGEST_TARGET) {
        return Verdict::Refuse(Refusal::Target);
    }
    if !guard.hosts.have(uri, headers) {
        return Verdict::Refuse(Refusal::Host);
    }
    let page = guard.origins.page(headers);
    let asks = *method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    match &page {
        Page::Listed(origin) if asks => return Verdict::Preflight(origin.clone()),
        Page::Foreign if asks || changes || is_upgrade(headers) => return Verdict::Refuse(Refusal::Origin),
        _ => {}
    }
    if changes && !is_json_or_nothing(headers) {
        return Verdict::Refuse(Refusal::MediaType);
    }
    let trusted = guard.proxies.contain(peer.to_canonical());
    let address = networks::behind(&guard.proxies, peer, headers);
    if uri.path() == "/metrics" {
        let relayed = !trusted && FORWARDED.iter().any(|name| headers.contains_key(*name));
        if relayed || !networks::is_near(address) {
            return Verdict::Refuse(Refusal::Neighbours);
        }
    }
    let foreign = matches!(page, Page::Foreign | Page::Listed(_));
    let origin = if let Page::Listed(origin) = page { Some(origin) } else { None };
    Verdict::Pass { admitted: Admitted { address, foreign }, trusted, origin }
}

fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(header::UPGRADE)
}

/// Whether there is no body, or JSON: all else a page can send without asking first.
fn is_json_or_nothing(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    match (types.next(), types.next()) {
        (None, _) => {
            let length = headers.get(header::CONTENT_LENGTH);
            length.is_none_or(|length| length == "0") && !headers.contains_key(header::TRANSFER_ENCODING)
        }
        (Some(given), None) => given.to_str().is_ok_and(is_json),
        _ => false,
    }
}

fn is_json(media_type: &str) -> bool {
    let mut parts = media_type.split(';').map(str::trim);
    let json = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("application/json"));
    json && parts.all(|part| {
        let charset = part.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
        charset.is_none_or(|(_, value)| value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8"))
    })
}
