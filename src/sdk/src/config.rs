//! What a service is told by its environment: read once, typed, every mistake reported together.

mod endpoint;
mod limits;
mod reader;
mod secret;
mod stores;
mod tokens;

pub use endpoint::Endpoint;
pub use limits::Limits;
pub use reader::{Problem, Reader};
pub use secret::Secret;
pub(crate) use stores::redis_database;
pub use stores::{Need, Stores, cache, database, message_bus};
#[cfg(feature = "tokens")]
pub(crate) use tokens::SAMPLE_SECRET;
pub use tokens::{Issuer, Tokens};

use std::time::Duration;

use crate::protocol::names;

const DEFAULT_SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(25_000);
const LONGEST_SHUTDOWN_TIMEOUT: u64 = 3_600_000;
const SWITCH: &str = "true or false";

/// The settings that every service has.
pub struct Config {
    /// The name that logs and health answers carry (`SERVICE_NAME`).
    pub service: String,
    /// The version that health answers, contracts and spans carry (`SERVICE_VERSION`).
    pub version: String,
    /// The port to serve HTTP on (`PORT`).
    pub port: u16,
    /// Where the service runs (`NODE_ENV`).
    pub environment: Environment,
    /// The least important level that is logged (`LOG_LEVEL`).
    pub log_level: LogLevel,
    /// How long requests in flight may take after a termination signal (`SHUTDOWN_TIMEOUT`, milliseconds).
    pub shutdown_timeout: Duration,
    /// Whether spans are recorded, how many, and where they go.
    pub telemetry: Telemetry,
    /// How many connections to PostgreSQL the service uses at most, beside those for writing events, for hearing of them
    /// and for its outbox (`DATABASE_POOL_MAX` or `DATABASE_MAX_CONNECTIONS`).
    pub connections: u32,
    /// Whether the service tells service discovery of itself (`SERVICE_DISCOVERY_ENABLED`).
    pub discovery: bool,
    /// Whether service discovery is to accept contracts that break those who go by the old ones (`FORCE_CONTRACTS`).
    pub force_contracts: bool,
    /// How access tokens are made and checked.
    pub tokens: Tokens,
    /// How much of its HTTP server a client may take up, and for how long.
    pub limits: Limits,
}

/// Whether spans are recorded, how many, and where they go.
#[derive(Clone)]
pub struct Telemetry {
    /// Where they go, over OTLP/HTTP (`JAEGER_ENDPOINT`); nothing is recorded without it, or when `TELEMETRY_ENABLED` is
    /// false.
    pub endpoint: Option<Endpoint>,
    /// The share of the traces beginning here that is recorded, from 0 to 1 (`TELEMETRY_SAMPLE_RATIO`). Traces that
    /// began elsewhere are recorded when their flags say so.
    pub sample_ratio: f64,
}

/// Where a service runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// On a developer's machine.
    Development,
    /// Under automatic tests.
    Test,
    /// A rehearsal of production.
    Staging,
    /// For real users.
    Production,
}

/// The least important level that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// What needs a person.
    Error,
    /// What may need a person.
    Warn,
    /// What happened.
    Info,
    /// Why it happened.
    Debug,
    /// Everything.
    Trace,
}

impl Config {
    /// Reads the settings of the service that is called `service`, and serves on `port`, unless told otherwise. Its
    /// version is that of the platform, unless told otherwise.
    ///
    /// Nothing is returned when a setting is wrong: the reader then holds the problems.
    pub fn read(reader: &mut Reader<'_>, service: &str, port: u16) -> Option<Self> {
        let service = reader.parsed_or(
            "SERVICE_NAME",
            "lower-case letters, digits and hyphens, starting with a letter",
            service_name,
            service.to_owned(),
        );
        let port = reader.parsed_or("PORT", "a port from 1 to 65535", port_number, port);
        let environment = reader.parsed_or(
            "NODE_ENV",
            "development, test, staging or production",
            environment,
            Environment::Development,
        );
        let log_level = reader.parsed_or("LOG_LEVEL", "error, warn, info, debug or trace", log_level, LogLevel::Info);
        let shutdown_timeout = reader.parsed_or(
            "SHUTDOWN_TIMEOUT",
            "a number of milliseconds, at most an hour",
            milliseconds,
            DEFAULT_SHUTDOWN_TIMEOUT,
        );
        let version = reader.parsed_or(
            "SERVICE_VERSION",
            "1 to 64 letters, digits, dots, plus signs and hyphens",
            version,
            env!("CARGO_PKG_VERSION").to_owned(),
        );
        let telemetry = Telemetry::read(reader);
        let connections = stores::connections(reader);
        let discovery = reader.parsed_or("SERVICE_DISCOVERY_ENABLED", SWITCH, switch, true);
        let force_contracts = reader.parsed_or("FORCE_CONTRACTS", SWITCH, switch, false);
        let tokens = Tokens::read(reader, environment);
        let limits = Limits::read(reader);
        Some(Self {
            service: service?,
            version: version?,
            port: port?,
            environment: environment?,
            log_level: log_level?,
            shutdown_timeout: shutdown_timeout?,
            telemetry: telemetry?,
            connections: connections?,
            discovery: discovery?,
            force_contracts: force_contracts?,
            tokens: tokens?,
            limits: limits?,
        })
    }
}

