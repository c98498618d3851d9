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
        apply(connection, version, name, sql).await?;
    }
    Ok(())
}

async fn apply(connection: &mut PgConnection, version: i32, name: &str, sql: &'static str) -> Result<(), StoreError> {
    let failed = |error| failure::migration(name, error);
    let mut transaction = connection.begin().await.map_err(failed)?;
    sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await.map_err(failed)?;
    sqlx::raw_sql(
        "set local client_min_messages = warning;
        create table if not exists banyan_migrations (
            version integer primary key, name text not null, applied_at timestamptz not null default now()
        )",
    )
    .execute(&mut *transaction)
    .await
    .map_err(failed)?;
    let newest = sqlx::query("select coalesce(max(version), 0) from banyan_migrations")
        .fetch_one(&mut *transaction)
        .await
        .and_then(|row| row.try_get::<i32, _>(0))
        .map_err(failed)?;
    if newest > KNOWN {
        return Err(StoreError::SchemaTooNew { found: newest, known: KNOWN });
    }
    if newest < version {
        sqlx::raw_sql(sql).execute(&mut *transaction).await.map_err(failed)?;
        sqlx::query("insert into banyan_migrations (version, name) values ($1, $2)")
            .bind(version)
            .bind(name)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}
