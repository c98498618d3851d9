//! A merged tree to a [`Project`]: every key is read, checked, or named as not supported.

mod check;
mod configs;
mod depends;
mod deploy;
mod environment;
mod extension;
mod health;
mod keys;
mod mounts;
mod networks;
mod ports;
mod service;
mod volumes;

use std::path::PathBuf;

use indexmap::IndexMap;

use crate::environment::Environment;
use crate::fields;
use crate::load::{Read, Sources};
use crate::node::{Map, Node};
use crate::paths::clean_path;
use crate::project::Project;
use crate::report::Report;
use service::{Draft, Profiles};

const TOP: &[&str] = &["version", "name", "services", "networks", "volumes", "configs"];
const TOP_KNOWN: &[&str] = &["include", "secrets", "models"];

/// What the parts of a resolve share.
struct Context<'a> {
    environment: &'a Environment,
    sources: &'a Sources,
    read: Read<'a>,
    project: &'a str,
}

impl Context<'_> {
    /// A path of a compose file, absolute; a relative one comes out without `.` and `..`.
    fn path(&self, written: &str) -> PathBuf {
        let home = || self.sources.process_env.get("HOME").or(self.sources.process_env.get("USERPROFILE"));
        let path = match written.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => match home() {
                Some(home) => PathBuf::from(format!("{home}{rest}")),
                None => PathBuf::from(written),
            },
            _ => PathBuf::from(written),
        };
        if path.is_absolute() { path } else { clean_path(&self.sources.working_dir.join(path)) }
    }
}

/// Reads the whole tree. The result is of use only when the report has no problems.
pub(crate) fn project(
    tree: &Node,
    name: String,
    sources: &Sources,
    environment: &Environment,
    read: Read<'_>,
    report: &mut Report,
) -> Project {
    let empty = Map::new();
    let top = tree.as_map().unwrap_or(&empty);
    fields::check_keys(top, "a compose file", TOP, TOP_KNOWN, report);
    if let Some(version) = top.get("version") {
        report.warn(version.key, "`version` is ignored");
    }
    let context = Context { environment, sources, read, project: &name };
    let written = section(top, "services", report);
    let profiles = Profiles::active(sources, environment, written.unwrap_or(&empty));
    let configs = configs::declared(section(top, "configs", report), &context, report);
    let mut drafts = services(written, &profiles, &configs, &context, report);
    let networks = networks::declared(section(top, "networks", report), &context, report);
    let volumes = volumes::declared(section(top, "volumes", report), &context, report);
    check::references(&mut drafts, &networks, &volumes, sources, report);

    let secrets = extension::secrets(top.get("x-banyan").map(|e| &e.node), environment, report);
    let disabled = drafts.iter().filter(|(_, d)| !d.enabled).map(|(name, _)| name.clone()).collect();
    let services: IndexMap<_, _> =
        drafts.into_iter().filter(|(_, d)| d.enabled).map(|(name, draft)| (name, draft.finish())).collect();
    let used = |key: &str| services.values().any(|s| s.networks.contains_key(key));
    Project {
        working_dir: sources.working_dir.clone(),
        files: sources.files.clone(),
        env_files: sources.env_files.clone(),
        instance: sources.instance.clone(),
        disabled,
        networks: networks.into_iter().filter(|(key, _)| used(key)).collect(),
        volumes,
        secrets,
        production: environment.get("NODE_ENV").is_some_and(|v| v.eq_ignore_ascii_case("production")),
        warnings: Vec::new(),
        services,
        name,
    }
}

fn section<'n>(top: &'n Map, key: &str, report: &mut Report) -> Option<&'n Map> {
    fields::map(&top.get(key)?.node, key, report)
}

fn services(
    section: Option<&Map>,
    profiles: &Profiles,
    configs: &configs::Declared,
    context: &Context<'_>,
    report: &mut Report,
) -> IndexMap<String, Draft> {
    let mut drafts = IndexMap::new();
    for (name, entry) in section.into_iter().flatten() {
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')) {
            report.problem(
                entry.key,
                format!("`{name}` is no name for a service: use letters, digits, `.`, `_` and `-`"),
            );
        }
        drafts.insert(name.clone(), service::read(name, entry, profiles, configs, context, report));
    }
    if drafts.is_empty() && report.problems.is_empty() {
        report.problems.push(crate::Problem::new("the compose files define no service"));
    }
    drafts
}
