//! From a JSON Schema to GraphQL types, with the way back for every name that changed.
//!
//! What GraphQL cannot say becomes the scalar `JSON`: free objects, maps, tuples, unions, values of any type. Whole
//! numbers are `Int` only when their bounds fit into 32 bits; else they are `Long`.

use std::collections::{HashMap, HashSet};
use std::fmt::{self, Write as _};

use serde_json::{Map, Value};

use super::names;

/// How deep a schema may be nested before the rest of it is `JSON`.
const DEEPEST: usize = 40;
/// The mark of a field that the gateway fills in.
const FILLED_IN: &str = "x-filled-in";

/// The name on the wire of each field or enum value whose GraphQL name differs, by the name of the type.
pub(super) type Tables = HashMap<String, HashMap<String, String>>;

/// A type as it stands behind a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ref {
    /// Without the `!`.
    pub(super) text: String,
    /// Whether there is no `!`.
    pub(super) nullable: bool,
}

impl Ref {
    fn new(text: impl Into<String>, nullable: bool) -> Self {
        Self { text: text.into(), nullable }
    }

    fn json() -> Self {
        Self::new("JSON", true)
    }

    fn or_null(self, nullable: bool) -> Self {
        Self { nullable: self.nullable || nullable, ..self }
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.text, if self.nullable { "" } else { "!" })
    }
}

/// What a schema describes, as far as its fields are concerned.
pub(super) enum Shape {
    /// An object with at least one field that can be said.
    Fields,
    /// An object that has no fields.
    Empty,
    /// Nothing but `null`.
    Null,
    /// Anything else.
    Other,
}

/// Translates one schema; the types that it needs are written down as it meets them.
pub(super) struct Translator<'a> {
    root: &'a Value,
    base: String,
    input: bool,
    taken: &'a mut HashSet<String>,
    tables: &'a mut Tables,
    sdl: String,
    known: HashMap<String, Ref>,
    /// The references that are being followed, with the name of the object that each becomes.
    open: Vec<(String, Option<String>)>,
    depth: usize,
}

impl<'a> Translator<'a> {
    /// `base` is the name of the schema's own type, which must have been claimed, and what all others begin with.
    pub(super) fn new(
        root: &'a Value,
        base: String,
        input: bool,
        taken: &'a mut HashSet<String>,
        tables: &'a mut Tables,
    ) -> Self {
        Self { root, base, input, taken, tables, sdl: String::new(), known: HashMap::new(), open: Vec::new(), depth: 0 }
    }

    /// What the whole schema describes.
    pub(super) fn shape(&self) -> Shape {
        let schema = self.settled(self.root, 0);
        let Some(map) = schema.as_object() else { return Shape::Other };
        match self.kind(map) {
            Some(("object", _)) if self.fields(map).next().is_some() => Shape::Fields,
            Some(("object", _)) if matches!(map.get("additionalProperties"), None | Some(Value::Bool(false))) => {
                Shape::Empty
            }
            Some(("null", _)) => Shape::Null,
            _ => Shape::Other,
        }
    }

    /// Translates the whole schema.
    pub(super) fn whole(&mut self) -> Ref {
        let schema = self.settled(self.root, 0);
        let base = self.base.clone();
        if let (Shape::Fields, Some(map)) = (self.shape(), schema.as_object()) {
            self.open.push(("#".to_owned(), Some(base.clone())));
            self.object(map, &base);
            self.open.pop();
            return Ref::new(base, false);
        }
        self.open.push(("#".to_owned(), None));
        let found = self.of(&schema, base, true);
        self.open.pop();
        found
    }

