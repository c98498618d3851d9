//! Hands the events of a service to whoever publishes them: in order, and each at least once.
//!
//! There is no second table. What has been published is a position, which moves when the broker has confirmed; whoever
//! dies in between publishes the same events again, with the same ids.

use std::{future::Future, time::Duration};

use sqlx::{Connection, PgConnection, Row};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    EventStore, Kind, StoreError,
    companion::Refusal,
    event::{Filter, Page, Position, Recorded},
    memory::{Leader, Memory},
    postgres::{Postgres, failure, read},
};

/// How many events are handed over at once.
const BATCH: usize = 256;

/// How often whoever is not at work looks whether the one who is still lives.
const TAKE_OVER: Duration = Duration::from_millis(500);

/// How often an idle one looks whether its own session still lives.
const ALIVE: Duration = Duration::from_secs(5);

/// After a failure; doubled with each that follows, up to the second.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// After so many positions without an event of the service the cursor is moved all the same.
const WORTH_A_WRITE: i64 = 10_000;

/// Publishes events.
pub trait Publish: Send {
    /// Publishes `events` in their order and comes back when all of them are confirmed. After an error all of them come
    /// again.
    fn publish(&mut self, events: &[Recorded]) -> impl Future<Output = Result<(), Refusal>> + Send;
}

/// The cursor over the events of a service.
#[derive(Clone)]
pub struct Outbox {
    store: EventStore,
    service: String,
}

/// The right to publish, as long as it lives.
enum Turn<'a> {
    Postgres(PgConnection),
    Memory { memory: &'a Memory, _leader: Leader },
}

impl Outbox {
    /// The cursor over the events that `service` stores in `store`.
    pub fn new(store: EventStore, service: impl Into<String>) -> Self {
        Self { store, service: service.into() }
    }

    /// Publishes events as they are stored, until `stop` is cancelled. Of all who run the outbox of a service, in whatever
    /// process, one is at work; when it stops or dies another one takes over.
    pub async fn run(&self, publisher: impl Publish, stop: CancellationToken) {
        stop.run_until_cancelled(self.forever(publisher)).await;
    }

    async fn forever(&self, mut publisher: impl Publish) {
        let head = self.store.subscribe();
        let mut pause = PAUSE.0;
        loop {
            match self.turn().await {
                Ok(Some(turn)) => {
                    let Err(error) = self.work(turn, &mut publisher, head.clone(), &mut pause).await else { return };
                    let service = self.service.as_str();
                    tracing::warn!(service, error = &error as &dyn std::error::Error, "cannot publish events");
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
                Ok(None) => sleep(TAKE_OVER).await,
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "cannot ask whose turn it is");
                    sleep(TAKE_OVER).await;
                }
            }
        }
    }

    /// As long as it is this one's turn.
    async fn work(
        &self,
        mut turn: Turn<'_>,
        publisher: &mut impl Publish,
        mut head: watch::Receiver<Position>,
        pause: &mut Duration,
    ) -> Result<(), StoreError> {
        let filter = Filter::service(&self.service);
        let mut cursor = turn.cursor(&self.service).await?;
        let mut after = cursor;
        loop {
            let page = turn.read(after, &filter).await?;
            if !page.events.is_empty() {
                let published = publisher.publish(&page.events).await;
                let what = || format!("the outbox of {}", self.service);
                published.map_err(|source| StoreError::Failed { what: what(), source })?;
                *pause = PAUSE.0;
            }
            after = page.read_to;
            if !page.events.is_empty() || after.0 - cursor.0 >= WORTH_A_WRITE {
                turn.advance(&self.service, cursor, after).await?;
                cursor = after;
            }
            if page.events.is_empty() {
                let woken = timeout(ALIVE, head.wait_for(|head| *head > after)).await.map(|head| head.map(drop));
                match woken {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return Ok(()),
                    Err(_) => turn.check().await?,
                }
            }
        }
    }

    async fn turn(&self) -> Result<Option<Turn<'_>>, StoreError> {
        match self.store.kind() {
            Kind::Postgres(store) => Ok(lead(store, &self.service).await?.map(Turn::Postgres)),
            Kind::Memory(memory) => {
                let leader = memory.lead(&self.service).await;
                Ok(leader.map(|leader| Turn::Memory { memory, _leader: leader }))
            }
        }
    }

    /// Up to where everything has been published.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn position(&self) -> Result<Position, StoreError> {
        match self.store.kind() {
            Kind::Postgres(store) => cursor(&mut *store.connection("select outbox_cursors").await?, &self.service)
                .await
                .map_err(failure::statement),
            Kind::Memory(store) => Ok(store.tables().await.outbox.get(&self.service).copied().unwrap_or_default()),
        }
    }

    /// Puts an event aside that can never be published, so that those behind it can be.
    ///
    /// # Errors
    /// When the database does not take that.
    pub async fn refuse(&self, event: &Recorded, reason: &str) -> Result<(), StoreError> {
        match self.store.kind() {
            Kind::Postgres(store) => {
                let done = sqlx::query(
                    "insert into outbox_refused (service, position, reason) values ($1, $2, $3)
                        on conflict (service, position) do update set reason = excluded.reason",
                )
                .bind(&self.service)
                .bind(event.position.0)
                // Which a text of the database cannot hold.
                .bind(reason.replace('\0', " "))
                .execute(&mut *store.connection("insert outbox_refused").await?)
                .await;
                done.map(drop).map_err(failure::statement)
            }
            Kind::Memory(store) => {
                let key = (self.service.clone(), event.position);
                store.tables().await.refused.insert(key, reason.to_owned());
                Ok(())
            }
        }
    }

    /// The events that could not be published, and why, in their order; the first thousand of them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn refused(&self) -> Result<Vec<(Position, String)>, StoreError> {
        match self.store.kind() {
            Kind::Postgres(store) => {
                let rows = sqlx::query(
                    "select position, reason from outbox_refused where service = $1 order by position limit 1000",
                )
                .bind(&self.service)
                .fetch_all(&mut *store.connection("select outbox_refused").await?)
                .await
                .map_err(failure::statement)?;
                let refused = rows.iter().map(|row| Ok((Position(row.try_get(0)?), row.try_get(1)?)));
                refused.collect::<Result<_, sqlx::Error>>().map_err(failure::statement)
            }
            Kind::Memory(store) => {
                let tables = store.tables().await;
                let mine = tables.refused.iter().filter(|((service, _), _)| *service == self.service);
                Ok(mine.map(|((_, position), reason)| (*position, reason.clone())).take(1000).collect())
            }
        }
    }

    /// How many events wait to be published, counted up to a hundred thousand.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn lag(&self) -> Result<u64, StoreError> {
        const COUNTED: usize = 100_000;
        let after = self.position().await?;
        match self.store.kind() {
            Kind::Postgres(store) => {
                let count = sqlx::query(
                    "select count(*) from (select from events where position > $1 and service = $2 limit $3) waiting",
                )
                .bind(after.0)
                .bind(&self.service)
                .bind(COUNTED as i64)
                .fetch_one(&mut *store.connection("count events").await?)
                .await
                .and_then(|row| row.try_get::<i64, _>(0))
                .map_err(failure::statement)?;
                Ok(count as u64)
            }
            Kind::Memory(store) => {
                let page = store.read(after, COUNTED, &Filter::service(&self.service)).await;
                Ok(page.events.len() as u64)
            }
        }
    }
}

