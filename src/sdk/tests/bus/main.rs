//! Tests of the bus: one suite for both of its forms, and faults against a real broker.
//!
//! `BANYAN_TEST_AMQP_URL` is the broker of the suite; `BANYAN_TEST_BROKER` is a program (`tests/servers/rabbitmq`) that
//! starts, kills and blocks brokers of the fault tests' own.

#![allow(clippy::unwrap_used)]

mod conformance;
#[path = "../dice/mod.rs"]
mod dice;
mod failing;
mod faults;
mod redelivered;
mod support;
