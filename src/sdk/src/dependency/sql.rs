//! PostgreSQL.

use sqlx::{
    ConnectOptions, Connection, Executor,
    postgres::{PgConnectOptions, PgConnection, PgSslMode},
};

use super::{monitor::Protocol, trouble::Trouble};
use crate::config::{Endpoint, Secret};

pub(super) struct Sql(PgConnectOptions);

impl Sql {
    pub(super) fn new(endpoint: &Endpoint) -> Self {
        let options = PgConnectOptions::new_without_pgpass()
            .host(&endpoint.host)
            .port(endpoint.port)
            .username(endpoint.user.as_deref().unwrap_or("postgres"))
            .password(endpoint.password.as_ref().map_or("", Secret::expose))
            .database(match endpoint.path.as_str() {
                "" => endpoint.user.as_deref().unwrap_or("postgres"),
                name => name,
            })
            .ssl_mode(PgSslMode::Disable)
            .application_name("banyan health");
        Self(options.disable_statement_logging())
    }
}

impl Protocol for Sql {
    type Connection = PgConnection;

    async fn connect(&self) -> Result<PgConnection, Trouble> {
        self.0.connect().await.map_err(trouble)
    }

    async fn round_trip(&self, connection: &mut PgConnection) -> Result<(), Trouble> {
        let answer = connection.execute(sqlx::raw_sql("SELECT 1")).await;
        answer.map(drop).map_err(trouble)
    }

    async fn close(&self, connection: PgConnection) {
        // The server drops the session in any case.
        let _ = connection.close().await;
    }
}

fn trouble(error: sqlx::Error) -> Trouble {
    match error {
        sqlx::Error::Io(error) => Trouble::from(&error),
        sqlx::Error::Database(error) => Trouble::refused(error.message()),
        other => Trouble::unreachable(other.to_string()),
    }
}
