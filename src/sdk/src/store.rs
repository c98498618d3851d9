//! The event store: what happened, in one order for everybody.
//!
//! Each aggregate's events are a [`Stream`] with versions from 1; all events together have [`Position`]s from 1, without
//! gaps and in the order in which they became visible, so that a reader that remembers the last position it has seen
//! misses nothing. [`EventStore::append`] is safe to call from any number of tasks and processes at once: what arrives
//! while a commit is under way goes into the next one.

mod companion;
mod error;
mod event;
mod inbox;
mod memory;
mod outbox;
mod postgres;
mod upcast;

use std::{sync::Arc, time::Duration};

use sqlx::postgres::PgConnectOptions;
use tokio::sync::watch;

pub use companion::{Companion, Refusal, Statement, Tx, Value};
pub use error::StoreError;
pub use event::{
    Append, Appended, Expected, Filter, History, Json, NewEvent, Page, Position, Recorded, Snapshot, Stream, Until,
};
pub use inbox::{Claim, Complete, Lease, Once, RETENTION};
pub use outbox::{Outbox, Publish};
pub use postgres::{Connection, Holder, Options};
pub use upcast::{UpcastError, Upcasters};

pub(crate) use companion::Open;
pub(crate) use memory::Memory;
pub(crate) use postgres::{Postgres, failure, read::json, read::page};

use crate::{config::Endpoint, metrics::Metrics, telemetry::Tracer};

/// A handle on the event store, cheap to clone.
#[derive(Clone)]
pub struct EventStore {
    kind: Kind,
    upcasters: Arc<Upcasters>,
}

#[derive(Clone)]
pub(crate) enum Kind {
    Postgres(Arc<postgres::Postgres>),
    Memory(Arc<memory::Memory>),
}

impl EventStore {
    /// The store in the database at `endpoint`, whose tables are made or brought up to date.
    ///
    /// # Errors
    /// When the database does not let itself be used: [`StoreError::Unavailable`], [`StoreError::SchemaTooNew`],
    /// [`StoreError::Migration`].
    pub async fn connect(endpoint: &Endpoint, options: Options) -> Result<Self, StoreError> {
        Self::connect_with(postgres::login(endpoint), options).await
    }

    /// The same for whoever says in sqlx's own words how to connect.
    ///
    /// # Errors
    /// See [`EventStore::connect`].
    pub async fn connect_with(login: PgConnectOptions, options: Options) -> Result<Self, StoreError> {
        let store = postgres::Postgres::connect(login, options).await?;
        Ok(Self { kind: Kind::Postgres(Arc::new(store)), upcasters: Arc::default() })
    }

    /// An empty store that is forgotten with the last handle on it. It answers like the one in a database, but runs no
    /// SQL, and a companion or projection that waits within its transaction holds up everybody.
    pub fn in_memory() -> Self {
        Self { kind: Kind::Memory(Arc::new(memory::Memory::new())), upcasters: Arc::default() }
    }

    /// The same store, whose events are brought to their current form when they are read.
    pub fn with_upcasters(mut self, upcasters: Upcasters) -> Self {
        self.upcasters = Arc::new(upcasters);
        self
    }

    /// Stores events. When it succeeds they are durable and visible to everybody.
    ///
    /// # Errors
    /// Every error but [`StoreError::UnknownOutcome`] means that nothing was stored.
    pub async fn append(&self, append: Append) -> Result<Appended, StoreError> {
        event::check(&append)?;
        match &self.kind {
            Kind::Postgres(store) => store.append(append).await,
            Kind::Memory(store) => store.append(append).await,
        }
    }

    /// The events of `stream` from version `from` on, in order; none when there is no such stream.
    ///
    /// # Errors
    /// When the database does not answer or an event cannot be brought to its current form.
    pub async fn load(&self, stream: &Stream, from: u32, until: Until) -> Result<Vec<Recorded>, StoreError> {
        let mut events = match &self.kind {
            Kind::Postgres(store) => store.load(stream, from, until).await?,
            Kind::Memory(store) => store.load(stream, from, until).await,
        };
        self.upcast(&mut events)?;
        Ok(events)
    }

    /// The newest snapshot of `stream` and the events behind it.
    ///
    /// # Errors
    /// See [`EventStore::load`].
    pub async fn history(&self, stream: &Stream) -> Result<History, StoreError> {
        let snapshot = self.snapshot(stream, u32::MAX).await?;
        let from = snapshot.as_ref().map_or(1, |snapshot| snapshot.version + 1);
        let events = self.load(stream, from, Until::Now).await?;
        Ok(History { snapshot, events })
    }

