//! Brings the tables to the form that this version works with.

use sqlx::{Connection, PgConnection, Row};

use super::failure;
use crate::store::StoreError;

/// Held while the tables change, so that several processes may start at once.
const LOCK: i64 = 7_089_054_353_921_802_851;

const MIGRATIONS: &[(&str, &str)] = &[
    ("events", include_str!("migrations/1_events.sql")),
    ("snapshots", include_str!("migrations/2_snapshots.sql")),
    ("projections", include_str!("migrations/3_projections.sql")),
    ("handled", include_str!("migrations/4_handled.sql")),
    ("outbox", include_str!("migrations/5_outbox.sql")),
    ("refused", include_str!("migrations/6_refused.sql")),
    ("append_event", include_str!("migrations/7_append_event.sql")),
];

/// The version of the tables that this program makes and knows.
pub(super) const KNOWN: i32 = MIGRATIONS.len() as i32;

/// Applies what is missing, each migration in a transaction of its own.
pub(super) async fn migrate(connection: &mut PgConnection) -> Result<(), StoreError> {
    for (version, (name, sql)) in (1..).zip(MIGRATIONS) {
        let platform = Step { made: PLATFORM, set: "", known: KNOWN, version, name, sql };
        apply(connection, &platform).await?;
    }
    Ok(())
}

/// The same for the tables of a service's own.
pub(in crate::store) async fn migrate_own(
    connection: &mut PgConnection,
    set: &str,
    migrations: &'static [(&'static str, &'static str)],
) -> Result<(), StoreError> {
    let known = i32::try_from(migrations.len()).unwrap_or(i32::MAX);
    for (version, (name, sql)) in (1..).zip(migrations) {
        apply(connection, &Step { made: OWN, set, known, version, name, sql }).await?;
    }
    Ok(())
}

/// Where it is kept what was applied.
struct Kept {
    table: &'static str,
    newest: &'static str,
    insert: &'static str,
}

const PLATFORM: Kept = Kept {
    table: "create table if not exists banyan_migrations (
        version integer primary key, name text not null, applied_at timestamptz not null default now()
    )",
    newest: "select coalesce(max(version), 0) from banyan_migrations where $1 = ''",
    insert: "insert into banyan_migrations (version, name) select $2, $3 where $1 = ''",
};

const OWN: Kept = Kept {
    table: "create table if not exists banyan_service_migrations (
        owner text not null, version integer not null, name text not null,
        applied_at timestamptz not null default now(), primary key (owner, version)
    )",
    newest: "select coalesce(max(version), 0) from banyan_service_migrations where owner = $1",
    insert: "insert into banyan_service_migrations (owner, version, name) values ($1, $2, $3)",
};

struct Step<'a> {
    made: Kept,
    set: &'a str,
    known: i32,
    version: i32,
    name: &'a str,
    sql: &'static str,
}

async fn apply(connection: &mut PgConnection, step: &Step<'_>) -> Result<(), StoreError> {
    let Step { made, set, known, version, name, sql } = step;
    let failed = |error| failure::migration(name, error);
    let mut transaction = connection.begin().await.map_err(failed)?;
    sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await.map_err(failed)?;
    sqlx::raw_sql("set local client_min_messages = warning").execute(&mut *transaction).await.map_err(failed)?;
    sqlx::raw_sql(made.table).execute(&mut *transaction).await.map_err(failed)?;
    let newest = sqlx::query(made.newest)
        .bind(set)
        .fetch_one(&mut *transaction)
        .await
        .and_then(|row| row.try_get::<i32, _>(0))
        .map_err(failed)?;
    if newest > *known {
        return Err(StoreError::SchemaTooNew { found: newest, known: *known });
    }
    if newest < *version {
        sqlx::raw_sql(*sql).execute(&mut *transaction).await.map_err(failed)?;
        sqlx::query(made.insert).bind(set).bind(version).bind(name).execute(&mut *transaction).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}
