//! The auth service of the platform: accounts, roles, sessions, tokens.
//!
//! It is a service like any other, made with the SDK. What it can be asked is in [`messages`], what happens in
//! [`events`]; users and roles are made of their events, while what must be decided once, and what must not be told, is
//! in tables beside them.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod access;
mod aggregates;
mod bootstrap;
pub mod events;
mod handlers;
mod hashing;
pub mod messages;
mod models;
mod passwords;
mod settings;
mod state;
mod tables;

use axum::{Json, Router, routing::get};
use banyan_sdk::{Error, Service};

use handlers::{entry, external, queries, roles, sessions, users};
use messages::{AuthenticateExternalUser, AuthenticateUser, IssueToken, RefreshSession, RefreshToken};
pub use settings::{Admin, PORT, SERVICE, Settings};
pub use state::{Clock, Random, State, World};

/// Runs the auth service in this process until it is told to stop.
///
/// # Errors
/// Every mistake in the settings, in one error; a port that is taken.
pub async fn serve(env: &dyn Fn(&str) -> Option<String>) -> Result<(), Error> {
    service(Settings::read(env)?, World::default())?.run_with(env).await
}

/// The auth service, to be run.
///
/// # Errors
/// When the system gives no threads for hashing passwords.
pub fn service(settings: Settings, world: World) -> Result<Service<State>, Error> {
    let keys = settings.published.clone();
    let routes = Router::new().route("/.well-known/jwks.json", get(move || async { Json(keys) }));
    let state = State::new(settings, world).map_err(|error| Error::Service {
        name: SERVICE.to_owned(),
        mistakes: vec![format!("the system gives no threads for hashing passwords: {error}")],
    })?;
    let service = Service::new(SERVICE, state)
        .version(env!("CARGO_PKG_VERSION"))
        .port(PORT)
        .routes(routes)
        .tables(tables::SET, tables::MIGRATIONS)
        .begin_with(bootstrap::roles)
        .begin_with(bootstrap::admin)
        .command(entry::register)
        .command(entry::authenticate)
        .command(entry::refresh)
        .command(entry::revoke)
        .command(entry::issue)
        .command(external::authenticate)
        .command(users::create)
        .command(users::update)
        .command(users::delete)
        .command(roles::create)
        .command(roles::update)
        .command(roles::assign)
        .command(roles::remove)
        .command(roles::grant)
        .command(roles::withdraw)
        .command(sessions::create)
        .command(sessions::refresh)
        .policy::<RefreshSession, _, _>("own-session", sessions::own)
        .command(sessions::revoke)
        .command(sessions::revoke_all)
        .query(queries::get_user)
        .query(queries::list_users)
        .query(queries::user_permissions)
        .query(queries::user_roles)
        .query(queries::get_role)
        .query(queries::list_roles)
        .query(queries::available_permissions)
        .query(queries::list_sessions)
        .projection(models::users())
        .projection(models::roles())
        .projection(models::sessions())
        .secret::<AuthenticateUser>()
        .secret::<AuthenticateExternalUser>()
        .secret::<RefreshToken>()
        .secret::<IssueToken>();
    Ok(events::published(service))
}
