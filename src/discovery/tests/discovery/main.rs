//! Service discovery as a process, over real PostgreSQL, RabbitMQ and Redis, and services around it.
//!
//! `BANYAN_TEST_DATABASE_URL`, `BANYAN_TEST_AMQP_URL` and `BANYAN_TEST_REDIS_URL` are servers for tests;
//! `BANYAN_TEST_POSTGRES_BIN` is the folder of PostgreSQL's programs, for a server that is restarted.

#![allow(clippy::unwrap_used)]

mod health;
mod http;
mod lookup;
mod registration;
mod restarts;
mod support;

/// Not a test by itself: the process of service discovery that tests start is this binary.
#[test]
fn process() {
    if std::env::var_os(support::ROLE).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(discovery::serve(&|name| std::env::var(name).ok())).unwrap();
}

#[test]
fn wrong_settings_are_all_named() {
    let env = |name: &str| match name {
        "HEALTH_CHECK_INTERVAL_MS" => Some("0".to_owned()),
        "HEALTH_CHECK_TIMEOUT_MS" => Some("soon".to_owned()),
        "SERVICE_UNHEALTHY_THRESHOLD" => Some("-1".to_owned()),
        _ => None,
    };
    let error = discovery::Settings::read(&env).err().unwrap().to_string();
    for name in [
        "HEALTH_CHECK_INTERVAL_MS",
        "HEALTH_CHECK_TIMEOUT_MS",
        "SERVICE_UNHEALTHY_THRESHOLD",
        "DATABASE_URL",
        "RABBITMQ_URL",
        "REDIS_URL",
    ] {
        assert!(error.contains(name), "{name}: {error}");
    }
    let env = |name: &str| match name {
        "HEALTH_CHECK_INTERVAL_MS" | "HEALTH_CHECK_TIMEOUT_MS" => Some("1000".to_owned()),
        "DATABASE_URL" => Some("postgresql://u:p@db/d".to_owned()),
        "RABBITMQ_URL" => Some("amqp://mq".to_owned()),
        "REDIS_URL" => Some("redis://redis".to_owned()),
        _ => None,
    };
    let error = discovery::Settings::read(&env).err().unwrap().to_string();
    assert!(error.contains("must be less than HEALTH_CHECK_INTERVAL_MS"), "{error}");
}
