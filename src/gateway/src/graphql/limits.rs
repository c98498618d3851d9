//! How much one document may ask for.
//!
//! The cost of a field is 1, that of one that sends a message 10; what is within a list counts ten times. The fields
//! of the schema itself (`__schema`, `__type`) count for nothing here: they have bounds of their own.

use std::collections::HashMap;

use apollo_compiler::ExecutableDocument;
use apollo_compiler::ast::{self, Definition};
use apollo_compiler::executable::{Operation, Selection, SelectionSet};
use banyan_sdk::config::Reader;

/// The cost of a field that sends a message.
const MESSAGE: u64 = 10;
/// How often the fields within a list count.
const LIST: u64 = 10;

/// The limits, each with a setting of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes of a document.
    pub(crate) bytes: usize,
    /// Tokens of a document, spaces among them.
    pub(crate) tokens: usize,
    /// Operations in a document, of which one is executed.
    pub(crate) operations: usize,
    /// Aliases in a document.
    pub(crate) aliases: usize,
    /// Directives in a document.
    pub(crate) directives: usize,
    /// Fields within fields.
    pub(crate) depth: u64,
    /// Fields of an operation, with those of its fragments.
    pub(crate) fields: u64,
    /// Cost of an operation.
    pub(crate) complexity: u64,
    /// Requests in one body.
    pub(crate) batch: usize,
    /// Subscriptions on one connection.
    pub(crate) subscriptions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 50_000,
            tokens: 5_000,
            operations: 10,
            aliases: 30,
            directives: 50,
            depth: 10,
            fields: 100,
            complexity: 1000,
            batch: 10,
            subscriptions: 100,
        }
    }
}

impl Limits {
    /// Reads `GRAPHQL_MAX_DEPTH` and its like.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let own = Self::default();
        let mut count = |name: &str, default: u64| {
            let parse = |text: &str| text.parse::<u32>().ok().filter(|it| *it > 0).map(u64::from);
            reader.parsed_or(&format!("GRAPHQL_MAX_{name}"), "a number above zero", parse, default)
        };
        let (bytes, tokens) = (count("DOCUMENT_BYTES", own.bytes as u64), count("TOKENS", own.tokens as u64));
        let operations = count("OPERATIONS", own.operations as u64);
        let (aliases, directives) = (count("ALIASES", own.aliases as u64), count("DIRECTIVES", own.directives as u64));
        let (depth, fields) = (count("DEPTH", own.depth), count("FIELDS", own.fields));
        let complexity = count("COMPLEXITY", own.complexity);
        let (batch, subscriptions) =
            (count("BATCH", own.batch as u64), count("SUBSCRIPTIONS", own.subscriptions as u64));
        let size = |it: u64| usize::try_from(it).unwrap_or(usize::MAX);
        Some(Self {
            bytes: size(bytes?),
            tokens: size(tokens?),
            operations: size(operations?),
            aliases: size(aliases?),
            directives: size(directives?),
            depth: depth?,
            fields: fields?,
            complexity: complexity?,
            batch: size(batch?),
            subscriptions: size(subscriptions?),
        })
    }

    /// Checks a document as it is written, before its fragments are followed.
    pub(super) fn written(&self, document: &ast::Document) -> Result<(), String> {
        let mut count = Written::default();
        for definition in &document.definitions {
            match definition {
                Definition::OperationDefinition(it) => {
                    count.operations += 1;
                    count.directives += it.directives.len();
                    count.directives += it.variables.iter().map(|it| it.directives.len()).sum::<usize>();
                    count.add(&it.selection_set);
                }
                Definition::FragmentDefinition(it) => {
                    count.directives += it.directives.len();
                    count.add(&it.selection_set);
                }
                _ => {}
            }
        }
        within("operations in a document", count.operations as u64, self.operations as u64)?;
        within("aliases", count.aliases as u64, self.aliases as u64)?;
        within("directives", count.directives as u64, self.directives as u64)
    }

    /// Checks the operation that is to be executed.
    pub(super) fn asked(&self, document: &ExecutableDocument, operation: &Operation) -> Result<(), String> {
        let mut measure = Measure { document, fragments: HashMap::new() };
        let size = measure.of(&operation.selection_set, true);
        within("levels of fields", size.depth, self.depth)?;
        within("fields", size.fields, self.fields)?;
        within("complexity", size.cost, self.complexity)
    }
}

fn within(what: &str, found: u64, limit: u64) -> Result<(), String> {
    if found <= limit { Ok(()) } else { Err(format!("the document asks for too much: {what}, at most {limit}")) }
}

#[derive(Default)]
struct Written {
    operations: usize,
    aliases: usize,
    directives: usize,
}

impl Written {
    fn add(&mut self, selections: &[ast::Selection]) {
        for selection in selections {
            let inner: &[ast::Selection] = match selection {
                ast::Selection::Field(it) => {
                    self.aliases += usize::from(it.alias.is_some());
                    self.directives += it.directives.len();
                    &it.selection_set
                }
                ast::Selection::FragmentSpread(it) => {
                    self.directives += it.directives.len();
                    &[]
                }
                ast::Selection::InlineFragment(it) => {
                    self.directives += it.directives.len();
                    &it.selection_set
                }
            };
            self.add(inner);
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Size {
    depth: u64,
    fields: u64,
    cost: u64,
}

/// Each fragment is measured once, however often it is used; a valid document has no circle of them.
struct Measure<'a> {
    document: &'a ExecutableDocument,
    fragments: HashMap<(&'a str, bool), Size>,
}

impl<'a> Measure<'a> {
    fn of(&mut self, set: &'a SelectionSet, root: bool) -> Size {
        let mut size = Size::default();
        for selection in &set.selections {
            let more = match selection {
                Selection::Field(field) if matches!(field.name.as_str(), "__schema" | "__type") => Size::default(),
                Selection::Field(field) => {
                    let inner = self.of(&field.selection_set, false);
                    let times = if field.ty().is_list() { LIST } else { 1 };
                    let own = if root { MESSAGE } else { 1 };
                    let cost = inner.cost.saturating_mul(times).saturating_add(own);
                    Size { depth: inner.depth + 1, fields: inner.fields.saturating_add(1), cost }
                }
                Selection::InlineFragment(it) => self.of(&it.selection_set, root),
                Selection::FragmentSpread(it) => self.fragment(it.fragment_name.as_str(), root),
            };
            size.depth = size.depth.max(more.depth);
            size.fields = size.fields.saturating_add(more.fields);
            size.cost = size.cost.saturating_add(more.cost);
        }
        size
    }

    fn fragment(&mut self, name: &'a str, root: bool) -> Size {
        if let Some(size) = self.fragments.get(&(name, root)) {
            return *size;
        }
        let Some(fragment) = self.document.fragments.get(name) else { return Size::default() };
        let size = self.of(&fragment.selection_set, root);
        self.fragments.insert((name, root), size);
        size
    }
}
