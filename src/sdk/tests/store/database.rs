//! A database for one test.

use std::{future::Future, thread};

use banyan_sdk::{
    config::Endpoint,
    store::{Append, EventStore, Expected, NewEvent, Options, Stream},
};
use serde_json::json;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use uuid::Uuid;

/// A database that is dropped with the value.
pub struct Database {
    name: String,
    server: PgConnectOptions,
    /// Whether it belongs to another process, which drops it.
    lent: bool,
}

impl Database {
    /// On the server that the tests are told of.
    pub async fn new() -> Self {
        Self::on(server()).await
    }

    pub async fn on(server: PgConnectOptions) -> Self {
        let name = format!("banyan_test_{}", Uuid::now_v7().simple());
        let mut admin = server.connect().await.expect("the server of BANYAN_TEST_DATABASE_URL must answer");
        sqlx::raw_sql(AssertSqlSafe(format!("create database {name}"))).execute(&mut admin).await.unwrap();
        admin.close().await.unwrap();
        Self { name, server, lent: false }
    }

    /// One that another process has made.
    pub fn existing(name: &str) -> Self {
        Self { name: name.to_owned(), server: server(), lent: true }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn login(&self) -> PgConnectOptions {
        self.server.clone().database(&self.name)
    }

    pub async fn connect(&self) -> PgConnection {
        self.login().connect().await.unwrap()
    }

    pub async fn store(&self) -> EventStore {
        EventStore::connect_with(self.login(), Options::default()).await.unwrap()
    }

    /// One number.
    pub async fn number(&self, sql: &str) -> i64 {
        let mut connection = self.connect().await;
        let number = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        number
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.lent {
            return;
        }
        let sql = format!("drop database if exists {} with (force)", self.name);
        let server = self.server.clone();
        let drop = async move {
            // The server may be one that the test has killed.
            if let Ok(mut admin) = server.connect().await {
                let _ = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await;
            }
        };
        thread::spawn(|| block_on(drop)).join().unwrap();
    }
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
}

fn server() -> PgConnectOptions {
    let url = std::env::var("BANYAN_TEST_DATABASE_URL").unwrap_or_else(|_| {
        panic!("set BANYAN_TEST_DATABASE_URL to a PostgreSQL server for tests: postgresql://user:password@host:port/postgres")
    });
    let at = Endpoint::parse(&url, &["postgresql", "postgres"], 5432).expect("BANYAN_TEST_DATABASE_URL is no address");
    PgConnectOptions::new_without_pgpass()
        .host(&at.host)
        .port(at.port)
        .username(at.user.as_deref().unwrap_or("postgres"))
        .password(at.password.as_ref().map_or("", |password| password.expose()))
        .database(if at.path.is_empty() { "postgres" } else { &at.path })
}

pub fn event(n: u64) -> NewEvent {
    NewEvent::new("Counted", json!({ "n": n }).into())
}

pub fn append(stream: &str, expected: Expected, events: usize) -> Append {
    let events = (0..events as u64).map(event).collect();
    Append::new("tested", Stream::new("Counter", stream), expected, events)
}
