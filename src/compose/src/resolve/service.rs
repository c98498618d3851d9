//! One service.

use std::collections::BTreeSet;

use super::configs::Declared;
use super::{Context, configs, depends, deploy, environment, extension, health, keys, mounts, networks, ports};
use crate::environment::Environment;
use crate::fields;
use crate::hash::Canonical;
use crate::load::Sources;
use crate::node::{Entry, Map, Node, Spot, Value};
use crate::project::{PullPolicy, Restart, Service};
use crate::quantity;
use crate::report::Report;

/// A service with what the checks between services need to know.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub service: Service,
    pub enabled: bool,
    pub key: Spot,
    pub name: Spot,
    pub ports: Vec<Spot>,
    pub mounts: Vec<Spot>,
    pub networks: Vec<Spot>,
    pub depends_on: Vec<Spot>,
    pub hash: Canonical,
}

impl Draft {
    /// The service, with its hash.
    pub(super) fn finish(mut self) -> Service {
        depends::hash(&self.service.depends_on, &mut self.hash);
        self.service.config_hash = self.hash.hash();
        self.service
    }
}

/// The profiles in force.
pub(super) struct Profiles(BTreeSet<String>);

impl Profiles {
    /// Those asked for, or `COMPOSE_PROFILES`; and those of the services that the user named.
    pub(super) fn active(sources: &Sources, environment: &Environment, services: &Map) -> Self {
        let mut active = sources.profiles.clone();
        if active.is_empty() {
            let listed = environment.get("COMPOSE_PROFILES").unwrap_or_default().split(',');
            active.extend(listed.map(str::trim).filter(|p| !p.is_empty()).map(str::to_owned));
        }
        for name in &sources.named {
            let Some(service) = services.get(name).and_then(|e| e.node.as_map()) else { continue };
            let Some(Value::List(profiles)) = service.get("profiles").map(|e| &e.node.value) else { continue };
            active.extend(profiles.iter().filter_map(Node::scalar));
        }
        Self(active)
    }

    fn enable(&self, of_service: &[String]) -> bool {
        of_service.is_empty() || self.0.contains("*") || of_service.iter().any(|p| self.0.contains(p))
    }
}

/// Reads a service; what cannot be read is left at its default and reported.
pub(super) fn read(
    name: &str,
    entry: &Entry,
    profiles: &Profiles,
    declared: &Declared,
    context: &Context<'_>,
    report: &mut Report,
) -> Draft {
    let empty = Map::new();
    let Some(map) = fields::map(&entry.node, name, report).or(entry.node.is_null().then_some(&empty)) else {
        return Draft { key: entry.key, ..Draft::default() };
    };
    fields::check_keys(map, "a service", keys::SUPPORTED, keys::KNOWN, report);
    let mut hash = Canonical::default();
    let mut draft = Draft { key: entry.key, name: entry.key, ..Draft::default() };
    draft.service.name = name.to_owned();
    read_profiles(map, profiles, &mut draft, &mut hash, report);
    identity(map, context, &mut draft, &mut hash, report);
    process(map, &mut draft.service, &mut hash, report);
    lifecycle(map, &mut draft.service, &mut hash, report);
    capabilities(map, &mut draft.service, &mut hash, report);
    environment::read(map, context, &mut draft, &mut hash, report);
    ports::read(map, &mut draft, &mut hash, report);
    mounts::read(map, context, &mut draft, &mut hash, report);
    configs::read(map, declared, &mut draft, &mut hash, report);
    networks::read(map, &mut draft, &mut hash, report);
    depends::read(map, &mut draft, report);
    draft.service.healthcheck = health::read(map, &mut hash, report);
    deploy::read(map, &mut draft.service, &mut hash, report);
    if let Some(entry) = map.get("x-banyan") {
        draft.service.extension = extension::read(&entry.node, context, report);
    }
    draft.hash = hash;
    draft
}

fn read_profiles(map: &Map, profiles: &Profiles, draft: &mut Draft, hash: &mut Canonical, report: &mut Report) {
    let own = map.get("profiles").map(|e| fields::set(&e.node, "profiles", report)).unwrap_or_default();
    let own: Vec<String> = own.into_iter().map(|(text, _)| text).collect();
    draft.enabled = profiles.enable(&own);
    draft.service.profiles.clone_from(&own);
    hash.set("profiles", own);
}

fn identity(map: &Map, context: &Context<'_>, draft: &mut Draft, hash: &mut Canonical, report: &mut Report) {
    let service = &mut draft.service;
    match text(map, "image", hash, report) {
        Some(image) if !image.is_empty() => service.image = image,
        _ if !draft.enabled => {}
        Some(_) => report.problem(map["image"].node.spot, format!("`image` of service `{}` is empty", service.name)),
        None if map.get("image").is_some_and(|e| !e.node.is_null()) => {}
        None => report.problem(draft.key, format!("service `{}` has no `image`", service.name)),
    }
    match text(map, "container_name", hash, report) {
        Some(name) => {
            draft.name = map["container_name"].node.spot;
            service.named = true;
            service.container_name = name;
        }
        None => service.container_name = format!("{}-{}-1", context.project, service.name),
    }
    service.hostname = text(map, "hostname", hash, report);
    service.user = text(map, "user", hash, report);
    service.working_dir = text(map, "working_dir", hash, report);
}

