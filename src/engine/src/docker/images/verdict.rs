//! What the engine's words about a failed pull mean.
//!
//! The engine passes on what the registry's client said, with a status that differs between versions; only the words
//! tell the cases apart. They are those of Docker Engine 20.10 to 29, with both image stores.

/// The kinds of failure that a caller treats differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nobody who speaks the registry's protocol could be reached.
    NoRegistry,
    /// It answered, and then the connection or the registry failed: worth another try.
    Interrupted,
    /// The registry does not have it, or not for this platform, or does not say whether it has.
    NotFound,
    /// The registry wants (other) credentials, or refuses for now.
    Denied,
    /// The engine's disk is full.
    DiskFull,
    /// Anything else.
    Other,
}

/// The order counts: the first group that matches decides.
const WORDS: [(Verdict, &[&str]); 7] = [
    (Verdict::NoRegistry, &["proxyconnect", "proxy authentication required", "/v2/\": not found"]),
    (Verdict::DiskFull, &["no space left on device", "disk quota exceeded", "not enough space on the disk"]),
    // "pull access denied … may require 'docker login'" is what a misspelt name gets
    (
        Verdict::NotFound,
        &[
            "manifest unknown",
            "manifest for ",
            "name unknown",
            "no matching manifest",
            "no match for platform",
            "pull access denied",
            "repository does not exist",
            "status from head request to https://registry-1.docker.io/v2/: 404",
            ": not found",
            "404 not found",
        ],
    ),
    (
        Verdict::Denied,
        &[
            "unauthorized",
            "authentication required",
            "no basic auth credentials",
            "insufficient_scope",
            "authorization failed",
            "denied",
            "toomanyrequests",
            "429 too many requests",
            "incorrect username or password",
        ],
    ),
    (
        Verdict::NoRegistry,
        &[
            "no such host",
            "server misbehaving",
            "temporary failure in name resolution",
            "lookup ",
            "connection refused",
            "no route to host",
            "network is unreachable",
            "host is down",
            "x509:",
            "tls: ",
            "http response to https client",
            "remote error: tls",
        ],
    ),
    // a proxy that refuses to connect is known by its status line alone behind the address
    (
        Verdict::NoRegistry,
        &[
            "/v2/\": forbidden",
            "/v2/\": service unavailable",
            "/v2/\": bad gateway",
            "/v2/\": gateway timeout",
            "dial tcp",
        ],
    ),
    (
        Verdict::Interrupted,
        &[
            "eof",
            "connection reset",
            "broken pipe",
            "i/o timeout",
            "timeout exceeded",
            "deadline exceeded",
            "request canceled",
            "tls handshake timeout",
            "connection timed out",
            "timed out",
            "http2:",
            "stream error",
            "filesystem layer verification failed",
            "unexpected commit digest",
            "500 internal server error",
            "502 bad gateway",
            "503 service unavailable",
            "504 gateway",
            "received unexpected http status: 5",
        ],
    ),
];

/// Judges the engine's words. `answered`: whether the registry had said something before, such as the list of layers.
pub(super) fn judge(message: &str, answered: bool) -> Verdict {
    // the engine's own files are not what the registry denies
    let message = message.to_ascii_lowercase().replace("permission denied", "");
    let verdict = WORDS
        .iter()
        .find(|(_, words)| words.iter().any(|word| message.contains(word)))
        .map_or(Verdict::Other, |(verdict, _)| *verdict);
    match verdict {
        Verdict::NoRegistry if answered => Verdict::Interrupted,
        Verdict::Interrupted if !answered => Verdict::NoRegistry,
        // a refused request that is neither about the name nor the right to it: a proxy in between
        Verdict::Other if !answered && message.contains("403 forbidden") => Verdict::NoRegistry,
        verdict => verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_answers() {
        for message in [
            r#"Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on 192.0.2.1:53: no such host"#,
            r#"Get "https://registry-1.docker.io/v2/": dial tcp 192.0.2.1:443: connect: connection refused"#,
            r#"Get "https://registry-1.docker.io/v2/": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)"#,
            r#"Get "https://registry-1.docker.io/v2/": context deadline exceeded"#,
            r#"Get "https://registry-1.docker.io/v2/": net/http: TLS handshake timeout"#,
            r#"Get "https://registry-1.docker.io/v2/": proxyconnect tcp: dial tcp 192.0.2.1:3128: i/o timeout"#,
            r#"Get "https://registry-1.docker.io/v2/": Forbidden"#,
            r#"Get "https://registry-1.docker.io/v2/": Proxy Authentication Required"#,
            r#"Get "https://registry-1.docker.io/v2/": EOF"#,
            r#"Get "https://192.0.2.1:5000/v2/": x509: certificate signed by unknown authority"#,
            r#"Get "https://192.0.2.1:5000/v2/": http: server gave HTTP response to HTTPS client"#,
            r#"failed to resolve reference "docker.io/library/redis:7": failed to do request: Head "https://registry-1.docker.io/v2/library/redis/manifests/7": dial tcp: lookup registry-1.docker.io: no such host"#,
            r#"failed to resolve reference "docker.io/library/redis:7": unexpected status from HEAD request to https://registry-1.docker.io/v2/library/redis/manifests/7: 403 Forbidden"#,
            r#"failed to authorize: failed to fetch anonymous token: Get "https://auth.docker.io/token": dial tcp 192.0.2.1:443: i/o timeout"#,
            "received unexpected HTTP status: 503 Service Unavailable",
        ] {
            assert_eq!(judge(message, false), Verdict::NoRegistry, "{message}");
        }
    }

    #[test]
    fn it_answers_no() {
        for (message, verdict) in [
            ("manifest for redis:99 not found: manifest unknown: manifest unknown", Verdict::NotFound),
            (
                "pull access denied for rediss, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
                Verdict::NotFound,
            ),
            (
                r#"failed to resolve reference "docker.io/library/redis:99": docker.io/library/redis:99: not found"#,
                Verdict::NotFound,
            ),
            ("no matching manifest for linux/arm64/v8 in the manifest list entries", Verdict::NotFound),
            (r#"Head "https://ghcr.io/v2/a/b/manifests/1": unauthorized"#, Verdict::Denied),
            (r#"Head "https://ghcr.io/v2/a/b/manifests/1": denied: denied"#, Verdict::Denied),
            (r#"Get "https://host/v2/a/manifests/1": no basic auth credentials"#, Verdict::Denied),
            ("denied", Verdict::Denied),
            ("open /var/lib/docker/tmp: permission denied", Verdict::Other),
            ("toomanyrequests: You have reached your pull rate limit.", Verdict::Denied),
            ("write /var/lib/docker/tmp/GetImageBlob1: no space left on device", Verdict::DiskFull),
            ("invalid reference format", Verdict::Other),
        ] {
            assert_eq!(judge(message, false), verdict, "{message}");
        }
    }

    #[test]
    fn it_breaks_off() {
        for message in [
            "unexpected EOF",
            "read tcp 192.0.2.1:443: connection reset by peer",
            "dial tcp 192.0.2.1:443: i/o timeout",
        ] {
            assert_eq!(judge(message, true), Verdict::Interrupted, "{message}");
        }
    }
}
