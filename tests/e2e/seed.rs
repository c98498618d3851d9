//! The commands that the platform's own overview tells people to type, letter for letter, against the project under its
//! real name and on its real ports. That would touch a platform that somebody uses, so it needs the engine that
//! `tests/run` starts. Elasticsearch, Jaeger and Grafana have no recipe; what needs them is left out.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use super::containers;
use crate::support::{Stage, heavy, run};

const PORTS: [u16; 7] = [3001, 3002, 3003, 55432, 55671, 55672, 56379];

/// The project under its real name; gone when dropped.
struct Seed {
    stage: Stage,
    /// The compose file, for `docker compose`.
    file: String,
}

impl Drop for Seed {
    fn drop(&mut self) {
        run(self.stage.bare(&["down", "-v"]));
    }
}

impl Seed {
    /// What a line prints; it must end with 0.
    #[track_caller]
    fn types(&self, line: &str) -> String {
        // where Compose needs a file, it is told by the variable, so that the line is the same
        let line =
            if line.starts_with("docker compose") { format!("COMPOSE_FILE={} {line}", self.file) } else { line.into() };
        let run = self.stage.sh(&line);
        assert_eq!(run.code, 0, "{line}\n{}{}", run.stdout, run.stderr);
        format!("{}{}", run.stdout, run.stderr)
    }

