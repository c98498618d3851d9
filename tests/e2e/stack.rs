//! The built-in stack: PostgreSQL, RabbitMQ, Redis and the platform's own services, one boot for many questions.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::{changed, clients, containers};
use crate::support::{Stage, eventually, heavy};

const CORE: [&str; 6] = ["api-gateway", "auth-service", "postgres", "rabbitmq", "redis", "service-discovery"];
const PLATFORM: [&str; 3] = ["api-gateway", "auth-service", "service-discovery"];
/// What the platform's services depend on.
const STORES: [&str; 3] = ["postgres", "rabbitmq", "redis"];
/// The longest that `/health` may say what is no longer true.
const PROMPT: Duration = Duration::from_secs(2);

/// The stack as `up` printed it.
struct Stack {
    stage: Stage,
    up: Value,
}

impl Stack {
    /// The first address of a service, without its scheme: `localhost:55432/eventstore`.
    #[track_caller]
    fn place(&self, service: &str) -> String {
        let services = self.up["services"].as_array().unwrap();
        let found = services.iter().find(|s| s["name"] == service).unwrap_or_else(|| panic!("{service}: {}", self.up));
        let url = found["addresses"][0]["url"].as_str().unwrap();
        url.split_once("://").unwrap().1.to_owned()
    }

    fn name(&self, service: &str) -> String {
        format!("{}-{service}", self.stage.project())
    }

    fn containers(&self) -> BTreeMap<String, String> {
        containers(&self.stage, &self.stage.project())
    }

    /// Status of a platform service, and the dependencies that it calls unhealthy.
    fn health(&self, service: &str) -> (u16, Vec<String>) {
        let (status, body) = clients::get_json(&format!("http://{}/health", self.place(service)));
        let dependencies = body["dependencies"].as_object().unwrap_or_else(|| panic!("{body}"));
        let ill = dependencies.iter().filter(|(_, d)| d["status"] != "healthy").map(|(name, _)| name.clone());
        (status, ill.collect())
    }

    /// Every platform service says so, and in time.
    #[track_caller]
    fn all_say(&self, what: &str, status: u16, ill: &[&str]) {
        eventually(PROMPT, what, || {
            PLATFORM.iter().all(|service| {
                let (got, names) = self.health(service);
                got == status && names == ill
            })
        });
    }
}

#[test]
fn the_built_in_stack() {
    let _one = heavy();
    let stage = Stage::core("stack");
    let up = stage.ok(&["up", "--output", "json"]).json();
    let stack = Stack { stage, up };

    // ready means ready: nobody waits before they log in
    clients::amqp(&format!("amqp://admin:admin123@{}", stack.place("rabbitmq"))).unwrap();
    let sql =
        |query| clients::sql(&format!("postgresql://actor_user:actor_pass123@{}", stack.place("postgres")), query);
    assert_eq!(sql("SELECT current_database()::text").unwrap(), "eventstore");
    assert_eq!(clients::redis(&format!("redis://:redis123@{}", stack.place("redis"))).unwrap(), "PONG");
    for service in PLATFORM {
        assert_eq!(stack.health(service), (200, vec![]), "{service}");
    }
    assert!(clients::redis(&format!("redis://:wrong@{}", stack.place("redis"))).is_err());

    what_up_said(&stack);
    what_can_be_seen(&stack);
    dead_letters(&stack);
    users(&stack);
    services_tell_the_truth(&stack);
    services_stop_and_come_back(&stack);

    // down keeps the data
    let down = stack.stage.ok(&["down"]);
    assert!(!down.stderr.contains("killed"), "every server stops by itself: {}", down.stderr);
    let mut left = stack.stage.leftovers(&stack.stage.project());
    left.sort();
    assert_eq!(left, STORES.map(|s| stack.name(&format!("{s}-data"))));
    stack.stage.ok(&["down", "-v"]);
    assert_eq!(stack.stage.leftovers(&stack.stage.project()), [""; 0]);
}

