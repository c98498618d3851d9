//! The one place that names bollard.

pub mod connect;
pub mod containers;
pub mod error;
pub mod events;
pub mod exec;
pub mod images;
pub mod logs;
mod observe;
mod resources;

pub use connect::Engine;
pub use error::Error;
