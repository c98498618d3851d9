//! One step of a projection: a page of events, their effect and the new position, as one transaction.

use std::collections::HashMap;

use sqlx::{Acquire, PgConnection, Row};

use super::{Projection, tables::Tables};
use crate::store::{
    EventStore, Filter, Kind, Memory, Open, Position, Postgres, Refusal, StoreError, Tx, failure, page,
};

/// When no event of a page is wanted, the position is only moved if that saves reading at least so many again.
const WORTH_A_WRITE: i64 = 10_000;

/// How far a generation of a projection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(super) position: Position,
    pub(super) generation: i32,
}

/// Which generation a step is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The one that is read.
    Live,
    /// The one that is being built.
    Rebuild,
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing: somebody else is at it.
    Busy,
    /// It looked at everything up to here.
    ReadTo(Position),
}

/// Events that are not wanted: from a checkpoint, which has not been moved, to here.
pub(super) type Barren = Option<(Position, Position)>;

/// Looks at the next page and takes in what is wanted of it.
pub(super) async fn step(
    store: &EventStore,
    projection: &dyn Projection,
    target: Target,
    limit: usize,
    barren: &mut Barren,
) -> Result<Step, StoreError> {
    let done = match store.kind() {
        Kind::Postgres(postgres) => in_database(store, postgres, projection, target, limit, *barren).await?,
        Kind::Memory(memory) => in_memory(store, memory, projection, target, limit, *barren).await?,
    };
    let Some((checkpoint, moved, read_to)) = done else { return Ok(Step::Busy) };
    *barren = (!moved).then_some((checkpoint.position, read_to));
    Ok(Step::ReadTo(read_to))
}

type Done = Option<(Checkpoint, bool, Position)>;

async fn in_database(
    store: &EventStore,
    postgres: &Postgres,
    projection: &dyn Projection,
    target: Target,
    limit: usize,
    barren: Barren,
) -> Result<Done, StoreError> {
    let name = projection.name();
    let mut connection = postgres.connection("step projection").await?;
    let mut transaction = connection.begin().await.map_err(failure::statement)?;
    let checkpoint = checkpoint(&mut transaction, name, target, false).await.map_err(failure::statement)?;
    let Some(checkpoint) = checkpoint else { return Ok(None) };
    let (moved, read_to) = further(store, &mut transaction, projection, target, limit, checkpoint, barren).await?;
    transaction.commit().await.map_err(failure::statement)?;
    Ok(Some((checkpoint, moved, read_to)))
}

/// Within a transaction that holds the row of `checkpoint`.
pub(super) async fn further(
    store: &EventStore,
    connection: &mut PgConnection,
    projection: &dyn Projection,
    target: Target,
    limit: usize,
    checkpoint: Checkpoint,
    barren: Barren,
) -> Result<(bool, Position), StoreError> {
    let after = begin(checkpoint, barren);
    let mut page = page(connection, after, limit, &projection.filter()).await.map_err(failure::statement)?;
    let moved = !page.events.is_empty() || page.read_to.0 - checkpoint.position.0 >= WORTH_A_WRITE;
    if !page.events.is_empty() {
        store.upcast(&mut page.events)?;
        let mut tx = Tx(Open::Postgres(&mut *connection));
        let applied = projection.apply(&mut tx, checkpoint.generation, &page.events);
        applied.await.map_err(|source| failed(projection, source))?;
    }
    if moved {
        let sql = match target {
            Target::Live => {
                "update projection_positions set last_processed_position = $2, last_processed_at = clock_timestamp()
                    where projection_name = $1"
            }
            Target::Rebuild => {
                "update projection_rebuilds set last_processed_position = $2, last_processed_at = clock_timestamp()
                    where projection_name = $1"
            }
        };
        let update = sqlx::query(sql).bind(projection.name()).bind(page.read_to.0).execute(connection);
        update.await.map_err(failure::statement)?;
    }
    Ok((moved, page.read_to))
}

/// The checkpoint, whose row is held until the transaction ends; none when it is not there, or held by somebody else and
/// not waited for.
pub(super) async fn checkpoint(
    connection: &mut PgConnection,
    name: &str,
    target: Target,
    wait: bool,
) -> Result<Option<Checkpoint>, sqlx::Error> {
    let sql = match (target, wait) {
        (Target::Live, false) => {
            "select last_processed_position, generation from projection_positions where projection_name = $1
                for update skip locked"
        }
        (Target::Live, true) => {
            "select last_processed_position, generation from projection_positions where projection_name = $1 for update"
        }
        (Target::Rebuild, false) => {
            "select last_processed_position, generation from projection_rebuilds where projection_name = $1
                for update skip locked"
        }
        (Target::Rebuild, true) => {
            "select last_processed_position, generation from projection_rebuilds where projection_name = $1 for update"
        }
    };
    let row = sqlx::query(sql).bind(name).fetch_optional(connection).await?;
    row.map(|row| Ok(Checkpoint { position: Position(row.try_get(0)?), generation: row.try_get(1)? })).transpose()
}

async fn in_memory(
    store: &EventStore,
    memory: &Memory,
    projection: &dyn Projection,
    target: Target,
    limit: usize,
    barren: Barren,
) -> Result<Done, StoreError> {
    let name = projection.name();
    let found = target.of(&mut memory.tables().await.projections).get(name).copied();
    let Some(checkpoint) = found else { return Ok(None) };
    let filter: Filter = projection.filter();
    let mut page = memory.read(begin(checkpoint, barren), limit, &filter).await;
    store.upcast(&mut page.events)?;
    let moved = !page.events.is_empty();
    let done = memory.transaction(async |tables| {
        if target.of(&mut tables.projections).get(name) != Some(&checkpoint) {
            return Ok(None);
        }
        if moved {
            let mut tx = Tx(Open::Memory(&mut *tables));
            let applied = projection.apply(&mut tx, checkpoint.generation, &page.events);
            applied.await.map_err(|source| failed(projection, source))?;
            let reached = Checkpoint { position: page.read_to, ..checkpoint };
            target.of(&mut tables.projections).insert(name.to_owned(), reached);
        }
        Ok(Some((checkpoint, moved, page.read_to)))
    });
    done.await
}

impl Target {
    pub(super) fn of(self, tables: &mut Tables) -> &mut HashMap<String, Checkpoint> {
        match self {
            Self::Live => &mut tables.live,
            Self::Rebuild => &mut tables.rebuilds,
        }
    }
}

/// Behind what is known to be of no interest, as long as the checkpoint is the one that this was found from.
fn begin(checkpoint: Checkpoint, barren: Barren) -> Position {
    match barren {
        Some((from, to)) if from == checkpoint.position => to,
        _ => checkpoint.position,
    }
}

pub(super) fn failed(projection: &dyn Projection, source: Refusal) -> StoreError {
    StoreError::Failed { what: format!("the projection {}", projection.name()), source }
}

#[cfg(test)]
mod model;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_barren_counts_from_its_checkpoint_only() {
        let checkpoint = Checkpoint { position: Position(5), generation: 1 };
        assert_eq!(begin(checkpoint, None), Position(5));
        assert_eq!(begin(checkpoint, Some((Position(5), Position(9)))), Position(9));
        assert_eq!(begin(checkpoint, Some((Position(4), Position(9)))), Position(5));
    }
}
