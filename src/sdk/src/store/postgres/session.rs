//! Connections that can be told from others, and ended from elsewhere.

use std::time::Duration;

use sqlx::{ConnectOptions, Connection, PgConnection, Row, postgres::PgConnectOptions};
use tokio::time::{Instant, sleep, timeout};

use super::failure::{self, Kind};

/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(50);

/// How long the server may take to end a session.
const END: Duration = Duration::from_secs(5);

/// How to connect for writing.
#[derive(Clone)]
pub(super) struct Sessions {
    pub(super) options: PgConnectOptions,
    /// How long a server that does not answer is given.
    pub(super) patience: Duration,
}

/// A connection to a process of the server that is known.
pub(super) struct Session {
    pub(super) connection: PgConnection,
    pub(super) identity: Identity,
}

/// A process of the server. Its number alone may be that of another one later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pid: i32,
    started: Option<String>,
}

impl Sessions {
    /// Connects, and keeps trying while the server cannot be reached and there is patience left.
    pub(super) async fn open(&self) -> Result<Session, sqlx::Error> {
        let end = Instant::now() + self.patience;
        loop {
            let attempt = match timeout(end.saturating_duration_since(Instant::now()), self.attempt()).await {
                Ok(attempt) => attempt,
                Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
            };
            match attempt {
                Err(error) if failure::kind(&error) == Kind::Lost && Instant::now() + PAUSE < end => sleep(PAUSE).await,
                answer => return answer,
            }
        }
    }

    async fn attempt(&self) -> Result<Session, sqlx::Error> {
        let mut connection = self.options.connect().await?;
        let row = sqlx::query("select pid, backend_start::text from pg_stat_activity where pid = pg_backend_pid()")
            .persistent(false)
            .fetch_one(&mut connection)
            .await?;
        let identity = Identity { pid: row.try_get(0)?, started: row.try_get(1)? };
        Ok(Session { connection, identity })
    }
}

impl Session {
    /// Ends the session `other` if it is still there; false when it is there afterwards.
    pub(super) async fn end(&mut self, other: &Identity) -> Result<bool, sqlx::Error> {
        let rows = sqlx::query(
            "select pg_terminate_backend(pid, $3) from pg_stat_activity where pid = $1 and backend_start::text = $2",
        )
        .bind(other.pid)
        .bind(&other.started)
        .bind(END.as_millis() as i64)
        .persistent(false)
        .fetch_all(&mut self.connection)
        .await?;
        rows.iter().try_fold(true, |ended, row| Ok(ended && row.try_get::<bool, _>(0)?))
    }

    pub(super) async fn close(self) {
        // The server ends the session in any case.
        let _ = self.connection.close().await;
    }
}
