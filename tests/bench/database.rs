//! The server, and a database on it that is dropped with the value.

use std::{str::FromStr, thread};

use banyan_sdk::{
    ids,
    store::{EventStore, Options},
};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row,
    postgres::{PgConnectOptions, PgSslMode},
};

use crate::Result;

/// The server of `BANYAN_TEST_DATABASE_URL`.
pub struct Server {
    url: String,
}

impl Server {
    pub fn from_environment() -> Result<Self> {
        let url = std::env::var("BANYAN_TEST_DATABASE_URL").map_err(|_| "BANYAN_TEST_DATABASE_URL names no server")?;
        login(&url)?;
        Ok(Self { url })
    }

    /// What the figures depend on.
    pub async fn conditions(&self) -> Result<Vec<(&'static str, String)>> {
        let login = login(&self.url)?;
        let mut connection = login.connect().await?;
        let row = sqlx::query(
            "select current_setting('server_version'), current_setting('synchronous_commit'), current_setting('fsync'),
                current_setting('full_page_writes'), current_setting('shared_buffers')",
        )
        .fetch_one(&mut connection)
        .await?;
        connection.close().await?;
        let setting = |index: usize| row.try_get::<String, _>(index);
        let way = if login.get_socket().is_some() { "a Unix socket" } else { "TCP" };
        Ok(vec![
            ("server", format!("PostgreSQL {} over {way}, shared_buffers {}", setting(0)?, setting(4)?)),
            (
                "durability",
                format!("synchronous_commit {}, fsync {}, full_page_writes {}", setting(1)?, setting(2)?, setting(3)?),
            ),
        ])
    }

    /// An empty database.
    pub async fn database(&self) -> Result<Database> {
        let name = format!("banyan_bench_{:032x}", ids::random());
        let mut admin = login(&self.url)?.connect().await?;
        sqlx::raw_sql(AssertSqlSafe(format!("create database {name}"))).execute(&mut admin).await?;
        // What the last one left to be written must not slow this one down.
        sqlx::raw_sql("checkpoint").execute(&mut admin).await?;
        admin.close().await?;
        Ok(Database { url: with_path(&self.url, &name), server: self.url.clone(), name })
    }
}

/// A database that is dropped with the value.
pub struct Database {
    /// What any client takes.
    pub url: String,
    server: String,
    name: String,
}

impl Database {
    pub async fn connect(&self) -> Result<PgConnection> {
        Ok(login(&self.url)?.connect().await?)
    }

    /// Runs statements.
    pub async fn run(&self, sql: &str) -> Result<()> {
        let mut connection = self.connect().await?;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// One number.
    pub async fn number(&self, sql: &str) -> Result<i64> {
        let mut connection = self.connect().await?;
        let number = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(number)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, sql) = (self.server.clone(), format!("drop database if exists {} with (force)", self.name));
        let dropped = thread::spawn(move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut admin = login(&server)?.connect().await?;
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await?;
                Ok(())
            })
        });
        if let Ok(Err(error)) = dropped.join() {
            eprintln!("the database {} stays: {error}", self.name);
        }
    }
}

/// The event store in the database at `url`, whose tables are made if they are not there.
pub async fn store(url: &str) -> Result<EventStore> {
    Ok(EventStore::connect_with(login(url)?, Options::default()).await?)
}

fn login(url: &str) -> Result<PgConnectOptions> {
    Ok(PgConnectOptions::from_str(url)?.ssl_mode(PgSslMode::Disable).disable_statement_logging())
}

/// The same address of another database.
fn with_path(url: &str, name: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
    let authority = address.find("://").map_or(0, |at| at + 3);
    let path = address[authority..].find('/').map_or(address.len(), |at| authority + at);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{name}{query}", &address[..path])
}