    /// Runs a line that goes on for ever, until it has printed something with each of the words.
    #[track_caller]
    fn types_until(&self, line: &str, words: &[&str]) {
        let mut command = Command::new("sh");
        let line = line.replace("docker compose", &format!("exec env COMPOSE_FILE={} docker compose", self.file));
        command.args(["-c", &format!("{line} 2>&1")]).current_dir(self.stage.folder()).stdout(Stdio::piped());
        let mut child = command.envs(self.stage.env()).spawn().unwrap();
        let mut missing: Vec<_> = words.to_vec();
        let mut seen = Vec::new();
        for text in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            missing.retain(|word| !text.contains(word));
            seen.push(text);
            if missing.is_empty() {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(missing.is_empty(), "{line}: nothing with {missing:?}\n{}", seen.join("\n"));
    }
}

#[test]
fn every_command_of_the_overview() {
    let _one = heavy();
    assert!(std::env::var_os("BANYAN_TEST_OWN_ENGINE").is_some(), "only on the engine that tests/run starts");
    let taken: Vec<_> = PORTS.iter().filter(|p| TcpListener::bind(("127.0.0.1", **p)).is_err()).collect();
    assert!(taken.is_empty(), "the platform's own ports are in use: {taken:?}; `banyan down` frees them, if it is one");

    let mut seed = Seed { stage: Stage::core("seed"), file: String::new() };
    let up = run(seed.stage.bare(&["up", "--profile", "devbox"]));
    assert_eq!(up.code, 0, "{}{}", up.stdout, up.stderr);
    let label = "{{index .Config.Labels \"com.docker.compose.project.config_files\"}}";
    seed.file = seed.stage.docker(&["inspect", "--format", label, "flow-platform-postgres"]);
    let before = containers(&seed.stage, "flow-platform");

    data(&seed);
    health(&seed);
    network(&seed);
    resources_and_environment(&seed);
    assert_eq!(containers(&seed.stage, "flow-platform"), before);
    compose(&seed);
}

fn data(seed: &Seed) {
    let list = seed.types("docker volume ls | grep flow-platform");
    for volume in ["postgres-data", "rabbitmq-data", "redis-data"] {
        assert!(list.contains(&format!("flow-platform-{volume}")), "{list}");
    }
    assert!(seed.types("docker volume inspect flow-platform-postgres-data").contains("\"Mountpoint\""));
    assert!(
        seed.types("docker inspect flow-platform-postgres | grep -A5 Mounts").contains("flow-platform-postgres-data")
    );

    let psql = |statement: &str| {
        seed.types(&format!("docker exec flow-platform-postgres psql -U actor_user eventstore -Atc '{statement}'"))
    };
    psql("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('\"'ümlaut'\"')");
    seed.types("docker exec flow-platform-postgres pg_dump -U actor_user eventstore > backup.sql");
    psql("DROP TABLE kept");
    seed.types("docker exec -i flow-platform-postgres psql -U actor_user eventstore < backup.sql");
    assert_eq!(psql("SELECT word FROM kept").trim(), "ümlaut");
}

fn health(seed: &Seed) {
    let text = seed.types("docker inspect flow-platform-postgres | grep -A10 Health");
    assert!(text.contains("\"Status\":"), "{text}");
    // without a login RabbitMQ tells no more than that it is there: 401, and an empty page
    seed.types("curl http://localhost:55672/api/health/checks/alarms");
    let code = seed.types("curl -s -o page -w '%{http_code}' http://localhost:55672/api/health/checks/alarms");
    assert_eq!(code, "401");
    let text = seed.types("curl -u admin:admin123 http://localhost:55672/api/health/checks/alarms");
    assert!(text.contains("{\"status\":\"ok\"}"), "{text}");
    let text = seed.types("docker exec flow-platform-postgres pg_isready -U actor_user");
    assert!(text.contains("accepting connections"), "{text}");
    assert_eq!(seed.types("docker exec flow-platform-redis redis-cli ping").trim(), "PONG");
    for port in [3001, 3002, 3003] {
        let text = seed.types(&format!("curl -sf http://localhost:{port}/health"));
        assert!(text.contains("healthy"), "{text}");
    }
}

fn network(seed: &Seed) {
    assert_eq!(seed.types("docker network inspect -f '{{.Driver}}' flow-platform-network").trim(), "bridge");
    seed.types_until("exec docker exec flow-platform-devbox ping postgres", &["bytes from"]);
    seed.types_until("exec docker exec flow-platform-devbox ping rabbitmq", &["bytes from"]);
}

fn resources_and_environment(seed: &Seed) {
    let limits = seed
        .types("docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.MemoryReservation}}' flow-platform-postgres");
    assert_eq!(limits.trim(), format!("{} {}", 1_u64 << 30, 512 << 20));
    let env = seed.types("docker inspect -f '{{range .Config.Env}}{{println .}}{{end}}' flow-platform-api-gateway");
    for line in [
        "NODE_ENV=development",
        "DATABASE_HOST=postgres",
        "DATABASE_PORT=5432",
        "DATABASE_NAME=eventstore",
        "DATABASE_USER=actor_user",
        "DATABASE_PASSWORD=actor_pass123",
        "DATABASE_URL=postgresql://actor_user:actor_pass123@postgres:5432/eventstore",
        "RABBITMQ_URL=amqp://admin:admin123@rabbitmq:5672",
        "REDIS_URL=redis://:redis123@redis:6379",
        "JAEGER_ENDPOINT=http://jaeger:4318/v1/traces",
        "JWT_SECRET=dev-secret-key-change-in-production",
        "JWT_EXPIRATION=300",
    ] {
        assert!(env.lines().any(|l| l == line), "{line}: {env}");
    }
    // those addresses are good inside the network
    let shell = |line: &str| seed.types(&format!("docker exec flow-platform-devbox {line}"));
    let select = "psql postgresql://actor_user:actor_pass123@postgres:5432/eventstore -Atc 'SELECT 1'";
    assert_eq!(shell(select).trim(), "1");
    assert!(shell("redis-cli -h redis -a redis123 ping").contains("PONG"));
}

/// Docker Compose, on the file that the containers name.
fn compose(seed: &Seed) {
    let before = containers(&seed.stage, "flow-platform");
    let ps = seed.types("docker compose ps");
    for service in ["postgres", "rabbitmq", "redis", "api-gateway", "auth-service", "service-discovery"] {
        assert!(ps.contains(&format!("flow-platform-{service}")), "{ps}");
    }
    assert!(seed.types("docker compose logs rabbitmq").contains("started TCP listener"));
    assert!(seed.types("docker compose logs postgres").contains("ready to accept connections"));
    seed.types_until("docker compose logs -f", &["postgres", "rabbitmq", "redis", "api-gateway"]);
    // attached, so it shows their logs until somebody ends it
    seed.types_until("docker compose up postgres rabbitmq redis", &["Attaching to"]);
    seed.types("docker compose up --wait postgres rabbitmq redis");
    assert_eq!(containers(&seed.stage, "flow-platform"), before, "nothing is made anew");

    seed.types("docker compose down");
    let left = seed.stage.leftovers("flow-platform");
    assert!(left.iter().any(|v| v == "flow-platform-postgres-data"), "{left:?}");
    seed.types("docker compose down -v");
    let left = seed.stage.leftovers("flow-platform");
    assert!(!left.iter().any(|v| v == "flow-platform-postgres-data"), "{left:?}");
}