/// Addresses, logins, versions, and what is not there; a second `up` says the same and touches nothing.
fn what_up_said(stack: &Stack) {
    let names: Vec<_> = stack.up["services"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert!(CORE.iter().all(|c| names.contains(c)) && names.len() == CORE.len(), "{names:?}");
    let mut missing: Vec<_> =
        stack.up["unavailable"].as_array().unwrap().iter().map(|u| u["name"].as_str().unwrap()).collect();
    missing.sort_unstable();
    assert_eq!(missing, ["elasticsearch", "grafana", "jaeger"]);

    let before = stack.containers();
    let text = stack.stage.ok(&["up"]).stdout;
    assert_eq!(changed(&before, &stack.containers()), [""; 0]);
    for part in ["actor_user / actor_pass123", "admin / admin123", "redis123", "Optional services that are not there: "]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    for service in CORE {
        let line = text.lines().find(|l| l.starts_with(&format!("{service} "))).unwrap_or_default();
        assert!(line.contains(&stack.place(service)), "{service}: {text}");
    }
}

/// `status`, `health`, `logs`, the gateway's page, the log lines, the engine's own health checks.
fn what_can_be_seen(stack: &Stack) {
    let stage = &stack.stage;
    let health = stage.ok(&["health", "--output", "json"]).json();
    assert_eq!(health["healthy"], true);
    let items = health["items"].as_array().unwrap();
    for service in CORE {
        let item = items.iter().find(|i| i["service"] == service).unwrap();
        assert_eq!(
            (&item["state"], &item["healthy"], &item["required"]),
            (&"running".into(), &true.into(), &true.into())
        );
        assert!(item["latency_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{item}");
        assert!(!item["version"].as_str().unwrap().is_empty(), "{item}");
    }
    let needed: Vec<_> =
        items.iter().find(|i| i["service"] == "redis").unwrap()["needed_by"].as_array().unwrap().clone();
    assert_eq!(needed.len(), PLATFORM.len(), "{needed:?}");
    let text = stage.ok(&["status"]).stdout;
    assert_eq!(text.lines().filter(|l| l.contains(" Up ")).count(), CORE.len(), "{text}");

    let gateway = format!("http://{}/", stack.place("api-gateway"));
    let (status, page) = clients::get_json(&gateway);
    assert_eq!(status, 200);
    for service in ["api-gateway", "auth-service", "service-discovery", "postgres", "rabbitmq", "redis"] {
        assert!(page.to_string().contains(&stack.place(service)), "{service}: {page}");
    }
    assert!(!page.to_string().contains("pass123"), "{page}");
    let (status, html) = clients::get(&gateway, "text/html").unwrap();
    assert!(status == 200 && html.contains("<html") && html.contains(&stack.place("redis")), "{html}");

    for service in PLATFORM {
        let lines = stage.docker(&["logs", &stack.name(service)]);
        assert!(!lines.is_empty());
        for line in lines.lines() {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
            assert_eq!(line["serviceName"], service);
            for key in ["timestamp", "level", "message"] {
                assert!(line[key].is_string(), "{key}: {line}");
            }
        }
    }
    let line = stage.ok(&["logs", "--tail", "1", "--output", "json", "postgres"]);
    assert_eq!(line.json()["service"], "postgres");

    eventually(Duration::from_secs(60), "the engine's own checks agree", || {
        CORE.iter()
            .all(|s| stage.docker(&["inspect", "--format", "{{.State.Health.Status}}", &stack.name(s)]) == "healthy")
    });
}

/// What a service gave up can be found, read, sent back and thrown away, and nothing is lost on the way.
fn dead_letters(stack: &Stack) {
    let stage = &stack.stage;
    let counts = || {
        let list = stage.ok(&["dlq", "list", "--output", "json"]).json();
        let items = list["items"].as_array().unwrap().clone();
        items
            .iter()
            .map(|i| (i["queue"].as_str().unwrap().to_owned(), i["messages"].as_u64().unwrap()))
            .collect::<Vec<_>>()
    };
    const QUEUE: &str = "service.order-service.commands.PlaceOrder";
    assert!(!counts().iter().any(|(queue, _)| queue == QUEUE));
    let unknown = stage.banyan(&["dlq", "show", QUEUE]);
    assert_eq!(unknown.code, 2, "{}", unknown.stderr);

    clients::give_up(
        &format!("amqp://admin:admin123@{}", stack.place("rabbitmq")),
        QUEUE,
        &[b"{\"n\":1}", b"{\"n\":2}"],
    )
    .unwrap();
    assert!(counts().contains(&(QUEUE.to_owned(), 2)), "{:?}", counts());
    let shown = stage.ok(&["dlq", "show", QUEUE, "--output", "json"]).json();
    let bodies: Vec<_> = shown["items"].as_array().unwrap().iter().map(|i| i["body"].as_str().unwrap()).collect();
    assert_eq!(bodies, ["{\"n\":1}", "{\"n\":2}"]);
    assert!(counts().contains(&(QUEUE.to_owned(), 2)), "looking takes nothing away");

    assert!(stage.ok(&["dlq", "replay", QUEUE, "--limit", "1"]).stdout.contains("1 message"));
    assert!(counts().contains(&(QUEUE.to_owned(), 1)));
    let close = stage.banyan(&["dlq", "purge", "service.order-service.commands.PlaceOrdr", "--yes"]);
    assert!(close.code == 2 && close.stderr.contains(&format!("did you mean `{QUEUE}`?")), "{}", close.stderr);
    assert_eq!(stage.banyan(&["dlq", "purge", QUEUE]).code, 2, "nobody can be asked");
    assert!(counts().contains(&(QUEUE.to_owned(), 1)));
    stage.ok(&["dlq", "purge", &format!("dlq.{QUEUE}"), "--yes"]);
    assert!(counts().contains(&(QUEUE.to_owned(), 0)));
}

/// Users are added, given permissions, and become tokens.
fn users(stack: &Stack) {
    let stage = &stack.stage;
    let added = stage.ok(&["users", "add", "ann@example.com", "--name", "Ann", "--output", "json"]).json();
    assert_eq!(added["email"], "ann@example.com");
    assert_eq!(added["password"].as_str().unwrap().len(), 32);
    let taken = stage.banyan(&["users", "add", "Ann@example.com"]);
    assert!(taken.code == 2 && taken.stderr.contains("is taken"), "{}", taken.stderr);
    eventually(Duration::from_secs(10), "she is listed", || {
        stage.ok(&["users", "list"]).stdout.contains("ann@example.com")
    });
    stage.ok(&["users", "grant", "ann@example.com", "orders:place", "admin"]);
    stage.ok(&["users", "revoke", "ann@example.com", "admin"]);
    let token = stage.ok(&["users", "token", "ann@example.com", "--output", "json"]).json();
    assert_eq!(token["user"]["permissions"], serde_json::json!(["auth:revoke-token", "orders:place"]));
    assert_eq!(stage.ok(&["users", "token", "ann@example.com"]).stdout.trim().split('.').count(), 3);
    let unknown = stage.banyan(&["users", "token", "nobody@example.com"]);
    assert_eq!(unknown.code, 2, "{}", unknown.stderr);
    let (status, keys) = clients::get_json(&format!("http://{}/.well-known/jwks.json", stack.place("auth-service")));
    assert_eq!((status, keys["keys"].as_array().map(Vec::len)), (200, Some(0)));
}

/// `/health` follows its dependencies: stopped, frozen, back.
fn services_tell_the_truth(stack: &Stack) {
    let docker = |args: &[&str]| stack.stage.docker(args);
    let redis = stack.name("redis");
    docker(&["stop", &redis]);
    // auth and discovery can do without it, and say so
    eventually(PROMPT, "all name redis after its stop", || {
        PLATFORM.iter().all(|service| {
            let status = if *service == "api-gateway" { 503 } else { 200 };
            stack.health(service) == (status, vec!["redis".to_owned()])
        })
    });
    docker(&["start", &redis]);
    eventually(Duration::from_secs(20), "Redis is back", || {
        clients::redis(&format!("redis://:redis123@{}", stack.place("redis"))).is_ok()
    });
    stack.all_say("200 after the return of redis", 200, &[]);
    for store in ["postgres", "rabbitmq"] {
        docker(&["pause", &stack.name(store)]);
        stack.all_say(&format!("503, naming {store}, after its pause"), 503, &[store]);
        docker(&["unpause", &stack.name(store)]);
        stack.all_say(&format!("200 after {store} went on"), 200, &[]);
    }
}

/// A platform service ends well when it is told to, and `up` brings back just that one.
fn services_stop_and_come_back(stack: &Stack) {
    let stage = &stack.stage;
    let before = stack.containers();
    let name = stack.name("auth-service");
    stage.docker(&["stop", &name]);
    assert_eq!(stage.docker(&["inspect", "--format", "{{.State.ExitCode}}", &name]), "0");
    let health = stage.banyan(&["health"]);
    assert_eq!(health.code, 8, "{}", health.stdout);
    stage.ok(&["up"]);
    assert_eq!(changed(&before, &stack.containers()), ["auth-service"]);
    assert_eq!(stack.health("auth-service"), (200, vec![]));
}
