//! One commit: several appends, each of which succeeds or fails by itself.

use std::collections::{HashMap, VecDeque};

use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::{
    batch::{self, Columns},
    failure::{self, Kind},
};
use crate::store::{
    StoreError,
    companion::{Open, Tx},
    event::{Append, Appended, Json},
};

/// What became of each append.
pub(super) struct Outcome {
    pub(super) results: Vec<Result<Appended, StoreError>>,
}

/// Why nothing became of any.
pub(super) enum Failed {
    /// The server said that it undid everything.
    Undone(sqlx::Error),
    /// Nobody said whether it is done.
    Unknown(sqlx::Error),
}

/// Stores `appends` in one transaction, and tells other processes with it if `tell` says so.
pub(super) async fn commit(connection: &mut PgConnection, appends: &[&Append], tell: bool) -> Result<Outcome, Failed> {
    let (plain, companied): (Vec<usize>, Vec<usize>) =
        (0..appends.len()).partition(|&index| appends[index].companions.is_empty());
    let mut units = VecDeque::new();
    if companied.is_empty() {
        // The statement is its own transaction: one round trip.
        match append(connection, appends, tell).await {
            Ok(results) => return Ok(Outcome { results }),
            Err(error) => match failure::kind(&error) {
                Kind::Lost => return Err(Failed::Unknown(error)),
                Kind::Data if appends.len() == 1 => {
                    return Ok(Outcome { results: vec![Err(failure::of_append(&appends[0].stream, error))] });
                }
                Kind::Data => units.extend(plain.into_iter().map(|index| vec![index])),
                _ => return Err(Failed::Undone(error)),
            },
        }
    } else {
        units.extend(Some(plain).filter(|plain| !plain.is_empty()));
        units.extend(companied.into_iter().map(|index| vec![index]));
    }
    let results = one_by_one(connection, appends, units, tell).await.map_err(Failed::Unknown)?;
    Ok(Outcome { results })
}

/// Stores each of `units` in a savepoint of its own. A unit of several appends whose data the database refuses is taken
/// apart.
async fn one_by_one(
    connection: &mut PgConnection,
    appends: &[&Append],
    mut units: VecDeque<Vec<usize>>,
    tell: bool,
) -> Result<Vec<Result<Appended, StoreError>>, sqlx::Error> {
    let mut results: Vec<_> = appends.iter().map(|_| None).collect();
    run(connection, "begin; savepoint unit").await?;
    while let Some(unit) = units.pop_front() {
        let members: Vec<&Append> = unit.iter().map(|&index| appends[index]).collect();
        match attempt(connection, &members, tell).await {
            Ok(done) => {
                for (&index, result) in unit.iter().zip(done) {
                    results[index] = Some(result);
                }
                continue;
            }
            Err(Attempt::Lost(error)) => return Err(error),
            Err(Attempt::Refused(error)) if unit.len() == 1 => results[unit[0]] = Some(Err(error)),
            Err(Attempt::Refused(_)) => unit.into_iter().rev().for_each(|index| units.push_front(vec![index])),
        }
        run(connection, "rollback to savepoint unit").await?;
    }
    run(connection, "commit").await?;
    Ok(results.into_iter().map(|result| result.expect("each append is in a unit")).collect())
}

enum Attempt {
    /// The unit is to be undone.
    Refused(StoreError),
    /// The connection is gone.
    Lost(sqlx::Error),
}

async fn attempt(
    connection: &mut PgConnection,
    members: &[&Append],
    tell: bool,
) -> Result<Vec<Result<Appended, StoreError>>, Attempt> {
    let stream = &members[0].stream;
    let judged = |error: sqlx::Error| match failure::kind(&error) {
        Kind::Lost => Attempt::Lost(error),
        _ => Attempt::Refused(failure::of_append(stream, error)),
    };
    let done = append(connection, members, tell).await.map_err(judged)?;
    if done[0].is_ok() {
        for companion in members.iter().flat_map(|member| &member.companions) {
            let ran = companion.run(&mut Tx(Open::Postgres(&mut *connection))).await;
            ran.map_err(|source| Attempt::Refused(StoreError::Companion { stream: stream.clone(), source }))?;
        }
    }
    // Fails when a companion went on after an error of the database.
    run(connection, "release savepoint unit; savepoint unit").await.map_err(judged)?;
    Ok(done)
}