    /// The fields on the first level that are a scalar or an enum, for filters.
    /// Each with its name, its type and its name on the wire.
    pub(super) fn scalars(&mut self) -> Vec<(String, Ref, String)> {
        let schema = self.settled(self.root, 0);
        let Some(map) = schema.as_object() else { return Vec::new() };
        let names = self.named(map);
        let base = self.base.clone();
        let mut found = Vec::new();
        for (wire, name) in names {
            let schema = self.settled(&map["properties"][&wire], 0);
            let Some(map) = schema.as_object() else { continue };
            let simple = matches!(self.kind(map), Some(("string" | "boolean" | "integer" | "number", _)));
            if simple || texts(map).is_some() {
                let hint = format!("{base}{}", names::pascal(&name));
                let of = self.of(&schema, hint, false);
                found.push((name, of, wire));
            }
        }
        found
    }

    /// The types that were needed, as SDL.
    pub(super) fn sdl(self) -> String {
        self.sdl
    }

    fn of(&mut self, schema: &Value, hint: String, claimed: bool) -> Ref {
        self.depth += 1;
        let found = if self.depth > DEEPEST { Ref::json() } else { self.of_any(schema, hint, claimed) };
        self.depth -= 1;
        found
    }

    fn of_any(&mut self, schema: &Value, hint: String, claimed: bool) -> Ref {
        let Some(map) = schema.as_object() else { return Ref::json() };
        if let Some(pointer) = map.get("$ref") {
            return pointer.as_str().map_or_else(Ref::json, |it| self.reference(it));
        }
        if map.contains_key("allOf") {
            if let (Some([only]), false) = (members(map, "allOf"), map.contains_key("properties")) {
                return self.of(&only.clone(), hint, claimed);
            }
            return self.of(&self.settled(schema, 0), hint, claimed);
        }
        if let Some((values, nullable)) = texts(map) {
            return self.enumeration(&values, hint, claimed).or_null(nullable);
        }
        if let Some(only) = alternative(map) {
            return self.of(&only.clone(), hint, claimed).or_null(true);
        }
        let Some((kind, nullable)) = self.kind(map) else { return Ref::json() };
        match kind {
            "string" => Ref::new("String", nullable),
            "boolean" => Ref::new("Boolean", nullable),
            "number" => Ref::new("Float", nullable),
            "integer" => Ref::new(if is_small(map) { "Int" } else { "Long" }, nullable),
            "array" => match map.get("items").filter(|_| !map.contains_key("prefixItems")) {
                Some(items) => {
                    let item = self.of(items, format!("{hint}Item"), false);
                    Ref::new(format!("[{item}]"), nullable)
                }
                None => Ref::new("JSON", nullable),
            },
            "object" if is_closed(map) && self.fields(map).next().is_some() => {
                let name = if claimed { hint } else { names::claim(self.taken, hint) };
                self.object(map, &name);
                Ref::new(name, nullable)
            }
            "object" => Ref::new("JSON", nullable),
            _ => Ref::json(),
        }
    }

    /// A type that has a name of its own in the schema is made once, so it may contain itself.
    fn reference(&mut self, pointer: &str) -> Ref {
        if let Some(known) = self.known.get(pointer) {
            return known.clone();
        }
        if let Some((_, name)) = self.open.iter().find(|(it, _)| it == pointer) {
            // what must contain itself could never be said: here it need not
            return name.as_ref().map_or_else(Ref::json, |name| Ref::new(name, true));
        }
        let target = pointer.strip_prefix('#').and_then(|it| self.root.pointer(it));
        let Some(target) = target.cloned() else { return Ref::json() };
        let word = pointer.rsplit('/').next().unwrap_or_default();
        let name = names::claim(self.taken, format!("{}{}", self.base, names::pascal(word)));
        let settled = self.settled(&target, 0);
        let object = settled.as_object().filter(|map| {
            let object = matches!(self.kind(map), Some(("object", _))) && is_closed(map);
            object && texts(map).is_none() && alternative(map).is_none() && self.fields(map).next().is_some()
        });
        self.open.push((pointer.to_owned(), object.map(|_| name.clone())));
        let found = match object {
            Some(map) => {
                self.object(map, &name);
                Ref::new(name, matches!(self.kind(map), Some((_, true))))
            }
            None => self.of(&target, name, true),
        };
        self.open.pop();
        self.known.insert(pointer.to_owned(), found.clone());
        found
    }

