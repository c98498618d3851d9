//! The API gateway of the platform: every registered contract over REST, GraphQL, WebSocket and SSE, with nothing to
//! configure. No contract is named here but those of service discovery.
//!
//! | what | where |
//! |---|---|
//! | settings | `settings.rs` |
//! | what can be called, as a value of the moment | `catalog.rs` |
//! | how it is kept up to date | `following.rs` |
//! | what the protocols made of it, swapped at once | `doors.rs` |
//! | what happens to every request: who asks, in which flow; headers, log, numbers | `entry.rs`, `caller.rs` |
//! | the one way to a service | `room.rs` |
//! | from a fault to what callers see | `problem.rs` |

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod addresses;
mod caller;
mod catalog;
mod doors;
mod entry;
mod events;
mod following;
mod problem;
mod room;
mod settings;
#[cfg(test)]
#[path = "../../sdk/tests/dice/mod.rs"]
mod dice;
#[allow(dead_code)]
mod limits;
#[allow(dead_code)]
mod load;
#[cfg(test)]
#[path = "../../sdk/tests/cache/server.rs"]
mod server_of_tests;
mod rest;
mod graphql;

use std::sync::Arc;

use axum::{Router, middleware};
use banyan_sdk::{
    Error, Service,
    dependency::{Dependency, Kind},
};

use caller::Who;
use doors::Doors;
use room::Room;
pub use settings::Settings;
use tokio::sync::watch;

/// What the whole gateway shares.
pub struct Gateway {
    room: Room,
    who: Who,
    doors: watch::Sender<Arc<Doors>>,
    events: events::Door,
    access_log: bool,
}

impl Gateway {
    /// What can be called right now.
    fn doors(&self) -> Arc<Doors> {
        Arc::clone(&self.doors.borrow())
    }
}

/// The gateway, put together like any other service.
pub fn service(settings: Settings) -> Service<Arc<Gateway>> {
    let Settings { config, discovery, auth, addresses, who, forget_after, access_log } = settings;
    let doors = watch::Sender::new(Arc::new(Doors::default()));
    let now = doors.subscribe();
    let events = events::Settings::new(settings::is_development(&config));
    let events = events::Door::new(events, move || now.borrow().events.clone());
    let gateway = Arc::new(Gateway { room: Room::default(), who, doors, events, access_log });
    let routes: Router<Arc<Gateway>> = Router::new().merge(events::router());
    let routes = routes.with_state(Arc::clone(&gateway)).merge(addresses::routes(&config, addresses));
    let around = {
        let gateway = Arc::clone(&gateway);
        move |routes: Router| routes.layer(middleware::from_fn_with_state(gateway, entry::enter))
    };
    let following = following::Following::new(forget_after);
    following
        .listening(Service::new(config.service, Arc::clone(&gateway)))
        .version(config.version)
        .port(settings::PORT)
        .without_store()
        .needs(Dependency::new("service-discovery", Kind::Http, discovery).optional())
        .needs(Dependency::new("auth-service", Kind::Http, auth).optional())
        .beside(move |cx| async move {
            gateway.room.open(cx.clone());
            gateway.events.hub.open(Arc::clone(cx.bus()), cx.service());
            let closing = async {
                cx.stopping().await;
                gateway.events.close().await;
            };
            tokio::join!(following.keep(cx.clone()), closing);
        })
        .routes(routes)
        .around(around)
}

/// Runs the gateway in this process until it is told to stop.
///
/// # Errors
/// See [`Service::run`].
pub async fn serve(env: &dyn Fn(&str) -> Option<String>) -> Result<(), Error> {
    service(Settings::read(env)?).run_with(env).await
}
