//! `banyan services` and `banyan contracts`, against a registry that answers what it was given.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{stage, transcript};
use crate::support::Stage;

/// A registry that knows these paths, and what it was asked.
struct Registry {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Registry {
    fn start(answers: Vec<(&'static str, Value)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &answers, &log);
            }
        });
        Self { address, asked }
    }

    fn stage(&self, name: &str) -> Stage {
        let mut stage = stage(name);
        stage.set("SERVICE_DISCOVERY_URL", &self.address);
        stage
    }
}

fn answer(mut stream: TcpStream, answers: &[(&str, Value)], log: &Mutex<Vec<String>>) {
    let lines: Vec<String> =
        BufReader::new(&stream).lines().map(Result::unwrap).take_while(|it| !it.is_empty()).collect();
    let path = lines[0].split(' ').nth(1).unwrap();
    let has_token = lines.iter().any(|it| it.starts_with("Authorization: Bearer ey"));
    log.lock().unwrap().push(format!("{path}{}", if has_token { "" } else { " without a token" }));
    let found = answers.iter().find(|(known, _)| *known == path);
    let (status, body) = match found {
        Some((_, body)) => ("200 OK", body.clone()),
        None => ("404 Not Found", json!({ "message": "users is not registered" })),
    };
    write!(stream, "HTTP/1.0 {status}\r\nContent-Type: application/json\r\n\r\n{body}").unwrap();
}

fn contract(name: &str, kind: &str, permissions: &[&str]) -> Value {
    json!({
        "messageType": name, "targetService": "users", "description": "Finds a user.", "version": "1.0.0",
        "inputSchema": { "type": "object", "properties": { "id": { "type": kind } } },
        "outputSchema": { "type": "null" }, "requiredPermissions": permissions, "isPublic": permissions.is_empty(),
    })
}

fn users(version: &str, kind: &str) -> Value {
    let contracts = [contract("GetUserQuery", kind, &["users:read"]), contract("PingQuery", "string", &[])];
    json!({ "service": "users", "version": version, "contracts": contracts })
}

#[test]
fn the_services() {
    let service = |name: &str, status: &str, cascading: &str, errors: &[&str]| {
        json!({
            "serviceName": name, "version": "1.0.0", "status": status, "cascadingStatus": cascading, "contracts": 2,
            "responseTime": 3, "errors": errors, "instances": [{ "serviceId": "a" }],
        })
    };
    let all = json!({ "services": [
        service("mail", "unhealthy", "unhealthy", &["no instance is running"]), service("users", "healthy", "degraded", &[]),
    ] });
    let registry = Registry::start(vec![("/admin/services", all)]);
    let stage = registry.stage("services");
    insta::assert_snapshot!(transcript(&stage, &["services"]), @"
    exit code 0
    ── stdout
    SERVICE   VERSION   HEALTH      WITH WHAT IT CALLS   INSTANCES   CONTRACTS   ANSWERS IN   ERRORS
    mail      1.0.0     unhealthy   unhealthy            1           2           3 ms         no instance is running
    users     1.0.0     healthy     degraded             1           2           3 ms
    ");
    insta::assert_snapshot!(transcript(&stage, &["services", "user"]), @"
    exit code 3
    ── stderr
    error[E0301]: a mistake in the configuration; nothing was changed
      there is no service `user`
        hint: did you mean `users`?
    ");
    let json = crate::support::run(stage.bare(&["--output", "json", "services", "users"]));
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json["schema_version"].as_u64(), json["items"].as_array().map(Vec::len)), (Some(1), Some(1)));
    assert_eq!(json["items"][0]["cascadingStatus"], "degraded");
    assert!(registry.asked.lock().unwrap().iter().all(|it| it == "/admin/services"), "with a token");
}

