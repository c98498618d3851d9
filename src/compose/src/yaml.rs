//! YAML text to trees of [`Node`]s. Nothing else in the crate knows which YAML parser is used.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput};

use crate::node::{Entry, Map, Node, Spot, Tag, Value};
use crate::report::Report;
use crate::scalar;

/// Nodes that one file may unfold to: an alias counts as everything it repeats.
const MAX_NODES: usize = 100_000;
/// Mappings and lists inside each other.
const MAX_DEPTH: usize = 100;

/// The documents of a file, in order; `None` when it cannot be read to its end. Problems go to the report.
pub(crate) fn parse(text: &str, file: usize, report: &mut Report) -> Option<Vec<Node>> {
    let mut builder = Builder { parser: Parser::new_from_str(text), file, report, anchors: BTreeMap::new(), nodes: 0 };
    builder.documents().ok()
}

/// Parsing cannot go on; the problem has been recorded.
struct Stop;

struct Builder<'a> {
    parser: Parser<'a, StrInput<'a>>,
    file: usize,
    report: &'a mut Report,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
}

impl<'a> Builder<'a> {
    fn documents(&mut self) -> Result<Vec<Node>, Stop> {
        let mut documents = Vec::new();
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(documents),
                Event::DocumentStart(_) => {
                    self.anchors.clear();
                    let (event, span) = self.next()?;
                    documents.push(self.node(event, span, 0)?);
                }
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                _ => return self.stop(self.spot(span.start), "expected a document"),
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Stop> {
        let spot = self.spot(span.start);
        if depth > MAX_DEPTH {
            return self.stop(spot, format!("nested more than {MAX_DEPTH} levels deep"));
        }
        self.count(1, spot)?;
        let (anchor, mut node) = match event {
            Event::Alias(id) => return self.alias(id, spot),
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let (handle, merge) = self.tag(tag.as_deref(), spot);
                let value = match scalar::resolve(&text, plain, handle.as_deref()) {
                    Ok(value) => value,
                    Err(wanted) => {
                        self.report.problem(spot, format!("`{text}` is not {wanted}"));
                        Value::Null
                    }
                };
                (anchor, Node { tag: merge, ..Node::new(value, spot) })
            }
            Event::SequenceStart(anchor, tag) => {
                let (_, merge) = self.tag(tag.as_deref(), spot);
                let items = self.sequence(depth)?;
                (anchor, Node { tag: merge, ..Node::new(Value::List(items), spot) })
            }
            Event::MappingStart(anchor, tag) => {
                let (_, merge) = self.tag(tag.as_deref(), spot);
                let map = self.mapping(depth)?;
                (anchor, Node { tag: merge, ..Node::new(Value::Map(map), spot) })
            }
            _ => return self.stop(spot, "expected a value"),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, Node { tag: None, ..node.clone() });
        }
        node.spot = spot;
        Ok(node)
    }

    fn sequence(&mut self, depth: usize) -> Result<Vec<Node>, Stop> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(items);
            }
            items.push(self.node(event, span, depth + 1)?);
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Map, Stop> {
        let mut map = Map::new();
        let mut merges = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, _) if text == "<<");
            let spot = self.spot(span.start);
            let name = self.key(event, span, depth)?;
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth + 1)?;
            if merge && merges.is_empty() {
                merges.push(node);
            } else if merge || map.contains_key(&name) {
                let first = map.get(&name).map_or(0, |e: &Entry| e.key.line);
                let hint = (first > 0).then(|| format!("it is already set in line {first}"));
                self.report.problem_hint(spot, format!("key `{name}` is set twice"), hint);
            } else {
                map.insert(name, Entry { key: spot, node });
            }
        }
        for node in merges {
            self.merge(&mut map, node, true);
        }
        Ok(map)
    }

    /// The name that a key stands for: scalars are taken as they are written.
    fn key(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<String, Stop> {
        let spot = self.spot(span.start);
        let written = match &event {
            Event::Scalar(text, ..) => Some(text.to_string()),
            _ => None,
        };
        let node = self.node(event, span, depth + 1)?;
        let name = written.or_else(|| node.scalar());
        match name {
            Some(name) if !name.is_empty() => Ok(name),
            Some(_) => self.stop(spot, "a key is empty"),
            None => self.stop(spot, format!("a key must be a string, not {}", node.kind())),
        }
    }

    /// Applies `<<`: keys of `node` that `map` does not have.
    fn merge(&mut self, map: &mut Map, node: Node, lists: bool) {
        match node.value {
            Value::Map(other) => {
                for (name, entry) in other {
                    map.entry(name).or_insert(entry);
                }
            }
            Value::List(items) if lists => {
                for item in items {
                    self.merge(map, item, false);
                }
            }
            _ => self
                .report
                .problem(node.spot, format!("`<<` needs a mapping or a list of mappings, not {}", node.kind())),
        }
    }

    fn alias(&mut self, id: usize, spot: Spot) -> Result<Node, Stop> {
        let Some(node) = self.anchors.get(&id) else {
            return self.stop(spot, "an alias must come after the end of what it repeats, in the same document");
        };
        let size = node.size();
        let node = Node { spot, ..node.clone() };
        self.count(size, spot)?;
        Ok(node)
    }

    /// The core-schema type that a tag names, and the merge rule that it sets.
    fn tag(&mut self, tag: Option<&saphyr_parser::Tag>, spot: Spot) -> (Option<String>, Option<Tag>) {
        let Some(tag) = tag else { return (None, None) };
        if tag.is_yaml_core_schema() {
            return (Some(tag.suffix.clone()), None);
        }
        match tag.to_string().as_str() {
            "!reset" => (None, Some(Tag::Reset)),
            "!override" => (None, Some(Tag::Override)),
            "!" => (Some("str".into()), None),
            other => {
                self.report.problem(spot, format!("unknown tag `{other}`"));
                (None, None)
            }
        }
    }

    fn count(&mut self, nodes: usize, spot: Spot) -> Result<(), Stop> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return self.stop(spot, format!("the file unfolds to more than {MAX_NODES} values"));
        }
        Ok(())
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Stop> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                self.syntax_error(&error);
                Err(Stop)
            }
            None => Ok((Event::StreamEnd, Span::empty(Marker::new(0, 1, 0)))),
        }
    }

    fn syntax_error(&mut self, error: &ScanError) {
        let spot = self.spot(*error.marker());
        if let Some(tab) = self.tab_before(spot) {
            let hint = "indent with spaces".to_owned();
            return self.report.problem_hint(tab, "a tab cannot indent YAML", Some(hint));
        }
        self.report.problem(spot, format!("not valid YAML: {}", error.info()));
    }

    /// The place of a tab in the indentation of the line of an error or of the one before it.
    fn tab_before(&self, spot: Spot) -> Option<Spot> {
        for line in [spot.line, spot.line.saturating_sub(1)] {
            let spot = Spot { line, ..spot };
            let indent = self.report.line(spot)?.chars().take_while(|c| c.is_whitespace());
            if let Some(at) = indent.into_iter().position(|c| c == '\t') {
                return Some(Spot { column: at + 1, ..spot });
            }
        }
        None
    }

    fn stop<T>(&mut self, spot: Spot, message: impl Into<String>) -> Result<T, Stop> {
        self.report.problem(spot, message);
        Err(Stop)
    }

    fn spot(&self, marker: Marker) -> Spot {
        Spot { file: self.file, line: marker.line(), column: marker.col() + 1 }
    }
}
