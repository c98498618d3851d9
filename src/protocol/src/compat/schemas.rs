//! The walk through two schemas side by side.

use serde_json::{Map, Value};

use super::alternatives;
use super::facets::{self, Types};
use super::settle::{self, Settled};

/// So many pairs of schemas are compared, and no more: alternatives within alternatives have no end.
const BUDGET: u32 = 20_000;

/// Keywords whose effect is not followed: as they were, or nobody can tell.
const OPAQUE: [&str; 16] = [
    "not",
    "if",
    "then",
    "else",
    "oneOf",
    "allOf",
    "patternProperties",
    "propertyNames",
    "unevaluatedProperties",
    "unevaluatedItems",
    "contains",
    "minContains",
    "maxContains",
    "dependentSchemas",
    "dependentRequired",
    "$ref",
];

/// One change of what a schema allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) path: String,
    /// In words.
    pub(super) what: String,
    /// Something that was allowed is not any more.
    pub(super) narrows: bool,
    /// Something is allowed that was not.
    pub(super) widens: bool,
    /// A field is gone.
    pub(super) lost: bool,
}

/// All changes from one schema to another.
pub(super) fn changes(old: &Value, new: &Value, path: &str) -> Vec<Change> {
    if old == new {
        return Vec::new();
    }
    let mut walk = Walk { old, new, under_way: Vec::new(), left: BUDGET, found: Vec::new() };
    walk.compare(old, new, path);
    if walk.left == 0 {
        walk.tell(path, "is too complex to be compared", true, true);
    }
    walk.found
}

pub(super) struct Walk<'a> {
    /// The whole schemas, for references.
    old: &'a Value,
    new: &'a Value,
    /// Pairs that are being compared further up: a recursive type is what it is if the rest is.
    under_way: Vec<(String, String)>,
    left: u32,
    found: Vec<Change>,
}

