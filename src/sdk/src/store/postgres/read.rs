//! Reads events and snapshots.

use std::time::{Duration, UNIX_EPOCH};

use futures_util::TryStreamExt;
use sqlx::{PgConnection, Row, ValueRef, postgres::PgRow};
use uuid::Uuid;

use super::batch::microseconds;
use crate::store::event::{Filter, Json, Page, Position, Recorded, Snapshot, Stream, Until};

/// How many positions a page with a filter looks at, when few events pass it.
const WINDOW: i64 = 10_000;

/// Microseconds from 1970 to 2000, where the database's clock begins.
const DATABASE_EPOCH: i64 = 946_684_800_000_000;

macro_rules! columns {
    () => {
        "position, event_id, service, version, event_type, event_version, event_data, metadata, occurred_at, \
         correlation_id, causation_id"
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!("select ", columns!(), ", aggregate_type, aggregate_id from events ", $rest)
    };
}

/// The position of the newest event.
pub(super) async fn head(connection: &mut PgConnection) -> Result<Position, sqlx::Error> {
    let row = sqlx::query("select coalesce(max(position), 0) from events").fetch_one(connection).await?;
    Ok(Position(row.try_get(0)?))
}

/// The events behind `after` that `filter` wants, at most `limit` of them.
pub(crate) async fn page(
    connection: &mut PgConnection,
    after: Position,
    limit: usize,
    filter: &Filter,
) -> Result<Page, sqlx::Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    if filter.is_everything() {
        // There are no gaps, so that a range of positions is a number of events.
        let rows = sqlx::query(select!("where position > $1 and position <= $2 order by position"))
            .bind(after.0)
            .bind(after.0.saturating_add(limit))
            .fetch_all(connection)
            .await?;
        let events = rows.iter().map(located).collect::<Result<Vec<_>, _>>()?;
        let read_to = events.last().map_or(after, |last| last.position);
        return Ok(Page { events, read_to });
    }
    // Asked first: what is committed after this may be missed by the page, and so must not count as read.
    let end = head(connection).await?.0.min(after.0.saturating_add(limit.max(WINDOW)));
    if end <= after.0 {
        return Ok(Page { events: Vec::new(), read_to: after });
    }
    let rows = sqlx::query(select!(
        "where position > $1 and position <= $2 and ($3::text is null or service = $3)
            and (cardinality($4::text[]) = 0 or event_type = any($4)) order by position limit $5"
    ))
    .bind(after.0)
    .bind(end)
    .bind(&filter.service)
    .bind(&filter.event_types)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let events = rows.iter().map(located).collect::<Result<Vec<_>, _>>()?;
    let read_to = match events.last() {
        Some(last) if events.len() as i64 == limit => last.position,
        _ => Position(end),
    };
    Ok(Page { events, read_to })
}

/// The events of `stream` from version `from` on.
pub(super) async fn stream(
    connection: &mut PgConnection,
    stream: &Stream,
    from: u32,
    until: Until,
) -> Result<Vec<Recorded>, sqlx::Error> {
    let (version, time) = match until {
        Until::Now => (None, None),
        Until::Version(version) => (Some(i32::try_from(version).unwrap_or(i32::MAX)), None),
        Until::Time(time) => (None, Some(microseconds(time))),
    };
    let mut rows = sqlx::query(concat!(
        "select ",
        columns!(),
        " from events where aggregate_type = $1 and aggregate_id = $2 and version >= $3
            and version <= coalesce($4, 2147483647) order by version"
    ))
    .bind(&stream.aggregate_type)
    .bind(&stream.aggregate_id)
    // The longest beginning can only be found from the beginning.
    .bind(if time.is_some() { 0 } else { i32::try_from(from).unwrap_or(i32::MAX) })
    .bind(version)
    // Read while the database is still at the next ones.
    .fetch(connection);
    let (mut events, mut over) = (Vec::new(), false);
    while let Some(row) = rows.try_next().await? {
        let event = recorded(&row, stream.clone())?;
        over = over || time.is_some_and(|time| microseconds(event.occurred_at) > time);
        if !over && event.version >= from {
            events.push(event);
        }
    }
    Ok(events)
}

pub(super) async fn snapshot(
    connection: &mut PgConnection,
    stream: &Stream,
    newest: u32,
) -> Result<Option<Snapshot>, sqlx::Error> {
    let row = sqlx::query(
        "select version, state from snapshots where aggregate_type = $1 and aggregate_id = $2 and version <= $3",
    )
    .bind(&stream.aggregate_type)
    .bind(&stream.aggregate_id)
    .bind(i32::try_from(newest).unwrap_or(i32::MAX))
    .fetch_optional(connection)
    .await?;
    row.map(|row| Ok(Snapshot { version: row.try_get::<i32, _>(0)? as u32, state: json(&row, 1)? })).transpose()
}

/// Keeps `snapshot` unless a newer one is there.
pub(super) async fn save(
    connection: &mut PgConnection,
    stream: &Stream,
    snapshot: &Snapshot,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into snapshots (aggregate_type, aggregate_id, version, state) values ($1, $2, $3, $4::text::jsonb)
            on conflict (aggregate_type, aggregate_id) do update
            set version = excluded.version, state = excluded.state, created_at = now()
            where snapshots.version < excluded.version",
    )
    .bind(&stream.aggregate_type)
    .bind(&stream.aggregate_id)
    .bind(i32::try_from(snapshot.version).unwrap_or(i32::MAX))
    .bind(snapshot.state.as_str())
    .execute(connection)
    .await
    .map(drop)
}

fn located(row: &PgRow) -> Result<Recorded, sqlx::Error> {
    recorded(row, Stream { aggregate_type: row.try_get(11)?, aggregate_id: row.try_get(12)? })
}

fn recorded(row: &PgRow, stream: Stream) -> Result<Recorded, sqlx::Error> {
    let micros = i64::from_be_bytes(fixed(row, 8)?).saturating_add(DATABASE_EPOCH);
    Ok(Recorded {
        position: Position(row.try_get(0)?),
        id: row.try_get::<Uuid, _>(1)?,
        service: row.try_get(2)?,
        stream,
        version: row.try_get::<i32, _>(3)? as u32,
        event_type: row.try_get(4)?,
        event_version: row.try_get::<i32, _>(5)? as u32,
        data: json(row, 6)?,
        metadata: json(row, 7)?,
        occurred_at: UNIX_EPOCH + Duration::from_micros(u64::try_from(micros).unwrap_or_default()),
        correlation_id: row.try_get(9)?,
        causation_id: row.try_get(10)?,
    })
}

/// A `jsonb`: one byte for the version of the format, then text.
pub(crate) fn json(row: &PgRow, column: usize) -> Result<Json, sqlx::Error> {
    let bytes = row.try_get_raw(column)?.as_bytes().map_err(sqlx::Error::Decode)?;
    let text = bytes.get(1..).map(std::str::from_utf8).unwrap_or(Ok(""));
    Ok(Json::trusted(text.map_err(|error| sqlx::Error::Decode(error.into()))?))
}

/// The same where there may be none.
pub(crate) fn optional_json(row: &PgRow, column: usize) -> Result<Option<Json>, sqlx::Error> {
    if row.try_get_raw(column)?.is_null() { Ok(None) } else { json(row, column).map(Some) }
}

fn fixed<const N: usize>(row: &PgRow, column: usize) -> Result<[u8; N], sqlx::Error> {
    let bytes = row.try_get_raw(column)?.as_bytes().map_err(sqlx::Error::Decode)?;
    bytes.try_into().map_err(|error: std::array::TryFromSliceError| sqlx::Error::Decode(error.into()))
}
