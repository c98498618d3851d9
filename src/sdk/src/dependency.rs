//! What a service needs before it can work, and the monitors that keep in touch with it.

mod amqp;
mod http;
mod monitor;
pub(crate) mod redis;
mod sql;
mod trouble;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Endpoint, Stores},
    health::Board,
};

/// Something that a service cannot work without.
#[derive(Clone)]
pub struct Dependency {
    /// The name for it in health answers and logs.
    pub name: String,
    /// How to ask whether it is there.
    pub kind: Kind,
    /// Where it is.
    pub endpoint: Endpoint,
}

/// How to ask a dependency whether it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `SELECT 1` on a connection to PostgreSQL.
    Sql,
    /// A round trip on a channel of a connection to RabbitMQ.
    Amqp,
    /// `PING` on a connection to Redis.
    Redis,
    /// `GET /health/live` below the address of another service.
    Http,
}

impl Dependency {
    /// A dependency on the server at `endpoint`.
    pub fn new(name: impl Into<String>, kind: Kind, endpoint: Endpoint) -> Self {
        Self { name: name.into(), kind, endpoint }
    }
}

impl From<Stores> for Vec<Dependency> {
    fn from(stores: Stores) -> Self {
        vec![
            Dependency::new("postgres", Kind::Sql, stores.database),
            Dependency::new("rabbitmq", Kind::Amqp, stores.message_bus),
            Dependency::new("redis", Kind::Redis, stores.cache),
        ]
    }
}

/// Starts one monitor for each dependency. They write to `board` until `stop` is cancelled.
pub fn watch(dependencies: Vec<Dependency>, board: &Board, stop: &CancellationToken) -> JoinSet<()> {
    let mut monitors = JoinSet::new();
    for Dependency { name, kind, endpoint } in dependencies {
        let password = endpoint.password.clone();
        let monitor = monitor::Monitor::new(name, password, board.clone(), stop.clone());
        match kind {
            Kind::Sql => monitors.spawn(monitor.run(sql::Sql::new(&endpoint))),
            Kind::Amqp => monitors.spawn(monitor.run(amqp::Amqp::new(&endpoint))),
            Kind::Redis => monitors.spawn(monitor.run(redis::Redis::new(&endpoint))),
            Kind::Http => monitors.spawn(monitor.run(http::Http::new(&endpoint))),
        };
    }
    monitors
}
