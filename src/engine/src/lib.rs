//! Docker as banyan uses it: observe it, apply a plan to it, wait until services are ready.
//!
//! Only [`docker`] names bollard; everything else speaks in our own words. Nothing here prints, asks,
//! or reads arguments and environment variables: what happens is told to a [`progress::Reporter`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod apply;
pub mod docker;
pub mod platform_image;
pub mod ports;
pub mod probe;
pub mod progress;
pub mod recipe;
pub mod supply;
pub mod wait;

pub use docker::Engine;
