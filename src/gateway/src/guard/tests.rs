//! Who is let through and who is not, case by case.

use axum::http::{HeaderMap, Request, header, request::Parts};
use banyan_sdk::config::Reader;

use super::{
    Guard,
    headers::{complete, preflight, take_out},
    verdict::{Refusal, Verdict, judge},
};

const NEAR: &str = "172.18.0.5";
const FAR: &str = "203.0.113.7";

fn guard(pairs: &[(&str, &str)]) -> Guard {
    let env = |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let mut reader = Reader::new(&env);
    let guard = Guard::read(&mut reader, "api-gateway");
    reader.finish(guard).ok().unwrap()
}

/// A request line, and headers on lines of their own.
fn parts(text: &str) -> Parts {
    let mut lines = text.lines().map(str::trim);
    let (method, uri) = lines.next().unwrap().split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(uri);
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    request.body(()).unwrap().into_parts().0
}

/// What is refused, or whether the page is foreign.
fn asked(guard: &Guard, text: &str, peer: &str) -> Result<bool, Refusal> {
    match judge(guard, &parts(text), peer.parse().unwrap()) {
        Verdict::Pass { admitted, .. } => Ok(admitted.foreign),
        Verdict::Refuse(why) => Err(why),
        Verdict::Preflight(_) => panic!("{text}"),
    }
}

#[test]
fn a_host_is_loopback_an_alias_or_listed() {
    let guard = guard(&[("GATEWAY_HOSTS", "api.example.com, 192.168.1.5,[fd00::1]")]);
    for host in [
        "localhost",
        "LocalHost:3003",
        "localhost.",
        "app.localhost:3003",
        "127.0.0.1:3003",
        "127.8.9.1",
        "[::1]:3003",
        "[::ffff:127.0.0.1]",
        "api-gateway:3003",
        "demo-api-gateway",
        "host.docker.internal:3003",
        "api.example.com",
        "API.example.com.:443",
        "192.168.1.5:3003",
        "[fd00::1]",
    ] {
        assert_eq!(asked(&guard, &format!("GET /\nHost: {host}"), NEAR), Ok(false), "{host}");
    }
    // names that anybody can let point to 127.0.0.1, and others that only look like ours
    for host in [
        "evil.example",
        "evil.example:3003",
        "localhost.evil.example",
        "notlocalhost",
        "127.0.0.1.evil.example",
        "127.0.0.1.nip.io",
        "localtest.me",
        "0.0.0.0:3003",
        "[::]:3003",
        "2130706433",
        "0x7f000001",
        "127.1",
        "192.168.1.6",
        "api-gateway.evil.example",
        "evil.example-api-gateway",
        "x.api.example.com",
        "user@localhost",
        "localhost:80:80",
        "",
    ] {
        assert_eq!(asked(&guard, &format!("GET /\nHost: {host}"), NEAR), Err(Refusal::Host), "{host}");
    }
    for text in ["GET /", "GET /\nHost: localhost\nHost: localhost", "GET http://evil.example/\nHost: localhost"] {
        assert_eq!(asked(&guard, text, NEAR), Err(Refusal::Host), "{text}");
    }
    assert_eq!(asked(&guard, "GET http://localhost/\nHost: localhost", NEAR), Ok(false));
}

#[test]
fn a_page_whose_name_was_bound_to_this_machine_reaches_nothing() {
    let guard = guard(&[("CORS_ORIGINS", "https://app.example.com")]);
    // to the browser it is the same origin, so there is no Origin or one that matches Host
    for text in [
        "GET /api/users\nHost: rebound.evil.example:3003",
        "GET /metrics\nHost: rebound.evil.example:3003",
        "GET /ws\nHost: rebound.evil.example:3003\nUpgrade: websocket\nOrigin: http://rebound.evil.example:3003",
        "POST /api/users\nHost: rebound.evil.example:3003\nOrigin: http://rebound.evil.example:3003\n\
         Content-Type: application/json\nX-Dev-User-Id: admin",
    ] {
        assert_eq!(asked(&guard, text, "127.0.0.1"), Err(Refusal::Host), "{text}");
    }
}

