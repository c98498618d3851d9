//! A name in, the files of a service out. Pure: what is on disk comes in as text, what should be there goes out as text.
//!
//! - [`name`]: what a service may be called, and what that makes of its types and modules
//! - [`template`]: the files of a service
//! - [`manifest`]: the service's line in `banyan.yaml`
//! - [`sdk`]: the SDK that the service is built with

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod manifest;
pub mod name;
pub mod sdk;
pub mod template;

/// A file by its path below the folder that it belongs to, and its text.
pub type Files = std::collections::BTreeMap<String, String>;
