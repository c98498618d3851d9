//! What a service needs before it can work, and the monitors that keep in touch with it.

mod bus;
mod http;
mod monitor;
pub(crate) mod redis;
mod sql;
pub(crate) mod trouble;

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    bus::Bus,
    config::{Endpoint, Secret, Stores},
    health::Board,
};

/// Something that a service works with.
#[derive(Clone)]
pub struct Dependency {
    /// The name for it in health answers and logs.
    pub name: String,
    /// How to ask whether it is there.
    pub kind: Kind,
    /// Where it is.
    pub endpoint: Endpoint,
    /// Whether the service can do nothing without it.
    pub needed: bool,
}

/// How to ask a dependency whether it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `SELECT 1` on a connection to PostgreSQL.
    Sql,
    /// A round trip on a channel of a connection to RabbitMQ; it must not refuse messages either.
    Amqp,
    /// `PING` on a connection to Redis.
    Redis,
    /// `GET /health/live` below the address of another service.
    Http,
}

impl Dependency {
    /// A dependency on the server at `endpoint`, without which the service can do nothing.
    pub fn new(name: impl Into<String>, kind: Kind, endpoint: Endpoint) -> Self {
        Self { name: name.into(), kind, endpoint, needed: true }
    }

    /// The same, where the service works without it, only worse.
    #[must_use]
    pub fn optional(self) -> Self {
        Self { needed: false, ..self }
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
    for Dependency { name, kind, endpoint, .. } in dependencies {
        let password = endpoint.password.clone();
        let monitor = monitor::Monitor::new(name, password, board.clone(), stop.clone());
        match kind {
            Kind::Sql => monitors.spawn(monitor.run(sql::Sql::new(&endpoint))),
            Kind::Amqp => monitors.spawn(monitor.run(bus::Broker::new(endpoint))),
            Kind::Redis => monitors.spawn(monitor.run(redis::Redis::new(&endpoint))),
            Kind::Http => monitors.spawn(monitor.run(http::Http::new(&endpoint))),
        };
    }
    monitors
}

/// The board for these dependencies, and for `more` that others write to.
pub(crate) fn board(service: &str, version: &str, dependencies: &[Dependency], more: &[&str]) -> Board {
    let names = dependencies.iter().map(|dependency| dependency.name.clone());
    let board = Board::new(service, version, names.chain(more.iter().map(|name| (*name).to_owned())));
    dependencies.iter().filter(|it| !it.needed).fold(board, |board, it| board.optional(&it.name))
}

/// Watches the broker and its queues by the bus that the service has anyway, until `stop` is cancelled.
pub(crate) async fn watch_bus(
    name: &str,
    bus: Arc<dyn Bus>,
    password: Option<Secret>,
    board: Board,
    stop: CancellationToken,
) {
    let mut flaw = bus.flaw();
    let telling = async {
        loop {
            board.remark(name, flaw.borrow_and_update().as_ref().map(ToString::to_string));
            if flaw.changed().await.is_err() {
                return;
            }
        }
    };
    let monitor = monitor::Monitor::new(name.to_owned(), password, board.clone(), stop.clone());
    tokio::join!(monitor.run(bus::Broker::of(bus)), stop.run_until_cancelled(telling));
}
