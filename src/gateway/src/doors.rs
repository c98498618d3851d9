//! What the protocols made of a catalog. It changes as a whole: whoever began with one set of doors ends with it.

use std::sync::Arc;

use crate::{catalog::Catalog, events};

/// What the protocols made of a catalog.
#[derive(Default)]
pub(crate) struct Doors {
    /// What it was made of.
    pub catalog: Arc<Catalog>,
    /// The events, by their names.
    pub events: events::Known,
}

impl Doors {
    pub fn new(catalog: Arc<Catalog>) -> Self {
        Self { events: events::Known::new(&catalog), catalog }
    }
}
