//! Keeps a projection up to date.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use sqlx::Row;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    Projection, rebuild,
    step::{Barren, Checkpoint, Step, Target, step},
};
use crate::store::{EventStore, Kind, Position, StoreError, failure};

/// How many events are taken in at once, unless something else is said.
const BATCH: usize = 1_000;

/// How often whoever is not at work looks whether the one who is still lives.
const TAKE_OVER: Duration = Duration::from_millis(500);

/// After a failure; doubled with each that follows, up to the second.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Keeps a projection up to date with a store. Any number of processes may run the same projection.
#[derive(Clone)]
pub struct Runner {
    store: EventStore,
    projection: Arc<dyn Projection>,
    batch: usize,
    /// How far this one has looked; the checkpoint may be behind it, where nothing was of interest.
    reached: Arc<AtomicI64>,
}

/// How far a pass over the events went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    Done(Position),
    Busy,
}

impl Runner {
    /// A runner of `projection` over the events of `store`.
    pub fn new(store: EventStore, projection: impl Projection + 'static) -> Self {
        Self { store, projection: Arc::new(projection), batch: BATCH, reached: Arc::default() }
    }

    /// The same, where at most `events` are taken in at once.
    pub fn with_batch(mut self, events: usize) -> Self {
        self.batch = events.max(1);
        self
    }

    /// The name of the projection.
    pub fn name(&self) -> &str {
        self.projection.name()
    }

    /// Takes in events as they come, until `stop` is cancelled. What fails is logged and tried again.
    pub async fn run(&self, stop: CancellationToken) {
        stop.run_until_cancelled(self.forever()).await;
    }

    async fn forever(&self) {
        let mut head = self.store.subscribe();
        let mut barren = None;
        let mut pause = PAUSE.0;
        loop {
            match self.pass(&mut barren).await {
                Ok(Pass::Done(reached)) => {
                    pause = PAUSE.0;
                    if head.wait_for(|head| *head > reached).await.is_err() {
                        return;
                    }
                }
                // Woken by every event, all the idle ones would ask all the time.
                Ok(Pass::Busy) => sleep(TAKE_OVER).await,
                Err(error) => {
                    let name = self.projection.name();
                    tracing::error!(projection = name, error = &error as &dyn std::error::Error, "cannot go on");
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
            }
        }
    }

    /// Takes in everything that is stored at present; false when somebody else is at it.
    ///
    /// # Errors
    /// What the projection or the database said. What was taken in before stays.
    pub async fn catch_up(&self) -> Result<bool, StoreError> {
        Ok(self.pass(&mut None).await? != Pass::Busy)
    }

    /// Builds the projection anew beside the present one, which keeps being read and kept up to date, and then puts it in
    /// its place at once. One that was interrupted is continued.
    ///
    /// # Errors
    /// [`StoreError::RebuildUnderWay`], and what the projection or the database said.
    pub async fn rebuild(&self) -> Result<(), StoreError> {
        self.ensure().await?;
        rebuild::rebuild(&self.store, &*self.projection, self.batch).await
    }

    /// How many events have not been looked at.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn lag(&self) -> Result<u64, StoreError> {
        let checkpoint = self.position().await?;
        let head = self.store.head().await?;
        let reached = checkpoint.0.max(self.reached.load(Ordering::Relaxed));
        Ok(u64::try_from(head.0 - reached).unwrap_or(0))
    }

    /// Up to where the projection has come for certain.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn position(&self) -> Result<Position, StoreError> {
        let name = self.projection.name();
        match self.store.kind() {
            Kind::Postgres(store) => {
                let row =
                    sqlx::query("select last_processed_position from projection_positions where projection_name = $1")
                        .bind(name)
                        .fetch_optional(&mut *store.connection("select projection_positions").await?)
                        .await
                        .map_err(failure::statement)?;
                let position = row.map(|row| row.try_get(0)).transpose().map_err(failure::statement)?;
                Ok(position.map_or(Position::START, Position))
            }
            Kind::Memory(store) => {
                let tables = store.tables().await;
                Ok(tables.projections.live.get(name).map_or(Position::START, |live| live.position))
            }
        }
    }

    async fn pass(&self, barren: &mut Barren) -> Result<Pass, StoreError> {
        self.ensure().await?;
        let head = self.store.head().await?;
        loop {
            match step(&self.store, &*self.projection, Target::Live, self.batch, barren).await? {
                Step::Busy => return Ok(Pass::Busy),
                Step::ReadTo(reached) => {
                    self.reached.fetch_max(reached.0, Ordering::Relaxed);
                    if reached >= head {
                        return Ok(Pass::Done(reached));
                    }
                }
            }
        }
    }

    /// Makes the checkpoint of a projection that is new.
    async fn ensure(&self) -> Result<(), StoreError> {
        let name = self.projection.name();
        match self.store.kind() {
            Kind::Postgres(store) => sqlx::query(
                "insert into projection_positions (projection_name) select $1
                    where not exists (select from projection_positions where projection_name = $1)
                    on conflict do nothing",
            )
            .bind(name)
            .execute(&mut *store.connection("insert projection_positions").await?)
            .await
            .map(drop)
            .map_err(failure::statement),
            Kind::Memory(store) => {
                let new = Checkpoint { position: Position::START, generation: 1 };
                store.tables().await.projections.live.entry(name.to_owned()).or_insert(new);
                Ok(())
            }
        }
    }
}