#[test]
fn pages_of_other_origins_change_nothing_and_open_no_sockets() {
    let guard = guard(&[("CORS_ORIGINS", "https://App.example.com:443,http://localhost:5173")]);
    let judged = |line: &str, origin: &str| {
        asked(&guard, &format!("{line}\nHost: localhost:3003\nOrigin: {origin}"), "127.0.0.1")
    };
    let socket = "GET /ws\nConnection: Upgrade\nUpgrade: websocket";
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost",
        "http://localhost:8080",
        "http://127.0.0.1:3003",
        "https://localhost:3003.evil.example",
        "http://evil.example@localhost:3003",
        "file://",
        "chrome-extension://localhost:3003",
        "http://app.example.com",
        "https://app.example.com.evil.example",
        "https://app.example.com/",
        "https://APP.example.com",
        "https://sub.app.example.com",
        "*",
    ] {
        for line in ["POST /a", "PUT /a", "PATCH /a", "DELETE /a", "PURGE /a", socket] {
            assert_eq!(judged(line, origin), Err(Refusal::Origin), "{line} from {origin}");
        }
        assert_eq!(judged("OPTIONS /a\nAccess-Control-Request-Method: GET", origin), Err(Refusal::Origin), "{origin}");
        assert_eq!(judged("GET /a", origin), Ok(true), "{origin}");
    }
    for line in ["POST /a", "DELETE /a", "GET /a", socket] {
        assert_eq!(judged(line, "https://app.example.com"), Ok(true), "{line}");
        assert_eq!(judged(line, "http://localhost:5173"), Ok(true), "{line}");
        assert_eq!(judged(line, "http://localhost:3003"), Ok(false), "{line}");
        assert_eq!(asked(&guard, &format!("{line}\nHost: localhost"), "127.0.0.1"), Ok(false), "{line}");
    }
    let twice = "POST /a\nHost: localhost:3003\nOrigin: http://localhost:3003\nOrigin: https://evil.example";
    assert_eq!(asked(&guard, twice, NEAR), Err(Refusal::Origin));
    for site in ["cross-site", "same-site"] {
        let text = format!("POST /a\nHost: localhost\nSec-Fetch-Site: {site}");
        assert_eq!(asked(&guard, &text, NEAR), Err(Refusal::Origin), "{site}");
    }
    // behind a proxy that ends TLS
    let own = "POST /a\nHost: localhost\nOrigin: https://localhost";
    assert_eq!(asked(&guard, own, NEAR), Ok(false));
}

#[test]
fn without_a_list_no_origin_has_access() {
    let guard = guard(&[]);
    let text = "OPTIONS /a\nHost: localhost\nOrigin: https://a.example\nAccess-Control-Request-Method: POST";
    assert_eq!(asked(&guard, text, NEAR), Err(Refusal::Origin));
    let verdict = judge(&guard, &parts("GET /a\nHost: localhost\nOrigin: https://a.example"), NEAR.parse().unwrap());
    assert_eq!(verdict.shared_with(), None);
}

#[test]
fn listed_origins_are_told_what_they_may_do() {
    let guard = guard(&[("CORS_ORIGINS", "https://a.example")]);
    let text = "OPTIONS /a\nHost: localhost\nOrigin: https://a.example\nAccess-Control-Request-Method: POST\n\
                Access-Control-Request-Headers: x-dev-user-id";
    let verdict = judge(&guard, &parts(text), NEAR.parse().unwrap());
    assert_eq!(verdict, Verdict::Preflight("https://a.example".parse().unwrap()));
    let mut response = preflight();
    complete(response.headers_mut(), verdict.shared_with(), true);
    assert_eq!(response.status(), 204);
    let value = |name: header::HeaderName| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(value(header::ACCESS_CONTROL_ALLOW_ORIGIN), "https://a.example");
    assert_eq!(value(header::ACCESS_CONTROL_MAX_AGE), "86400");
    assert_eq!(value(header::VARY), "Origin");
    assert!(!value(header::ACCESS_CONTROL_ALLOW_HEADERS).to_ascii_lowercase().contains("x-dev"));
    assert!(!response.headers().contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS));
}

#[test]
fn lists_that_would_let_everybody_in_are_mistakes() {
    for (name, value) in [
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "null"),
        ("CORS_ORIGINS", "https://*.example.com"),
        ("CORS_ORIGINS", "https://a.example/"),
        ("CORS_ORIGINS", "a.example"),
        ("CORS_ORIGINS", "https://u@a.example"),
        ("GATEWAY_HOSTS", "*"),
        ("GATEWAY_HOSTS", "a.example:443"),
        ("GATEWAY_HOSTS", "https://a.example"),
        ("GATEWAY_HOSTS", "a.example,"),
        ("TRUSTED_PROXIES", "*"),
    ] {
        let env = |asked: &str| (asked == name).then(|| value.to_owned());
        let mut reader = Reader::new(&env);
        let guard = Guard::read(&mut reader, "api-gateway");
        let error = reader.finish(guard).err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains(name)), "{name}={value}");
    }
}

