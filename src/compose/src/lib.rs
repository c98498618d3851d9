//! Compose files to a [`Project`], and a project plus what runs to a [`Plan`].
//!
//! Nothing here reads a file, a clock, an environment variable or the network: files come through a
//! function that the caller passes, everything else as values. So every rule is tested as text in, text out.
//!
//! ```text
//! files, environment ── load ──► Project ─┐
//!                                         ├─ plan ──► Plan ──► (the engine crate applies it)
//!                        Docker ► Observed ┘
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod digest;
pub mod labels;
pub mod observed;
pub mod plan;
pub mod problem;
pub mod project;

mod dotenv;
mod environment;
mod fields;
mod hash;
mod interpolate;
mod load;
mod merge;
mod node;
mod paths;
mod quantity;
mod report;
mod resolve;
mod scalar;
mod suggest;
mod template;
mod yaml;

pub use load::{Read, Sources, is_project_name, load};
pub use observed::Observed;
pub use paths::clean_path;
pub use plan::Plan;
pub use problem::Problem;
pub use project::Project;
pub use quantity::duration;
pub use suggest::suggest;
