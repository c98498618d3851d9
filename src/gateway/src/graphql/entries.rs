//! From a catalog to the fields of `Query`, `Mutation` and `Subscription`.
//!
//! Names are given for the whole catalog at once, so that a field means the same to every caller.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use banyan_sdk::protocol::{Kind, names as wire_names};
use serde_json::{Map, Value};

use super::names;
use super::types::{Shape, Tables, Translator, described};
use crate::catalog::{Catalog, Operation};

/// The types that every schema has.
const GIVEN: [&str; 10] =
    ["Query", "Mutation", "Subscription", "JSON", "Long", "String", "Int", "Float", "Boolean", "ID"];

/// The object that a field belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Root {
    /// Queries.
    Query,
    /// Commands.
    Mutation,
    /// Events.
    Subscription,
}

impl Root {
    const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Query => Self::Query,
            Kind::Event => Self::Subscription,
            Kind::Command | Kind::Response => Self::Mutation,
        }
    }

    /// What GraphQL calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Query => "Query",
            Self::Mutation => "Mutation",
            Self::Subscription => "Subscription",
        }
    }
}

/// What a field sends when its input type has no fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// What was given.
    Given,
    /// `{}`.
    Empty,
    /// `null`.
    Null,
}

/// One contract as a field.
pub(super) struct Entry {
    /// The contract and where it is served.
    pub(super) operation: Arc<Operation>,
    /// The object that the field belongs to.
    pub(super) root: Root,
    /// The name of the field.
    pub(super) field: String,
    /// What it sends.
    pub(super) input: Input,
    /// The field with its description, as SDL.
    pub(super) line: String,
    /// The types that only this field uses, as SDL.
    pub(super) types: String,
}

/// All contracts of a catalog as fields.
pub(super) struct Entries {
    /// In the order of the catalog: operations first, then events.
    pub(super) all: Vec<Entry>,
    /// The names that differ on the wire.
    pub(super) tables: Tables,
    by_field: HashMap<(Root, String), usize>,
}

impl Entries {
    /// Translates a catalog.
    pub(super) fn of(catalog: &Catalog) -> Self {
        let mut taken: HashSet<String> = GIVEN.map(str::to_owned).into();
        let mut fields = HashSet::new();
        let operations = || catalog.operations.iter().chain(&catalog.events);
        // every name of an operation goes before those of the types within
        let names: Vec<String> = operations().map(|it| claim(it, &mut fields, &mut taken)).collect();
        let mut tables = Tables::new();
        let named = operations().zip(names);
        let all: Vec<Entry> = named.map(|(it, name)| entry(it, &name, &mut taken, &mut tables)).collect();
        let by_field = all.iter().enumerate().map(|(i, it)| ((it.root, it.field.clone()), i)).collect();
        Self { all, tables, by_field }
    }

    /// The contract behind a field.
    pub(super) fn get(&self, root: Root, field: &str) -> Option<&Entry> {
        self.by_field.get(&(root, field.to_owned())).and_then(|i| self.all.get(*i))
    }

    /// The schema of those that are shown: one `bool` for each.
    pub(super) fn sdl(&self, shown: &[bool]) -> String {
        let mut sdl =
            "\"Any JSON value.\"\nscalar JSON\n\"A whole number of up to 64 bits.\"\nscalar Long\n".to_owned();
        let mut roots: [(Root, String); 3] =
            [Root::Query, Root::Mutation, Root::Subscription].map(|root| (root, String::new()));
        for (entry, _) in self.all.iter().zip(shown).filter(|(_, shown)| **shown) {
            for (_, lines) in roots.iter_mut().filter(|(root, _)| *root == entry.root) {
                lines.push_str(&entry.line);
            }
            sdl.push_str(&entry.types);
        }
        for (root, lines) in roots {
            match (root, lines.is_empty()) {
                (Root::Query, true) => {
                    sdl.push_str("type Query {\n  \"There is no query for this caller.\"\n  _: Boolean\n}\n")
                }
                (_, true) => {}
                (root, false) => {
                    let _ = writeln!(sdl, "type {} {{\n{lines}}}", root.name());
                }
            }
        }
        sdl
    }
}