async fn append(
    connection: &mut PgConnection,
    appends: &[&Append],
    tell: bool,
) -> Result<Vec<Result<Appended, StoreError>>, sqlx::Error> {
    let (bases, actual) = match appends {
        [lone] if lone.events.len() == 1 => append_event(connection, lone, tell).await?,
        _ => append_events(connection, appends, tell).await?,
    };
    let results = appends.iter().zip(bases).zip(actual).map(|((append, base), actual)| {
        let actual = actual as u32;
        if base >= 0 {
            Ok(Appended::behind(base, actual, append.events.len()))
        } else {
            Err(StoreError::Conflict { stream: append.stream.clone(), expected: append.expected, actual })
        }
    });
    Ok(results.collect())
}

/// For each append the position before its first event, negative when it was refused, and the version of its stream.
type Places = (Vec<i64>, Vec<i32>);

async fn append_events(connection: &mut PgConnection, appends: &[&Append], tell: bool) -> Result<Places, sqlx::Error> {
    let columns = Columns::of(appends);
    let row = sqlx::query(
        "select bases, actual from append_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
    )
    .bind(columns.expected)
    .bind(columns.count)
    .bind(columns.previous)
    .bind(columns.append)
    .bind(columns.index)
    .bind(columns.service)
    .bind(columns.aggregate_type)
    .bind(columns.aggregate_id)
    .bind(columns.id)
    .bind(columns.event_type)
    .bind(columns.event_version)
    .bind(columns.data)
    .bind(columns.metadata)
    .bind(columns.occurred_at)
    .bind(columns.correlation)
    .bind(columns.causation)
    .bind(tell)
    .fetch_one(connection)
    .await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// The same for one event of one append, as it is when nobody else writes: the shorter way.
async fn append_event(connection: &mut PgConnection, append: &Append, tell: bool) -> Result<Places, sqlx::Error> {
    let event = &append.events[0];
    let row =
        sqlx::query("select base, actual from append_event($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)")
            .bind(batch::expected(append.expected))
            .bind(&append.service)
            .bind(&append.stream.aggregate_type)
            .bind(&append.stream.aggregate_id)
            .bind(event.id)
            .bind(&event.event_type)
            .bind(batch::number_of(event.event_version))
            .bind(event.data.as_str())
            .bind(event.metadata.as_ref().map(Json::as_str))
            .bind(event.occurred_at.map(batch::microseconds))
            .bind(event.correlation_id.as_deref())
            .bind(event.causation_id.as_deref())
            .bind(tell)
            .fetch_one(connection)
            .await?;
    Ok((vec![row.try_get(0)?], vec![row.try_get(1)?]))
}

/// Stores one more append within a transaction that has stored another one.
pub(crate) async fn append_within(connection: &mut PgConnection, other: &Append) -> Result<(), StoreError> {
    let failed = |error| failure::of_append(&other.stream, error);
    append(connection, &[other], false).await.map_err(failed)?.remove(0).map(drop)
}

/// Which of `appends` are in the table, and where.
pub(super) async fn stored(
    connection: &mut PgConnection,
    appends: &[&Append],
) -> Result<Vec<Option<Appended>>, sqlx::Error> {
    let first: Vec<Uuid> = appends.iter().flat_map(|append| append.events.first()).map(|event| event.id).collect();
    let rows = sqlx::query(
        "select event_id, aggregate_type, aggregate_id, position, version from events where event_id = any($1)",
    )
    .bind(first)
    .fetch_all(connection)
    .await?;
    let mut found = HashMap::new();
    for row in rows {
        let stream: (String, String) = (row.try_get(1)?, row.try_get(2)?);
        let place: (i64, i32) = (row.try_get(3)?, row.try_get(4)?);
        found.insert(row.try_get::<Uuid, _>(0)?, (stream, place));
    }
    let look = |append: &&Append| {
        let ((aggregate_type, aggregate_id), (position, version)) = found.get(&append.events.first()?.id)?;
        let same = *aggregate_type == append.stream.aggregate_type && *aggregate_id == append.stream.aggregate_id;
        same.then(|| Appended::behind(position - 1, *version as u32 - 1, append.events.len()))
    };
    Ok(appends.iter().map(look).collect())
}

async fn run(connection: &mut PgConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(sql).execute(connection).await.map(drop)
}
