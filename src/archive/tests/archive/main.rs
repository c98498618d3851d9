//! Archives from the outside: what is written can be read, and nothing else can.
//!
//! `BANYAN_TEST_LONG=1` asks for the full counts.

#![allow(clippy::unwrap_used)]

mod crash;
mod damage;
mod folder;
mod foreign;
mod forge;
mod fuzz;
mod hostile;
mod memory;
mod round_trip;
mod sealing;
mod support;
mod versions;
mod writing;
