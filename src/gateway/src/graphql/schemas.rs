//! The schema that a caller sees: what is not theirs to call is not in it.
//!
//! A schema is made when somebody first asks for it, and kept for all who see the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use apollo_compiler::Schema;
use apollo_compiler::collections::HashMap as Implementers;
use apollo_compiler::validation::Valid;

use super::entries::Entries;
use crate::caller::Caller;
use crate::catalog::Catalog;

/// How many sets of permissions, and how many schemas, are remembered.
const KEPT: usize = 128;

/// The schemas of one catalog.
pub(crate) struct Schemas {
    catalog: Arc<Catalog>,
    entries: OnceLock<Arc<Entries>>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_caller: HashMap<Key, Arc<Visible>>,
    by_fields: HashMap<Vec<bool>, Arc<Visible>>,
}

/// What decides about what a caller sees.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    permissions: Option<Vec<String>>,
    wildcards: bool,
}

/// A schema with what it takes to answer by it.
pub(super) struct Visible {
    /// Every contract, visible or not.
    pub(super) entries: Arc<Entries>,
    shown: Vec<bool>,
    made: OnceLock<Made>,
}

/// The schema in the form that documents are checked against.
pub(super) struct Made {
    /// The schema.
    pub(super) schema: Valid<Schema>,
    /// Which types implement which interface: there are none.
    pub(super) implementers: Implementers<apollo_compiler::Name, apollo_compiler::schema::Implementers>,
}

impl Schemas {
    /// Nothing is translated before the first request.
    pub(crate) fn new(catalog: &Arc<Catalog>) -> Self {
        Self { catalog: Arc::clone(catalog), entries: OnceLock::new(), kept: Mutex::default() }
    }

    /// All contracts as fields.
    pub(super) fn entries(&self) -> &Arc<Entries> {
        self.entries.get_or_init(|| Arc::new(Entries::of(&self.catalog)))
    }

    /// The schema that a caller sees. The first call for what nobody saw before takes time: see [`Visible::made`].
    pub(super) fn of(&self, caller: &Caller) -> Arc<Visible> {
        let key = Key::of(caller);
        if let Some(known) = self.kept().by_caller.get(&key) {
            return Arc::clone(known);
        }
        let entries = self.entries();
        let shown: Vec<bool> = entries.all.iter().map(|it| caller.admit(&it.operation.contract).is_ok()).collect();
        let mut kept = self.kept();
        if kept.by_caller.len() >= KEPT || kept.by_fields.len() >= KEPT {
            *kept = Kept::default();
        }
        let made = || Arc::new(Visible { entries: Arc::clone(entries), shown: shown.clone(), made: OnceLock::new() });
        let visible = Arc::clone(kept.by_fields.entry(shown.clone()).or_insert_with(made));
        kept.by_caller.insert(key, Arc::clone(&visible));
        visible
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Key {
    fn of(caller: &Caller) -> Self {
        let sorted = |permissions: &Vec<String>| {
            let mut sorted = permissions.clone();
            sorted.sort();
            sorted.dedup();
            sorted
        };
        Self { permissions: caller.auth.as_ref().map(|it| sorted(&it.permissions)), wildcards: caller.wildcards }
    }
}

impl Visible {
    /// Whether the schema was made before.
    pub(super) fn is_made(&self) -> bool {
        self.made.get().is_some()
    }

    /// The schema; making it takes time that grows with the number of contracts.
    pub(super) fn made(&self) -> &Made {
        self.made.get_or_init(|| {
            let schema = parsed(&self.sdl());
            let implementers = schema.implementers_map();
            Made { schema, implementers }
        })
    }

    /// The schema as text.
    pub(super) fn sdl(&self) -> String {
        self.entries.sdl(&self.shown)
    }
}

/// Text that the translation wrote; were it wrong after all, callers would see an empty schema rather than nothing.
fn parsed(sdl: &str) -> Valid<Schema> {
    Schema::parse_and_validate(sdl, "schema.graphql").unwrap_or_else(|wrong| {
        tracing::error!(errors = %wrong.errors, "the GraphQL schema is not valid");
        Schema::parse_and_validate("type Query { _: Boolean }", "schema.graphql")
            .unwrap_or_else(|_| Valid::assume_valid(Schema::new()))
    })
}