#[test]
fn bodies_are_json() {
    let guard = guard(&[]);
    let judged = |line: &str, rest: &str| asked(&guard, &format!("{line} /a\nHost: localhost{rest}"), NEAR);
    for rest in [
        "",
        "\nContent-Length: 0",
        "\nContent-Length: 2\nContent-Type: application/json",
        "\nTransfer-Encoding: chunked\nContent-Type: Application/JSON; charset=\"UTF-8\"",
        "\nContent-Length: 2\nContent-Type: application/json;charset=utf-8",
    ] {
        assert_eq!(judged("POST", rest), Ok(false), "{rest}");
    }
    for rest in [
        "\nContent-Length: 2",
        "\nTransfer-Encoding: chunked",
        "\nContent-Length: 2\nContent-Type: text/plain",
        "\nContent-Length: 2\nContent-Type: text/plain; application/json",
        "\nContent-Length: 2\nContent-Type: application/x-www-form-urlencoded",
        "\nContent-Length: 2\nContent-Type: multipart/form-data; boundary=x",
        "\nContent-Length: 2\nContent-Type: application/jsonp",
        "\nContent-Length: 2\nContent-Type: application/json; charset=utf-7",
        "\nContent-Length: 2\nContent-Type: application/json, text/plain",
        "\nContent-Length: 2\nContent-Type: application/json\nContent-Type: text/plain",
        "\nContent-Length: 0\nContent-Type: text/plain",
    ] {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            assert_eq!(judged(method, rest), Err(Refusal::MediaType), "{method}{rest}");
        }
    }
    assert_eq!(judged("GET", "\nContent-Type: text/plain"), Ok(false));
}

#[test]
fn methods_that_mirror_or_tunnel_and_long_targets_are_refused() {
    let guard = guard(&[]);
    for line in ["TRACE /", "TRACK /", "CONNECT localhost:80"] {
        assert_eq!(asked(&guard, &format!("{line}\nHost: localhost"), NEAR), Err(Refusal::Method), "{line}");
    }
    let long = |length: usize| format!("GET /{}\nHost: localhost", "a".repeat(length - 1));
    assert_eq!(asked(&guard, &long(8192), NEAR), Ok(false));
    assert_eq!(asked(&guard, &long(8193), NEAR), Err(Refusal::Target));
}

#[test]
fn metrics_are_for_neighbours() {
    let plain = guard(&[]);
    let behind = guard(&[("TRUSTED_PROXIES", "172.18.0.0/16")]);
    let text = "GET /metrics\nHost: localhost";
    let through = format!("{text}\nX-Forwarded-For: {FAR}");
    let pretended = format!("{text}\nX-Forwarded-For: 127.0.0.1, {FAR}");
    for (guard, text, peer, expected) in [
        (&plain, text, "127.0.0.1", Ok(false)),
        (&plain, text, NEAR, Ok(false)),
        (&plain, text, "fd00::9", Ok(false)),
        (&plain, text, FAR, Err(Refusal::Neighbours)),
        (&plain, &through, NEAR, Err(Refusal::Neighbours)),
        (&behind, text, NEAR, Ok(false)),
        (&behind, &through, NEAR, Err(Refusal::Neighbours)),
        (&behind, &pretended, NEAR, Err(Refusal::Neighbours)),
        (&behind, text, FAR, Err(Refusal::Neighbours)),
    ] {
        assert_eq!(asked(guard, text, peer), expected, "{text:?} from {peer}");
    }
}

#[test]
fn nobody_says_who_they_are_in_words_that_are_not_theirs() {
    let guard = guard(&[("TRUSTED_PROXIES", "172.18.0.0/16")]);
    let left = |origin: &str, peer: &str| {
        let text = format!(
            "GET /\nHost: localhost\nX-User-Id: 1\nX-Dev-User-Id: 1\nX-Dev-Permissions: *\nX-Forwarded-For: 9.9.9.9\n\
             X-Forwarded-Proto: https\nForwarded: for=9.9.9.9{origin}"
        );
        let mut parts = parts(&text);
        let Verdict::Pass { admitted, trusted, .. } = judge(&guard, &parts, peer.parse().unwrap()) else {
            panic!("refused");
        };
        take_out(&mut parts.headers, admitted, trusted);
        let has = |name: &str| parts.headers.contains_key(name);
        (has("x-dev-user-id") || has("x-dev-permissions"), has("x-forwarded-for") || has("forwarded"), has("x-user-id"))
    };
    assert_eq!(left("", FAR), (true, false, false));
    assert_eq!(left("", NEAR), (true, true, false));
    assert_eq!(left("\nOrigin: https://evil.example", FAR), (false, false, false));
    assert_eq!(left("\nOrigin: http://localhost", FAR), (true, false, false));
}

#[test]
fn answers_keep_the_policy_that_they_have() {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_SECURITY_POLICY, "default-src 'self'".parse().unwrap());
    headers.insert(header::CACHE_CONTROL, "private, no-cache".parse().unwrap());
    headers.insert(header::VARY, "accept".parse().unwrap());
    complete(&mut headers, None, true);
    assert_eq!(headers[header::CONTENT_SECURITY_POLICY], "default-src 'self'");
    assert_eq!(headers[header::CACHE_CONTROL], "private, no-cache");
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(headers.get_all(header::VARY).iter().count(), 2);
    assert!(!headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));

    let mut headers = HeaderMap::new();
    complete(&mut headers, None, false);
    assert_eq!(headers[header::CONTENT_SECURITY_POLICY], "default-src 'none'; frame-ancestors 'none'");
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(headers["cross-origin-resource-policy"], "same-origin");
    assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
    assert!(!headers.contains_key(header::VARY));
}
