//! Alternatives (`anyOf`, `oneOf`): which of the new ones stands for which of the old ones.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::facets::{self, Types};
use super::schemas::{Change, Walk};
use super::settle::{self, Settled};

type Schema = Map<String, Value>;

/// Compares two schemas, at least one of which has alternatives; each comes with the whole that it is a part of.
pub(super) fn compare(walk: &mut Walk<'_>, old: (&Value, Schema), new: (&Value, Schema), path: &str) {
    let ((old_root, mut old), (new_root, mut new)) = (old, new);
    let base = |schema: &Schema| schema.iter().any(|(key, _)| !is_annotation(key) && key != "anyOf");
    if old.contains_key("anyOf") && new.contains_key("anyOf") && (base(&old) || base(&new)) {
        // What holds for all alternatives is compared once.
        let (before, after) = (old.remove("anyOf"), new.remove("anyOf"));
        walk.compare_simple(&old, &new, path);
        old = before.into_iter().map(|it| ("anyOf".to_owned(), it)).collect();
        new = after.into_iter().map(|it| ("anyOf".to_owned(), it)).collect();
    }
    let before = alternatives(old_root, old);
    let after = alternatives(new_root, new);
    if let ([old], [new]) = (before.as_slice(), after.as_slice()) {
        return walk.compare_simple(old, new, path);
    }
    matched(walk, &before, &after, path);
}

fn matched(walk: &mut Walk<'_>, before: &[Schema], after: &[Schema], path: &str) {
    // Everything against everything.
    let mut all: Vec<Vec<Vec<Change>>> = Vec::new();
    let structured = |it: &[Schema]| it.iter().filter(|it| !it.contains_key("enum")).count();
    let several = structured(before) > 1 || structured(after) > 1;
    for old in before {
        let row = after.iter().map(|new| {
            let at = if several { format!("{path}|{}", described(new)) } else { path.to_owned() };
            walk.aside(|walk| walk.compare_simple(old, new, &at))
        });
        all.push(row.collect());
    }
    let covers = |i: usize, j: usize| all[i][j].iter().all(|it| !it.narrows && !it.lost);
    let covered_old = |i: usize| (0..after.len()).any(|j| covers(i, j));
    let covered_new = |j: usize| (0..before.len()).any(|i| all[i][j].iter().all(|it| !it.widens));

    let mut partner: Vec<Option<usize>> = vec![None; before.len()];
    let mut taken = vec![false; after.len()];
    for alike in [4, 3, 2, 1] {
        for (i, old) in before.iter().enumerate() {
            if partner[i].is_some() {
                continue;
            }
            let score = |j: usize| if all[i][j].is_empty() { 4 } else { likeness(old, &after[j]) };
            let found = (0..after.len()).find(|&j| !taken[j] && score(j) == alike);
            if let Some(j) = found {
                partner[i] = Some(j);
                taken[j] = true;
            }
        }
    }
    for (i, old) in before.iter().enumerate() {
        match partner[i] {
            Some(j) => {
                let (narrower, wider) = (covered_old(i), covered_new(j));
                for change in all[i][j].clone() {
                    let (narrows, widens) = (change.narrows && !narrower, change.widens && !wider);
                    walk.add(Change { narrows, widens, lost: change.lost && !narrower, ..change });
                }
            }
            None if covered_old(i) => {}
            None => walk.tell(path, format!("can no longer be {}", described(old)), true, false),
        }
    }
    for (j, new) in after.iter().enumerate().filter(|(j, _)| !taken[*j]) {
        if !covered_new(j) {
            walk.tell(path, format!("can be {} now", described(new)), false, true);
        }
    }
}

/// The alternatives of a schema, none of which has alternatives: one for each type, and one for all listed values.
fn alternatives(root: &Value, schema: Schema) -> Vec<Schema> {
    let mut flat = Vec::new();
    flatten(root, schema, 8, &mut flat);
    let (mut listed, mut rest) = (Vec::<Value>::new(), Vec::new());
    for schema in flat {
        match schema.get("enum").and_then(Value::as_array) {
            Some(values) => {
                let new: Vec<_> = values.iter().filter(|it| !listed.contains(it)).cloned().collect();
                listed.extend(new);
            }
            None => rest.push(schema),
        }
    }
    if !listed.is_empty() {
        rest.push(Map::from_iter([("enum".to_owned(), Value::Array(listed))]));
    }
    rest
}

fn flatten(root: &Value, mut schema: Schema, depth: u32, into: &mut Vec<Schema>) {
    if let Some(Value::Array(all)) = schema.get("anyOf").cloned().filter(|_| depth > 0) {
        schema.remove("anyOf");
        schema.retain(|key, _| !is_annotation(key));
        for alternative in &all {
            if let Settled::Map(mut alternative) = settle::settle(root, alternative) {
                settle::merge(&mut alternative, schema.clone());
                flatten(root, alternative, depth - 1, into);
            }
        }
        return;
    }
    if schema.contains_key("enum") {
        let types = Types::of(&schema);
        schema.insert("type".to_owned(), types.to_json());
        return into.push(schema);
    }
    let types = Types::of(&schema).each();
    for only in &types {
        let mut schema = schema.clone();
        schema.insert("type".to_owned(), only.to_json());
        // A null is a value like those that are listed.
        if *only == Types::NULL {
            schema = Map::from_iter([("enum".to_owned(), json!([null]))]);
        }
        into.push(schema);
    }
}

/// How alike two alternatives are that are not equal: 3 marked as the same, 2 called the same, 1 of the same type, 0 not.
fn likeness(old: &Schema, new: &Schema) -> u8 {
    let (before, after) = (marks(old), marks(new));
    let common: Vec<_> = before.iter().filter_map(|(key, value)| Some((value, after.get(key)?))).collect();
    if !common.is_empty() {
        return if common.iter().all(|(a, b)| a == b) { 3 } else { 0 };
    }
    if old.get("title").is_some() && old.get("title") == new.get("title") {
        return 2;
    }
    u8::from(old.contains_key("enum") == new.contains_key("enum") && Types::of(old).has(Types::of(new)))
}

/// What tells an object from the other alternatives: fields of which there is only one value, or its only field.
fn marks(schema: &Schema) -> BTreeMap<String, Value> {
    let Some(fields) = schema.get("properties").and_then(Value::as_object) else { return BTreeMap::new() };
    let only = |field: &Value| match (field.get("const"), field.get("enum").and_then(Value::as_array)) {
        (Some(value), _) => Some(value.clone()),
        (None, Some(values)) if values.len() == 1 => Some(values[0].clone()),
        _ => None,
    };
    let marks: BTreeMap<_, _> = fields.iter().filter_map(|(name, it)| Some((name.clone(), only(it)?))).collect();
    match fields.keys().next() {
        Some(name) if marks.is_empty() && fields.len() == 1 && schema.get("required") == Some(&json!([name])) => {
            BTreeMap::from([(String::new(), json!(name))])
        }
        _ => marks,
    }
}

fn described(schema: &Schema) -> String {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return if *values == [Value::Null] { "null".to_owned() } else { facets::listed(values) };
    }
    let marks = marks(schema);
    if let Some(mark) = marks.values().next() {
        return format!("`{}`", mark.as_str().map_or_else(|| mark.to_string(), str::to_owned));
    }
    match schema.get("title").and_then(Value::as_str) {
        Some(title) => format!("`{title}`"),
        None => Types::of(schema).words(),
    }
}

fn is_annotation(key: &str) -> bool {
    matches!(key, "title" | "description" | "default" | "examples" | "$comment" | "deprecated")
}
