//! From a query string to JSON, as the schema says: `page=2&tags=a,b&filter.name=x&ids[]=1&ids[]=2`.

use std::borrow::Cow;

use indexmap::IndexMap;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Number, Value};

use super::flaws::Flaws;
use super::schema::{self, Types};

/// How many parameters there may be.
const MOST_PARAMETERS: usize = 1000;
/// How many names may stand in one parameter: `a.b[c]` has three.
const MOST_NAMES: usize = 16;

/// What was said of one field: values for itself, and what is in it.
#[derive(Default)]
struct Node<'a> {
    /// Raw, as they stand in the query.
    values: Vec<&'a str>,
    inside: IndexMap<Cow<'a, str>, Self>,
}

/// Reads the fields of a query string. What is wrong with a field is added to `flaws`.
pub(crate) fn read(query: &str, root: &Value, flaws: &mut Flaws) -> Map<String, Value> {
    let mut tree = Node::default();
    for (count, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
        if count == MOST_PARAMETERS {
            flaws.add("?", format!("has more than {MOST_PARAMETERS} parameters"));
            break;
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(name) = decoded(name) else {
            flaws.add(name, "is a parameter whose name is not percent-encoded text");
            continue;
        };
        match names(name, root) {
            Some(names) => {
                names.into_iter().fold(&mut tree, |node, name| node.inside.entry(name).or_default()).values.push(value)
            }
            None => flaws.add(shown(pair), "is not the name of a parameter"),
        }
    }
    let mut fields = Map::new();
    for (name, node) in tree.inside {
        match schema::field(root, &[root], &name) {
            None => flaws.add(name, "is not a parameter of this request"),
            Some(field) => {
                let value = Reading { root, flaws }.value(node, &field, &name);
                fields.insert(name.into_owned(), value);
            }
        }
    }
    fields
}

/// A value as it stands in a path or a query, decoded; none when it is not percent-encoded UTF-8.
///
/// A plus sign is what it is in a path, and a space in a query.
pub(crate) fn decoded_path(raw: &str) -> Option<Cow<'_, str>> {
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' && !(bytes.next()?.is_ascii_hexdigit() && bytes.next()?.is_ascii_hexdigit()) {
            return None;
        }
    }
    percent_decode_str(raw).decode_utf8().ok()
}

fn decoded(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.contains('+') {
        return decoded_path(raw);
    }
    decoded_path(&raw.replace('+', " ")).map(|text| Cow::Owned(text.into_owned()))
}

/// The start of a parameter, short enough to be shown.
fn shown(pair: &str) -> String {
    let name = pair.split('=').next().unwrap_or_default();
    name.chars().take(100).collect()
}

/// The names in a parameter's: `a.b[c][]` is `a`, `b`, `c` and an empty one. A field whose name has dots is one name.
fn names<'a>(name: Cow<'a, str>, root: &Value) -> Option<Vec<Cow<'a, str>>> {
    if name.is_empty() || name.contains('\0') {
        return None;
    }
    if !name.contains(['.', '[', ']']) || schema::fields(root).iter().any(|(known, _)| *known == name) {
        return Some(vec![name]);
    }
    let split = |text: &str| -> Option<Vec<(usize, usize)>> {
        let mut names = Vec::new();
        let first = text.find(['.', '[', ']']).unwrap_or(text.len());
        names.push((0, first));
        let mut at = first;
        while let Some(mark) = text.as_bytes().get(at) {
            let start = at + 1;
            let (end, next) = match mark {
                b'.' => {
                    let end = text[start..].find(['.', '[', ']']).map_or(text.len(), |found| start + found);
                    (end, end)
                }
                b'[' => {
                    let end = start + text[start..].find(['[', ']'])?;
                    (end, end + 1)
                }
                _ => return None,
            };
            // only `[]` may be empty, and nothing but a mark may follow a bracket
            let closed = *mark == b'.' || text.as_bytes().get(end) == Some(&b']');
            let followed = text.as_bytes().get(next).is_none_or(|byte| matches!(byte, b'.' | b'['));
            if !closed || !followed || (start == end && *mark == b'.') || names.len() == MOST_NAMES {
                return None;
            }
            names.push((start, end));
            at = next;
        }
        (first > 0).then_some(names)
    };
    let found = split(&name)?;
    Some(match name {
        Cow::Borrowed(text) => found.into_iter().map(|(start, end)| Cow::Borrowed(&text[start..end])).collect(),
        Cow::Owned(text) => found.into_iter().map(|(start, end)| Cow::Owned(text[start..end].to_owned())).collect(),
    })
}

