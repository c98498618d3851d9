//! The events door: whoever may see an event is told of it, over WebSocket, server-sent events or GraphQL.
//! `EVENTS.md` beside this folder's parent says what clients say and are told.
//!
//! | what | where |
//! |---|---|
//! | where events come in and go out | `hub.rs`; the bus `feed.rs`, who gets what `fan.rs`, one client `listener.rs` |
//! | what is kept for those who come back | `ring.rs` |
//! | which events there are, and who may see them | `known.rs`, `filters.rs` |
//! | WebSocket | `websocket.rs` (who may connect), `connection.rs` (one of them), `messages.rs`, `pulse.rs` |
//! | server-sent events | `sse.rs` |
//! | who clients are | `door.rs`, `tickets.rs`, `origin.rs`, `seats.rs` |

mod connection;
mod door;
mod event;
mod fan;
mod feed;
mod filters;
mod hub;
mod known;
mod listener;
mod messages;
mod origin;
mod pulse;
mod ring;
mod seats;
mod sse;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tests;
mod tickets;
mod websocket;

use std::sync::Arc;

use axum::{
    Router,
    routing::{any, get, post},
};

pub(crate) use door::{Door, Settings};
pub(crate) use event::Event;
pub(crate) use filters::Filters;
pub(crate) use hub::{Hub, Options, Subscription};
pub(crate) use known::Known;
pub(crate) use listener::Ended;
pub(crate) use seats::{Seat, Seats};
pub(crate) use tickets::Tickets;

use crate::Gateway;

/// What this door serves.
pub(crate) fn router() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/ws", any(websocket::upgrade))
        .route("/api/events", get(sse::get))
        .route("/api/tickets", post(tickets::post))
}
