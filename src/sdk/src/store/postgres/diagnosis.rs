//! Says who stands in the way.

use std::time::Duration;

use sqlx::{PgConnection, Row};

/// A session of the database's server that keeps a transaction open.
#[derive(Debug, Clone, PartialEq)]
pub struct Holder {
    /// The server's process, as `pg_terminate_backend` wants it.
    pub pid: i32,
    /// The database that it works in. A transaction that is open elsewhere keeps dead rows from being removed here too.
    pub database: String,
    /// What the session says it is.
    pub application: String,
    /// Whether it runs a statement (`active`) or waits for its client (`idle in transaction`).
    pub state: String,
    /// How long its transaction has been open.
    pub open_for: Duration,
    /// The processes that wait for it.
    pub blocks: Vec<i32>,
}

/// Sessions whose transactions have been open for `at_least`, and those that others wait for. The longest comes first.
pub(super) async fn holders(connection: &mut PgConnection, at_least: Duration) -> Result<Vec<Holder>, sqlx::Error> {
    let rows = sqlx::query(
        "with waits as (
            select w.pid, b.blocker from pg_stat_activity w, unnest(pg_blocking_pids(w.pid)) as b(blocker)
            where w.wait_event_type = 'Lock'
        )
        select a.pid, coalesce(a.datname, ''), a.application_name, coalesce(a.state, ''),
            extract(epoch from coalesce(clock_timestamp() - a.xact_start, interval '0'))::double precision,
            array(select w.pid from waits w where w.blocker = a.pid order by w.pid)
        from pg_stat_activity a
        where a.pid <> pg_backend_pid() and a.backend_type = 'client backend'
            and (a.xact_start <= clock_timestamp() - make_interval(secs => $1)
                or exists (select from waits w where w.blocker = a.pid))
        order by a.xact_start nulls last",
    )
    .bind(at_least.as_secs_f64())
    .persistent(false)
    .fetch_all(connection)
    .await?;
    let holder = |row: &sqlx::postgres::PgRow| {
        Ok(Holder {
            pid: row.try_get(0)?,
            database: row.try_get(1)?,
            application: row.try_get(2)?,
            state: row.try_get(3)?,
            open_for: Duration::try_from_secs_f64(row.try_get(4)?).unwrap_or_default(),
            blocks: row.try_get(5)?,
        })
    };
    rows.iter().map(holder).collect()
}
