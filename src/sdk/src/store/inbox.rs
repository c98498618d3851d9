//! What has been handled already, under keys that the senders chose: work that arrives twice is done once.

use std::{
    collections::btree_map::Entry,
    time::{Duration, SystemTime},
};

use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::{
    EventStore, Kind, StoreError,
    companion::{Companion, Open, Refusal, Tx},
    event::Json,
    memory::Tables,
    postgres::{failure, read},
};
use futures_util::future::BoxFuture;

/// How long it is known that something has been handled.
pub const RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// How many rows are pruned at once, so that nobody waits for long.
const PRUNED_AT_ONCE: i64 = 5_000;

/// The answer to whoever wants to do some work.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// It is yours to do.
    First(Lease),
    /// It has been done; this was the answer.
    Done(Option<Json>),
    /// Somebody else is at it.
    InProgress,
}

/// The right to do some work, until it has been done or the time is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    scope: String,
    key: String,
    id: Uuid,
}

/// Marks the work of a lease as done; as a companion it does so if and only if the append succeeds.
#[derive(Debug, Clone)]
pub struct Complete {
    /// For which work.
    pub lease: Lease,
    /// What whoever comes with the same key is answered.
    pub reply: Option<Json>,
}

/// Lets an append through once for each key; the next one fails with [`StoreError::AlreadyHandled`] within
/// [`StoreError::Companion`].
#[derive(Debug, Clone)]
pub struct Once {
    /// Who handles it: keys of different scopes have nothing to do with each other.
    pub scope: String,
    /// What is handled, such as the id of a message.
    pub key: String,
}

impl Companion for Complete {
    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move { Ok(tx.complete(&self.lease, self.reply.as_ref()).await?) })
    }
}

impl Companion for Once {
    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move { Ok(tx.once(&self.scope, &self.key).await?) })
    }
}

#[derive(Clone)]
pub(crate) struct Handled {
    claim: Uuid,
    leased_until: SystemTime,
    /// What was answered, once it is done.
    done: Option<Option<Json>>,
    expires_at: SystemTime,
}

impl Handled {
    fn is_free(&self, now: SystemTime) -> bool {
        self.expires_at < now || (self.done.is_none() && self.leased_until < now)
    }
}

