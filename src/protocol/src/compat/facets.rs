//! What a schema says of single values: types, listed values, bounds.

use serde_json::{Map, Number, Value, json};

use super::schemas::Walk;

type Schema = Map<String, Value>;

/// A set of JSON types. Whole numbers are apart from the other numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Types(u8);

impl Types {
    pub(super) const NULL: Self = Self(1);
    const BOOLEAN: Self = Self(2);
    pub(super) const OBJECT: Self = Self(4);
    pub(super) const ARRAY: Self = Self(8);
    const INTEGER: Self = Self(16);
    pub(super) const NUMBER: Self = Self(16 | 32);
    pub(super) const STRING: Self = Self(64);
    const ALL: Self = Self(127);

    const NAMES: [(&'static str, Self); 7] = [
        ("null", Self::NULL),
        ("boolean", Self::BOOLEAN),
        ("object", Self::OBJECT),
        ("array", Self::ARRAY),
        ("number", Self::NUMBER),
        ("integer", Self::INTEGER),
        ("string", Self::STRING),
    ];

    /// Those that a schema allows.
    pub(super) fn of(schema: &Schema) -> Self {
        let said = schema.get("type").map_or(Self::ALL, Self::named);
        match schema.get("enum").and_then(Value::as_array) {
            Some(values) => said.common(values.iter().fold(Self(0), |all, it| all.with(Self::of_value(it)))),
            None => said,
        }
    }

    /// Those that the keyword `type` names.
    pub(super) fn named(value: &Value) -> Self {
        let one = |name: &str| Self::NAMES.iter().find(|(known, _)| *known == name).map_or(Self(0), |(_, it)| *it);
        match value {
            Value::String(name) => one(name),
            Value::Array(names) => names.iter().filter_map(Value::as_str).fold(Self(0), |all, it| all.with(one(it))),
            _ => Self::ALL,
        }
    }

    fn of_value(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Object(_) => Self::OBJECT,
            Value::Array(_) => Self::ARRAY,
            Value::String(_) => Self::STRING,
            Value::Number(number) if is_whole(number) => Self::INTEGER,
            Value::Number(_) => Self(32),
        }
    }

    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether any of these is among them.
    pub(super) const fn has(self, any: Self) -> bool {
        self.0 & any.0 != 0
    }

    /// Each by itself; numbers together.
    pub(super) fn each(self) -> Vec<Self> {
        let kinds = [Self::NULL, Self::BOOLEAN, Self::OBJECT, Self::ARRAY, Self::NUMBER, Self::STRING];
        kinds.into_iter().map(|it| self.common(it)).filter(|it| it.0 != 0).collect()
    }

    /// The keyword `type`.
    pub(super) fn to_json(self) -> Value {
        match self.names().as_slice() {
            [one] => json!(one),
            names => json!(names),
        }
    }

    fn names(self) -> Vec<&'static str> {
        let number = self.common(Self::NUMBER);
        let named = |(name, it): &(&'static str, Self)| match *name {
            "number" => (number.0 & 32 != 0).then_some(*name),
            "integer" => (number == Self::INTEGER).then_some(*name),
            name => self.has(*it).then_some(name),
        };
        Self::NAMES.iter().filter_map(named).collect()
    }

    pub(super) fn words(self) -> String {
        if self == Self::ALL { "anything".to_owned() } else { self.names().join(" or ") }
    }
}

fn is_whole(number: &Number) -> bool {
    number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|it| it.fract() == 0.0)
}

/// All values that a schema allows, if they are listed or few.
fn values(schema: &Schema) -> Option<Vec<Value>> {
    let types = Types::of(schema);
    if let Some(listed) = schema.get("enum").and_then(Value::as_array) {
        return Some(listed.iter().filter(|it| types.has(Types::of_value(it))).cloned().collect());
    }
    if types.without(Types::NULL.with(Types::BOOLEAN)) != Types(0) {
        return None;
    }
    let null = types.has(Types::NULL).then_some(Value::Null);
    let boolean = types.has(Types::BOOLEAN).then_some([Value::Bool(false), Value::Bool(true)]);
    Some(null.into_iter().chain(boolean.into_iter().flatten()).collect())
}

pub(super) fn listed(values: &[Value]) -> String {
    let shown: Vec<_> = values.iter().take(8).map(|it| format!("`{it}`")).collect();
    let more = if values.len() > 8 { format!(" and {} more", values.len() - 8) } else { String::new() };
    shown.join(", ") + &more
}

/// Types and listed values. Gives the types of which more is to be compared.
pub(super) fn kinds(walk: &mut Walk<'_>, old: &Schema, new: &Schema, path: &str) -> Types {
    let (before, after) = (Types::of(old), Types::of(new));
    let has_list = |it: &Schema| it.contains_key("enum");
    if has_list(old) || has_list(new) {
        listings(walk, old, new, path);
        return Types(0);
    }
    let (lost, gained) = (before.without(after), after.without(before));
    match (lost, gained) {
        (Types(0), Types(0)) => {}
        (Types::NULL, Types(0)) => walk.tell(path, "can no longer be null", true, false),
        (Types(0), Types::NULL) => walk.tell(path, "can be null now", false, true),
        (lost, gained) => {
            let what = format!("changes from {} to {}", before.words(), after.words());
            walk.tell(path, what, lost != Types(0), gained != Types(0));
        }
    }
    before.common(after)
}

