//! (see tests/main.rs)
