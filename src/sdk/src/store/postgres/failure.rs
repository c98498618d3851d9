//! What an error of the database means for whoever waits.

use std::sync::Arc;

use sqlx::postgres::PgDatabaseError;
use tokio::sync::watch;

use crate::store::{StoreError, Stream};

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The connection is gone, and with it the knowledge of what was done last.
    Lost,
    /// The server took longer than it may; it has undone the work.
    TooSlow,
    /// No write succeeds at present, whatever it is.
    Nothing,
    /// The data of one event or one companion is at fault.
    Data,
    /// None of these.
    Other,
}

pub(super) fn kind(error: &sqlx::Error) -> Kind {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => Kind::Lost,
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Kind::Lost,
        sqlx::Error::Database(error) => match error.code().as_deref().unwrap_or_default() {
            // An administrator, a crash or a timeout ended the session.
            "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => Kind::Lost,
            "57014" | "55P03" => Kind::TooSlow,
            "25006" => Kind::Nothing,
            code => match code.get(..2).unwrap_or_default() {
                "08" => Kind::Lost,
                // Disk, memory, connections; a file that cannot be written.
                "53" | "58" => Kind::Nothing,
                "21" | "22" | "23" | "42" | "54" | "P0" | "40" => Kind::Data,
                _ => Kind::Other,
            },
        },
        sqlx::Error::Encode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Kind::Data,
        _ => Kind::Other,
    }
}

/// Why the database took nothing the last time, if it did not.
#[derive(Clone, Default)]
pub(super) struct Refusal(watch::Sender<Option<String>>);

impl Refusal {
    pub(super) fn watch(&self) -> watch::Receiver<Option<String>> {
        self.0.subscribe()
    }

    /// Takes note of what became of something that was written. Errors that say nothing about others change nothing.
    pub(super) fn note(&self, result: Result<(), &StoreError>) {
        let reason = match result {
            Ok(()) => None,
            Err(error @ (StoreError::ReadOnly(_) | StoreError::DiskFull(_))) => Some(error.to_string()),
            Err(StoreError::Database(source)) if kind(source) == Kind::Nothing => {
                Some(format!("cannot write: {source}"))
            }
            Err(_) => return,
        };
        self.0.send_if_modified(|known| {
            let changed = *known != reason;
            *known = reason;
            changed
        });
    }
}

fn code(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error()?.try_downcast_ref::<PgDatabaseError>().map(PgDatabaseError::code)
}

/// For a statement that changed nothing, since it failed as a whole.
pub(crate) fn statement(error: sqlx::Error) -> StoreError {
    shared(&Arc::new(error))
}

/// The same for each of those who waited for the statement.
pub(super) fn shared(error: &Arc<sqlx::Error>) -> StoreError {
    let source = Arc::clone(error);
    match (kind(error), code(error)) {
        (_, Some("25006")) => StoreError::ReadOnly(source),
        (_, Some("53100")) => StoreError::DiskFull(source),
        (Kind::TooSlow, _) => StoreError::TooSlow { limit: super::STATEMENT_LIMIT },
        (Kind::Lost, _) | (_, Some("53300")) => StoreError::Unavailable(source),
        _ => StoreError::Database(source),
    }
}

/// For an append whose data the database refused.
pub(super) fn of_append(stream: &Stream, error: sqlx::Error) -> StoreError {
    let stream = || stream.clone();
    match error.as_database_error() {
        Some(refused) if refused.constraint() == Some("events_event_id") => {
            StoreError::DuplicateEvent { stream: stream() }
        }
        Some(refused) if kind(&error) == Kind::Data => {
            StoreError::Invalid { stream: stream(), reason: refused.message().to_owned() }
        }
        _ => statement(error),
    }
}

pub(super) fn migration(name: &str, error: sqlx::Error) -> StoreError {
    match kind(&error) {
        Kind::Data | Kind::Other => StoreError::Migration { name: name.to_owned(), source: Arc::new(error) },
        _ => statement(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_broken_connection_is_lost() {
        let broken = sqlx::Error::Io(io::ErrorKind::ConnectionReset.into());
        assert_eq!(kind(&broken), Kind::Lost);
        assert!(matches!(statement(broken), StoreError::Unavailable(_)));
    }
}