impl Telemetry {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let enabled = reader.parsed_or("TELEMETRY_ENABLED", SWITCH, switch, true);
        let endpoint = match reader.value("JAEGER_ENDPOINT") {
            None => Some(None),
            Some(_) => reader.parsed("JAEGER_ENDPOINT", "an http:// address", http_endpoint).map(Some),
        };
        let sample_ratio = reader.parsed_or("TELEMETRY_SAMPLE_RATIO", "a number from 0 to 1", ratio, 1.0);
        Some(Self { endpoint: endpoint?.filter(|_| enabled == Some(true)), sample_ratio: sample_ratio? })
    }
}

/// Reads an address that must be plain HTTP.
pub fn http_endpoint(text: &str) -> Option<Endpoint> {
    Endpoint::parse(text, &["http"], 80)
}

fn service_name(text: &str) -> Option<String> {
    names::is_service_name(text).then(|| text.to_owned())
}

fn version(text: &str) -> Option<String> {
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-');
    (1..=64).contains(&text.len()).then_some(text).filter(|it| it.chars().all(letters)).map(str::to_owned)
}

fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn ratio(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number| (0.0..=1.0).contains(number))
}

fn port_number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port != 0)
}

fn environment(text: &str) -> Option<Environment> {
    Some(match text {
        "development" => Environment::Development,
        "test" => Environment::Test,
        "staging" => Environment::Staging,
        "production" => Environment::Production,
        _ => return None,
    })
}

fn log_level(text: &str) -> Option<LogLevel> {
    Some(match text.to_ascii_lowercase().as_str() {
        "error" => LogLevel::Error,
        "warn" => LogLevel::Warn,
        "info" => LogLevel::Info,
        "debug" => LogLevel::Debug,
        "trace" => LogLevel::Trace,
        _ => return None,
    })
}

