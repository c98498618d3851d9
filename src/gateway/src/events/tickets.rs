//! One-time tickets: what a browser shows instead of a token where it cannot send headers. An address gets into logs and
//! histories; a ticket that does is worth nothing any more.
//!
//! They are kept where all instances find them. Without that they are kept here, and are good for this instance alone.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use banyan_sdk::{Fault, Flow, ids, protocol::Auth};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Gateway,
    caller::{Caller, unauthorized},
    problem,
};

/// How long a ticket is good for.
const LIFE: Duration = Duration::from_secs(30);
/// How many tickets are kept here at most.
const MOST_HERE: usize = 10_000;
/// Begins the tickets that all instances know.
const SHARED: &str = "tks_";
/// Begins the tickets that this instance knows.
const HERE: &str = "tkh_";

/// What all instances share is not there.
#[derive(Debug)]
pub(crate) struct Away;

/// What all instances share: small things, for a while.
pub(crate) trait Shelf: Send + Sync {
    /// Keeps something.
    fn put<'a>(&'a self, key: &'a str, value: String, life: Duration) -> BoxFuture<'a, Result<(), Away>>;
    /// Takes it, so that nobody else gets it.
    fn take<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<String>, Away>>;
}

/// The tickets that were given and not used yet.
pub(crate) struct Tickets {
    shelf: OnceLock<Box<dyn Shelf>>,
    here: Mutex<HashMap<String, (Instant, Holder)>>,
}

/// Whom a ticket speaks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Holder {
    auth: Auth,
    wildcards: bool,
    expires: Option<u64>,
}

impl Tickets {
    /// None yet, and nothing that all instances share: until [`Tickets::open`], they are kept here.
    pub(crate) fn new() -> Self {
        Self { shelf: OnceLock::new(), here: Mutex::default() }
    }

    /// Says what all instances share. The first one stays.
    pub(crate) fn open(&self, shelf: Box<dyn Shelf>) {
        let _ = self.shelf.set(shelf);
    }

    async fn put(&self, key: &str, value: String) -> Result<(), Away> {
        self.shelf.get().ok_or(Away)?.put(key, value, LIFE).await
    }

    async fn fetch(&self, key: &str) -> Result<Option<String>, Away> {
        self.shelf.get().ok_or(Away)?.take(key).await
    }

    /// A ticket that speaks for `caller` once.
    ///
    /// # Errors
    /// `UnauthorizedError` for callers who are not known; `SERVICE_UNAVAILABLE` when there are too many.
    pub(super) async fn give(&self, caller: &Caller) -> Result<String, Fault> {
        let Some(auth) = &caller.auth else {
            return Err(unauthorized("NO_AUTH_HEADER", "authentication is required"));
        };
        let holder = Holder { auth: Auth::clone(auth), wildcards: caller.wildcards, expires: caller.expires };
        let text = serde_json::to_string(&holder).map_err(|error| Fault::internal(error.to_string()))?;
        let shared = secret(SHARED);
        if self.put(&key(&shared), text).await.is_ok() {
            return Ok(shared);
        }
        // Another one: nobody knows whether the first is kept all the same.
        let (ticket, now) = (secret(HERE), Instant::now());
        let mut here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        if here.len() >= MOST_HERE {
            here.retain(|_, (end, _)| *end > now);
        }
        if here.len() >= MOST_HERE {
            return Err(Fault::unavailable("too many tickets"));
        }
        here.insert(ticket.clone(), (now + LIFE, holder));
        Ok(ticket)
    }

    /// Whom a ticket speaks for. It is used up by that.
    ///
    /// # Errors
    /// `UnauthorizedError` when it is none, or not any more; `SERVICE_UNAVAILABLE` when that cannot be found out.
    pub(super) async fn take(&self, ticket: &str, address: IpAddr) -> Result<Caller, Fault> {
        let holder = if ticket.starts_with(SHARED) && is_secret(ticket) {
            let kept = self.fetch(&key(ticket)).await;
            let kept = kept.map_err(|Away| Fault::unavailable("the ticket cannot be looked at right now"))?;
            kept.and_then(|text| serde_json::from_str(&text).ok())
        } else {
            let kept = self.here.lock().unwrap_or_else(PoisonError::into_inner).remove(ticket);
            kept.filter(|(end, _)| *end > Instant::now()).map(|(_, holder)| holder)
        };
        let Some(Holder { auth, wildcards, expires }) = holder else {
            return Err(unauthorized("INVALID_TOKEN", "the ticket is not known, or not any more"));
        };
        Ok(Caller { auth: Some(Arc::new(auth)), wildcards, expires, address })
    }
}

