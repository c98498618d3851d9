//! As much of an HTTP/1.1 client as a health check needs: one `GET`, one status, one short body.

/// No health answer is longer; the rest of it is not read.
pub(crate) const LONGEST_ANSWER: u64 = 256 * 1024;

/// The text of a request that closes its connection afterwards.
pub(crate) fn request(authority: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nAccept: application/json\r\nConnection: close\r\n\r\n")
}

/// The status that an answer begins with; none when it is no HTTP answer.
pub(crate) fn status(answer: &[u8]) -> Option<u16> {
    let rest = answer.strip_prefix(b"HTTP/1.1 ").or_else(|| answer.strip_prefix(b"HTTP/1.0 "))?;
    std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok()
}

/// What follows the head of an answer.
pub(crate) fn body(answer: &[u8]) -> Option<&[u8]> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    answer.get(end + 4..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_status_and_body() {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\na: b\r\n\r\n{}";
        assert_eq!(status(answer), Some(503));
        assert_eq!(body(answer), Some(&b"{}"[..]));
        for other in [&b""[..], b"HTTP/1.1 ", b"HTTP/1.1 2", b"HTTP/1.1 abc", b"SSH-2.0-x"] {
            assert_eq!(status(other), None);
        }
    }
}
