//! Discovery and the first handshake, with sockets and context files of the test's own.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::*;

/// `docker context use colima` with these files would be under this hash.
const COLIMA: &str = "f24fd3749c1368328e2b149bec149cb6795619f244c5b584e844961215dadd16";

struct Outside {
    home: TempDir,
    env: HashMap<&'static str, String>,
    host: Option<String>,
}

impl Outside {
    fn new() -> Self {
        Self { home: TempDir::new().unwrap(), env: HashMap::new(), host: None }
    }

    fn path(&self, below: &str) -> std::path::PathBuf {
        self.home.path().join(below)
    }

    fn write(&self, below: &str, text: &str) {
        fs::create_dir_all(self.path(below).parent().unwrap()).unwrap();
        fs::write(self.path(below), text).unwrap();
    }

    fn choose(&self) -> Choice {
        self.with(candidates::choose)
    }

    fn with<T>(&self, f: impl FnOnce(&Request<'_>) -> T) -> T {
        let env = |name: &str| self.env.get(name).cloned();
        f(&Request { host: self.host.clone(), env: &env, home: Some(self.home.path().to_owned()), uid: 1000 })
    }

    fn only(&self) -> Candidate {
        let choice = self.choose();
        assert!(choice.explicit && choice.candidates.len() == 1, "{choice:?}");
        choice.candidates.into_iter().next().unwrap()
    }
}

fn candidate(socket: &Path) -> Candidate {
    let endpoint = format!("unix://{}", socket.display());
    Candidate { to: endpoint::parse(&endpoint, None), endpoint, source: "test".to_owned() }
}

fn choice(sockets: &[&Path]) -> Choice {
    Choice { candidates: sockets.iter().copied().map(candidate).collect(), explicit: false }
}

/// An engine that answers `/_ping` and `/version`, and remembers what it was asked.
fn engine(socket: &Path, ping: &'static str, version: &'static str) -> Arc<Mutex<Vec<String>>> {
    let listener = UnixListener::bind(socket).unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut question = [0; 4096];
            let length = stream.read(&mut question).await.unwrap();
            let question = String::from_utf8_lossy(&question[..length]).into_owned();
            let path = question.split(' ').nth(1).unwrap_or_default().to_owned();
            let answer = if path.ends_with("/_ping") { ping } else { version };
            log.lock().unwrap().push(path);
            let _ = stream.write_all(answer.replace('\n', "\r\n").as_bytes()).await;
        }
    });
    asked
}

const PING: &str =
    "HTTP/1.1 200 OK\nApi-Version: 1.60\nOstype: linux\nServer: Docker/31.0.0 (linux)\nContent-Length: 2\n\nOK";
const OLD_PING: &str = "HTTP/1.1 200 OK\nApi-Version: 1.40\nOstype: linux\nServer: Docker/19.03.1 (linux)\n\nOK";
const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden\nContent-Length: 0\n\n";
const ONLY_TLS: &str = "HTTP/1.0 400 Bad Request\n\nClient sent an HTTP request to an HTTPS server.\n";
const VERSION: &str = "HTTP/1.1 200 OK\nContent-Type: application/json\nConnection: close\n\n\
    {\"Version\":\"20.10.24\",\"ApiVersion\":\"1.41\",\"Os\":\"linux\",\"Arch\":\"amd64\"}";
const OLD_VERSION: &str = "HTTP/1.1 200 OK\nContent-Type: application/json\nConnection: close\n\n\
    {\"Version\":\"19.03.1\",\"ApiVersion\":\"1.40\",\"Os\":\"linux\",\"Arch\":\"amd64\"}";

