//! The states that decisions are made on: a file for each aggregate.

pub mod {{ snake }}_state;
