//! What is wrong with a request, field by field.

use banyan_sdk::protocol::Fault;
use serde_json::{Map, Value};

/// A caller who is this wrong is told enough.
const MOST_FLAWS: usize = 50;

/// Each bad field, and what is wrong with it; never its value, which may be a secret.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Flaws(Map<String, Value>);

impl Flaws {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what is wrong with a field, unless something is known to be wrong with it.
    pub(crate) fn add(&mut self, field: impl Into<String>, problem: impl Into<String>) {
        let field = field.into();
        if self.0.len() < MOST_FLAWS && !self.0.contains_key(&field) {
            self.0.insert(field, Value::String(problem.into()));
        }
    }

    /// The fault that names all of them; its message tells the first.
    pub(crate) fn into_fault(self) -> Fault {
        let first = self.0.iter().next();
        let message = first
            .map_or_else(String::new, |(field, problem)| format!("`{field}` {}", problem.as_str().unwrap_or_default()));
        Fault::validation(message).with_details(self.0)
    }

    #[cfg(test)]
    pub(crate) fn fields(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

/// The way to a value in JSON, written out only when something is wrong there.
#[derive(Clone, Copy)]
pub(crate) enum Way<'a> {
    Root,
    Field(&'a Self, &'a str),
    Item(&'a Self, usize),
}

impl Way<'_> {
    /// `address.lines[2]`.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Field(Self::Root, name) => (*name).to_owned(),
            Self::Field(parent, name) => format!("{}.{name}", parent.text()),
            Self::Item(parent, at) => format!("{}[{at}]", parent.text()),
        }
    }

    pub(crate) fn depth(&self) -> usize {
        match self {
            Self::Root => 0,
            Self::Field(parent, _) | Self::Item(parent, _) => parent.depth() + 1,
        }
    }
}
