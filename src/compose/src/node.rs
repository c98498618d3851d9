//! The tree that a YAML file becomes: every value and every key knows its place.

use std::rc::Rc;

use indexmap::IndexMap;

/// A place in one of the files of a load; `line` and `column` count from 1, 0 is "somewhere in this file".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Spot {
    pub file: usize,
    pub line: usize,
    pub column: usize,
}

/// A tag that steers the merge of several files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    /// `!reset`: take the value away.
    Reset,
    /// `!override`: replace instead of merge.
    Override,
}

/// A value with its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub value: Value,
    pub spot: Spot,
    pub tag: Option<Tag>,
    /// The text before variables were put in, when it has any.
    pub template: Option<Rc<str>>,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Map),
}

/// A mapping in file order.
pub(crate) type Map = IndexMap<String, Entry>;

/// A value of a mapping, with the place of its key.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub key: Spot,
    pub node: Node,
}

impl Node {
    pub(crate) fn new(value: Value, spot: Spot) -> Self {
        Self { value, spot, tag: None, template: None }
    }

    /// What kind of value this is, in the words of a message.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "empty",
            Value::Bool(_) => "true or false",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::Text(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    pub(crate) fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// A scalar as the text that Compose makes of it; `None` for null, lists and mappings.
    pub(crate) fn scalar(&self) -> Option<String> {
        match &self.value {
            Value::Bool(b) => Some(b.to_string()),
            Value::Int(i) => Some(i.to_string()),
            Value::Float(f) => Some(float_text(*f)),
            Value::Text(t) => Some(t.clone()),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// Number of nodes in this tree, itself included.
    pub(crate) fn size(&self) -> usize {
        1 + match &self.value {
            Value::List(items) => items.iter().map(Node::size).sum::<usize>(),
            Value::Map(map) => map.values().map(|e| e.node.size()).sum(),
            _ => 0,
        }
    }
}

/// A float as Go's `%v` prints it: the shortest digits, with an exponent below 1e-4 and from 1e6 on.
pub(crate) fn float_text(f: f64) -> String {
    if f.is_nan() {
        return "NaN".into();
    }
    if f.is_infinite() {
        return if f > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    let scientific = format!("{f:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    format!("{f}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_like_go() {
        for (value, text) in
            [(1.0, "1"), (3.1, "3.1"), (1e6, "1e+06"), (0.5, "0.5"), (123456.0, "123456"), (1e-5, "1e-05")]
        {
            assert_eq!(float_text(value), text);
        }
    }
}
