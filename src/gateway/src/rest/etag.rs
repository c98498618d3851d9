//! Whether a caller has the answer already.

use axum::http::{HeaderMap, HeaderValue, header};
use sha2::{Digest as _, Sha256};

/// The tag of a body: the same bytes have the same one.
pub(crate) fn of(body: &[u8]) -> HeaderValue {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let digest = Sha256::digest(body);
    let mut tag = [b'"'; 34];
    for (pair, byte) in tag[1..33].chunks_exact_mut(2).zip(digest.as_slice()) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
    HeaderValue::from_bytes(&tag).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether the `If-None-Match` of a request names a tag, or any.
pub(crate) fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(str::trim).any(|known| {
        let known = known.strip_prefix("W/").unwrap_or(known);
        known == "*" || known.as_bytes() == tag.as_bytes()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_have_the_same_tag() {
        // the first half of the hash that sha256sum prints for no input
        assert_eq!(of(b""), "\"e3b0c44298fc1c149afbf4c8996fb924\"");
        assert_eq!(of(b"a"), of(b"a"));
        assert_ne!(of(b"a"), of(b"b"));
    }

    #[test]
    fn a_tag_is_known_when_the_request_names_it() {
        let tag = of(b"a");
        let text = tag.to_str().unwrap();
        let known = |lists: &[&str]| {
            let mut headers = HeaderMap::new();
            for list in lists {
                headers.append(header::IF_NONE_MATCH, list.parse().unwrap());
            }
            is_known(&headers, &tag)
        };
        for lists in [&[text][..], &["*"], &["\"x\"", text], &[&format!("\"x\" , W/{text}")]] {
            assert!(known(lists), "{lists:?}");
        }
        for lists in [&[][..], &[""], &["\"x\""], &[&text[1..]], &[text.trim_matches('"')]] {
            assert!(!known(lists), "{lists:?}");
        }
    }
}
