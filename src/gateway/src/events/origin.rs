//! Which pages may open a WebSocket. A browser lets any page try, on a developer's machine, too, so it is looked at here.

use axum::http::{HeaderMap, header};

/// Whether whoever sent these headers may connect: a program, which names no origin; a page of this very host; a page of
/// an origin that is listed.
pub(super) fn is_welcome(headers: &HeaderMap, listed: &[String]) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else { return true };
    let (Ok(origin), None) = (origin.to_str(), origins.next()) else { return false };
    if listed.iter().any(|it| it == origin) {
        return true;
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let (Some((scheme, place)), Some(host)) = (origin.split_once("://"), host) else { return false };
    let port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let plain = |place: &str| place.strip_suffix(port).unwrap_or(place).to_ascii_lowercase();
    !place.is_empty() && plain(place) == plain(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn welcome(host: &str, origins: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        for origin in origins {
            headers.append(header::ORIGIN, origin.parse().unwrap());
        }
        is_welcome(&headers, &["https://app.example".to_owned()])
    }

    #[test]
    fn programs_this_host_and_listed_pages_are_welcome() {
        for (host, origins) in [
            ("localhost:3003", vec![]),
            ("localhost:3003", vec!["http://localhost:3003"]),
            ("LOCALHOST:3003", vec!["http://localhost:3003"]),
            ("api.example", vec!["https://api.example"]),
            ("api.example", vec!["http://api.example:80"]),
            ("api.example:443", vec!["https://api.example"]),
            ("localhost:3003", vec!["https://app.example"]),
        ] {
            assert!(welcome(host, &origins), "{host} {origins:?}");
        }
    }

    #[test]
    fn others_are_not_on_loopback_either() {
        for (host, origins) in [
            ("localhost:3003", vec!["http://localhost:5173"]),
            ("localhost:3003", vec!["http://127.0.0.1:3003"]),
            ("localhost:3003", vec!["http://localhost:3003.evil.example"]),
            ("localhost:3003", vec!["http://localhost:3003/"]),
            ("localhost:3003", vec!["http://evil.example"]),
            ("localhost:3003", vec!["https://app.example.evil.example"]),
            ("localhost:3003", vec!["http://app.example"]),
            ("localhost:3003", vec!["null"]),
            ("localhost:3003", vec![""]),
            ("localhost:3003", vec!["file://localhost:3003"]),
            ("", vec!["http://"]),
            ("localhost:3003", vec!["http://localhost:3003", "http://evil.example"]),
        ] {
            assert!(!welcome(host, &origins), "{host} {origins:?}");
        }
    }
}
