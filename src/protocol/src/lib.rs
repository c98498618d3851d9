//! What the services of the Banyan platform say to each other: envelopes, contracts, names, faults.
//!
//! Nothing here reads a clock, a random number, an environment variable or the network: times and ids come as values.
//! Bytes go in and values come out, or the other way round; so every rule is tested as text in, text out. The wire
//! format is described for other languages in the `README.md` of this crate.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod auth;
pub mod canonical;
pub mod compat;
pub mod contract;
pub mod dead_letter;
pub mod discovery;
mod envelope;
mod fault;
mod kind;
pub mod limits;
mod message;
mod metadata;
pub mod names;
mod payload;
pub mod permission;
mod read;
mod reply;
pub mod schema;
mod timestamp;
mod trace;

pub use auth::Auth;
pub use contract::{Contract, ContractMetadata, RateLimit};
pub use envelope::Envelope;
pub use fault::{Category, Fault, FaultCode};
pub use kind::Kind;
pub use message::{Cache, Command, Event, Query, Request, cache_key_part};
pub use metadata::{Metadata, Priority, Retry, Routing};
pub use payload::{Payload, WriteError};
pub use read::ReadError;
pub use reply::Reply;
pub use timestamp::{NotATime, Timestamp};
pub use trace::TraceContext;

pub use schemars;