impl Turn<'_> {
    async fn cursor(&mut self, service: &str) -> Result<Position, StoreError> {
        match self {
            Self::Postgres(connection) => cursor(connection, service).await.map_err(failure::statement),
            Self::Memory { memory, .. } => Ok(memory.tables().await.outbox.get(service).copied().unwrap_or_default()),
        }
    }

    async fn read(&mut self, after: Position, filter: &Filter) -> Result<Page, StoreError> {
        match self {
            Self::Postgres(connection) => {
                read::page(connection, after, BATCH, filter).await.map_err(failure::statement)
            }
            Self::Memory { memory, .. } => Ok(memory.read(after, BATCH, filter).await),
        }
    }

    async fn advance(&mut self, service: &str, from: Position, to: Position) -> Result<(), StoreError> {
        match self {
            Self::Postgres(connection) => {
                let done = sqlx::query(
                    "insert into outbox_cursors as c (service, position) select $1, $3
                        where $2 = 0 or exists (select from outbox_cursors where service = $1)
                        on conflict (service) do update
                        set position = excluded.position, updated_at = now() where c.position = $2",
                )
                .bind(service)
                .bind(from.0)
                .bind(to.0)
                .execute(connection)
                .await
                .map_err(failure::statement)?;
                // Whoever moved it has published the same, and goes on.
                let key = format!("the outbox of {service}");
                if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::ClaimLost { key }) }
            }
            Self::Memory { memory, .. } => {
                memory.tables().await.outbox.insert(service.to_owned(), to);
                Ok(())
            }
        }
    }

    async fn check(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Postgres(connection) => connection.ping().await.map_err(failure::statement),
            Self::Memory { .. } => Ok(()),
        }
    }
}

/// A session that holds the service's turn, which ends with it; none when another one holds it.
async fn lead(store: &Postgres, service: &str) -> Result<Option<PgConnection>, StoreError> {
    const TRY: &str = "select pg_try_advisory_lock(hashtextextended('banyan outbox ' || $1, 0))";
    // Asked on a connection that is there anyway, so that those whose turn it is not cost none.
    let mut ask = store.connection("select pg_locks").await?;
    let free = sqlx::query(
        "select not exists (
            select from pg_locks where locktype = 'advisory' and database = (
                select oid from pg_database where datname = current_database()
            ) and granted and objsubid = 1
            and ((classid::bigint << 32) | objid::bigint) = hashtextextended('banyan outbox ' || $1, 0)
        )",
    )
    .bind(service)
    .fetch_one(&mut *ask)
    .await
    .and_then(|row| row.try_get::<bool, _>(0))
    .map_err(failure::statement)?;
    drop(ask);
    if !free {
        return Ok(None);
    }
    let mut own = store.own_connection("banyan outbox").await?;
    let taken = sqlx::query(TRY)
        .bind(service)
        .fetch_one(&mut own)
        .await
        .and_then(|row| row.try_get::<bool, _>(0))
        .map_err(failure::statement)?;
    Ok(taken.then_some(own))
}

async fn cursor(connection: &mut PgConnection, service: &str) -> Result<Position, sqlx::Error> {
    let row = sqlx::query("select position from outbox_cursors where service = $1")
        .bind(service)
        .fetch_optional(connection)
        .await?;
    row.map_or(Ok(Position::START), |row| row.try_get(0).map(Position))
}