struct Reading<'a, 'f> {
    root: &'a Value,
    flaws: &'f mut Flaws,
}

impl<'a> Reading<'a, '_> {
    fn value(&mut self, node: Node<'_>, schemas: &[&'a Value], way: &str) -> Value {
        let types = schema::types(self.root, schemas);
        if !node.values.is_empty() && !node.inside.is_empty() && !node.inside.contains_key("") {
            self.flaws.add(way, "is said to be one value and several");
            return Value::Null;
        }
        let listed = node.inside.keys().all(|name| name.is_empty() || name.bytes().all(|b| b.is_ascii_digit()));
        if types.intersects(Types::ARRAY) && listed {
            return self.array(node, schemas, way);
        }
        if !node.inside.is_empty() {
            return self.object(node, schemas, way);
        }
        if node.values.len() > 1 {
            self.flaws.add(way, "appears twice");
        }
        node.values.first().map_or(Value::Null, |raw| self.scalar(raw, types, way))
    }

    fn scalar(&mut self, raw: &str, types: Types, way: &str) -> Value {
        match decoded(raw) {
            Some(text) => match coerced(text, types) {
                Ok(value) => return value,
                Err(problem) => self.flaws.add(way, problem),
            },
            None => self.flaws.add(way, "is not percent-encoded text"),
        }
        Value::Null
    }

    /// `a=1,2&a=3`, `a[]=1&a[]=2` or `a[0]=1&a[1]=2`.
    fn array(&mut self, node: Node<'_>, schemas: &[&'a Value], way: &str) -> Value {
        let items = schema::items(self.root, schemas);
        let types = schema::types(self.root, &items);
        let mut array = Vec::new();
        for raw in node.values.iter().flat_map(|values| values.split(',')) {
            let empty = raw.is_empty() && node.values.len() == 1 && !node.values[0].contains(',');
            if !empty {
                let value = self.scalar(raw, types, &format!("{way}[{}]", array.len()));
                array.push(value);
            }
        }
        for (name, inside) in node.inside {
            if name.is_empty() {
                for raw in &inside.values {
                    let value = self.scalar(raw, types, &format!("{way}[{}]", array.len()));
                    array.push(value);
                }
                if !inside.inside.is_empty() {
                    self.flaws.add(way, "has items whose fields cannot be told apart; number the items");
                }
            } else if name == array.len().to_string().as_str() {
                let value = self.value(inside, &items, &format!("{way}[{name}]"));
                array.push(value);
            } else {
                self.flaws.add(way, "has items that are not numbered 0, 1, 2 in this order");
            }
        }
        Value::Array(array)
    }

    fn object(&mut self, node: Node<'_>, schemas: &[&'a Value], way: &str) -> Value {
        let mut object = Map::new();
        for (name, inside) in node.inside {
            let here = format!("{way}.{name}");
            match schema::field(self.root, schemas, &name) {
                Some(field) if !name.is_empty() => {
                    let value = self.value(inside, &field, &here);
                    object.insert(name.into_owned(), value);
                }
                _ => self.flaws.add(here, "is not a parameter of this request"),
            }
        }
        Value::Object(object)
    }
}

/// Text as the type that it should have. Where text is allowed, it stays text.
pub(crate) fn coerced(text: Cow<'_, str>, types: Types) -> Result<Value, &'static str> {
    if text.contains('\0') {
        return Err("contains the character NUL");
    }
    if types.is_empty() || types.intersects(Types::TEXT) {
        return Ok(Value::String(text.into_owned()));
    }
    if types.intersects(Types::INTEGER | Types::NUMBER) && text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        let number = serde_json::from_str::<Number>(&text).ok().filter(|_| !text.ends_with(char::is_whitespace));
        if let Some(number) = number.filter(|it| types.intersects(Types::NUMBER) || !it.is_f64()) {
            return Ok(Value::Number(number));
        }
    }
    match text.as_ref() {
        "true" if types.intersects(Types::BOOLEAN) => return Ok(Value::Bool(true)),
        "false" if types.intersects(Types::BOOLEAN) => return Ok(Value::Bool(false)),
        "" | "null" if types.intersects(Types::NULL) => return Ok(Value::Null),
        _ => {}
    }
    Err(if types.intersects(Types::NUMBER) {
        "is not a number"
    } else if types.intersects(Types::INTEGER) {
        "is not an integer"
    } else if types.intersects(Types::BOOLEAN) {
        "is neither true nor false"
    } else if types.intersects(Types::OBJECT) {
        "is an object, whose fields are said as in `name.field=value`"
    } else if types.intersects(Types::ARRAY) {
        "is a list"
    } else {
        "has no value that a parameter can have"
    })
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
