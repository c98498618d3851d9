//! Reads what a read model says.

use std::cmp::Ordering;

use serde_json::{Map, Value};
use sqlx::AssertSqlSafe;

use super::documents::{Document, document};
use crate::store::{EventStore, Kind, StoreError, failure};

/// A read model, for reading.
#[derive(Clone)]
pub struct View {
    store: EventStore,
    name: String,
}

/// Which documents are wanted, and in which order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct List {
    /// Only those in which each of these fields has this value.
    pub filter: Map<String, Value>,
    /// By this field, then by id; those without the field come last when ascending. By id when nothing is said.
    pub order_by: Option<(String, Direction)>,
    /// How many are left out at the beginning.
    pub offset: u32,
    /// At most so many; all of them when nothing is said.
    pub limit: Option<u32>,
}

/// From small to large or the other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Small ones first.
    Ascending,
    /// Large ones first.
    Descending,
}

impl View {
    /// The current generation of the read model `name` in `store`.
    pub fn new(store: EventStore, name: impl Into<String>) -> Self {
        Self { store, name: name.into() }
    }

    /// The store that it is in.
    pub fn store(&self) -> &EventStore {
        &self.store
    }

    /// The document known by `id`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find(&self, id: &str) -> Result<Option<Document>, StoreError> {
        match self.store.kind() {
            Kind::Postgres(store) => {
                let row =
                    sqlx::query("select id, data, version from projections where projection_name = $1 and id = $2")
                        .bind(&self.name)
                        .bind(id)
                        .fetch_optional(&mut *store.connection("select projections").await?)
                        .await
                        .map_err(failure::statement)?;
                row.as_ref().map(document).transpose().map_err(failure::statement)
            }
            Kind::Memory(_) => Ok(self.in_memory().await.into_iter().find(|document| document.id == id)),
        }
    }

    /// A document in which each of these fields has this value; the one with the smallest id when there are several.
    ///
    /// # Errors
    /// See [`View::find`].
    pub async fn find_by(&self, filter: Map<String, Value>) -> Result<Option<Document>, StoreError> {
        let list = List { filter, limit: Some(1), ..List::default() };
        Ok(self.list(&list).await?.into_iter().next())
    }

    /// The documents that `list` describes.
    ///
    /// # Errors
    /// See [`View::find`].
    pub async fn list(&self, list: &List) -> Result<Vec<Document>, StoreError> {
        let Kind::Postgres(store) = self.store.kind() else { return in_order(self.in_memory().await, list) };
        let (field, direction) = match &list.order_by {
            Some((field, Direction::Ascending)) => (Some(field), "asc nulls last"),
            Some((field, Direction::Descending)) => (Some(field), "desc nulls first"),
            None => (None, "asc"),
        };
        // `@>` finds the documents by the index, and also those where an object says more than is asked for.
        let sql = format!(
            "select id, data, version from projections where projection_name = $1 and data @> $2::text::jsonb
                and not exists (
                    select from jsonb_each($2::text::jsonb) f where data -> f.key is distinct from f.value
                )
                order by data -> $3 {direction}, id offset $4 limit $5"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(&self.name)
            .bind(Value::Object(list.filter.clone()).to_string())
            .bind(field)
            .bind(i64::from(list.offset))
            .bind(list.limit.map(i64::from))
            .fetch_all(&mut *store.connection("select projections").await?)
            .await
            .map_err(failure::statement)?;
        rows.iter().map(document).collect::<Result<_, _>>().map_err(failure::statement)
    }

    async fn in_memory(&self) -> Vec<Document> {
        let Kind::Memory(store) = self.store.kind() else { return Vec::new() };
        let tables = store.tables().await;
        let tables = &tables.projections;
        let Some(live) = tables.live.get(&self.name) else { return Vec::new() };
        let mine = tables.documents.iter().filter(|((name, of, _), _)| *name == self.name && *of == live.generation);
        mine.map(|(_, document)| document.clone()).collect()
    }
}

fn in_order(all: Vec<Document>, list: &List) -> Result<Vec<Document>, StoreError> {
    let mut found = Vec::new();
    for document in all {
        let fields: Map<String, Value> = document
            .data
            .read()
            .map_err(|source| StoreError::Unreadable { what: format!("the document {}", document.id), source })?;
        if list.filter.iter().all(|(field, value)| fields.get(field) == Some(value)) {
            let field = list.order_by.as_ref().and_then(|(field, _)| fields.get(field).cloned());
            found.push((field, document));
        }
    }
    found.sort_by(|(a, one), (b, other)| {
        let ascending = match (a, b) {
            (Some(a), Some(b)) => compare(a, b),
            // Without the field: the largest.
            (a, b) => a.is_none().cmp(&b.is_none()),
        };
        let ordered = match list.order_by {
            Some((_, Direction::Descending)) => ascending.reverse(),
            _ => ascending,
        };
        ordered.then_with(|| one.id.cmp(&other.id))
    });
    let limit = list.limit.map_or(usize::MAX, |limit| limit as usize);
    Ok(found.into_iter().map(|(_, document)| document).skip(list.offset as usize).take(limit).collect())
}

/// As the database orders JSON.
fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (a, b) => rank(a).cmp(&rank(b)),
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::String(_) => 1,
        Value::Number(_) => 2,
        Value::Bool(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}