#[test]
fn the_order_is_host_environment_context_sockets() {
    let mut outside = Outside::new();
    let all = outside.choose();
    assert!(!all.explicit);
    let places: Vec<&str> = all.candidates.iter().map(|c| c.endpoint.as_str()).collect();
    assert_eq!(places[0], "unix:///var/run/docker.sock");
    assert_eq!(places[1], "unix:///run/user/1000/docker.sock");
    assert!(places.contains(&format!("unix://{}", outside.path(".colima/default/docker.sock").display()).as_str()));

    outside.write(".docker/config.json", r#"{"auths": {}, "currentContext": "colima"}"#);
    let meta = r#"{"Name": "colima", "Metadata": {}, "Endpoints": {"docker": {"Host": "unix:///c.sock"}}}"#;
    outside.write(&format!(".docker/contexts/meta/{COLIMA}/meta.json"), meta);
    let current = outside.only();
    assert_eq!((current.endpoint.as_str(), current.source.as_str()), ("unix:///c.sock", "context colima"));

    outside.env.insert("DOCKER_CONTEXT", "default".to_owned());
    assert_eq!(outside.only().source, "context default");
    outside.env.insert("DOCKER_HOST", "tcp://build:2375".to_owned());
    assert_eq!(outside.only().source, "DOCKER_HOST");
    outside.host = Some("unix:///mine.sock".to_owned());
    assert_eq!(outside.only().endpoint, "unix:///mine.sock");
}

#[test]
fn contexts_bring_their_certificates() {
    let mut outside = Outside::new();
    outside.env.insert("DOCKER_CONTEXT", "colima".to_owned());
    outside.env.insert("DOCKER_CONFIG", outside.path("other").display().to_string());
    let meta = r#"{"Endpoints": {"docker": {"Host": "tcp://build:2376", "SkipTLSVerify": false}}}"#;
    outside.write(&format!("other/contexts/meta/{COLIMA}/meta.json"), meta);
    assert_eq!(outside.only().to.unwrap(), Endpoint::Http("build:2376".to_owned()));

    let folder = format!("other/contexts/tls/{COLIMA}/docker");
    for file in ["ca.pem", "cert.pem", "key.pem"] {
        outside.write(&format!("{folder}/{file}"), "");
    }
    let file = |name: &str| outside.path(&folder).join(name);
    let tls = Tls { ca: file("ca.pem"), cert: file("cert.pem"), key: file("key.pem") };
    assert_eq!(outside.only().to.unwrap(), Endpoint::Https("build:2376".to_owned(), tls));
    fs::remove_file(file("key.pem")).unwrap();
    assert!(matches!(outside.only().to, Err(Failure::Tls { .. })));
}

#[test]
fn bad_contexts_say_what_is_bad() {
    let mut outside = Outside::new();
    let why = |outside: &Outside| match outside.only().to {
        Err(Failure::BadContext { why }) => why,
        other => panic!("{other:?}"),
    };
    outside.write(".docker/config.json", r#"{"currentContext": "#);
    assert!(why(&outside).contains("config.json is not valid"));
    outside.env.insert("DOCKER_CONTEXT", "colima".to_owned());
    assert!(why(&outside).contains("there is no context `colima`"));
    outside.write(&format!(".docker/contexts/meta/{COLIMA}/meta.json"), "{}");
    assert!(why(&outside).contains("names no Docker host"));
    outside.write(&format!(".docker/contexts/meta/{COLIMA}/meta.json"), "{");
    assert!(why(&outside).contains("context `colima` is not valid"));
}

#[test]
fn certificates_from_the_environment_must_be_there() {
    let mut outside = Outside::new();
    outside.host = Some("tcp://build".to_owned());
    outside.env.insert("DOCKER_TLS_VERIFY", "1".to_owned());
    assert_eq!(outside.only().to.unwrap(), Endpoint::Https("build:2376".to_owned(), Tls::default()));
    outside.env.insert("DOCKER_CERT_PATH", outside.path("none").display().to_string());
    assert!(matches!(outside.only().to, Err(Failure::Tls { why }) if why.contains("ca.pem")));
    outside.env.insert("DOCKER_TLS_VERIFY", String::new());
    assert_eq!(outside.only().to.unwrap(), Endpoint::Http("build:2375".to_owned()));
}

#[test]
fn the_system_says_why() {
    let failure = |kind: io::ErrorKind| Failure::from(io::Error::from(kind));
    assert!(matches!(failure(io::ErrorKind::NotFound), Failure::Missing));
    assert!(matches!(failure(io::ErrorKind::ConnectionRefused), Failure::Refused));
    assert!(matches!(failure(io::ErrorKind::PermissionDenied), Failure::PermissionDenied));
    assert!(matches!(failure(io::ErrorKind::HostUnreachable), Failure::Other(_)));
}

#[tokio::test]
async fn every_place_that_failed_is_listed_with_its_reason() {
    let outside = Outside::new();
    let (missing, dead, closing) = (outside.path("missing"), outside.path("dead"), outside.path("closing"));
    drop(UnixListener::bind(&dead).unwrap());
    let listener = UnixListener::bind(&closing).unwrap();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });

    let error = first(choice(&[&missing, &dead, &closing])).await.unwrap_err();
    let failures: Vec<&Failure> = error.attempts.iter().map(|attempt| &attempt.failure).collect();
    assert!(matches!(failures[..], [Failure::Missing, Failure::Refused, Failure::Closed]), "{failures:?}");
    assert_eq!(error.most_telling().unwrap().endpoint, format!("unix://{}", closing.display()));
    assert!(error.to_string().contains("3 places"));
}

