//! What is not in events: hashes, who has which address, which tokens are good.
//!
//! These tables are written in the transactions of the events that go with them, by the companions below; so they decide
//! what must be decided once, whichever of several instances is asked. Their clock is the database's.

use banyan_sdk::{
    Fault,
    store::{Companion, EventStore, Refusal, Statement, StoreError, Tx},
};
use futures_util::future::BoxFuture;
use sqlx::Row;

/// A second use of a refresh token within this many seconds is an accident: two tabs, a repeated request.
const GRACE: f64 = 2.0;

/// What the tables are called as a whole.
pub const SET: &str = "auth";

/// What makes them, in order.
pub const MIGRATIONS: &[(&str, &str)] = &[("accounts", include_str!("tables/1_accounts.sql"))];

/// SHA-256 of a refresh token.
pub type TokenHash = [u8; 32];

/// A user's address and password.
#[derive(Clone)]
pub struct Account {
    /// The user.
    pub user_id: String,
    /// The password's hash, if there is one.
    pub hash: Option<String>,
}

/// What a refresh token belongs to.
#[derive(Debug, Clone)]
pub struct Token {
    /// The session.
    pub session_id: String,
    /// The user.
    pub user_id: String,
    /// What it is good for.
    pub state: TokenState,
}

/// What a refresh token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// For new tokens.
    Good,
    /// For nothing: it was used a moment ago.
    JustUsed,
    /// For nothing: it was used before, so that somebody else has it.
    Used,
    /// For nothing: its session has ended.
    Over,
}

/// The tables, for reading, beside the events in a store.
pub struct Tables<'a>(pub &'a EventStore);

impl Tables<'_> {
    /// Who has an address.
    pub async fn account(&self, email: &str) -> Result<Option<Account>, Fault> {
        let mut connection = self.0.connection("select auth_accounts").await?;
        let sql = "select user_id, hash from auth_accounts left join credentials using (user_id) where email = $1";
        let row = sqlx::query(sql).bind(email).fetch_optional(&mut *connection).await.map_err(fault)?;
        row.map(|row| Ok(Account { user_id: row.try_get(0)?, hash: row.try_get(1)? })).transpose().map_err(fault)
    }

    /// Who is known to a provider by an id.
    pub async fn identity(&self, provider: &str, external_id: &str) -> Result<Option<String>, Fault> {
        let mut connection = self.0.connection("select auth_identities").await?;
        sqlx::query_scalar("select user_id from auth_identities where provider = $1 and external_id = $2")
            .bind(provider)
            .bind(external_id)
            .fetch_optional(&mut *connection)
            .await
            .map_err(fault)
    }

    /// What a refresh token belongs to.
    pub async fn token(&self, hash: &TokenHash) -> Result<Option<Token>, Fault> {
        let mut connection = self.0.connection("select auth_refresh_tokens").await?;
        let sql = "select session_id, user_id, revoked or expires_at <= now(), used_at is not null,
                coalesce(used_at > now() - make_interval(secs => $2), false)
            from auth_refresh_tokens join auth_sessions using (session_id) where hash = $1";
        let row = sqlx::query(sql).bind(&hash[..]).bind(GRACE).fetch_optional(&mut *connection).await.map_err(fault)?;
        let read = |row: sqlx::postgres::PgRow| {
            let state = match (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?) {
                (true, _, _) => TokenState::Over,
                (_, false, _) => TokenState::Good,
                (_, _, true) => TokenState::JustUsed,
                _ => TokenState::Used,
            };
            Ok(Token { session_id: row.try_get(0)?, user_id: row.try_get(1)?, state })
        };
        row.map(read).transpose().map_err(fault)
    }

    /// Whose session it is, while it lasts.
    pub async fn session(&self, session_id: &str) -> Result<Option<String>, Fault> {
        let mut connection = self.0.connection("select auth_sessions").await?;
        let sql = "select user_id from auth_sessions where session_id = $1 and not revoked and expires_at > now()";
        sqlx::query_scalar(sql).bind(session_id).fetch_optional(&mut *connection).await.map_err(fault)
    }

    /// The sessions of a user that last.
    pub async fn sessions(&self, user_id: &str) -> Result<Vec<String>, Fault> {
        let mut connection = self.0.connection("select auth_sessions").await?;
        let sql = "select session_id from auth_sessions where user_id = $1 and not revoked and expires_at > now()";
        sqlx::query_scalar(sql).bind(user_id).fetch_all(&mut *connection).await.map_err(fault)
    }

    /// How long, in seconds, it is until something may be tried again that may be tried `most` times in `window`
    /// seconds; nothing while it may be tried.
    pub async fn blocked(&self, key: &[u8], most: i32, window: f64) -> Result<Option<u32>, Fault> {
        let mut connection = self.0.connection("select auth_attempts").await?;
        let sql = "select ceil(extract(epoch from since + make_interval(secs => $3) - now()))::bigint
            from auth_attempts where key = $1 and count >= $2 and since > now() - make_interval(secs => $3)";
        let left: Option<i64> = sqlx::query_scalar(sql)
            .bind(key)
            .bind(most)
            .bind(window)
            .fetch_optional(&mut *connection)
            .await
            .map_err(fault)?;
        Ok(left.map(|left| u32::try_from(left.max(1)).unwrap_or(u32::MAX)))
    }

    /// Counts one more attempt, and says how many there were in the window that began with the first of them.
    pub async fn count(&self, key: &[u8], window: f64) -> Result<i32, Fault> {
        let mut connection = self.0.connection("insert auth_attempts").await?;
        // What is over goes two by two, so that the table does not grow for ever.
        let sql = "with over as (
                delete from auth_attempts where key in (
                    select key from auth_attempts where since <= now() - make_interval(secs => $2) and key <> $1
                    order by since limit 2 for update skip locked
                )
            )
            insert into auth_attempts as a (key, count) values ($1, 1) on conflict (key) do update set
                count = case when a.since <= now() - make_interval(secs => $2) then 1 else a.count + 1 end,
                since = case when a.since <= now() - make_interval(secs => $2) then now() else a.since end
            returning count";
        sqlx::query_scalar(sql).bind(key).bind(window).fetch_one(&mut *connection).await.map_err(fault)
    }

    /// Forgets the attempts.
    pub async fn forgive(&self, key: &[u8]) -> Result<(), Fault> {
        let mut connection = self.0.connection("delete auth_attempts").await?;
        let done = sqlx::query("delete from auth_attempts where key = $1").bind(key).execute(&mut *connection).await;
        done.map(drop).map_err(fault)
    }
}

