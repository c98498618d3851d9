//! Builds a projection anew beside the one that is read, and puts it in its place.

use sqlx::{Connection, PgConnection, Row};

use super::{
    Projection,
    step::{self, Barren, Checkpoint, Step, Target, failed, step},
};
use crate::store::{EventStore, Kind, Memory, Open, Position, Postgres, StoreError, Tx, failure};

pub(super) async fn rebuild(store: &EventStore, projection: &dyn Projection, batch: usize) -> Result<(), StoreError> {
    match store.kind() {
        Kind::Postgres(postgres) => in_database(store, postgres, projection, batch).await,
        Kind::Memory(memory) => in_memory(store, memory, projection, batch).await,
    }
}

async fn in_database(
    store: &EventStore,
    postgres: &Postgres,
    projection: &dyn Projection,
    batch: usize,
) -> Result<(), StoreError> {
    let name = projection.name();
    // A lock on this session says that somebody is at it, and ends with it.
    let mut watch = postgres.own_connection("banyan rebuild").await?;
    let free = sqlx::query("select pg_try_advisory_lock(hashtextextended('banyan rebuild ' || $1, 0))")
        .bind(name)
        .fetch_one(&mut watch)
        .await
        .and_then(|row| row.try_get::<bool, _>(0))
        .map_err(failure::statement)?;
    if !free {
        return Err(StoreError::RebuildUnderWay { name: name.to_owned() });
    }
    sqlx::query(
        "insert into projection_rebuilds (projection_name, generation)
            select projection_name, generation + 1 from projection_positions where projection_name = $1
            on conflict do nothing",
    )
    .bind(name)
    .execute(&mut watch)
    .await
    .map_err(failure::statement)?;
    catch_up(store, projection, batch, store.head().await?).await?;
    let generation = swap(store, &mut watch, projection, batch).await?;
    let mut transaction = watch.begin().await.map_err(failure::statement)?;
    let mut tx = Tx(Open::Postgres(&mut transaction));
    tx.retain_documents(name, generation).await?;
    projection.retain(&mut tx, generation).await.map_err(|source| failed(projection, source))?;
    transaction.commit().await.map_err(failure::statement)
}

/// Makes the new generation the one that is read. The live one stands still meanwhile, so that the new one is not behind
/// it for a moment.
async fn swap(
    store: &EventStore,
    connection: &mut PgConnection,
    projection: &dyn Projection,
    batch: usize,
) -> Result<i32, StoreError> {
    let name = projection.name();
    let mut transaction = connection.begin().await.map_err(failure::statement)?;
    let mut rows = Vec::new();
    for target in [Target::Live, Target::Rebuild] {
        let checkpoint = step::checkpoint(&mut transaction, name, target, true).await.map_err(failure::statement)?;
        // The rows were made before and nobody removes them while the rebuild's lock is held.
        rows.push(checkpoint.ok_or_else(|| StoreError::RebuildUnderWay { name: name.to_owned() })?);
    }
    let (live, mut built) = (rows[0], rows[1]);
    let mut barren: Barren = None;
    let mut reached = built.position;
    while reached < live.position {
        let (moved, read_to) =
            step::further(store, &mut transaction, projection, Target::Rebuild, batch, built, barren).await?;
        if moved {
            built.position = read_to;
        }
        barren = (!moved).then_some((built.position, read_to));
        reached = read_to;
    }
    sqlx::query(
        "with built as (delete from projection_rebuilds where projection_name = $1)
            update projection_positions set generation = $2, last_processed_position = $3,
            last_processed_at = clock_timestamp() where projection_name = $1",
    )
    .bind(name)
    .bind(built.generation)
    .bind(reached.0)
    .execute(&mut *transaction)
    .await
    .map_err(failure::statement)?;
    transaction.commit().await.map_err(failure::statement)?;
    Ok(built.generation)
}

async fn catch_up(
    store: &EventStore,
    projection: &dyn Projection,
    batch: usize,
    head: Position,
) -> Result<(), StoreError> {
    let mut barren = None;
    loop {
        match step(store, projection, Target::Rebuild, batch, &mut barren).await? {
            Step::ReadTo(reached) if reached < head => {}
            Step::ReadTo(_) => return Ok(()),
            Step::Busy => return Err(StoreError::RebuildUnderWay { name: projection.name().to_owned() }),
        }
    }
}

async fn in_memory(
    store: &EventStore,
    memory: &Memory,
    projection: &dyn Projection,
    batch: usize,
) -> Result<(), StoreError> {
    let name = projection.name();
    {
        let mut tables = memory.tables().await;
        let generation = tables.projections.live.get(name).map_or(1, |live| live.generation) + 1;
        let new = Checkpoint { position: Position::START, generation };
        if tables.projections.rebuilds.contains_key(name) {
            return Err(StoreError::RebuildUnderWay { name: name.to_owned() });
        }
        tables.projections.rebuilds.insert(name.to_owned(), new);
    }
    loop {
        let head = store.head().await?;
        if let Err(error) = catch_up(store, projection, batch, head).await {
            // The next attempt begins anew, and is to find nothing of this one.
            let tables = &mut memory.tables().await.projections;
            if let Some(given_up) = tables.rebuilds.remove(name) {
                tables.documents.retain(|(of, generation, _), _| of != name || *generation != given_up.generation);
            }
            return Err(error);
        }
        let swapped = memory.transaction(async |tables| {
            let live = tables.projections.live.get(name).map_or(Position::START, |live| live.position);
            if live > head {
                return Ok(false);
            }
            if let Some(built) = tables.projections.rebuilds.remove(name) {
                let position = built.position.max(live);
                tables.projections.live.insert(name.to_owned(), Checkpoint { position, ..built });
                let mut tx = Tx(Open::Memory(tables));
                tx.retain_documents(name, built.generation).await?;
                let retained = projection.retain(&mut tx, built.generation).await;
                retained.map_err(|source| failed(projection, source))?;
            }
            Ok::<_, StoreError>(true)
        });
        if swapped.await? {
            return Ok(());
        }
    }
}
