//! Tells other processes when this one has stored events, and this one when they have.
//!
//! Telling costs a commit more than its share, so that a commit that follows another one closely does not tell. If no
//! further one does it instead, a task makes up for it. A process that dies before that leaves the others to find out by
//! themselves, which they do every [`LOOK`].

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, PgPool,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{read, writer::advance};
use crate::store::event::Position;

const CHANNEL: &str = "banyan_events";

/// Before the next attempt, when the server cannot be reached.
const PAUSE: Duration = Duration::from_millis(200);

/// How often it is looked whether a notification went missing.
const LOOK: Duration = Duration::from_secs(2);

/// Between two notifications at least: under load one speaks for many commits.
const REST: Duration = Duration::from_millis(3);

/// What this process has written, and how much of that the others have been told.
pub(super) struct News {
    written: watch::Sender<Position>,
    told: watch::Sender<Position>,
    last: Option<Instant>,
}

impl News {
    pub(super) fn new(head: Position) -> Self {
        Self { written: watch::Sender::new(head), told: watch::Sender::new(head), last: None }
    }

    /// Whether the next commit is to tell.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.last.is_none_or(|last| now.duration_since(last) >= REST)
    }

    /// Events up to `newest` have been written by a commit, which told of them when it says a time.
    pub(super) fn written(&mut self, newest: Position, told: Option<Instant>) {
        if told.is_some() {
            self.last = told;
            advance(&self.told, newest);
        }
        advance(&self.written, newest);
    }

    /// Tells of what no commit has told of, until `stop` is cancelled.
    pub(super) fn make_up(&self, pool: PgPool, stop: CancellationToken) -> impl Future<Output = ()> + use<> {
        let (written, told) = (self.written.subscribe(), self.told.subscribe());
        async move {
            stop.run_until_cancelled(make_up(&pool, written, told)).await;
        }
    }
}

async fn make_up(pool: &PgPool, mut written: watch::Receiver<Position>, told: watch::Receiver<Position>) {
    let mut done = *told.borrow();
    while written.changed().await.is_ok() {
        // As long as commits follow each other one of them does it.
        loop {
            let _ = written.borrow_and_update();
            sleep(REST).await;
            if !written.has_changed().unwrap_or(false) {
                break;
            }
        }
        let newest = *written.borrow();
        if newest <= done.max(*told.borrow()) {
            continue;
        }
        // One message is one transaction; nothing is lost with it, so that it need not wait for the disk.
        let sql = format!("set local synchronous_commit to off; select pg_notify('{CHANNEL}', '{newest}')");
        match sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await {
            Ok(_) => done = newest,
            Err(error) => {
                tracing::debug!(%error, "cannot tell others about events");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Follows the newest position until `stop` is cancelled.
pub(super) async fn follow(options: PgConnectOptions, head: watch::Sender<Position>, stop: CancellationToken) {
    // The listener keeps one connection, the look at what it missed goes through the other, which is given up between.
    let pool = PgPoolOptions::new().max_connections(2).idle_timeout(LOOK / 2).connect_lazy_with(options);
    let following = async {
        loop {
            if let Err(error) = listen(&pool, &head).await {
                tracing::debug!(%error, "cannot listen for events");
            }
            sleep(PAUSE).await;
        }
    };
    stop.run_until_cancelled(following).await;
    pool.close().await;
}

/// Until the connection breaks.
async fn listen(pool: &PgPool, head: &watch::Sender<Position>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    loop {
        // At first what was stored before a notification could come, later what nobody told.
        advance(head, read::head(&mut *pool.acquire().await?).await?);
        while let Ok(heard) = timeout(LOOK, listener.try_recv()).await {
            let Some(notification) = heard? else { return Ok(()) };
            if let Ok(position) = notification.payload().parse() {
                advance(head, Position(position));
            }
        }
    }
}