impl EventStore {
    /// Asks for the work known as `key` within `scope`; whoever gets it has `lease` to do it before another one may.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim(&self, scope: &str, key: &str, lease: Duration) -> Result<Claim, StoreError> {
        let wanted = Lease { scope: scope.to_owned(), key: key.to_owned(), id: Uuid::now_v7() };
        match self.kind() {
            Kind::Postgres(store) => {
                let mut connection = store.connection("claim handled_messages").await?;
                store.wrote(claim(&mut connection, wanted, lease).await.map_err(failure::statement))
            }
            Kind::Memory(store) => Ok(claim_in(&mut *store.tables().await, wanted, lease)),
        }
    }

    /// Marks the work of `lease` as done, with the answer for whoever comes with the same key within [`RETENTION`].
    ///
    /// # Errors
    /// [`StoreError::ClaimLost`] when the time was up and somebody else has taken over.
    pub async fn complete(&self, lease: &Lease, reply: Option<&Json>) -> Result<(), StoreError> {
        match self.kind() {
            Kind::Postgres(store) => {
                Tx(Open::Postgres(&mut *store.connection("complete handled_messages").await?))
                    .complete(lease, reply)
                    .await
            }
            Kind::Memory(store) => Tx(Open::Memory(&mut *store.tables().await)).complete(lease, reply).await,
        }
    }

    /// Gives up the work of `lease`, so that the next one who asks may do it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        match self.kind() {
            Kind::Postgres(store) => sqlx::query(
                "delete from handled_messages where scope = $1 and key = $2 and claim = $3 and completed_at is null",
            )
            .bind(&lease.scope)
            .bind(&lease.key)
            .bind(lease.id)
            .execute(&mut *store.connection("release handled_messages").await?)
            .await
            .map(drop)
            .map_err(failure::statement),
            Kind::Memory(store) => {
                let mut tables = store.tables().await;
                if let Entry::Occupied(entry) = tables.handled.entry((lease.scope.clone(), lease.key.clone()))
                    && entry.get().claim == lease.id
                    && entry.get().done.is_none()
                {
                    entry.remove();
                }
                Ok(())
            }
        }
    }

    /// Keeps the work of `lease` for another `time`, for as long as it is this one's; otherwise nothing happens.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn renew(&self, lease: &Lease, time: Duration) -> Result<(), StoreError> {
        match self.kind() {
            Kind::Postgres(store) => sqlx::query(
                "update handled_messages set leased_until = clock_timestamp() + make_interval(secs => $4)
                    where scope = $1 and key = $2 and claim = $3 and completed_at is null",
            )
            .bind(&lease.scope)
            .bind(&lease.key)
            .bind(lease.id)
            .bind(time.as_secs_f64())
            .execute(&mut *store.connection("renew handled_messages").await?)
            .await
            .map(drop)
            .map_err(failure::statement),
            Kind::Memory(store) => {
                let mut tables = store.tables().await;
                let handled = tables.handled.get_mut(&(lease.scope.clone(), lease.key.clone()));
                if let Some(handled) = handled.filter(|handled| handled.claim == lease.id && handled.done.is_none()) {
                    handled.leased_until = SystemTime::now() + time;
                }
                Ok(())
            }
        }
    }

    /// Forgets what was handled longer ago than [`RETENTION`], and says how much that was.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn prune_handled(&self) -> Result<u64, StoreError> {
        match self.kind() {
            Kind::Postgres(store) => {
                let mut connection = store.connection("delete handled_messages").await?;
                let mut pruned = 0;
                loop {
                    let done = sqlx::query(
                        "delete from handled_messages where (scope, key) in (
                            select scope, key from handled_messages where expires_at < clock_timestamp()
                            limit $1 for update skip locked)",
                    )
                    .bind(PRUNED_AT_ONCE)
                    .execute(&mut *connection)
                    .await
                    .map_err(failure::statement)?;
                    pruned += done.rows_affected();
                    if done.rows_affected() < PRUNED_AT_ONCE as u64 {
                        return Ok(pruned);
                    }
                }
            }
            Kind::Memory(store) => {
                let mut tables = store.tables().await;
                let (before, now) = (tables.handled.len(), SystemTime::now());
                tables.handled.retain(|_, handled| handled.expires_at >= now);
                Ok((before - tables.handled.len()) as u64)
            }
        }
    }
}

