//! Counts and traces what is asked of the database.

use std::{
    ops::{Deref, DerefMut},
    time::Instant,
};

use sqlx::{PgConnection, Postgres, pool::PoolConnection};

use crate::{
    metrics::DatabaseMetrics,
    telemetry::{Span, Tracer},
};

/// Who hears of it.
pub(super) struct Observer {
    pub(super) metrics: DatabaseMetrics,
    pub(super) tracer: Tracer,
    /// The database's name.
    pub(super) instance: String,
}

/// Something that is being done; it is told when this is dropped.
pub(super) struct Observed<'a> {
    metrics: &'a DatabaseMetrics,
    began: Instant,
    _span: Option<Span>,
}

/// A connection to the database that is used for one thing.
pub struct Used<'a> {
    pub(super) connection: PoolConnection<Postgres>,
    pub(super) _observed: Option<Observed<'a>>,
}

impl Observer {
    pub(super) fn begin(&self, statement: &'static str) -> Observed<'_> {
        let span = self.tracer.asking("sql", statement, &self.instance);
        Observed { metrics: &self.metrics, began: Instant::now(), _span: span }
    }
}

impl Drop for Observed<'_> {
    fn drop(&mut self) {
        self.metrics.query(self.began.elapsed());
    }
}

impl Deref for Used<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Used<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
