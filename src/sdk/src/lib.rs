//! Write a service for the Banyan platform: connections, health, logs, shutdown.
//!
//! A service reads its [`config::Config`] once, names the [`dependency::Dependency`] values that it cannot work
//! without, adds its own routes, and hands all three to [`server::serve`]. The rest is the same for every service: it
//! answers at once, says on `/health` which dependency is missing, keeps reconnecting, logs JSON lines, and drains its
//! requests before it stops.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod clock;
pub mod config;
pub mod dependency;
mod error;
pub mod health;
mod http;
pub mod logging;
mod refusal;
pub mod server;

pub use error::Error;