impl Tx<'_> {
    /// Marks the work of `lease` as done, if and only if the transaction succeeds.
    ///
    /// # Errors
    /// [`StoreError::ClaimLost`] when the time was up and somebody else has taken over.
    pub async fn complete(&mut self, lease: &Lease, reply: Option<&Json>) -> Result<(), StoreError> {
        let lost = || StoreError::ClaimLost { key: lease.key.clone() };
        match &mut self.0 {
            Open::Postgres(connection) => {
                let done = sqlx::query(
                    "update handled_messages set completed_at = clock_timestamp(), reply = $4::text::jsonb,
                        expires_at = clock_timestamp() + make_interval(secs => $5)
                        where scope = $1 and key = $2 and claim = $3 and completed_at is null",
                )
                .bind(&lease.scope)
                .bind(&lease.key)
                .bind(lease.id)
                .bind(reply.map(Json::as_str))
                .bind(RETENTION.as_secs_f64())
                .execute(&mut **connection)
                .await
                .map_err(failure::statement)?;
                if done.rows_affected() == 1 { Ok(()) } else { Err(lost()) }
            }
            Open::Memory(tables) => {
                let handled = tables.handled.get_mut(&(lease.scope.clone(), lease.key.clone()));
                let mine = handled.filter(|handled| handled.claim == lease.id && handled.done.is_none());
                let handled = mine.ok_or_else(lost)?;
                handled.done = Some(reply.cloned());
                handled.expires_at = SystemTime::now() + RETENTION;
                Ok(())
            }
        }
    }

    /// Marks `key` as handled within `scope`, if and only if the transaction succeeds.
    ///
    /// # Errors
    /// [`StoreError::AlreadyHandled`] when it has been handled within [`RETENTION`].
    pub async fn once(&mut self, scope: &str, key: &str) -> Result<(), StoreError> {
        let first = match &mut self.0 {
            Open::Postgres(connection) => {
                let done = sqlx::query(
                    "insert into handled_messages as h (scope, key, claim, leased_until, completed_at, expires_at)
                        values ($1, $2, $3, clock_timestamp(), clock_timestamp(),
                            clock_timestamp() + make_interval(secs => $4))
                        on conflict (scope, key) do update set claim = excluded.claim, reply = null,
                            leased_until = excluded.leased_until, completed_at = excluded.completed_at,
                            expires_at = excluded.expires_at
                        where h.expires_at < clock_timestamp()
                            or (h.completed_at is null and h.leased_until < clock_timestamp())",
                )
                .bind(scope)
                .bind(key)
                .bind(Uuid::now_v7())
                .bind(RETENTION.as_secs_f64())
                .execute(&mut **connection)
                .await
                .map_err(failure::statement)?;
                done.rows_affected() == 1
            }
            Open::Memory(tables) => {
                let now = SystemTime::now();
                let place = (scope.to_owned(), key.to_owned());
                let free = tables.handled.get(&place).is_none_or(|handled| handled.is_free(now));
                if free {
                    let done = Handled {
                        claim: Uuid::now_v7(),
                        leased_until: now,
                        done: Some(None),
                        expires_at: now + RETENTION,
                    };
                    tables.handled.insert(place, done);
                }
                free
            }
        };
        if first { Ok(()) } else { Err(StoreError::AlreadyHandled { key: key.to_owned() }) }
    }
}

async fn claim(connection: &mut PgConnection, wanted: Lease, lease: Duration) -> Result<Claim, sqlx::Error> {
    loop {
        let taken = sqlx::query(
            "insert into handled_messages as h (scope, key, claim, leased_until, expires_at)
                values ($1, $2, $3, clock_timestamp() + make_interval(secs => $4),
                    clock_timestamp() + make_interval(secs => $5))
                on conflict (scope, key) do update set claim = excluded.claim, completed_at = null, reply = null,
                    leased_until = excluded.leased_until, expires_at = excluded.expires_at
                where h.expires_at < clock_timestamp()
                    or (h.completed_at is null and h.leased_until < clock_timestamp())",
        )
        .bind(&wanted.scope)
        .bind(&wanted.key)
        .bind(wanted.id)
        .bind(lease.as_secs_f64())
        .bind(RETENTION.as_secs_f64())
        .execute(&mut *connection)
        .await?;
        if taken.rows_affected() == 1 {
            return Ok(Claim::First(wanted));
        }
        let row =
            sqlx::query("select completed_at is not null, reply from handled_messages where scope = $1 and key = $2")
                .bind(&wanted.scope)
                .bind(&wanted.key)
                .fetch_optional(&mut *connection)
                .await?;
        match row {
            Some(row) if row.try_get(0)? => return read::optional_json(&row, 1).map(Claim::Done),
            Some(_) => return Ok(Claim::InProgress),
            // Given up or forgotten between the two statements.
            None => {}
        }
    }
}

fn claim_in(tables: &mut Tables, wanted: Lease, lease: Duration) -> Claim {
    let now = SystemTime::now();
    let handled = Handled { claim: wanted.id, leased_until: now + lease, done: None, expires_at: now + RETENTION };
    match tables.handled.entry((wanted.scope.clone(), wanted.key.clone())) {
        Entry::Occupied(entry) if !entry.get().is_free(now) => match &entry.get().done {
            Some(reply) => Claim::Done(reply.clone()),
            None => Claim::InProgress,
        },
        Entry::Occupied(mut entry) => {
            entry.insert(handled);
            Claim::First(wanted)
        }
        Entry::Vacant(entry) => {
            entry.insert(handled);
            Claim::First(wanted)
        }
    }
}