fn process(map: &Map, service: &mut Service, hash: &mut Canonical, report: &mut Report) {
    service.command = command(map, "command", hash, report);
    service.entrypoint = command(map, "entrypoint", hash, report);
    if let Some(init) = flag(map, "init", report) {
        hash.keep("init", init);
        service.init = Some(init);
    }
    for (key, target) in
        [("tty", &mut service.tty), ("stdin_open", &mut service.stdin_open), ("read_only", &mut service.read_only)]
    {
        *target = flag(map, key, report).unwrap_or_default();
        hash.set(key, *target);
    }
}

fn lifecycle(map: &Map, service: &mut Service, hash: &mut Canonical, report: &mut Report) {
    if let Some(text) = text(map, "restart", hash, report) {
        match restart(&text) {
            Some(restart) => service.restart = restart,
            None => report.problem_hint(
                map["restart"].node.spot,
                format!("unknown restart policy `{text}`"),
                Some("use `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:3`".into()),
            ),
        }
    }
    service.stop_signal = text(map, "stop_signal", hash, report);
    if let Some(entry) = map.get("stop_grace_period") {
        service.stop_grace_period = fields::duration(&entry.node, "stop_grace_period", report);
        if let Some(period) = service.stop_grace_period {
            hash.keep("stop_grace_period", quantity::go_duration(period));
        }
    }
    if let Some(entry) = map.get("pull_policy") {
        service.pull_policy = pull_policy(&entry.node, report).unwrap_or_default();
    }
    if let Some(entry) = map.get("labels") {
        let labels = fields::pairs(&entry.node, "labels", report);
        service.labels = labels.into_iter().map(|(k, v)| (k, v.unwrap_or_default())).collect();
        if !service.labels.is_empty() {
            hash.set("labels", serde_json::json!(service.labels));
        }
    }
}

fn capabilities(map: &Map, service: &mut Service, hash: &mut Canonical, report: &mut Report) {
    for (key, target) in [("cap_add", &mut service.cap_add), ("cap_drop", &mut service.cap_drop)] {
        let Some(entry) = map.get(key) else { continue };
        *target = fields::set(&entry.node, key, report).into_iter().map(|(text, _)| text).collect();
        hash.set(key, target.clone());
    }
}

fn text(map: &Map, key: &'static str, hash: &mut Canonical, report: &mut Report) -> Option<String> {
    let text = fields::text(&map.get(key)?.node, key, report)?;
    hash.set(key, text.clone());
    Some(text)
}

fn flag(map: &Map, key: &str, report: &mut Report) -> Option<bool> {
    fields::boolean(&map.get(key)?.node, key, report)
}

/// A command line as a list, or as a string that is split at spaces as a shell would, but by no shell.
fn command(map: &Map, key: &'static str, hash: &mut Canonical, report: &mut Report) -> Option<Vec<String>> {
    let node = &map.get(key)?.node;
    let words = match &node.value {
        Value::Null => return None,
        Value::Text(line) => match words(line) {
            Some(words) => words,
            None => {
                report.problem(node.spot, format!("`{key}` has a quote without an end"));
                return None;
            }
        },
        _ => fields::strings(node, key, report).into_iter().map(|(text, _)| text).collect(),
    };
    hash.keep(key, words.clone());
    Some(words)
}

/// Splits a command line; `None` when a quote or an escape has no end.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None | Some('"'), '\\') => word.get_or_insert_default().push(chars.next()?),
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_ascii_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

fn restart(text: &str) -> Option<Restart> {
    Some(match text {
        "no" => Restart::No,
        "always" => Restart::Always,
        "unless-stopped" => Restart::UnlessStopped,
        "on-failure" => Restart::OnFailure(0),
        other => Restart::OnFailure(other.strip_prefix("on-failure:")?.parse().ok().filter(|n| *n >= 0)?),
    })
}

fn pull_policy(node: &Node, report: &mut Report) -> Option<PullPolicy> {
    match fields::text(node, "pull_policy", report)?.as_str() {
        "missing" | "if_not_present" => Some(PullPolicy::Missing),
        "always" => Some(PullPolicy::Always),
        "never" => Some(PullPolicy::Never),
        other @ ("build" | "daily" | "weekly") => {
            report.problem(node.spot, format!("pull policy `{other}` is not supported yet"));
            None
        }
        other => {
            let hint = Some("use `missing`, `always` or `never`".into());
            report.problem_hint(node.spot, format!("unknown pull policy `{other}`"), hint);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines() {
        for (line, expected) in [
            ("a b", vec!["a", "b"]),
            ("  a  ", vec!["a"]),
            ("", vec![]),
            ("a 'b c' \"d e\"", vec!["a", "b c", "d e"]),
            ("a\\ b", vec!["a b"]),
            ("a ''", vec!["a", ""]),
            ("--x='1 2'", vec!["--x=1 2"]),
            ("'\\n'", vec!["\\n"]),
        ] {
            assert_eq!(words(line).unwrap(), expected, "{line}");
        }
        assert_eq!(words("a 'b"), None);
        assert_eq!(words("a \\"), None);
    }
}