    /// The snapshot of `stream`, unless it is newer than version `newest`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn snapshot(&self, stream: &Stream, newest: u32) -> Result<Option<Snapshot>, StoreError> {
        match &self.kind {
            Kind::Postgres(store) => store.snapshot(stream, newest).await,
            Kind::Memory(store) => {
                let tables = store.tables().await;
                Ok(tables.snapshots.get(stream).filter(|snapshot| snapshot.version <= newest).cloned())
            }
        }
    }

    /// Keeps `snapshot` for `stream`, unless a newer one is there.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn save_snapshot(&self, stream: &Stream, snapshot: &Snapshot) -> Result<(), StoreError> {
        match &self.kind {
            Kind::Postgres(store) => store.save(stream, snapshot).await,
            Kind::Memory(store) => {
                let mut tables = store.tables().await;
                let kept = tables.snapshots.entry(stream.clone()).or_insert_with(|| snapshot.clone());
                if kept.version < snapshot.version {
                    *kept = snapshot.clone();
                }
                Ok(())
            }
        }
    }

    /// The events behind `after` that `filter` wants, in order, at most `limit` of them. A page can be empty although
    /// wanted events follow: go on behind [`Page::read_to`] until that is the [`EventStore::head`].
    ///
    /// # Errors
    /// See [`EventStore::load`].
    pub async fn read(&self, after: Position, limit: usize, filter: &Filter) -> Result<Page, StoreError> {
        let mut page = match &self.kind {
            Kind::Postgres(store) => store.read(after, limit, filter).await?,
            Kind::Memory(store) => store.read(after, limit, filter).await,
        };
        self.upcast(&mut page.events)?;
        Ok(page)
    }

    /// The position of the newest event.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn head(&self) -> Result<Position, StoreError> {
        match &self.kind {
            Kind::Postgres(store) => store.head().await,
            Kind::Memory(store) => Ok(store.head()),
        }
    }

    /// Wakes whoever waits for events, with the newest position known here. It may skip positions and lag behind for as
    /// long as the database cannot be reached, and never goes back.
    pub fn subscribe(&self) -> watch::Receiver<Position> {
        match &self.kind {
            Kind::Postgres(store) => store.subscribe(),
            Kind::Memory(store) => store.subscribe(),
        }
    }

    /// Why the database took nothing when something was written last, such as a full disk; nothing while it takes what it
    /// is given. The in-memory store takes everything.
    pub fn refusal(&self) -> watch::Receiver<Option<String>> {
        match &self.kind {
            Kind::Postgres(store) => store.refusal(),
            Kind::Memory(store) => store.refusal(),
        }
    }

    /// Writes something that nobody reads, to find out whether the database takes it; [`EventStore::refusal`] tells.
    pub(crate) async fn try_to_write(&self, service: &str) -> Result<(), StoreError> {
        match self.claim("banyan probe", service, Duration::from_secs(1)).await? {
            Claim::First(lease) => self.release(&lease).await,
            // Another instance finds out.
            Claim::Done(_) | Claim::InProgress => Ok(()),
        }
    }

    /// Who keeps others waiting, or has kept a transaction open for `at_least`; the longest first. This is where to look
    /// when appends or projections stand still. The in-memory store has nobody.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn holders(&self, at_least: Duration) -> Result<Vec<Holder>, StoreError> {
        match &self.kind {
            Kind::Postgres(store) => store.holders(at_least).await,
            Kind::Memory(_) => Ok(Vec::new()),
        }
    }

    /// Answers every append that has been accepted, then gives up the connections. Appends that come later fail.
    pub async fn close(&self) {
        match &self.kind {
            Kind::Postgres(store) => store.close().await,
            Kind::Memory(_) => {}
        }
    }

    /// Tells metrics and traces of everything that is asked of the database; the first ones that are named here win.
    pub fn observe(&self, metrics: &Metrics, tracer: &Tracer) {
        if let Kind::Postgres(store) = &self.kind {
            store.observe(metrics, tracer);
        }
    }

    /// A connection to the database of the store, for a service's own tables; it goes back when it is dropped. `what` says
    /// in a few words what is done with it, for traces: `select accounts`. Whatever must happen together with events is
    /// better done by a [`Companion`].
    ///
    /// # Errors
    /// When the database cannot be reached in time; [`StoreError::NoSql`] in the in-memory store.
    pub async fn connection(&self, what: &'static str) -> Result<Connection<'_>, StoreError> {
        match &self.kind {
            Kind::Postgres(store) => store.connection(what).await,
            Kind::Memory(_) => Err(StoreError::NoSql),
        }
    }

    /// Makes a service's own tables, or brings them up to date: see [`Service::tables`](crate::Service::tables).
    ///
    /// # Errors
    /// [`StoreError::SchemaTooNew`], [`StoreError::Migration`], [`StoreError::NoSql`] in the in-memory store.
    pub async fn migrate(
        &self,
        set: &str,
        migrations: &'static [(&'static str, &'static str)],
    ) -> Result<(), StoreError> {
        postgres::migrate_own(&mut *self.connection("migrate").await?, set, migrations).await
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }

    pub(crate) fn upcast(&self, events: &mut [Recorded]) -> Result<(), StoreError> {
        events.iter_mut().try_for_each(|event| {
            let position = event.position;
            self.upcasters.apply(event).map_err(|source| StoreError::Upcast { position, source })
        })
    }
}
