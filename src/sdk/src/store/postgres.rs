//! The event store in PostgreSQL.

mod batch;
mod commit;
mod diagnosis;
pub(crate) mod failure;
mod migrate;
mod observed;
pub(crate) mod read;
mod session;
mod wake;
mod writer;

use std::{
    sync::{Once, OnceLock},
    time::Duration,
};

use sqlx::{
    ConnectOptions, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use diagnosis::Holder;

use super::{
    StoreError,
    event::{Append, Appended, Filter, Page, Position, Recorded, Snapshot, Stream, Until},
};
use crate::{
    config::{Endpoint, Secret},
    metrics::{DatabaseMetrics, Metrics},
    telemetry::Tracer,
};
pub(crate) use commit::append_within;
pub(super) use migrate::migrate_own;
pub use observed::Used as Connection;
use observed::{Observed, Observer, Used};

/// How long the server may work on one statement of a writer, waiting for others included.
const STATEMENT_LIMIT: Duration = Duration::from_secs(10);

/// How long one commit may take until the connection counts as broken.
const COMMIT_LIMIT: Duration = Duration::from_secs(30);

/// How many appends may wait; whoever comes later waits for a place.
const QUEUE: usize = 4_096;

/// How the store uses the database.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How many connections are used for everything but writing events and waiting for them.
    pub connections: u32,
    /// How long whoever needs a connection waits for a server that cannot be reached.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { connections: 4, patience: Duration::from_secs(5) }
    }
}

/// An event store in a database.
pub(crate) struct Postgres {
    options: PgConnectOptions,
    pool: PgPool,
    queue: mpsc::Sender<writer::Request>,
    head: watch::Sender<Position>,
    refusal: failure::Refusal,
    observer: OnceLock<Observer>,
    following: Once,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Postgres {
    pub(super) async fn connect(options: PgConnectOptions, how: Options) -> Result<Self, StoreError> {
        let options = options
            // Statements here are short and prepared; to compile them costs more than they do.
            .options([("jit", "off")])
            .statement_cache_capacity(200)
            .disable_statement_logging();
        let writing = options.clone().application_name("banyan event writer").options([
            ("statement_timeout", STATEMENT_LIMIT.as_millis().to_string()),
            // A writer that stands still holds up those of all other processes.
            ("idle_in_transaction_session_timeout", STATEMENT_LIMIT.as_millis().to_string()),
        ]);
        let sessions = session::Sessions { options: writing, patience: how.patience };
        let mut session = sessions.open().await.map_err(failure::statement)?;
        migrate::migrate(&mut session.connection).await?;
        let head = read::head(&mut session.connection).await.map_err(failure::statement)?;
        let pool = PgPoolOptions::new()
            .max_connections(how.connections)
            .acquire_timeout(how.patience)
            .connect_lazy_with(options.clone());
        let (queue, requests) = mpsc::channel(QUEUE);
        let store = Self {
            options,
            pool,
            queue,
            head: watch::Sender::new(head),
            refusal: failure::Refusal::default(),
            observer: OnceLock::new(),
            following: Once::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let news = wake::News::new(head);
        store.tasks.spawn(news.make_up(store.pool.clone(), store.stop.clone()));
        let (head, refusal) = (store.head.clone(), store.refusal.clone());
        let writer = writer::Writer { sessions, session: Some(session), head, refusal, news };
        store.tasks.spawn(writer.run(requests, store.stop.clone()));
        Ok(store)
    }

    pub(super) async fn append(&self, append: Append) -> Result<Appended, StoreError> {
        let _observed = self.observed("append events");
        let (reply, answer) = oneshot::channel();
        let request = writer::Request { append, reply };
        self.queue.send(request).await.map_err(|_| StoreError::Closed)?;
        // The writer answers everything that it accepts, unless the runtime ends before it does.
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Position> {
        self.following.call_once(|| {
            let options = self.options.clone().application_name("banyan event listener");
            self.tasks.spawn(wake::follow(options, self.head.clone(), self.stop.clone()));
        });
        self.head.subscribe()
    }

    pub(super) fn refusal(&self) -> watch::Receiver<Option<String>> {
        self.refusal.watch()
    }

    /// What became of something that was written.
    pub(super) fn wrote<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        self.refusal.note(result.as_ref().map(|_| ()));
        result
    }

    pub(super) async fn head(&self) -> Result<Position, StoreError> {
        read::head(&mut *self.connection("select head").await?).await.map_err(failure::statement)
    }

    pub(super) async fn load(&self, stream: &Stream, from: u32, until: Until) -> Result<Vec<Recorded>, StoreError> {
        let mut connection = self.connection("select events").await?;
        read::stream(&mut connection, stream, from, until).await.map_err(failure::statement)
    }

    pub(super) async fn read(&self, after: Position, limit: usize, filter: &Filter) -> Result<Page, StoreError> {
        read::page(&mut *self.connection("select events").await?, after, limit, filter)
            .await
            .map_err(failure::statement)
    }

    pub(super) async fn snapshot(&self, stream: &Stream, newest: u32) -> Result<Option<Snapshot>, StoreError> {
        read::snapshot(&mut *self.connection("select snapshots").await?, stream, newest)
            .await
            .map_err(failure::statement)
    }

    pub(super) async fn save(&self, stream: &Stream, snapshot: &Snapshot) -> Result<(), StoreError> {
        read::save(&mut *self.connection("insert snapshots").await?, stream, snapshot).await.map_err(failure::statement)
    }

    /// A connection for anything but appends; `statement` says in a few words what is done with it.
    pub(crate) async fn connection(&self, statement: &'static str) -> Result<Used<'_>, StoreError> {
        let connection = self.pool.acquire().await.map_err(failure::statement)?;
        Ok(Used { connection, _observed: self.observed(statement) })
    }

    /// Tells these of everything that is done from now on; the first ones win.
    pub(super) fn observe(&self, metrics: &Metrics, tracer: &Tracer) {
        let instance = self.options.get_database().unwrap_or_default().to_owned();
        let observer = Observer { metrics: DatabaseMetrics::new(metrics), tracer: tracer.clone(), instance };
        if self.observer.set(observer).is_ok() {
            let pool = self.pool.clone();
            let idle = |pool: &PgPool| u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
            DatabaseMetrics::connections(metrics, move || (pool.size(), idle(&pool)));
        }
    }

    fn observed(&self, statement: &'static str) -> Option<Observed<'_>> {
        self.observer.get().map(|observer| observer.begin(statement))
    }

    pub(super) async fn holders(&self, at_least: Duration) -> Result<Vec<Holder>, StoreError> {
        diagnosis::holders(&mut *self.connection("select pg_stat_activity").await?, at_least)
            .await
            .map_err(failure::statement)
    }

    /// A connection of its own for something that lasts, such as a lock that is held by a session.
    pub(crate) async fn own_connection(&self, name: &str) -> Result<PgConnection, StoreError> {
        self.options.clone().application_name(name).connect().await.map_err(failure::statement)
    }

    pub(super) async fn close(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.pool.close().await;
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// How to log in at `endpoint`.
pub(super) fn login(endpoint: &Endpoint) -> PgConnectOptions {
    let user = endpoint.user.as_deref().unwrap_or("postgres");
    PgConnectOptions::new_without_pgpass()
        .host(&endpoint.host)
        .port(endpoint.port)
        .username(user)
        .password(endpoint.password.as_ref().map_or("", Secret::expose))
        .database(if endpoint.path.is_empty() { user } else { &endpoint.path })
        .ssl_mode(PgSslMode::Disable)
        .application_name("banyan")
}
