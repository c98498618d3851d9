//! Which service needs which, how that spreads trouble, and how it is drawn.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use banyan_sdk::protocol::discovery::{DependencyKind, HealthStatus};
use banyan_sdk::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};

/// All services that are registered or needed, and who needs whom.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Graph {
    /// The services, by name.
    pub services: Vec<Node>,
    /// Who needs whom.
    pub dependencies: Vec<Need>,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Its name.
    pub service_name: String,
    /// How it is.
    pub status: HealthStatus,
    /// The same with what it needs taken into account.
    pub cascading_status: HealthStatus,
}

/// One service needs another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Need {
    /// Who needs.
    pub from: String,
    /// Who is needed.
    pub to: String,
    /// How.
    pub kind: DependencyKind,
    /// What for.
    pub message_types: Vec<String>,
}

/// Something that a service needs, and how that is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// The service that is needed.
    pub service_name: String,
    /// How it is.
    pub status: HealthStatus,
    /// Whether it is called by the service itself, and not by one of those that it calls.
    pub is_direct: bool,
}

impl Graph {
    /// The graph of these services, with those that are needed and not known.
    #[must_use]
    pub fn new(health: &BTreeMap<String, HealthStatus>, dependencies: Vec<Need>) -> Self {
        let named = dependencies.iter().flat_map(|it| [&it.from, &it.to]);
        let names: BTreeSet<&String> = health.keys().chain(named).collect();
        let nodes = names.into_iter().map(|name| {
            let status = health.get(name).copied().unwrap_or(HealthStatus::Unknown);
            Node { service_name: name.clone(), status, cascading_status: status }
        });
        let mut graph = Self { services: nodes.collect(), dependencies };
        let cascading: Vec<_> = graph.services.iter().map(|it| graph.cascading(&it.service_name)).collect();
        for (node, status) in graph.services.iter_mut().zip(cascading) {
            node.cascading_status = status;
        }
        graph
    }

    /// A service with what it calls taken into account, however far away: one that works is degraded while something that
    /// it calls does not, or only in part. It is not unhealthy by that, since it answers for itself. Of what is unknown
    /// nothing follows, and nothing from services that are only listened to.
    #[must_use]
    pub fn cascading(&self, service: &str) -> HealthStatus {
        let own = self.status(service);
        let troubled = || {
            let needed = self.needed(service);
            needed.iter().any(|it| matches!(it.status, HealthStatus::Unhealthy | HealthStatus::Degraded))
        };
        if own == HealthStatus::Healthy && troubled() { HealthStatus::Degraded } else { own }
    }

    /// What a service calls, and what those call, by name; itself not among them.
    #[must_use]
    pub fn needed(&self, service: &str) -> Vec<Dependency> {
        let called = |from: &str| -> Vec<&str> {
            let calls = self.dependencies.iter().filter(|it| it.kind == DependencyKind::Calls && it.from == from);
            calls.map(|it| it.to.as_str()).collect()
        };
        let direct: BTreeSet<&str> = called(service).into_iter().collect();
        let mut reached: BTreeSet<&str> = BTreeSet::new();
        let mut next: Vec<&str> = direct.iter().copied().collect();
        while let Some(name) = next.pop() {
            if name != service && reached.insert(name) {
                next.extend(called(name));
            }
        }
        let dependency = |name: &str| Dependency {
            service_name: name.to_owned(),
            status: self.status(name),
            is_direct: direct.contains(name),
        };
        reached.into_iter().map(dependency).collect()
    }

    fn status(&self, service: &str) -> HealthStatus {
        let node = self.services.iter().find(|it| it.service_name == service);
        node.map_or(HealthStatus::Unknown, |it| it.status)
    }

    /// In the language of Graphviz.
    #[must_use]
    pub fn to_dot(&self) -> String {
        let mut text =
            "digraph services {\n  rankdir=LR;\n  node [shape=box, style=filled, fontname=\"sans-serif\"];\n"
                .to_owned();
        for node in &self.services {
            let colour = match node.cascading_status {
                HealthStatus::Healthy => "palegreen",
                HealthStatus::Degraded => "khaki",
                HealthStatus::Unhealthy => "lightcoral",
                HealthStatus::Unknown => "lightgrey",
            };
            // Writing to a `String` does not fail, here and below.
            let _ = writeln!(text, "  \"{}\" [fillcolor={colour}];", node.service_name);
        }
        for need in &self.dependencies {
            let style = if need.kind == DependencyKind::Calls { "solid" } else { "dashed" };
            let label = need.message_types.join("\\n");
            let _ = writeln!(text, "  \"{}\" -> \"{}\" [style={style}, label=\"{label}\"];", need.from, need.to);
        }
        text.push_str("}\n");
        text
    }

