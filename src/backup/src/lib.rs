//! The data of a project in one file, and back.
//!
//! [`capture`](fn@capture) freezes everything that is no store for less than a second, takes the moment of every store in
//! it, and writes them while the project goes on. [`restore`](fn@restore) makes the data anew in a folder beside the
//! present one, has the store's own server prove it, and swaps the two by rename, in all stores or in none.
//! [`recover`] ends what a killed one of the two left half-way: all that is needed for that stands in labels of
//! containers and volumes, and in the volumes.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod capture;
mod elastic;
mod error;
mod expected;
mod fault;
mod files;
pub mod guard;
mod live;
mod marker;
mod owner;
mod postgres;
mod prepare;
mod prove;
mod rabbitmq;
mod rdb;
mod recover;
mod rest;
mod restore;
mod scratch;
mod sieve;
mod sql;
mod statements;
mod stopped;
mod store;
mod window;

pub use capture::{Captured, How, Order as CaptureOrder, capture};
pub use error::{Error, Result};
pub use expected::expected;
pub use prepare::Target;
pub use prove::prove;
pub use recover::{Recovered, recover, take_over};
pub use rest::{dismiss, stand_ins};
pub use restore::{Order as RestoreOrder, Restored, restore};
pub use sql::{dump_sql, restore_sql};
pub use store::{Store, service_of, stores};
