//! What an append does beside its events, in the same transaction.

use std::error::Error;

use futures_util::future::BoxFuture;
use sqlx::{AssertSqlSafe, PgConnection, Postgres, postgres::PgArguments, query::Query};
use uuid::Uuid;

use super::{
    StoreError,
    event::{self, Append, Json},
    memory::Tables,
    postgres::{self, failure},
};

/// What a companion or a projection says when it does not succeed.
pub type Refusal = Box<dyn Error + Send + Sync>;

/// Something that happens if and only if an append does.
///
/// It runs in the append's transaction, after its events, while every other append of the platform waits: it should be
/// a few statements on rows that nobody holds for long. It may run again when the first attempt was undone.
pub trait Companion: Send + Sync {
    /// Does it. An error undoes the append, and no other one.
    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), Refusal>>;
}

impl<F> Companion for F
where
    F: for<'a> Fn(&'a mut Tx<'_>) -> BoxFuture<'a, Result<(), Refusal>> + Send + Sync,
{
    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), Refusal>> {
        self(tx)
    }
}

impl Companion for Statement {
    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move { Ok(tx.execute(self).await.map(drop)?) })
    }
}

/// Events of another stream that stand or fall with the append that this one goes with.
impl Companion for Append {
    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            event::check(self)?;
            match &mut tx.0 {
                Open::Postgres(connection) => Ok(postgres::append_within(connection, self).await?),
                Open::Memory(tables) => {
                    tables.appends.push(self.clone());
                    Ok(())
                }
            }
        })
    }
}

/// An open transaction of the store.
pub struct Tx<'a>(pub(crate) Open<'a>);

pub(crate) enum Open<'a> {
    Postgres(&'a mut PgConnection),
    Memory(&'a mut Tables),
}

impl Tx<'_> {
    /// Runs `statement` and says how many rows it concerned.
    ///
    /// # Errors
    /// What the database said; [`StoreError::NoSql`] in the in-memory store.
    pub async fn execute(&mut self, statement: &Statement) -> Result<u64, StoreError> {
        let connection = self.connection().ok_or(StoreError::NoSql)?;
        let done = statement.query().execute(connection).await.map_err(failure::statement)?;
        Ok(done.rows_affected())
    }

    /// The connection that the transaction is open on, for reading within it; none in the in-memory store. It must be
    /// neither committed nor rolled back.
    pub fn connection(&mut self) -> Option<&mut PgConnection> {
        match &mut self.0 {
            Open::Postgres(connection) => Some(connection),
            Open::Memory(_) => None,
        }
    }
}

/// One SQL statement with the values for its `$1`, `$2`, ….
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    sql: String,
    values: Vec<Value>,
}

/// A value for a place in a statement.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `text`, or nothing.
    Text(Option<String>),
    /// `bigint`, or nothing.
    Integer(Option<i64>),
    /// `double precision`, or nothing.
    Number(Option<f64>),
    /// `boolean`, or nothing.
    Boolean(Option<bool>),
    /// `uuid`, or nothing.
    Id(Option<Uuid>),
    /// `bytea`, or nothing.
    Bytes(Option<Vec<u8>>),
    /// JSON as `text`, or nothing; write `$1::jsonb`.
    Json(Option<Json>),
}

impl Statement {
    /// A statement without values. `sql` must not be put together from what users say; that is what values are for.
    pub fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), values: Vec::new() }
    }

    /// The same with the value for the next place.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    fn query(&self) -> Query<'_, Postgres, PgArguments> {
        self.values.iter().fold(sqlx::query(AssertSqlSafe(self.sql.as_str())), |query, value| match value {
            Value::Text(text) => query.bind(text),
            Value::Integer(integer) => query.bind(integer),
            Value::Number(number) => query.bind(number),
            Value::Boolean(boolean) => query.bind(boolean),
            Value::Id(id) => query.bind(id),
            Value::Bytes(bytes) => query.bind(bytes),
            Value::Json(json) => query.bind(json.as_ref().map(Json::as_str)),
        })
    }
}

macro_rules! values {
    ($($kind:ident: $($from:ty),+;)+) => {$($(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$kind(Some(value.into()))
            }
        }
        impl From<Option<$from>> for Value {
            fn from(value: Option<$from>) -> Self {
                Self::$kind(value.map(Into::into))
            }
        }
    )+)+};
}

values! {
    Text: String, &str;
    Integer: i64, i32, u32;
    Number: f64;
    Boolean: bool;
    Id: Uuid;
    Bytes: Vec<u8>, &[u8];
    Json: Json, serde_json::Value;
}
