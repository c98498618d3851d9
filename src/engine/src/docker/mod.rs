//! The one place that names bollard.

pub mod connect;
pub mod containers;
pub mod error;
pub mod events;
pub mod exec;
mod files;
pub mod helpers;
pub mod images;
pub mod logs;
mod observe;
pub mod process;
mod resources;

pub use connect::Engine;
pub use error::Error;
