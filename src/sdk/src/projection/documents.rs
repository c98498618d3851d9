//! The rows of read models, within a transaction.

use std::collections::HashMap;

use sqlx::Row;

use crate::store::{Json, Open, StoreError, Tx, failure, json};

/// One row of a read model.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// What it is known by.
    pub id: String,
    /// What it says, an object.
    pub data: Json,
    /// How many events went into it.
    pub version: u32,
}

impl Tx<'_> {
    /// Those of the documents `ids` that are there, by their id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn documents(
        &mut self,
        projection: &str,
        generation: i32,
        ids: &[&str],
    ) -> Result<HashMap<String, Document>, StoreError> {
        match &mut self.0 {
            Open::Postgres(connection) => {
                let rows = sqlx::query(
                    "select id, data, version from projection_documents
                        where projection_name = $1 and generation = $2 and id = any($3)",
                )
                .bind(projection)
                .bind(generation)
                .bind(ids)
                .fetch_all(&mut **connection)
                .await
                .map_err(failure::statement)?;
                let found = rows.iter().map(document).map(|found| found.map(|it| (it.id.clone(), it)));
                found.collect::<Result<_, _>>().map_err(failure::statement)
            }
            Open::Memory(tables) => {
                let key = |id: &&str| (projection.to_owned(), generation, (*id).to_owned());
                let found = ids.iter().filter_map(|id| tables.projections.documents.get(&key(id)));
                Ok(found.map(|document| (document.id.clone(), document.clone())).collect())
            }
        }
    }

    /// Writes `documents`, each of which must occur once, over those with the same ids.
    ///
    /// # Errors
    /// When the database does not take them.
    pub async fn store_documents(
        &mut self,
        projection: &str,
        generation: i32,
        documents: Vec<Document>,
    ) -> Result<(), StoreError> {
        match &mut self.0 {
            Open::Postgres(connection) => {
                let ids: Vec<_> = documents.iter().map(|document| document.id.as_str()).collect();
                let data: Vec<_> = documents.iter().map(|document| document.data.as_str()).collect();
                let versions: Vec<_> = documents.iter().map(|document| document.version as i32).collect();
                sqlx::query(
                    "insert into projection_documents (projection_name, generation, id, data, version)
                        select $1, $2, d.id, d.data::jsonb, d.version
                        from unnest($3::text[], $4::text[], $5::integer[]) as d(id, data, version)
                        on conflict (projection_name, generation, id) do update
                        set data = excluded.data, version = excluded.version, updated_at = now()",
                )
                .bind(projection)
                .bind(generation)
                .bind(ids)
                .bind(data)
                .bind(versions)
                .execute(&mut **connection)
                .await
                .map(drop)
                .map_err(failure::statement)
            }
            Open::Memory(tables) => {
                let key = |document: &Document| (projection.to_owned(), generation, document.id.clone());
                tables.projections.documents.extend(documents.into_iter().map(|document| (key(&document), document)));
                Ok(())
            }
        }
    }

    /// Removes the documents `ids`, as far as they are there.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn remove_documents(
        &mut self,
        projection: &str,
        generation: i32,
        ids: &[&str],
    ) -> Result<(), StoreError> {
        match &mut self.0 {
            Open::Postgres(connection) => sqlx::query(
                "delete from projection_documents where projection_name = $1 and generation = $2 and id = any($3)",
            )
            .bind(projection)
            .bind(generation)
            .bind(ids)
            .execute(&mut **connection)
            .await
            .map(drop)
            .map_err(failure::statement),
            Open::Memory(tables) => {
                for id in ids {
                    let key = (projection.to_owned(), generation, (*id).to_owned());
                    tables.projections.documents.remove(&key);
                }
                Ok(())
            }
        }
    }

    /// Removes the documents of all generations but one.
    pub(super) async fn retain_documents(&mut self, projection: &str, generation: i32) -> Result<(), StoreError> {
        match &mut self.0 {
            Open::Postgres(connection) => {
                sqlx::query("delete from projection_documents where projection_name = $1 and generation <> $2")
                    .bind(projection)
                    .bind(generation)
                    .execute(&mut **connection)
                    .await
                    .map(drop)
                    .map_err(failure::statement)
            }
            Open::Memory(tables) => {
                tables.projections.documents.retain(|(name, of, _), _| name != projection || *of == generation);
                Ok(())
            }
        }
    }
}

/// A row of id, data and version.
pub(super) fn document(row: &sqlx::postgres::PgRow) -> Result<Document, sqlx::Error> {
    Ok(Document { id: row.try_get(0)?, data: json(row, 1)?, version: row.try_get::<i32, _>(2)? as u32 })
}