/// The name without its ending: the first keeps it, a later one begins with its service's name.
fn claim(operation: &Operation, fields: &mut HashSet<(Root, String)>, taken: &mut HashSet<String>) -> String {
    let (root, contract) = (Root::of(operation.kind()), &operation.contract);
    let own = names::pascal(wire_names::operation(operation.kind(), &contract.message_type));
    let longer = format!("{}{own}", names::pascal(operation.service.as_str()));
    let numbered = (2_u32..).map(|n| format!("{longer}{n}"));
    let mut candidates = [own, longer.clone()].into_iter().chain(numbered);
    let free = |name: &String| {
        let types = types(root, name);
        !fields.contains(&(root, names::camel(name))) && !types.iter().any(|it| taken.contains(it))
    };
    let name = candidates.find(free).unwrap_or_default();
    fields.insert((root, names::camel(&name)));
    taken.extend(types(root, &name));
    name
}

fn types(root: Root, name: &str) -> [String; 2] {
    let of = |endings: [&str; 2]| endings.map(|ending| format!("{name}{ending}"));
    match root {
        Root::Query | Root::Mutation => of(["Input", "Result"]),
        Root::Subscription => of(["Event", "Filter"]),
    }
}

fn entry(operation: &Arc<Operation>, name: &str, taken: &mut HashSet<String>, tables: &mut Tables) -> Entry {
    let (root, contract) = (Root::of(operation.kind()), &operation.contract);
    let field = names::camel(name);
    let [first, second] = types(root, name);
    let (arguments, result, input, types) = if root == Root::Subscription {
        let (result, mut types) = output(&contract.input_schema, first, taken, tables);
        let filter = filter(&contract.input_schema, &second, taken, tables, &mut types);
        (if filter { format!("(filter: {second})") } else { String::new() }, result, Input::Given, types)
    } else {
        let (argument, input, mut types) = argument(&contract.input_schema, first, taken, tables);
        let (result, more) = output(&contract.output_schema, second, taken, tables);
        types.push_str(&more);
        (format!("(input: {argument}!)"), result, input, types)
    };
    let line =
        format!("{}  {field}{arguments}: {result}\n", described(Some(&contract.description.as_str().into()), "  "));
    Entry { operation: Arc::clone(operation), root, field, input, line, types }
}

fn argument(schema: &Value, name: String, taken: &mut HashSet<String>, tables: &mut Tables) -> (String, Input, String) {
    let mut translator = Translator::new(schema, name.clone(), true, taken, tables);
    let input = match translator.shape() {
        Shape::Fields => {
            translator.whole();
            return (name, Input::Given, translator.sdl());
        }
        Shape::Other => return ("JSON".to_owned(), Input::Given, String::new()),
        Shape::Empty => Input::Empty,
        Shape::Null => Input::Null,
    };
    // GraphQL wants a field in every type
    let sdl = format!("input {name} {{\n  \"There is nothing to say.\"\n  _: Boolean\n}}\n");
    (name, input, sdl)
}

/// The type of an answer; it can always be missing, as when the service cannot be reached.
fn output(schema: &Value, name: String, taken: &mut HashSet<String>, tables: &mut Tables) -> (String, String) {
    let mut translator = Translator::new(schema, name, false, taken, tables);
    let found = translator.whole();
    (found.text, translator.sdl())
}

/// The filter of an event: what its first level has in scalars and enums. False when there is nothing to filter by.
fn filter(schema: &Value, name: &str, taken: &mut HashSet<String>, tables: &mut Tables, types: &mut String) -> bool {
    let mut translator = Translator::new(schema, name.to_owned(), false, taken, tables);
    let fields = translator.scalars();
    if fields.is_empty() {
        return false;
    }
    let body: String = fields.iter().map(|(field, of, _)| format!("  {field}: {}\n", of.text)).collect();
    let changed = fields.iter().filter(|(field, _, wire)| field != wire);
    let table: HashMap<_, _> = changed.map(|(field, _, wire)| (field.clone(), wire.clone())).collect();
    types.push_str(&translator.sdl());
    if !table.is_empty() {
        tables.insert(name.to_owned(), table);
    }
    let _ = writeln!(types, "\"Only events whose fields are equal to these.\"\ninput {name} {{\n{body}}}");
    true
}

/// A map of JSON as it is asked for by filters.
pub(super) fn flat(filter: Option<Value>) -> Map<String, Value> {
    match filter {
        Some(Value::Object(map)) => map.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    }
}
