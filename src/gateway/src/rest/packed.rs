//! Files that are kept packed, for callers who unpack them themselves; for others they are unpacked on the way.

use std::io::{Read as _, Write as _};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};

use super::etag;

/// What a file is, and its bytes in the form of gzip.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    kind: &'static str,
    bytes: Bytes,
    tag: HeaderValue,
}

impl Packed {
    /// A file that is packed already.
    pub(crate) fn kept(kind: &'static str, bytes: &'static [u8]) -> Self {
        Self { kind, bytes: Bytes::from_static(bytes), tag: etag::of(bytes) }
    }

    /// Packs a file.
    pub(crate) fn new(kind: &'static str, plain: &[u8]) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        // writing to memory does not fail
        let packed = encoder.write_all(plain).and_then(|()| encoder.finish()).unwrap_or_default();
        Self { kind, tag: etag::of(&packed), bytes: packed.into() }
    }

    /// The file as a caller wants it, or that he has it already.
    pub(crate) fn response(&self, asked: &HeaderMap) -> Response {
        let kept = [
            (header::ETAG, self.tag.clone()),
            (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
            (header::VARY, HeaderValue::from_static("accept-encoding, authorization")),
        ];
        if etag::is_known(asked, &self.tag) {
            return (StatusCode::NOT_MODIFIED, kept).into_response();
        }
        let kind = [(header::CONTENT_TYPE, self.kind)];
        if accepts_gzip(asked) {
            return (kept, kind, [(header::CONTENT_ENCODING, "gzip")], Body::from(self.bytes.clone())).into_response();
        }
        let mut plain = Vec::new();
        match GzDecoder::new(&*self.bytes).read_to_end(&mut plain) {
            Ok(_) => (kept, kind, Body::from(plain)).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

/// Whether an `Accept-Encoding` names gzip, and does not say that it is not wanted.
fn accepts_gzip(asked: &HeaderMap) -> bool {
    let lists = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let weight = weight.trim().strip_prefix("q=").map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0));
        matches!(name.trim().to_ascii_lowercase().as_str(), "gzip" | "x-gzip" | "*") && weight > 0.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[tokio::test]
    async fn callers_get_it_as_they_like_it() {
        let file = Packed::new("text/plain", b"hello");
        let response = file.response(&asked(header::ACCEPT_ENCODING, "br, gzip;q=0.5"));
        assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
        let packed = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
        let mut text = String::new();
        GzDecoder::new(&*packed).read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");

        for refused in ["", "br", "gzip;q=0", "identity"] {
            let response = file.response(&asked(header::ACCEPT_ENCODING, refused));
            assert!(!response.headers().contains_key(header::CONTENT_ENCODING), "{refused}");
            assert_eq!(response.headers()[header::CONTENT_TYPE], "text/plain");
            assert_eq!(axum::body::to_bytes(response.into_body(), 1000).await.unwrap(), "hello");
        }
    }

    #[test]
    fn who_has_it_gets_no_more_than_that() {
        let file = Packed::new("text/plain", b"hello");
        let tag = file.response(&HeaderMap::new()).headers()[header::ETAG].to_str().unwrap().to_owned();
        let response = file.response(&asked(header::IF_NONE_MATCH, &tag));
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(response.headers()[header::ETAG], tag);
    }
}
