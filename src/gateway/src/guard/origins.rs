//! Which pages may use this gateway: its own, those of the origins that are listed, and no others.

use axum::http::{HeaderMap, HeaderValue, header};

use super::hosts::authority;

/// The origins that are listed, as browsers write them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Origins(Vec<HeaderValue>);

/// Whose page a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Page {
    /// No page's, as far as it says.
    None,
    /// One of this gateway.
    Own,
    /// One of a listed origin.
    Listed(HeaderValue),
    /// Any other.
    Foreign,
}

impl Origins {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let read = |item: &str| {
            let origin = item.trim().to_ascii_lowercase();
            let (scheme, host) = origin.split_once("://")?;
            let named = matches!(scheme, "http" | "https") && !host.contains(['/', '?', '#', '*']);
            authority(host).filter(|authority| named && !authority.host().is_empty())?;
            // a browser does not write the port that the scheme has anyway
            let plain = [("http", ":80"), ("https", ":443")]
                .into_iter()
                .find_map(|(of, port)| origin.strip_suffix(port).filter(|_| of == scheme));
            HeaderValue::from_str(plain.unwrap_or(&origin)).ok()
        };
        text.split(',').map(read).collect::<Option<_>>().map(Self)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose page sends a request with these headers, whose `Host` is one of ours.
    pub(super) fn page(&self, headers: &HeaderMap) -> Page {
        let mut values = headers.get_all(header::ORIGIN).iter();
        match (values.next(), values.next()) {
            (None, _) => match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
                Some(b"cross-site" | b"same-site") => Page::Foreign,
                _ => Page::None,
            },
            (Some(origin), None) if self.0.contains(origin) => Page::Listed(origin.clone()),
            (Some(origin), None) if is_own(origin, headers.get(header::HOST)) => Page::Own,
            _ => Page::Foreign,
        }
    }
}

/// Whether an origin is this gateway by the name by which it is asked: same host, and same port.
fn is_own(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let read = || {
        let (scheme, origin) = origin.to_str().ok()?.split_once("://")?;
        let port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let (origin, host) = (authority(origin)?, authority(host?.to_str().ok()?)?);
        let port_of = |it: &axum::http::uri::Authority| it.port_u16().unwrap_or(port);
        Some(origin.host().eq_ignore_ascii_case(host.host()) && port_of(&origin) == port_of(&host))
    };
    read() == Some(true)
}
