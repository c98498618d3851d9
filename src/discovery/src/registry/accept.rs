//! What is written when contracts are accepted or refused.

use banyan_sdk::{
    Fault, FaultCode,
    protocol::{compat::Difference, contract::Flaw},
    store::{Companion, EventStore, Refusal, StoreError, Tx},
};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use sqlx::{PgConnection, Row};

use crate::{announcement::Announcement, gate::Known};

/// What is told of a registration, for its history.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    service: String,
    version: String,
    service_id: String,
    checksum: String,
    contracts: Value,
    faults: Value,
    differences: Value,
    verdict: &'static str,
}

impl Told {
    pub(crate) fn new(it: &Announcement, verdict: &'static str, faults: &[Flaw], differences: &[Difference]) -> Self {
        Self {
            service: it.instance.service.to_string(),
            version: it.instance.version.to_string(),
            service_id: it.instance.id.clone(),
            checksum: it.checksum.clone(),
            contracts: Value::Array(it.sent.clone()),
            faults: json!(faults),
            differences: json!(differences),
            verdict,
        }
    }

    async fn record(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query(
            "insert into service_contract_history
                (service_name, version, checksum, contracts, verdict, faults, differences, service_id)
                values ($1, $2, $3, $4::text::jsonb, $5, $6::text::jsonb, $7::text::jsonb, $8)
                on conflict (service_name, version, checksum, verdict) do update set
                    last_at = now(), times = service_contract_history.times + 1, faults = excluded.faults,
                    differences = excluded.differences",
        )
        .bind(&self.service)
        .bind(&self.version)
        .bind(&self.checksum)
        .bind(self.contracts.to_string())
        .bind(self.verdict)
        .bind(self.faults.to_string())
        .bind(self.differences.to_string())
        .bind(&self.service_id)
        .execute(connection)
        .await
        .map(drop)
    }
}

/// Notes that a registration was refused.
pub(crate) async fn record_refusal(store: &EventStore, told: &Told) -> Result<(), Fault> {
    let mut connection = store.connection("insert service_contract_history").await?;
    told.record(&mut connection).await.map_err(|error| Fault::from(StoreError::from(error)))
}

/// Takes contracts into use, together with the event that says so, if nobody else has changed what they were compared
/// with in the meantime.
pub(crate) struct Accept {
    told: Told,
    /// Version and checksum of what was known when it was judged.
    basis: Vec<(String, String)>,
}

impl Accept {
    pub(crate) fn new(told: Told, known: &[Known]) -> Self {
        let mut basis: Vec<_> = known.iter().map(|it| (it.version.to_string(), it.checksum.clone())).collect();
        basis.sort();
        Self { told, basis }
    }

    async fn write(&self, connection: &mut PgConnection) -> Result<(), Refusal> {
        // One registration of a service at a time, also of one that is not known yet.
        sqlx::query("select pg_advisory_xact_lock(hashtext('service_contracts'), hashtext($1))")
            .bind(&self.told.service)
            .execute(&mut *connection)
            .await?;
        let rows = sqlx::query("select version, checksum from service_contracts where service_name = $1")
            .bind(&self.told.service)
            .fetch_all(&mut *connection)
            .await?;
        let mut present: Vec<(String, String)> = Vec::new();
        for row in &rows {
            present.push((row.try_get(0)?, row.try_get(1)?));
        }
        present.sort();
        if present != self.basis {
            let message = format!("another registration of {} came first", self.told.service);
            return Err(Fault::new(FaultCode::Concurrency, message).into());
        }
        sqlx::query(
            "insert into service_contracts (service_name, version, contracts, checksum)
                values ($1, $2, $3::text::jsonb, $4)
                on conflict (service_name, version) do update set
                    contracts = excluded.contracts, checksum = excluded.checksum, last_updated = now()",
        )
        .bind(&self.told.service)
        .bind(&self.told.version)
        .bind(self.told.contracts.to_string())
        .bind(&self.told.checksum)
        .execute(&mut *connection)
        .await?;
        Ok(self.told.record(connection).await?)
    }
}

impl Companion for Accept {
    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let connection = tx.connection().ok_or(StoreError::NoSql)?;
            self.write(connection).await
        })
    }
}