fn listings(walk: &mut Walk<'_>, old: &Schema, new: &Schema, path: &str) {
    match (values(old), values(new)) {
        (Some(before), Some(after)) => {
            let missing = |from: &[Value], to: &[Value]| -> Vec<Value> {
                from.iter().filter(|it| !to.contains(it)).cloned().collect()
            };
            let (lost, gained) = (missing(&before, &after), missing(&after, &before));
            if !lost.is_empty() {
                walk.tell(path, format!("{} is no longer allowed", listed(&lost)), true, false);
            }
            if !gained.is_empty() {
                walk.tell(path, format!("{} is allowed now", listed(&gained)), false, true);
            }
        }
        (Some(before), None) => {
            let allowed = Types::of(new);
            let lost: Vec<_> = before.iter().filter(|it| !allowed.has(Types::of_value(it))).cloned().collect();
            if !lost.is_empty() {
                walk.tell(path, format!("{} is no longer allowed", listed(&lost)), true, false);
            }
            let what = format!("is no longer limited to {}, but any {}", listed(&before), allowed.words());
            walk.tell(path, what, false, true);
        }
        (None, Some(after)) => {
            let allowed = Types::of(old);
            let gained = after.iter().any(|it| !allowed.has(Types::of_value(it)));
            walk.tell(path, format!("is limited to {} now", listed(&after)), true, gained);
        }
        (None, None) => {}
    }
}

/// Bounds and steps of numbers.
pub(super) fn numbers(walk: &mut Walk<'_>, old: &Schema, new: &Schema, types: Types, path: &str) {
    let whole = types == Types::INTEGER;
    let (before, after) = (bound(old, whole, false), bound(new, whole, false));
    limits(walk, (before, after), ("smallest", false), path);
    let (before, after) = (bound(old, whole, true), bound(new, whole, true));
    limits(walk, (before, after), ("largest", true), path);
    let step = |it: &Schema| it.get("multipleOf").and_then(Value::as_f64);
    match (step(old), step(new)) {
        (before, after) if before == after => {}
        (None, Some(after)) => walk.tell(path, format!("must be a multiple of {after} now"), true, false),
        (Some(before), None) => walk.tell(path, format!("need not be a multiple of {before}"), false, true),
        (Some(before), Some(after)) => {
            let divides = |small: f64, large: f64| large % small == 0.0;
            let what = format!("must be a multiple of {after}, and not of {before}");
            walk.tell(path, what, !divides(after, before), !divides(before, after));
        }
        (None, None) => {}
    }
}

/// The smallest or largest number, and whether it is allowed itself (0) or not (1).
fn bound(schema: &Schema, whole: bool, upper: bool) -> Option<(f64, i8)> {
    let (closed, open) = if upper { ("maximum", "exclusiveMaximum") } else { ("minimum", "exclusiveMinimum") };
    let number = |key| schema.get(key).and_then(Value::as_f64);
    let open = number(open).map(|it| match (whole, upper) {
        (true, true) => (it.ceil() - 1.0, 0),
        (true, false) => (it.floor() + 1.0, 0),
        (false, _) => (it, 1),
    });
    let both = [number(closed).map(|it| (it, 0)), open];
    let tightest = |a: (f64, i8), b: (f64, i8)| if tighter(a, b, upper) { a } else { b };
    both.into_iter().flatten().reduce(tightest)
}

fn tighter(a: (f64, i8), b: (f64, i8), upper: bool) -> bool {
    if a.0 == b.0 { a.1 > b.1 } else { (a.0 < b.0) == upper }
}

type Bound = Option<(f64, i8)>;

fn limits(walk: &mut Walk<'_>, (old, new): (Bound, Bound), (which, upper): (&str, bool), path: &str) {
    let word = |(number, open): (f64, i8)| match (open, upper) {
        (0, _) => format!("{number}"),
        (_, true) => format!("less than {number}"),
        (_, false) => format!("more than {number}"),
    };
    let shown = |it: Option<(f64, i8)>| it.map_or_else(|| "none".to_owned(), word);
    let narrows = match (old, new) {
        (old, new) if old == new => return,
        (None, _) => true,
        (_, None) => false,
        (Some(old), Some(new)) => tighter(new, old, upper),
    };
    let what = format!("the {which} value changes from {} to {}", shown(old), shown(new));
    walk.tell(path, what, narrows, !narrows);
}

/// Lengths, patterns and formats of texts.
pub(super) fn texts(walk: &mut Walk<'_>, old: &Schema, new: &Schema, path: &str) {
    counts(walk, old, new, ("minLength", "maxLength", "characters"), path);
    for key in ["pattern", "format"] {
        match (old.get(key), new.get(key)) {
            (before, after) if before == after => {}
            (None, Some(after)) => walk.tell(path, format!("must have the {key} {after} now"), true, false),
            (Some(before), None) => walk.tell(path, format!("need not have the {key} {before}"), false, true),
            (Some(before), Some(after)) => {
                walk.tell(path, format!("changes its {key} from {before} to {after}"), true, true);
            }
            (None, None) => {}
        }
    }
}

/// How many of something there may be.
pub(super) fn counts(walk: &mut Walk<'_>, old: &Schema, new: &Schema, keys: (&str, &str, &str), path: &str) {
    let (least, most, what) = keys;
    let count = |it: &Schema, key: &str| it.get(key).and_then(Value::as_u64);
    let (before, after) = (count(old, least).unwrap_or(0), count(new, least).unwrap_or(0));
    if before != after {
        walk.tell(path, format!("needs at least {after} {what}, before {before}"), after > before, after < before);
    }
    match (count(old, most), count(new, most)) {
        (before, after) if before == after => {}
        (None, Some(after)) => walk.tell(path, format!("has at most {after} {what} now"), true, false),
        (Some(before), None) => walk.tell(path, format!("may have more than {before} {what} now"), false, true),
        (Some(before), Some(after)) => {
            let what = format!("has at most {after} {what}, before {before}");
            walk.tell(path, what, after < before, after > before);
        }
        (None, None) => {}
    }
}