impl Walk<'_> {
    pub(super) fn tell(&mut self, path: &str, what: impl Into<String>, narrows: bool, widens: bool) {
        self.add(Change { path: path.to_owned(), what: what.into(), narrows, widens, lost: false });
    }

    pub(super) fn add(&mut self, change: Change) {
        if !self.found.contains(&change) {
            self.found.push(change);
        }
    }

    /// What a comparison finds, aside from everything found so far.
    pub(super) fn aside(&mut self, compare: impl FnOnce(&mut Self)) -> Vec<Change> {
        let before = std::mem::take(&mut self.found);
        compare(self);
        std::mem::replace(&mut self.found, before)
    }

    pub(super) fn spend(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left > 0
    }

    pub(super) fn compare(&mut self, old: &Value, new: &Value, path: &str) {
        if !self.spend() || (old == new && !settle::refers(old)) {
            return;
        }
        if old.get("$ref").is_none() && new.get("$ref").is_none() {
            return self.compare_settled(old, new, path);
        }
        let pair = (old.to_string(), new.to_string());
        if self.under_way.contains(&pair) {
            return;
        }
        self.under_way.push(pair);
        self.compare_settled(old, new, path);
        self.under_way.pop();
    }

    fn compare_settled(&mut self, old: &Value, new: &Value, path: &str) {
        match (settle::settle(self.old, old), settle::settle(self.new, new)) {
            (Settled::Nothing, Settled::Nothing) => {}
            (Settled::Nothing, Settled::Map(_)) => self.tell(path, "is allowed now", false, true),
            (Settled::Map(_), Settled::Nothing) => self.tell(path, "is not allowed any more", true, false),
            (Settled::Map(old), Settled::Map(new)) => {
                let has = |it: &Map<String, Value>| it.contains_key("anyOf");
                if has(&old) || has(&new) {
                    let (before, after) = (self.old, self.new);
                    alternatives::compare(self, (before, old), (after, new), path);
                } else {
                    self.compare_simple(&old, &new, path);
                }
            }
        }
    }

    /// Two schemas without alternatives.
    pub(super) fn compare_simple(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, path: &str) {
        if !self.spend() {
            return;
        }
        let common = facets::kinds(self, old, new, path);
        if common.has(Types::NUMBER) {
            facets::numbers(self, old, new, common, path);
        }
        if common.has(Types::STRING) {
            facets::texts(self, old, new, path);
        }
        if common.has(Types::ARRAY) {
            self.arrays(old, new, path);
        }
        if common.has(Types::OBJECT) {
            self.objects(old, new, path);
        }
        for key in OPAQUE {
            let (before, after) = (old.get(key), new.get(key));
            let inlined = |root, it: Option<&Value>| it.map(|it| settle::inlined(root, it));
            if inlined(self.old, before) != inlined(self.new, after) {
                let (narrows, widens) = (after.is_some(), before.is_some());
                self.tell(path, format!("`{key}` changes, whose effect cannot be told"), narrows, widens);
            }
        }
        if old.get("default") != new.get("default") {
            self.tell(path, "has another default", false, false);
        }
    }

    fn arrays(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, path: &str) {
        facets::counts(self, old, new, ("minItems", "maxItems", "elements"), path);
        let unique = |it: &Map<String, Value>| it.get("uniqueItems") == Some(&Value::Bool(true));
        match (unique(old), unique(new)) {
            (false, true) => self.tell(path, "elements must differ from each other now", true, false),
            (true, false) => self.tell(path, "elements may repeat now", false, true),
            _ => {}
        }
        let first = |it: &Map<String, Value>| it.get("prefixItems").and_then(Value::as_array).cloned();
        let (before, after) = (first(old).unwrap_or_default(), first(new).unwrap_or_default());
        let rest = |it: &Map<String, Value>| it.get("items").cloned().unwrap_or(Value::Bool(true));
        let (rest_before, rest_after) = (rest(old), rest(new));
        for i in 0..before.len().max(after.len()) {
            let (old, new) = (before.get(i).unwrap_or(&rest_before), after.get(i).unwrap_or(&rest_after));
            self.compare(old, new, &format!("{path}[{i}]"));
        }
        self.compare(&rest_before, &rest_after, &format!("{path}[]"));
    }

    fn objects(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, path: &str) {
        facets::counts(self, old, new, ("minProperties", "maxProperties", "fields"), path);
        let closed = |it: &Map<String, Value>| it.get("additionalProperties") == Some(&Value::Bool(false));
        let fields = |it: &Map<String, Value>| it.get("properties").and_then(Value::as_object).cloned();
        let (before, after) = (fields(old).unwrap_or_default(), fields(new).unwrap_or_default());
        let (must_before, must_after) = (required(old), required(new));
        let mut names: Vec<&String> =
            before.keys().chain(after.keys()).chain(&must_before).chain(&must_after).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let at = format!("{path}.{name}");
            let (was, is) = (must_before.contains(name), must_after.contains(name));
            match (before.get(name), after.get(name)) {
                (Some(old), Some(new)) => self.compare(old, new, &at),
                (Some(_), None) => {
                    let what = "is gone".to_owned();
                    self.add(Change { path: at, what, narrows: is && !was, widens: was, lost: true });
                    continue;
                }
                (None, Some(_)) => {
                    let what = if is && !was { "is new and required" } else { "is new" };
                    // Whoever refuses unknown fields refuses this one.
                    self.tell(&at, what, is && !was, closed(old));
                    continue;
                }
                (None, None) => {}
            }
            match (was, is) {
                (false, true) => self.tell(&at, "is required now", true, false),
                (true, false) => self.tell(&at, "may be missing now", false, true),
                _ => {}
            }
        }
        match (closed(old), closed(new)) {
            (false, true) => self.tell(path, "refuses other fields now", true, false),
            (true, false) => self.tell(path, "allows other fields now", false, true),
            (true, true) => {}
            (false, false) => {
                let others = |it: &Map<String, Value>| it.get("additionalProperties").cloned();
                let (before, after) = (others(old), others(new));
                let anything = Value::Bool(true);
                self.compare(
                    before.as_ref().unwrap_or(&anything),
                    after.as_ref().unwrap_or(&anything),
                    &format!("{path}.*"),
                );
            }
        }
    }
}

fn required(schema: &Map<String, Value>) -> Vec<String> {
    let names = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}
