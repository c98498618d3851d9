//! Write a service for the Banyan platform: connections, health, logs, shutdown.
//!
//! A service reads its [`config::Config`] once, names the [`dependency::Dependency`] values that it cannot work
//! without, adds its own routes, and hands all three to [`server::serve`]. The rest is the same for every service: it
//! answers at once, says on `/health` which dependency is missing, keeps reconnecting, logs JSON lines, and drains its
//! requests before it stops.

#![cfg_attr(test, allow(clippy::unwrap_used))]

// the derives write `::banyan_sdk::…`, inside this crate as well
extern crate self as banyan_sdk;

mod aggregate;
pub mod breaker;
pub mod bus;
pub mod cache;
mod client;
pub mod clock;
pub mod config;
mod context;
pub mod dependency;
mod error;
pub mod flow;
mod handler;
pub mod health;
mod http;
pub mod ids;
pub mod logging;
pub mod metrics;
mod outcome;
mod platform;
mod policy;
pub mod projection;
mod refusal;
pub mod retry;
mod runtime;
pub mod server;
mod service;
pub mod store;
pub mod telemetry;
pub mod testing;

pub use aggregate::{Aggregate, Loaded};
pub use banyan_protocol as protocol;
pub use banyan_protocol::schemars;
pub use client::{COMMAND_TIMEOUT, Call, Client, Published, QUERY_TIMEOUT};
pub use context::{Calling, Context, Incoming};
pub use error::Error;
pub use flow::Flow;
pub use outcome::Outcome;
pub use platform::Platform;
pub use policy::Policy;
pub use protocol::{Command, Event, Fault, FaultCode, Query};
pub use sdk_macros::{Command, Event, Query};
pub use service::{Running, Service};

/// What a service's `main` returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;
