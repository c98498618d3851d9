//! The auth service as processes, over PostgreSQL, RabbitMQ and Redis.

#![allow(clippy::unwrap_used)]

mod attacks;
mod enumeration;
mod flows;
mod rivals;
mod secrets;
mod stage;
mod stranger;
mod tokens;
