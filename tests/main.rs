//! Tests of the executable, one binary. `tests/run` prepares what they need and runs them.
//!
//! - `transcripts`: arguments in, text and exit code out; no engine is touched
//! - `e2e`: scenarios against a real engine
//! - `faults`: kill, freeze, fill, take away: nothing is lost
//! - `tidy`: the shape of the source tree

#![allow(clippy::unwrap_used)]

mod e2e;
mod faults;
mod support;
mod tidy;
mod transcripts;