fn fault(error: sqlx::Error) -> Fault {
    StoreError::from(error).into()
}

/// What every refusal of a refresh token says.
pub fn refused() -> Fault {
    Fault::unauthorized("the refresh token is not valid")
}

/// Gives an address to a user; refuses when it is taken.
pub fn take_address(email: String, user_id: String) -> Guarded {
    let insert = "insert into auth_accounts (email, user_id) values ($1, $2) on conflict do nothing";
    let statement = Statement::new(insert).bind(email).bind(user_id);
    guarded(statement, || Fault::conflict("the e-mail address is taken"))
}

/// Keeps a password's hash.
pub fn keep_hash(user_id: &str, hash: String) -> Statement {
    Statement::new(
        "insert into credentials (user_id, hash) values ($1, $2)
            on conflict (user_id) do update set hash = excluded.hash, changed_at = now()",
    )
    .bind(user_id)
    .bind(hash)
}

/// Forgets a user's password.
pub fn forget_hash(user_id: &str) -> Statement {
    Statement::new("delete from credentials where user_id = $1").bind(user_id)
}

/// Links a user to what a provider calls the user; refuses when that is somebody else's.
pub fn link(provider: String, external_id: String, user_id: String) -> Guarded {
    let insert =
        "insert into auth_identities (provider, external_id, user_id) values ($1, $2, $3) on conflict do nothing";
    let statement = Statement::new(insert).bind(provider).bind(external_id).bind(user_id);
    guarded(statement, || Fault::conflict("the external identity is linked already"))
}

/// Forgets everything about a user; what happened stays in the events.
pub fn forget_user(user_id: &str) -> [Statement; 4] {
    ["auth_accounts", "credentials", "auth_identities", "auth_sessions"]
        .map(|table| Statement::new(format!("delete from {table} where user_id = $1")).bind(user_id))
}

/// Keeps a session, and forgets those of the same user that are long over.
pub fn begin_session(session_id: &str, user_id: &str, seconds: f64) -> [Statement; 2] {
    [
        Statement::new("delete from auth_sessions where user_id = $1 and expires_at < now()").bind(user_id),
        Statement::new(
            "insert into auth_sessions (session_id, user_id, expires_at)
                values ($1, $2, now() + make_interval(secs => $3))",
        )
        .bind(session_id)
        .bind(user_id)
        .bind(seconds),
    ]
}

/// Keeps a refresh token.
pub fn keep_token(hash: &TokenHash, session_id: &str) -> Statement {
    Statement::new("insert into auth_refresh_tokens (hash, session_id) values ($1, $2)")
        .bind(&hash[..])
        .bind(session_id)
}

/// Uses a refresh token up; refuses when that was done before, or its session has ended.
pub fn use_token(hash: &TokenHash) -> Guarded {
    let update = "update auth_refresh_tokens t set used_at = clock_timestamp() from auth_sessions s
        where t.hash = $1 and t.used_at is null and s.session_id = t.session_id
            and not s.revoked and s.expires_at > now()";
    guarded(Statement::new(update).bind(&hash[..]), refused)
}

/// Lets a session last this much longer from now on; refuses when it has ended.
pub fn prolong_session(session_id: &str, seconds: f64) -> Guarded {
    let update = "update auth_sessions set expires_at = now() + make_interval(secs => $2)
        where session_id = $1 and not revoked and expires_at > now()";
    let statement = Statement::new(update).bind(session_id).bind(seconds);
    guarded(statement, || Fault::not_found("there is no such session"))
}

/// Ends a session.
pub fn end_session(session_id: &str) -> Statement {
    Statement::new("update auth_sessions set revoked = true where session_id = $1").bind(session_id)
}

fn guarded(statement: Statement, refusal: fn() -> Fault) -> Guarded {
    Guarded { statement, refusal }
}

/// A statement that must concern a row, or nothing happens.
pub struct Guarded {
    statement: Statement,
    refusal: fn() -> Fault,
}

impl Companion for Guarded {
    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            match tx.execute(&self.statement).await? {
                0 => Err((self.refusal)().into()),
                _ => Ok(()),
            }
        })
    }
}
