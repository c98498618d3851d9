//! What the handlers of the events door share, and who its clients are.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use axum::http::{HeaderMap, Uri};
use banyan_sdk::Fault;
use tokio_util::task::TaskTracker;

use super::{Hub, Known, Seats, Tickets, hub::Options, messages::Proof};
use crate::caller::{Caller, Who, developer_of, unauthorized};

/// How long clients have to take in that the gateway stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// What the handlers of the events door share.
pub(crate) struct Door {
    /// Where events come from.
    pub hub: Hub,
    /// What browsers show instead of a token.
    pub tickets: Tickets,
    /// Places for WebSockets.
    pub websockets: Seats,
    /// Places for streams of server-sent events.
    pub streams: Seats,
    /// The WebSockets that are open.
    pub open: TaskTracker,
    pub(super) settings: Settings,
}

/// What may differ from gateway to gateway.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Whether a token may stand in an address.
    pub development: bool,
    /// The pages of other hosts that may open a WebSocket.
    pub origins: Vec<String>,
    /// How many WebSockets one caller may have.
    pub websockets_each: usize,
    /// How many there may be in all.
    pub websockets: usize,
    /// How many streams one caller may have.
    pub streams_each: usize,
    /// How many there may be in all.
    pub streams: usize,
    /// What the hub keeps and allows.
    pub hub: Options,
}

impl Settings {
    /// The defaults. On a developer's machine, one user opens more connections than anybody else would.
    pub(crate) fn new(development: bool) -> Self {
        Self {
            development,
            origins: vec![],
            websockets_each: if development { 10_000 } else { 100 },
            websockets: 20_000,
            streams_each: 5,
            streams: 5_000,
            hub: Options::default(),
        }
    }
}

impl Door {
    /// A door; `known` tells which events there are at the moment.
    pub(crate) fn new(settings: Settings, known: impl Fn() -> Known + Send + Sync + 'static) -> Self {
        Self {
            hub: Hub::new(settings.hub, known),
            tickets: Tickets::new(),
            websockets: Seats::new(settings.websockets_each, settings.websockets),
            streams: Seats::new(settings.streams_each, settings.streams),
            open: TaskTracker::new(),
            settings,
        }
    }

    /// Tells all clients that the gateway stops, and waits a while until they are gone.
    pub(crate) async fn close(&self) {
        self.hub.stop();
        self.open.close();
        let _ = tokio::time::timeout(FAREWELL, self.open.wait()).await;
    }

    /// Who a client is: as its headers say, or else the ticket in its address, or in development the token there.
    pub(super) async fn who(&self, who: &Who, caller: Arc<Caller>, uri: &Uri) -> Result<Arc<Caller>, Fault> {
        if caller.auth.is_some() {
            return Ok(caller);
        }
        let mut query = query(uri);
        if let Some(ticket) = query.remove("ticket") {
            return self.tickets.take(&ticket, caller.address).await.map(Arc::new);
        }
        match query.remove("token") {
            Some(token) if self.settings.development => who.holder_of(&token, caller.address).await.map(Arc::new),
            Some(_) => Err(unauthorized("INVALID_TOKEN", "a token does not belong into an address: get a ticket")),
            None => Ok(caller),
        }
    }

    /// Whom a message proves a client to be. `foreign` is a page of another host: it says nothing about developers.
    pub(super) async fn proved(
        &self,
        who: &Who,
        proof: Proof,
        address: IpAddr,
        foreign: bool,
    ) -> Result<Caller, Fault> {
        match proof {
            Proof::Token(token) => who.holder_of(&token, address).await,
            Proof::Claim { user_id, permissions } if who.is_development() && !foreign && !user_id.trim().is_empty() => {
                Ok(developer_of(user_id.trim(), &permissions.join(","), address))
            }
            Proof::Claim { .. } => Err(unauthorized("INVALID_TOKEN", "only a token proves who somebody is")),
        }
    }
}

/// Whether a page of another host sent this.
pub(super) fn is_foreign(headers: &HeaderMap) -> bool {
    !super::origin::is_welcome(headers, &[])
}

/// What stands in the query string. Of what stands there twice the last one counts.
pub(super) fn query(uri: &Uri) -> HashMap<String, String> {
    axum::extract::Query::try_from_uri(uri).map(|query| query.0).unwrap_or_default()
}