    /// In the language of Mermaid.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mut text = "flowchart LR\n".to_owned();
        // Some names are words of the language, so numbers stand for them.
        let number = |name: &str| self.services.iter().position(|it| it.service_name == name).unwrap_or(usize::MAX);
        for (i, node) in self.services.iter().enumerate() {
            let class = node.cascading_status.word();
            let _ = writeln!(text, "  s{i}[\"{}\"]:::{class}", node.service_name);
        }
        for need in &self.dependencies {
            let arrow = if need.kind == DependencyKind::Calls { "-->" } else { "-.->" };
            let (from, to, label) = (number(&need.from), number(&need.to), need.message_types.join("<br>"));
            let _ = writeln!(text, "  s{from} {arrow}|\"{label}\"| s{to}");
        }
        for (class, colour) in
            [("healthy", "#98fb98"), ("degraded", "#f0e68c"), ("unhealthy", "#f08080"), ("unknown", "#d3d3d3")]
        {
            let _ = writeln!(text, "  classDef {class} fill:{colour}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use HealthStatus::{Degraded, Healthy, Unhealthy, Unknown};

    /// `a>b` calls, `a~b` listens.
    fn graph(health: &[(&str, HealthStatus)], needs: &str) -> Graph {
        let health = health.iter().map(|(name, status)| ((*name).to_owned(), *status)).collect();
        let need = |text: &str| {
            let kind = if text.contains('>') { DependencyKind::Calls } else { DependencyKind::Listens };
            let (from, to) = text.split_once(['>', '~']).unwrap();
            Need { from: from.to_owned(), to: to.to_owned(), kind, message_types: vec!["Do".to_owned()] }
        };
        Graph::new(&health, needs.split_whitespace().map(need).collect())
    }

    #[test]
    fn trouble_spreads_to_those_who_call() {
        type Row = (&'static str, &'static [(&'static str, HealthStatus)], &'static str, HealthStatus);
        let table: [Row; 12] = [
            ("alone", &[("a", Healthy)], "", Healthy),
            ("all is well", &[("a", Healthy), ("b", Healthy)], "a>b", Healthy),
            ("what it calls is down", &[("a", Healthy), ("b", Unhealthy)], "a>b", Degraded),
            ("what it calls works in part", &[("a", Healthy), ("b", Degraded)], "a>b", Degraded),
            ("far away", &[("a", Healthy), ("b", Healthy), ("c", Unhealthy)], "a>b b>c", Degraded),
            ("who calls it is down", &[("a", Healthy), ("b", Unhealthy)], "b>a", Healthy),
            ("what it listens to is down", &[("a", Healthy), ("b", Unhealthy)], "a~b", Healthy),
            ("through one that listens", &[("a", Healthy), ("b", Healthy), ("c", Unhealthy)], "a>b b~c", Healthy),
            ("it is down itself", &[("a", Unhealthy), ("b", Healthy)], "a>b", Unhealthy),
            ("it is unknown itself", &[("a", Unknown), ("b", Unhealthy)], "a>b", Unknown),
            ("what it calls is not known", &[("a", Healthy)], "a>b", Healthy),
            ("in a circle", &[("a", Healthy), ("b", Healthy), ("c", Degraded)], "a>b b>c c>a", Degraded),
        ];
        for (name, health, needs, expected) in table {
            let graph = graph(health, needs);
            assert_eq!(graph.cascading("a"), expected, "{name}");
            let node = graph.services.iter().find(|it| it.service_name == "a").unwrap();
            assert_eq!(node.cascading_status, expected, "{name}");
        }
    }

    #[test]
    fn what_is_needed_is_told_near_and_far() {
        let graph = graph(&[("a", Healthy), ("b", Degraded)], "a>b b>c c>a a~d");
        let needed: Vec<_> =
            graph.needed("a").into_iter().map(|it| (it.service_name, it.status, it.is_direct)).collect();
        assert_eq!(needed, [("b".to_owned(), Degraded, true), ("c".to_owned(), Unknown, false)]);
        assert_eq!(graph.services.len(), 4, "those that are only needed, too");
    }

    #[test]
    fn it_can_be_drawn() {
        let graph = graph(&[("end", Healthy), ("b", Unhealthy)], "end>b b~end");
        let dot = graph.to_dot();
        assert!(
            dot.contains("\"end\" -> \"b\" [style=solid, label=\"Do\"];")
                && dot.contains("\"b\" [fillcolor=lightcoral];"),
            "{dot}"
        );
        assert!(dot.contains("\"b\" -> \"end\" [style=dashed"), "{dot}");
        let mermaid = graph.to_mermaid();
        let lines: Vec<_> = mermaid.lines().take(5).collect();
        assert_eq!(
            lines,
            [
                "flowchart LR",
                "  s0[\"b\"]:::unhealthy",
                "  s1[\"end\"]:::degraded",
                "  s1 -->|\"Do\"| s0",
                "  s0 -.->|\"Do\"| s1",
            ]
        );
    }
}