    fn object(&mut self, map: &Map<String, Value>, name: &str) {
        let mut body = String::new();
        let mut table = HashMap::new();
        for (wire, field) in self.named(map) {
            let schema = &map["properties"][&wire];
            let of = self.of(schema, format!("{name}{}", names::pascal(&field)), false);
            let required =
                map.get("required").and_then(Value::as_array).is_some_and(|it| it.contains(&wire.as_str().into()));
            let of = of.or_null(!required || self.input && schema.get("default").is_some());
            let deprecated = schema.get("deprecated") == Some(&Value::Bool(true)) && (!self.input || of.nullable);
            let deprecated = if deprecated { " @deprecated" } else { "" };
            let _ = writeln!(body, "{}  {field}: {of}{deprecated}", described(schema.get("description"), "  "));
            if wire != field {
                table.insert(field, wire);
            }
        }
        let keyword = if self.input { "input" } else { "type" };
        let _ = writeln!(self.sdl, "{}{keyword} {name} {{\n{body}}}", described(map.get("description"), ""));
        self.remember(name, table);
    }

    fn enumeration(&mut self, values: &[String], hint: String, claimed: bool) -> Ref {
        let mut seen = HashSet::new();
        let table: Vec<(String, &String)> =
            values.iter().map(|it| (names::claim(&mut seen, names::value(it)), it)).collect();
        let name = if claimed { hint } else { names::claim(self.taken, hint) };
        let body: String = table.iter().map(|(value, _)| format!("  {value}\n")).collect();
        let _ = writeln!(self.sdl, "enum {name} {{\n{body}}}");
        let table = table.into_iter().filter(|(value, wire)| value != *wire).map(|(value, wire)| (value, wire.clone()));
        self.remember(&name, table.collect());
        Ref::new(name, false)
    }

    fn remember(&mut self, name: &str, table: HashMap<String, String>) {
        if !table.is_empty() {
            self.tables.insert(name.to_owned(), table);
        }
    }

    /// The properties that can be said, with their GraphQL names.
    fn named(&self, map: &Map<String, Value>) -> Vec<(String, String)> {
        let mut taken = HashSet::new();
        self.fields(map).map(|wire| (wire.clone(), names::claim(&mut taken, names::field(wire)))).collect()
    }

    fn fields<'m>(&self, map: &'m Map<String, Value>) -> impl Iterator<Item = &'m String> + use<'m> {
        let input = self.input;
        let properties = map.get("properties").and_then(Value::as_object).into_iter().flatten();
        let said = move |schema: &Value| match schema {
            Value::Bool(allowed) => *allowed,
            schema => !(input && schema.get(FILLED_IN) == Some(&Value::Bool(true))),
        };
        properties.filter(move |(_, schema)| said(schema)).map(|(name, _)| name)
    }

    /// The one type besides `null`, and whether `null` is one.
    fn kind<'m>(&self, map: &'m Map<String, Value>) -> Option<(&'m str, bool)> {
        match map.get("type") {
            Some(Value::String(kind)) => Some((kind, kind == "null")),
            Some(Value::Array(kinds)) => {
                let mut others = kinds.iter().filter_map(Value::as_str).filter(|it| *it != "null");
                let only = others.next()?;
                others.next().is_none().then_some((only, kinds.iter().any(|it| it == "null")))
            }
            None if map.contains_key("properties") => Some(("object", false)),
            _ => None,
        }
    }

    /// The schema with its references followed and what all of it must be put together.
    fn settled(&self, schema: &Value, depth: usize) -> Value {
        if depth > DEEPEST {
            return Value::Bool(true);
        }
        if let Some(pointer) = schema.get("$ref").and_then(Value::as_str) {
            let target = pointer.strip_prefix('#').and_then(|it| self.root.pointer(it));
            return target.map_or(Value::Bool(true), |target| self.settled(target, depth + 1));
        }
        let (Some(map), Some(parts)) = (schema.as_object(), schema.get("allOf").and_then(Value::as_array)) else {
            return schema.clone();
        };
        let mut whole = map.clone();
        whole.remove("allOf");
        for part in parts {
            let Value::Object(part) = self.settled(part, depth + 1) else { continue };
            for (key, value) in part {
                match (whole.get_mut(&key), value) {
                    (Some(Value::Object(all)), Value::Object(more)) if key == "properties" => {
                        all.extend(more);
                    }
                    (Some(Value::Array(all)), Value::Array(more)) if key == "required" => all.extend(more),
                    (Some(_), _) => {}
                    (None, value) => {
                        whole.insert(key, value);
                    }
                }
            }
        }
        Value::Object(whole)
    }
}

