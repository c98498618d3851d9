//! What can go wrong with the event store.

use std::{error::Error, sync::Arc, time::Duration};

use uuid::Uuid;

use super::{Expected, Position, Stream, upcast::UpcastError};

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Somebody else has appended to the stream; load it again and decide anew. Nothing was stored.
    #[error("cannot append to {stream}: expected {expected}, but it is at version {actual}")]
    Conflict {
        /// The stream.
        stream: Stream,
        /// What it should have been like.
        expected: Expected,
        /// How many events it has.
        actual: u32,
    },
    /// An event with such an id is stored already. Nothing was stored.
    #[error("cannot append to {stream}: one of its events is stored already")]
    DuplicateEvent {
        /// The stream of the append.
        stream: Stream,
    },
    /// The append is not one. Nothing was stored.
    #[error("cannot append to {stream}: {reason}")]
    Invalid {
        /// The stream of the append.
        stream: Stream,
        /// What is wrong with it.
        reason: String,
    },
    /// A companion of the append failed. Nothing was stored.
    #[error("cannot append to {stream}: its companion failed")]
    Companion {
        /// The stream of the append.
        stream: Stream,
        /// What the companion said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The connection broke while the append was under way, and the store could not find out in time whether it is
    /// stored. Whoever repeats it with the same ids does not store it twice.
    #[error("cannot tell whether events were stored, the first of them {first}")]
    UnknownOutcome {
        /// The id of the append's first event.
        first: Uuid,
        /// What broke.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// The connection broke while the work was under way. Nothing was stored.
    #[error("cannot finish the work: the connection to the database broke")]
    Interrupted(#[source] Arc<sqlx::Error>),
    /// The database takes no writes. Nothing was stored.
    #[error("cannot write: the database is read-only")]
    ReadOnly(#[source] Arc<sqlx::Error>),
    /// The database has no room. Nothing was stored.
    #[error("cannot write: the database's disk is full")]
    DiskFull(#[source] Arc<sqlx::Error>),
    /// The database did not finish in time. Nothing was stored.
    #[error("cannot finish the work: the database took longer than {limit:?}")]
    TooSlow {
        /// How long it may take.
        limit: Duration,
    },
    /// The database cannot be reached. Nothing was stored.
    #[error("cannot reach the database")]
    Unavailable(#[source] Arc<sqlx::Error>),
    /// The store has been closed. Nothing was stored.
    #[error("cannot use the event store: it is closed")]
    Closed,
    /// A newer program has changed the tables.
    #[error("cannot use the database's tables: they are of version {found}, and {known} is the newest one known here")]
    SchemaTooNew {
        /// The version of the tables.
        found: i32,
        /// The newest version that this program knows.
        known: i32,
    },
    /// The tables could not be made or changed.
    #[error("cannot apply the migration {name}")]
    Migration {
        /// Which one.
        name: String,
        /// What the database said.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// A stored event could not be brought to its current form.
    #[error("cannot read the event at position {position}")]
    Upcast {
        /// Where it is.
        position: Position,
        /// What is missing.
        #[source]
        source: UpcastError,
    },
    /// A stored value is not what the reader takes it for.
    #[error("cannot read {what}")]
    Unreadable {
        /// What it is, and where.
        what: String,
        /// Why it cannot be read.
        #[source]
        source: serde_json::Error,
    },
    /// The work is not, or no longer, this one's to finish. Nothing was stored.
    #[error("cannot finish the work on {key}: it is not held here any more")]
    ClaimLost {
        /// Under which key it is known.
        key: String,
    },
    /// Something under this key has been done before. Nothing was stored.
    #[error("cannot do the work on {key} again")]
    AlreadyHandled {
        /// Under which key it is known.
        key: String,
    },
    /// A projection is being built anew already.
    #[error("cannot build the projection {name} anew: that is under way already")]
    RebuildUnderWay {
        /// Its name.
        name: String,
    },
    /// The service has no such projection.
    #[error("there is no projection {name}")]
    NoSuchProjection {
        /// The name that was asked for.
        name: String,
    },
    /// The database runs statements, and this store is not in a database.
    #[error("cannot run a statement: the in-memory store has no SQL")]
    NoSql,
    /// A projection, or whatever else was given to the store to run, failed.
    #[error("cannot run {what}")]
    Failed {
        /// What was run.
        what: String,
        /// What it said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The database refused a statement of the store.
    #[error("cannot work with the database")]
    Database(#[source] Arc<sqlx::Error>),
}

/// What a statement of a service's own says when it fails.
impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        super::failure::statement(error)
    }
}