fn secret(prefix: &str) -> String {
    format!("{prefix}{:032x}{:032x}", ids::random(), ids::random())
}

fn is_secret(ticket: &str) -> bool {
    ticket.len() == SHARED.len() + 64 && ticket.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn key(ticket: &str) -> String {
    format!("ticket:{ticket}")
}

/// `POST /api/tickets`.
pub(super) async fn post(
    State(gateway): State<Arc<Gateway>>,
    axum::Extension(caller): axum::Extension<Arc<Caller>>,
    axum::Extension(flow): axum::Extension<Arc<Flow>>,
) -> Response {
    match gateway.events.tickets.give(&caller).await {
        Ok(ticket) => {
            let body = json!({ "ticket": ticket, "expiresIn": LIFE.as_secs() });
            (StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
        }
        Err(fault) => problem::response(&fault, &flow.correlation_id),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::events::support::caller;

    /// What instances share, or the lack of it.
    #[derive(Clone, Default)]
    struct Shared {
        kept: Arc<Mutex<HashMap<String, String>>>,
        away: bool,
    }

    impl Shelf for Shared {
        fn put<'a>(&'a self, key: &'a str, value: String, life: Duration) -> BoxFuture<'a, Result<(), Away>> {
            assert_eq!(life, LIFE);
            async move {
                self.kept.lock().unwrap().insert(key.to_owned(), value);
                if self.away { Err(Away) } else { Ok(()) }
            }
            .boxed()
        }

        fn take<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<String>, Away>> {
            async move { if self.away { Err(Away) } else { Ok(self.kept.lock().unwrap().remove(key)) } }.boxed()
        }
    }

    fn tickets(shelf: Shared) -> Tickets {
        let tickets = Tickets::new();
        tickets.open(Box::new(shelf));
        tickets
    }

    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7));

    #[tokio::test]
    async fn a_ticket_is_good_once_at_any_instance() {
        let shelf = Shared::default();
        let (one, other) = (tickets(shelf.clone()), tickets(shelf));
        let user = Caller { expires: Some(7), wildcards: true, ..caller(&["users:read"]) };
        let ticket = one.give(&user).await.unwrap();
        assert_eq!(other.take(&ticket, THERE).await.unwrap(), Caller { address: THERE, ..user.clone() });
        for tickets in [&one, &other] {
            assert!(tickets.take(&ticket, THERE).await.is_err());
        }
        assert_ne!(one.give(&user).await.unwrap(), one.give(&user).await.unwrap());
        assert!(one.give(&Caller::anonymous(THERE)).await.is_err());
    }

    #[tokio::test]
    async fn without_what_is_shared_it_is_good_once_here() {
        let shelf = Shared { away: true, ..Shared::default() };
        let (one, other) = (tickets(shelf.clone()), tickets(shelf.clone()));
        let ticket = one.give(&caller(&[])).await.unwrap();
        assert!(other.take(&ticket, THERE).await.is_err());
        assert!(one.take(&ticket, THERE).await.is_ok());
        assert!(one.take(&ticket, THERE).await.is_err());
        // What may have got onto the shelf is not the one that was given.
        let back = tickets(Shared { away: false, ..shelf });
        assert!(back.take(&ticket, THERE).await.is_err());
    }

    #[tokio::test]
    async fn only_so_many_are_kept_and_old_ones_go() {
        let tickets = Tickets::new();
        for _ in 0..MOST_HERE {
            tickets.give(&caller(&[])).await.unwrap();
        }
        assert!(tickets.give(&caller(&[])).await.is_err());
        let first = tickets.here.lock().unwrap().keys().next().unwrap().clone();
        tickets.here.lock().unwrap().values_mut().for_each(|(end, _)| *end = Instant::now());
        assert!(tickets.take(&first, THERE).await.is_err());
        for _ in 0..2 {
            assert!(tickets.give(&caller(&[])).await.is_ok());
        }
        assert_eq!(tickets.here.lock().unwrap().len(), 2, "the old ones are gone");
    }

    #[tokio::test]
    async fn what_is_no_ticket_is_not_looked_for() {
        let shelf = Shared::default();
        shelf.kept.lock().unwrap().insert("ticket:tks_*".to_owned(), "{}".to_owned());
        let tickets = tickets(shelf.clone());
        for wrong in ["", "tks_", "tks_*", "tkh_", "x"] {
            assert!(tickets.take(wrong, THERE).await.is_err(), "{wrong}");
        }
        assert_eq!(shelf.kept.lock().unwrap().len(), 1);
    }
}
