//! How often something may be tried.
//!
//! Attempts are counted under the address that was given, whether it has an account or not, and under where they come
//! from; so nothing of what is told, or how long that takes, depends on whether there is an account.

use banyan_sdk::{Fault, FaultCode, Outcome};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{access::Cx, events::AccountLocked, state::origin, tables::Tables};

/// How long attempts are remembered, in seconds.
const WINDOW: u32 = 3600;
/// How many log-ins to one account may fail.
const ACCOUNT: i32 = 5;
/// How many may fail from one place.
const PLACE: i32 = 100;
/// How many users may register from one place.
const REGISTRATIONS: i32 = 20;

/// What is counted: SHA-256 of what it is about.
struct Counter {
    key: [u8; 32],
    most: i32,
}

impl Counter {
    fn new(kind: &str, about: &str, most: i32) -> Self {
        Self { key: Sha256::digest(format!("{kind}\n{about}")).into(), most }
    }

    async fn check(&self, tables: &Tables<'_>) -> Result<(), Fault> {
        let blocked = tables.blocked(&self.key, self.most, WINDOW.into()).await?;
        blocked.map_or(Ok(()), |seconds| {
            let fault = Fault::new(FaultCode::RateLimitExceeded, "too many attempts; try again later");
            Err(fault.with_details(json!({ "retryAfter": seconds })))
        })
    }

    async fn count(&self, tables: &Tables<'_>) -> Result<bool, Fault> {
        Ok(tables.count(&self.key, WINDOW.into()).await? == self.most)
    }
}

/// An attempt to log in.
pub struct Attempt {
    email: String,
    ip_address: Option<String>,
    account: Counter,
    place: Option<Counter>,
}

impl Attempt {
    /// With this address, from this place.
    ///
    /// # Errors
    /// `ValidationError` when the place is none.
    pub fn new(email: &str, ip_address: Option<&str>) -> Result<Self, Fault> {
        let place = origin(ip_address)?.map(|it| Counter::new("place", &it, PLACE));
        let (email, ip_address) = (email.to_owned(), ip_address.map(str::to_owned));
        Ok(Self { account: Counter::new("account", &email, ACCOUNT), email, ip_address, place })
    }

    /// Refuses it when there were too many.
    ///
    /// # Errors
    /// `RATE_LIMIT_EXCEEDED`.
    pub async fn check(&self, tables: &Tables<'_>) -> Result<(), Fault> {
        self.account.check(tables).await?;
        match &self.place {
            Some(place) => place.check(tables).await,
            None => Ok(()),
        }
    }

    /// It failed.
    pub async fn failed(&self, cx: &Cx, tables: &Tables<'_>) -> Result<(), Fault> {
        if let Some(place) = &self.place {
            place.count(tables).await?;
        }
        if self.account.count(tables).await? {
            let (email, ip_address) = (self.email.clone(), self.ip_address.clone());
            // Recorded at once, although the message that caused it is refused.
            cx.commit(Outcome::done().emit(AccountLocked { email, ip_address, seconds: WINDOW })).await?;
        }
        Ok(())
    }

    /// It succeeded, unless there were too many meanwhile: of many at once, no more than are allowed may count.
    pub async fn succeeded(&self, tables: &Tables<'_>) -> Result<(), Fault> {
        self.account.check(tables).await?;
        tables.forgive(&self.account.key).await
    }
}

/// Counts a registration, and refuses it when there were too many from there.
pub async fn registration(tables: &Tables<'_>, ip_address: Option<&str>) -> Result<(), Fault> {
    let Some(place) = origin(ip_address)? else { return Ok(()) };
    let counter = Counter::new("registrations", &place, REGISTRATIONS);
    counter.check(tables).await?;
    counter.count(tables).await.map(drop)
}