#[test]
fn the_contracts() {
    let mut all = users("1.0.0", "string");
    all["serviceName"] = all["service"].take();
    let registry = Registry::start(vec![
        ("/api/contracts?includeInternalServices=true", json!({ "services": [all] })),
        ("/api/services/users/contracts", users("1.0.0", "string")),
    ]);
    let stage = registry.stage("contracts");
    insta::assert_snapshot!(transcript(&stage, &["contracts", "list"]), @"
    exit code 0
    ── stdout
    SERVICE   VERSION   CONTRACT       TYPE    WHO MAY      CONTRACT'S VERSION
    users     1.0.0     GetUserQuery   query   users:read   1.0.0
    users     1.0.0     PingQuery      query   everybody    1.0.0
    ");
    insta::assert_snapshot!(transcript(&stage, &["contracts", "show", "users", "PingQuery"]), @r#"
    exit code 0
    ── stdout
    users 1.0.0

    PingQuery 1.0.0 (query)
      Finds a user.
      who may: everybody
      input:
        {
          "type": "object",
          "properties": {
            "id": {
              "type": "string"
            }
          }
        }
      output:
        {
          "type": "null"
        }
    "#);
    insta::assert_snapshot!(transcript(&stage, &["contracts", "show", "users", "PinQuery"]), @"
    exit code 2
    ── stderr
    error[E0263]: users has no contract `PinQuery`
      hint: did you mean `PingQuery`?
    ");
    insta::assert_snapshot!(transcript(&stage, &["contracts", "show", "users", "--service-version", "9.0.0"]), @"
    exit code 2
    ── stderr
    error[E0261]: users is not registered
    ");
}

#[test]
fn what_would_break() {
    let registry = Registry::start(vec![
        ("/api/services/users/contracts", users("1.0.0", "string")),
        ("/api/services/users/contracts?version=1.0.0", users("1.0.0", "string")),
        ("/api/services/users/contracts?version=2.0.0", users("2.0.0", "integer")),
    ]);
    let stage = registry.stage("diff");
    insta::assert_snapshot!(transcript(&stage, &["contracts", "diff", "users", "--to", "2.0.0"]), @"
    exit code 0
    ── stdout
    BREAKS   CONTRACT       WHERE      WHAT
    yes      GetUserQuery   input.id   changes from string to integer; what callers send may be refused
    ");
    let code = |args: &[&str]| crate::support::run(stage.bare(&[&["contracts", "diff", "users"], args].concat())).code;
    assert_eq!(code(&["--to", "2.0.0", "--exit-code"]), 20);
    assert_eq!(code(&["--to", "1.0.0", "--exit-code"]), 0);
    assert_eq!(code(&["--from", "2.0.0", "--to", "1.0.0", "--exit-code"]), 20);
    assert_eq!(code(&[]), 2, "there must be something to compare with");
    stage.write("same.json", &users("1.0.0", "string").to_string());
    insta::assert_snapshot!(transcript(&stage, &["contracts", "diff", "users", "--with", "same.json"]), @"
    exit code 0
    ── stderr
    nothing differs
    ── stdout
    BREAKS   CONTRACT   WHERE   WHAT
    ");
    stage.write("wrong.json", &json!([contract("GetUserQuery", "text", &["users"])]).to_string());
    insta::assert_snapshot!(transcript(&stage, &["contracts", "diff", "users", "--with", "wrong.json"]), @"
    exit code 2
    ── stderr
    error[E0264]: wrong.json holds no contracts
      contracts[0].inputSchema.properties.id.type: is no JSON type, nor a list of different ones
      contracts[0].requiredPermissions[0]: `users` is not `resource:action` in lower-case letters, digits and hyphens
      hint: it must be a JSON list of contracts, or an object with one in `contracts`
    ");
}

#[test]
fn who_needs_whom() {
    let graph = json!({
        "services": [
            { "serviceName": "mail", "status": "unhealthy", "cascadingStatus": "unhealthy" },
            { "serviceName": "users", "status": "healthy", "cascadingStatus": "degraded" },
        ],
        "dependencies": [{ "from": "users", "to": "mail", "kind": "calls", "messageTypes": ["SendMailCommand"] }],
    });
    let registry = Registry::start(vec![("/admin/graph", graph)]);
    let stage = registry.stage("graph");
    insta::assert_snapshot!(transcript(&stage, &["contracts", "graph"]), @"
    exit code 0
    ── stdout
    SERVICE   HEALTH      WITH WHAT IT CALLS   NEEDS   FOR
    mail      unhealthy   unhealthy
    users     healthy     degraded             mail    calls SendMailCommand
    ");
}

#[test]
fn nobody_answers() {
    let mut stage = stage("nobody");
    stage.set("SERVICE_DISCOVERY_URL", "http://127.0.0.1:1");
    insta::assert_snapshot!(transcript(&stage, &["services"]), @"
    exit code 8
    ── stderr
    error[E0860]: service discovery at 127.0.0.1:1 does not answer: Connection refused (os error 111)
    ");
    insta::assert_snapshot!(transcript(&stage, &["services", "--url", "localhost"]), @"
    exit code 2
    ── stderr
    error[E0260]: `localhost` is no address of service discovery
      hint: give one such as http://localhost:3002
    ");
}
