//! Services as their authors write them, on the bus and store in memory: what the platform promises their handlers.

#![allow(clippy::unwrap_used)]

mod access;
mod begins;
mod calls;
#[path = "../dice/mod.rs"]
mod dice;
mod effects;
mod failing;
mod flowing;
mod life;
mod listening;
mod models;
mod reordered;
mod scenario;
mod support;