#[tokio::test]
async fn the_first_engine_that_answers_is_taken() {
    let outside = Outside::new();
    let (missing, good) = (outside.path("missing"), outside.path("good"));
    let asked = engine(&good, PING, VERSION);
    let engine = first(choice(&[&missing, &good])).await.unwrap();
    assert_eq!((engine.version(), engine.os(), engine.is_local()), ("31.0.0", "linux", true));
    assert_eq!(engine.api(), Api::newest(), "never newer than what we know");
    assert_eq!(*asked.lock().unwrap(), ["/_ping"], "one short request");
    assert_eq!(engine.arch().await.unwrap(), "amd64");
}

#[tokio::test]
async fn an_engine_behind_a_proxy_is_asked_the_long_way() {
    let outside = Outside::new();
    engine(&outside.path("proxy"), FORBIDDEN, VERSION);
    let engine = first(choice(&[&outside.path("proxy")])).await.unwrap();
    assert_eq!((engine.version(), engine.api()), ("20.10.24", Api::OLDEST));
}

#[tokio::test]
async fn an_old_engine_is_refused_whichever_way_it_is_asked() {
    let outside = Outside::new();
    for (name, ping) in [("short", OLD_PING), ("long", FORBIDDEN)] {
        let socket = outside.path(name);
        engine(&socket, ping, OLD_VERSION);
        let error = first(choice(&[&socket])).await.unwrap_err();
        let old = Api::new(1, 40);
        assert!(matches!(&error.attempts[0].failure, Failure::TooOld { api, .. } if *api == old), "{error}");
        assert!(error.hint().unwrap().contains("20.10"));
    }
}

#[tokio::test]
async fn an_engine_that_speaks_only_tls_says_so() {
    let outside = Outside::new();
    engine(&outside.path("tls"), ONLY_TLS, ONLY_TLS);
    let error = first(choice(&[&outside.path("tls")])).await.unwrap_err();
    assert!(matches!(error.attempts[0].failure, Failure::Tls { .. }), "{error}");
    assert!(error.hint().unwrap().contains("DOCKER_TLS_VERIFY=1"));
}

#[tokio::test]
async fn an_engine_that_says_nothing_is_given_up() {
    let (ours, _theirs) = tokio::io::duplex(64);
    let failure = ping::ping(ours, "docker", Duration::from_millis(5)).await.unwrap_err();
    assert!(matches!(failure, Failure::TimedOut { .. }), "{failure}");
}

#[tokio::test]
async fn a_choice_that_fails_is_not_replaced() {
    let mut outside = Outside::new();
    outside.host = Some("ssh://me@build".to_owned());
    let error = first(outside.choose()).await.unwrap_err();
    assert!(error.explicit);
    assert!(matches!(error.attempts[0].failure, Failure::Unsupported { .. }));
    assert!(error.hint().unwrap().contains("ssh -fnNT -L"), "{:?}", error.hint());
}