fn milliseconds(text: &str) -> Option<Duration> {
    let number = text.parse().ok()?;
    (number <= LONGEST_SHUTDOWN_TIMEOUT).then(|| Duration::from_millis(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        |name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    fn both(pairs: &'static [(&'static str, &'static str)]) -> Result<(Config, Stores), Vec<String>> {
        let env = lookup(pairs);
        let mut reader = Reader::new(&env);
        let config = Config::read(&mut reader, "auth-service", 3001);
        let stores = Stores::read(&mut reader);
        reader
            .finish(config.zip(stores))
            .map_err(|error| error.to_string().lines().skip(1).map(|line| line.trim().to_owned()).collect())
    }

    const STORES: &[(&str, &str)] = &[
        ("DATABASE_HOST", "db"),
        ("DATABASE_PASSWORD", "p@ss"),
        ("MESSAGE_BUS_URL", "amqp://admin:admin123@rabbitmq"),
        ("REDIS_URL", "redis://:redis123@redis:6380/2"),
    ];

    #[test]
    fn defaults_fill_what_is_not_said() {
        let (config, stores) = both(STORES).ok().unwrap();
        assert_eq!(config.service, "auth-service");
        assert_eq!(config.port, 3001);
        assert_eq!(config.environment, Environment::Development);
        assert_eq!(config.log_level, LogLevel::Info);
        assert_eq!(config.shutdown_timeout, Duration::from_secs(25));
        assert_eq!(config.tokens.lifetime, Duration::from_secs(300));
        assert!(config.tokens.secret.is_none() && config.telemetry.endpoint.is_none());
        assert_eq!(config.version, env!("CARGO_PKG_VERSION"));
        assert_eq!(config.connections, 10);
        assert!(config.discovery);
        assert_eq!(stores.database.authority(), "db:5432");
        assert_eq!(stores.database.path, "eventstore");
        assert_eq!(stores.message_bus.authority(), "rabbitmq:5672");
        assert_eq!(redis_database(&stores.cache), Some(2));
    }

    #[test]
    fn every_mistake_is_reported_and_no_secret_is_repeated() {
        let problems = both(&[
            ("SERVICE_NAME", "Auth_Service"),
            ("PORT", "0"),
            ("NODE_ENV", "prod"),
            ("LOG_LEVEL", "loud"),
            ("SHUTDOWN_TIMEOUT", "soon"),
            ("SERVICE_VERSION", "one two"),
            ("TELEMETRY_ENABLED", "perhaps"),
            ("JAEGER_ENDPOINT", "https://jaeger"),
            ("TELEMETRY_SAMPLE_RATIO", "2"),
            ("DATABASE_POOL_MAX", "0"),
            ("SERVICE_DISCOVERY_ENABLED", "?"),
            ("JWT_EXPIRATION", "0"),
            ("DATABASE_URL", "mysql://root:hunter2@db/x"),
            ("RABBITMQ_URL", "amqp://admin:hunter2@"),
            ("REDIS_URL", "redis://:hunter2@redis/first"),
        ])
        .err()
        .unwrap();
        let names: Vec<_> = problems.iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
        assert_eq!(
            names,
            [
                "SERVICE_NAME",
                "PORT",
                "NODE_ENV",
                "LOG_LEVEL",
                "SHUTDOWN_TIMEOUT",
                "SERVICE_VERSION",
                "TELEMETRY_ENABLED",
                "JAEGER_ENDPOINT",
                "TELEMETRY_SAMPLE_RATIO",
                "DATABASE_POOL_MAX",
                "SERVICE_DISCOVERY_ENABLED",
                "JWT_EXPIRATION",
                "DATABASE_URL",
                "RABBITMQ_URL",
                "REDIS_URL"
            ]
        );
        assert!(!problems.concat().contains("hunter2"), "{problems:?}");
    }

    #[test]
    fn what_is_empty_is_not_set() {
        let problems = both(&[("DATABASE_URL", ""), ("PORT", "")]).err().unwrap();
        assert_eq!(
            problems,
            [
                "DATABASE_URL is not set (and neither are DATABASE_HOST and DATABASE_PASSWORD)",
                "RABBITMQ_URL (or MESSAGE_BUS_URL) is not set; give an address such as \
                 amqp://user:password@host:5672, without parameters",
                "REDIS_URL is not set; give an address such as redis://:password@host:6379/0, without parameters",
            ]
        );
    }

    #[test]
    fn spans_go_nowhere_when_telemetry_is_off() {
        let telemetry = |enabled: &'static str| {
            let env = |name: &str| match name {
                "TELEMETRY_ENABLED" => Some(enabled.to_owned()),
                "JAEGER_ENDPOINT" => Some("http://jaeger:4318/v1/traces".to_owned()),
                "TELEMETRY_SAMPLE_RATIO" => Some("0.25".to_owned()),
                _ => None,
            };
            let mut reader = Reader::new(&env);
            let config = Config::read(&mut reader, "auth-service", 3001);
            reader.finish(config).ok().unwrap().telemetry
        };
        assert!(telemetry("false").endpoint.is_none());
        let on = telemetry("TRUE");
        assert_eq!(on.endpoint.unwrap().authority(), "jaeger:4318");
        assert!((on.sample_ratio - 0.25).abs() < f64::EPSILON);
    }

    #[test]
    fn the_first_of_two_names_wins() {
        let env = lookup(&[("RABBITMQ_URL", "one"), ("MESSAGE_BUS_URL", "two")]);
        let mut reader = Reader::new(&env);
        let value = reader.required(&["RABBITMQ_URL", "MESSAGE_BUS_URL"], "", |text| Some(text.to_owned()));
        assert_eq!(value.as_deref(), Some("one"));
    }

    #[test]
    fn service_names_are_dns_names() {
        for good in ["a", "auth-service", "v2"] {
            assert!(service_name(good).is_some(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "2a", "ä"] {
            assert!(service_name(bad).is_none(), "{bad}");
        }
    }
}
