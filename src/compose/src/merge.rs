//! Lays one compose file over another.

use crate::node::{Entry, Map, Node, Tag, Value};
use crate::report::Report;

/// Lays `over` over `base`: mappings merge, scalars replace, lists append, with the exceptions in [`rule`].
pub(crate) fn merge(base: Node, over: Node, report: &mut Report) -> Node {
    merge_at(base, over, &mut Vec::new(), report)
}

/// Drops what `!reset` marks, and the marks, from a tree that is laid over nothing.
pub(crate) fn settle(node: Node) -> Node {
    let value = match node.value {
        Value::List(items) => {
            Value::List(items.into_iter().filter(|i| i.tag != Some(Tag::Reset)).map(settle).collect())
        }
        Value::Map(map) => Value::Map(
            map.into_iter()
                .filter(|(_, entry)| entry.node.tag != Some(Tag::Reset))
                .map(|(name, entry)| (name, Entry { node: settle(entry.node), ..entry }))
                .collect(),
        ),
        other => other,
    };
    Node { value, tag: None, ..node }
}

/// How two values of one key become one.
enum Rule {
    /// The later one is taken as it is.
    Replace,
    /// `KEY: value` and `- KEY=value` both become a list, the later one last.
    List,
    /// A list of names becomes a mapping first.
    Names,
    /// By kind.
    Plain,
}

fn rule(path: &[String]) -> Rule {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path[..] {
        ["services", _, "command" | "entrypoint"]
        | ["services", _, "healthcheck", "test"]
        | ["services", _, "ulimits", _] => Rule::Replace,
        [
            "services",
            _,
            "annotations" | "dns" | "dns_opt" | "dns_search" | "env_file" | "environment" | "extra_hosts"
            | "label_file" | "labels" | "sysctls" | "tmpfs",
        ]
        | ["services", _, "deploy", "labels"]
        | ["networks" | "volumes", _, "labels"] => Rule::List,
        ["services", _, "depends_on" | "networks"] => Rule::Names,
        _ => Rule::Plain,
    }
}

fn merge_at(base: Node, over: Node, path: &mut Vec<String>, report: &mut Report) -> Node {
    match over.tag {
        Some(Tag::Override) => return settle(over),
        Some(Tag::Reset) => return Node::new(Value::Null, over.spot),
        None => {}
    }
    match rule(path) {
        Rule::Replace => settle(over),
        Rule::List => append(as_list(base), as_list(settle(over))),
        Rule::Names => {
            let fill = path.last().is_some_and(|key| key == "depends_on");
            merge_values(as_names(base, fill), as_names(over, fill), path, report)
        }
        Rule::Plain => merge_values(base, over, path, report),
    }
}

fn merge_values(base: Node, over: Node, path: &mut Vec<String>, report: &mut Report) -> Node {
    if over.is_null() {
        return base;
    }
    if base.is_null() {
        return settle(over);
    }
    let (expected, found) = (base.kind(), over.kind());
    match (base.value, over.value) {
        (Value::Map(map), Value::Map(more)) => {
            let value = Value::Map(merge_maps(map, more, path, report));
            Node { value, ..Node::new(Value::Null, over.spot) }
        }
        (Value::List(items), Value::List(more)) => {
            let spot = base.spot;
            append(Node::new(Value::List(items), spot), settle(Node::new(Value::List(more), over.spot)))
        }
        (Value::Map(_) | Value::List(_), _) => {
            report.problem_hint(
                over.spot,
                format!("{found} cannot be laid over {expected} of an earlier file"),
                Some("mark it with `!override` to replace what was there".into()),
            );
            Node::new(Value::Null, base.spot)
        }
        (_, value) => settle(Node { value, ..over_without_value(over.spot, over.template) }),
    }
}

fn over_without_value(spot: crate::node::Spot, template: Option<std::rc::Rc<str>>) -> Node {
    Node { template, ..Node::new(Value::Null, spot) }
}

fn merge_maps(mut base: Map, over: Map, path: &mut Vec<String>, report: &mut Report) -> Map {
    for (name, entry) in over {
        if entry.node.tag == Some(Tag::Reset) {
            base.shift_remove(&name);
            continue;
        }
        let free_form = name.starts_with("x-") && !matches!(path.len(), 1);
        match base.get_mut(&name) {
            Some(existing) if !free_form => {
                path.push(name);
                let earlier = std::mem::replace(&mut existing.node, Node::new(Value::Null, entry.key));
                existing.node = merge_at(earlier, entry.node, path, report);
                existing.key = entry.key;
                path.pop();
            }
            _ => {
                base.insert(name, Entry { node: settle(entry.node), ..entry });
            }
        }
    }
    base
}

fn append(mut base: Node, over: Node) -> Node {
    if let (Value::List(items), Value::List(more)) = (&mut base.value, over.value) {
        items.extend(more);
    }
    base
}

fn as_list(node: Node) -> Node {
    let spot = node.spot;
    let items = match node.value {
        Value::List(items) => items,
        Value::Map(map) => map.into_iter().map(|(name, entry)| pair(&name, entry)).collect(),
        Value::Null => Vec::new(),
        _ => vec![node],
    };
    Node::new(Value::List(items), spot)
}

/// `KEY: value` as the text `KEY=value`, `KEY:` as `KEY`.
fn pair(name: &str, entry: Entry) -> Node {
    let text = match entry.node.scalar() {
        Some(value) => format!("{name}={value}"),
        None if entry.node.is_null() => name.to_owned(),
        None => return entry.node,
    };
    Node { value: Value::Text(text), ..Node::new(Value::Null, entry.node.spot) }
}

/// A list of names as a mapping from each name to nothing, or to what the short form of a dependency means.
fn as_names(node: Node, dependencies: bool) -> Node {
    let Value::List(items) = node.value else { return node };
    let entry = |item: Node| {
        let value = if dependencies { started(&item) } else { Value::Null };
        Some((item.scalar()?, Entry { key: item.spot, node: Node::new(value, item.spot) }))
    };
    Node { value: Value::Map(items.into_iter().filter_map(entry).collect()), ..Node::new(Value::Null, node.spot) }
}

fn started(item: &Node) -> Value {
    let entry = |value| Entry { key: item.spot, node: Node::new(value, item.spot) };
    let condition = Value::Text("service_started".into());
    Value::Map(Map::from_iter([
        ("condition".to_owned(), entry(condition)),
        ("required".to_owned(), entry(Value::Bool(true))),
    ]))
}
