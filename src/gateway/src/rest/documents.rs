//! The documents of a catalog: written when somebody asks, then kept as long as the catalog is.

use std::sync::{Mutex, PoisonError};

use super::openapi::{self, About};
use super::packed::Packed;
use super::routes::Served;
use crate::catalog::Operation;

/// How many documents are kept: one for each set of operations that somebody may call.
const MOST_KEPT: usize = 16;

/// The documents so far, each with what it shows.
#[derive(Default)]
pub(crate) struct Documents(Mutex<Vec<(Vec<bool>, Packed)>>);

impl Documents {
    /// The document of the operations that are `visible`. Writing it takes a while when there are many.
    pub(crate) fn get(&self, served: &[Served], about: About<'_>, visible: impl Fn(&Operation) -> bool) -> Packed {
        let shown: Vec<bool> = served.iter().map(|it| visible(&it.operation)).collect();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, document)) = kept.iter().find(|(known, _)| *known == shown) {
            return document.clone();
        }
        let text = openapi::document(served, about, visible).to_string();
        let document = Packed::new("application/json", text.as_bytes());
        if kept.len() == MOST_KEPT {
            kept.remove(0);
        }
        kept.push((shown, document.clone()));
        document
    }
}
