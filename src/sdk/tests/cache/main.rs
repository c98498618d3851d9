//! Tests of the cache: one suite for both of its forms, and faults against a real Redis; and of what is shared beside it.
//!
//! `BANYAN_TEST_REDIS_URL` is the Redis of the suite, such as `redis://127.0.0.1:6379`. The fault tests start servers of
//! their own with `tests/servers/redis`.

#![allow(clippy::unwrap_used)]

mod conformance;
#[path = "../dice/mod.rs"]
mod dice;
mod faults;
mod history;
mod server;
mod shared;
mod support;
