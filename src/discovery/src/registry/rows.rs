//! The registry's tables, read and written.

use std::collections::BTreeMap;

use banyan_sdk::{
    Fault,
    protocol::{Timestamp, discovery::DependencyKind},
    store::{EventStore, StoreError},
};
use sqlx::{Connection as _, Row, postgres::PgRow};

use super::{Entry, Registered};
use crate::announcement::Instance;

/// What was not needed for so many days is no dependency any more.
const FORGOTTEN: i32 = 30;

/// One version of a service.
pub(super) struct VersionRow {
    pub(super) service_name: String,
    pub(super) version: String,
    pub(super) last_updated: Timestamp,
    /// Whether an instance of it is there.
    pub(super) runs: bool,
}

/// An instance that is there, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InstanceRow {
    pub(crate) service_id: String,
    pub(crate) service_name: String,
    pub(crate) version: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) started_at: Timestamp,
}

/// One service needs another for messages of one type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) kind: DependencyKind,
    pub(crate) message_type: String,
}

/// A moment as the tables give it: milliseconds since 1970.
fn moment(row: &PgRow, column: &str) -> Result<Timestamp, sqlx::Error> {
    Ok(Timestamp::from_millis(row.try_get(column)?))
}

fn json<T: serde::de::DeserializeOwned>(row: &PgRow, column: &str) -> Result<T, sqlx::Error> {
    let text: String = row.try_get(column)?;
    serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

fn failed(error: sqlx::Error) -> Fault {
    Fault::from(StoreError::from(error))
}

const REGISTERED: &str = "select service_name, version, contracts::text as contracts, checksum,
        (extract(epoch from registered_at) * 1000)::bigint as registered_at,
        (extract(epoch from last_updated) * 1000)::bigint as last_updated
    from service_contracts";

fn registered(row: &PgRow) -> Result<Registered, sqlx::Error> {
    Ok(Registered {
        service_name: row.try_get("service_name")?,
        version: row.try_get("version")?,
        contracts: json(row, "contracts")?,
        checksum: row.try_get("checksum")?,
        registered_at: moment(row, "registered_at")?,
        last_updated: moment(row, "last_updated")?,
    })
}

pub(super) async fn find(store: &EventStore, service: &str, version: &str) -> Result<Option<Registered>, Fault> {
    let mut connection = store.connection("select service_contracts").await?;
    let sql = sqlx::AssertSqlSafe(format!("{REGISTERED} where service_name = $1 and version = $2"));
    let row = sqlx::query(sql).bind(service).bind(version).fetch_optional(&mut *connection).await.map_err(failed)?;
    row.as_ref().map(registered).transpose().map_err(failed)
}

pub(super) async fn of_service(store: &EventStore, service: &str) -> Result<Vec<Registered>, Fault> {
    let mut connection = store.connection("select service_contracts").await?;
    let sql = sqlx::AssertSqlSafe(format!("{REGISTERED} where service_name = $1"));
    let rows = sqlx::query(sql).bind(service).fetch_all(&mut *connection).await.map_err(failed)?;
    rows.iter().map(registered).collect::<Result<_, _>>().map_err(failed)
}

pub(super) async fn all(store: &EventStore) -> Result<Vec<Registered>, Fault> {
    let mut connection = store.connection("select service_contracts").await?;
    let sql = sqlx::AssertSqlSafe(format!("{REGISTERED} order by service_name"));
    let rows = sqlx::query(sql).fetch_all(&mut *connection).await.map_err(failed)?;
    rows.iter().map(registered).collect::<Result<_, _>>().map_err(failed)
}

pub(super) async fn versions(store: &EventStore, service: Option<&str>) -> Result<Vec<VersionRow>, Fault> {
    let mut connection = store.connection("select service_contracts").await?;
    let rows = sqlx::query(
        "select service_name, version, (extract(epoch from last_updated) * 1000)::bigint as last_updated,
                exists (select from service_instances i
                        where i.service_name = c.service_name and i.version = c.version) as runs
            from service_contracts c where $1::text is null or service_name = $1",
    )
    .bind(service)
    .fetch_all(&mut *connection)
    .await
    .map_err(failed)?;
    let version = |row: &PgRow| {
        Ok(VersionRow {
            service_name: row.try_get("service_name")?,
            version: row.try_get("version")?,
            last_updated: moment(row, "last_updated")?,
            runs: row.try_get("runs")?,
        })
    };
    rows.iter().map(version).collect::<Result<_, _>>().map_err(failed)
}

pub(super) async fn history(store: &EventStore, service: &str) -> Result<Vec<Entry>, Fault> {
    let mut connection = store.connection("select service_contract_history").await?;
    let rows = sqlx::query(
        "select version, checksum, verdict, faults::text as faults, differences::text as differences, service_id,
                (extract(epoch from first_at) * 1000)::bigint as first_at,
                (extract(epoch from last_at) * 1000)::bigint as last_at, times, contracts::text as contracts
            from service_contract_history where service_name = $1 order by last_at desc, id desc limit 1000",
    )
    .bind(service)
    .fetch_all(&mut *connection)
    .await
    .map_err(failed)?;
    let entry = |row: &PgRow| {
        Ok(Entry {
            version: row.try_get("version")?,
            checksum: row.try_get("checksum")?,
            verdict: row.try_get("verdict")?,
            faults: json(row, "faults")?,
            differences: json(row, "differences")?,
            service_id: row.try_get("service_id")?,
            first_at: moment(row, "first_at")?,
            last_at: moment(row, "last_at")?,
            times: u32::try_from(row.try_get::<i32, _>("times")?).unwrap_or(0),
            contracts: json(row, "contracts")?,
        })
    };
    rows.iter().map(entry).collect::<Result<_, _>>().map_err(failed)
}

/// Whether the instance is new, or of another version than before.
pub(super) async fn note(store: &EventStore, instance: &Instance) -> Result<bool, Fault> {
    let mut connection = store.connection("insert service_instances").await?;
    let mut transaction = connection.begin().await.map_err(failed)?;
    let noted = sqlx::query(
        "insert into service_instances (service_id, service_name, version, endpoint, started_at)
            values ($1, $2, $3, $4, to_timestamp($5::double precision / 1000))
            on conflict (service_id) do update set version = excluded.version, endpoint = excluded.endpoint
                where (service_instances.version, service_instances.endpoint)
                    is distinct from (excluded.version, excluded.endpoint)",
    )
    .bind(&instance.id)
    .bind(instance.service.as_str())
    .bind(instance.version.to_string())
    .bind(&instance.endpoint)
    .bind(instance.since.millis() as f64)
    .execute(&mut *transaction)
    .await
    .map_err(failed)?;
    for dependency in &instance.dependencies {
        sqlx::query(
            "insert into service_dependencies (service_name, depends_on, kind, message_type)
                select $1, $2, $3, unnest($4::text[])
                on conflict (service_name, depends_on, kind, message_type) do update set last_seen = now()",
        )
        .bind(instance.service.as_str())
        .bind(&dependency.service_name)
        .bind(word(dependency.kind))
        .bind(&dependency.message_types)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)?;
    Ok(noted.rows_affected() > 0)
}

/// Whether the instance was known.
pub(super) async fn leave(store: &EventStore, id: &str) -> Result<bool, Fault> {
    let mut connection = store.connection("delete service_instances").await?;
    let deleted = sqlx::query("delete from service_instances where service_id = $1")
        .bind(id)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    Ok(deleted.rows_affected() > 0)
}

pub(super) async fn instances(store: &EventStore) -> Result<Vec<InstanceRow>, Fault> {
    let mut connection = store.connection("select service_instances").await?;
    let rows = sqlx::query(
        "select service_id, service_name, version, endpoint, (extract(epoch from started_at) * 1000)::bigint as started_at
            from service_instances order by service_name, service_id",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(failed)?;
    let instance = |row: &PgRow| {
        Ok(InstanceRow {
            service_id: row.try_get("service_id")?,
            service_name: row.try_get("service_name")?,
            version: row.try_get("version")?,
            endpoint: row.try_get("endpoint")?,
            started_at: moment(row, "started_at")?,
        })
    };
    rows.iter().map(instance).collect::<Result<_, _>>().map_err(failed)
}

/// The services that ever had contracts or have instances, with what was told of their health.
pub(super) async fn told(store: &EventStore) -> Result<BTreeMap<String, Option<String>>, Fault> {
    let mut connection = store.connection("select service_health").await?;
    let rows = sqlx::query(
        "select service_name, status from
            (select service_name from service_contracts union select service_name from service_instances) all_services
            left join service_health using (service_name)",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(failed)?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_, _>>().map_err(failed)
}

pub(super) async fn edges(store: &EventStore) -> Result<Vec<Edge>, Fault> {
    let mut connection = store.connection("select service_dependencies").await?;
    let rows = sqlx::query(
        "select service_name, depends_on, kind, message_type from service_dependencies
            where last_seen > now() - make_interval(days => $1) order by 1, 2, 3, 4",
    )
    .bind(FORGOTTEN)
    .fetch_all(&mut *connection)
    .await
    .map_err(failed)?;
    let edge = |row: &PgRow| {
        let kind: String = row.try_get("kind")?;
        let kind = if kind == word(DependencyKind::Calls) { DependencyKind::Calls } else { DependencyKind::Listens };
        let message_type = row.try_get("message_type")?;
        Ok(Edge { from: row.try_get("service_name")?, to: row.try_get("depends_on")?, kind, message_type })
    };
    rows.iter().map(edge).collect::<Result<_, _>>().map_err(failed)
}

pub(crate) fn word(kind: DependencyKind) -> &'static str {
    match kind {
        DependencyKind::Calls => "calls",
        DependencyKind::Listens => "listens",
    }
}
