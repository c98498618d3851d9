//! Write a service for the Banyan platform: commands, queries, events, their handlers, and one line that runs them.
//!
//! A [`Service`] is put together from handlers and read models and then [run](Service::run). What a handler gets is its
//! message and a [`Context`]; what it gives is an [`Outcome`], an answer and the events that it caused. The rest is the
//! same for every service: messages travel over a [`bus`], events are kept in a [`store`] and published from there, read
//! models follow as [`projection`]s, answers are kept in a [`cache`], and `/health`, `/metrics`, logs and traces tell how
//! it goes. [`testing`] runs all of that in one process.
//!
//! What serves HTTP alone does without a [`Service`]: it reads its [`config::Config`], names its
//! [`dependency::Dependency`] values, adds its own routes, and hands all three to [`server::serve`].

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
#[cfg(test)]
#[path = "../tests/dice/mod.rs"]
mod dice;
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
#[cfg(feature = "tokens")]
pub mod tokens;

pub use aggregate::{Aggregate, Loaded};
pub use banyan_protocol as protocol;
pub use banyan_protocol::schemars;
pub use client::{COMMAND_TIMEOUT, Call, Client, Published, QUERY_TIMEOUT};
pub use context::{Calling, Context, Incoming, Unfinished};
pub use error::Error;
pub use flow::Flow;
pub use outcome::Outcome;
pub use platform::Platform;
pub use policy::Policy;
pub use protocol::{Command, Event, Fault, FaultCode, Query};
pub use sdk_macros::{Command, Event, Query};
pub use service::{Checker, Running, Service};

/// What a service's `main` returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;
