//! What the in-memory store keeps for projections.

use std::collections::{BTreeMap, HashMap};

use super::{documents::Document, step::Checkpoint};

/// The tables of projections.
#[derive(Clone, Default)]
pub(crate) struct Tables {
    pub(super) live: HashMap<String, Checkpoint>,
    pub(super) rebuilds: HashMap<String, Checkpoint>,
    /// By name, generation and id.
    pub(super) documents: BTreeMap<(String, i32, String), Document>,
}