/// The description in front of a definition.
pub(super) fn described(text: Option<&Value>, indent: &str) -> String {
    match text.and_then(Value::as_str).map(str::trim) {
        // the escapes of JSON are those of GraphQL
        Some(text) if !text.is_empty() => format!("{indent}{}\n", Value::from(text)),
        _ => String::new(),
    }
}

fn members<'m>(map: &'m Map<String, Value>, key: &str) -> Option<&'m [Value]> {
    map.get(key).and_then(Value::as_array).map(Vec::as_slice)
}

/// The one alternative besides `null`.
fn alternative(map: &Map<String, Value>) -> Option<&Value> {
    let all = members(map, "anyOf").or_else(|| members(map, "oneOf"))?;
    let (nulls, others): (Vec<_>, Vec<_>) = all.iter().partition(|it| it.get("type").is_some_and(|it| it == "null"));
    match (nulls.len(), others.as_slice()) {
        (1.., [only]) => Some(only),
        _ => None,
    }
}

/// The values of an enum of texts, however it is written, and whether `null` is one.
fn texts(map: &Map<String, Value>) -> Option<(Vec<String>, bool)> {
    let mut values: Vec<&Value> = Vec::new();
    if let Some(list) = members(map, "enum") {
        values.extend(list);
    } else if let Some(only) = map.get("const") {
        values.push(only);
    } else {
        for member in members(map, "oneOf").or_else(|| members(map, "anyOf"))? {
            match (member.get("const"), member.get("enum").and_then(Value::as_array)) {
                (Some(only), _) => values.push(only),
                (None, Some(list)) => values.extend(list),
                (None, None) if member.get("type").is_some_and(|it| it == "null") => values.push(&Value::Null),
                (None, None) => return None,
            }
        }
    }
    let nullable = values.iter().any(|it| it.is_null());
    let mut seen = HashSet::new();
    let others = values.into_iter().filter(|it| !it.is_null() && seen.insert(it.to_string()));
    let texts: Option<Vec<String>> = others.map(|it| it.as_str().map(str::to_owned)).collect();
    texts.filter(|it| !it.is_empty()).map(|texts| (texts, nullable))
}

/// Whether all fields of an object are named: others can be no map.
fn is_closed(map: &Map<String, Value>) -> bool {
    !map.contains_key("patternProperties")
        && !matches!(map.get("additionalProperties"), Some(Value::Object(it)) if !it.is_empty())
}

/// Whether the bounds of a whole number fit into 32 bits.
fn is_small(map: &Map<String, Value>) -> bool {
    let bound = |keys: [&str; 2]| keys.into_iter().find_map(|key| map.get(key)).and_then(Value::as_f64);
    let least = bound(["minimum", "exclusiveMinimum"]).is_some_and(|it| it >= f64::from(i32::MIN));
    least && bound(["maximum", "exclusiveMaximum"]).is_some_and(|it| it <= f64::from(i32::MAX))
}
