//! Files and environment to a [`Project`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::environment::{self, Environment};
use crate::interpolate::interpolate;
use crate::merge::{merge, settle};
use crate::node::Node;
use crate::problem::Problem;
use crate::project::Project;
use crate::report::Report;
use crate::resolve;
use crate::yaml;

/// How a load reads a file: the one door to the outside.
pub type Read<'a> = &'a dyn Fn(&Path) -> std::io::Result<String>;

/// What a project is loaded from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Absolute paths of the compose files; each is laid over the ones before it.
    pub files: Vec<PathBuf>,
    /// Folder against which relative paths resolve.
    pub working_dir: PathBuf,
    /// The environment of the process; the strongest source of variables.
    pub process_env: BTreeMap<String, String>,
    /// `--env-file`s, the last one wins; empty: `.env` of `working_dir`, if there is one.
    pub env_files: Vec<PathBuf>,
    /// Variables that are stronger than `.env` and weaker than everything else.
    pub overlay: BTreeMap<String, String>,
    /// Active profiles; `*` is all of them.
    pub profiles: BTreeSet<String>,
    /// Services named by the user: their profiles are active too.
    pub named: Vec<String>,
    /// Project name, when the caller sets one.
    pub project_name: Option<String>,
    /// Name of this copy, when it is one beside the first.
    pub instance: Option<String>,
}

/// Loads a project, or says everything that is wrong with its files.
pub fn load(sources: &Sources, read: Read<'_>) -> Result<Project, Vec<Problem>> {
    let mut report = Report::default();
    let mut environment = Environment::gather(sources, read, &mut report);
    // a file that cannot be read would make the rest look wrong, so then only the files themselves are reported
    let documents = documents(sources, read, &mut report);
    let complete = documents.is_some();
    let documents = documents.unwrap_or_default();
    let name = project_name(sources, &environment, &documents, &mut report);
    environment.set("COMPOSE_PROJECT_NAME", &name);
    let tree = lay_over_each_other(documents, &environment, &mut report);
    let project = tree.map(|tree| resolve::project(&tree, name, sources, &environment, read, &mut report));
    if complete && project.is_none() && report.problems.is_empty() {
        report.problems.push(Problem::new("the compose files are empty"));
    }
    match project {
        Some(project) if report.problems.is_empty() => Ok(Project { warnings: report.warnings, ..project }),
        _ => Err(sorted(report.problems)),
    }
}

/// In the order of their places, each once.
fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort();
    problems.dedup();
    problems
}

/// The documents of all files; `None` when one of them cannot be read.
fn documents(sources: &Sources, read: Read<'_>, report: &mut Report) -> Option<Vec<Node>> {
    if sources.files.is_empty() {
        report.problems.push(Problem::new("no compose file is given"));
    }
    let each: Vec<Option<Vec<Node>>> = sources.files.iter().map(|path| file(path, read, report)).collect();
    Some(each.into_iter().collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
}

/// The documents of one file that hold something.
fn file(path: &Path, read: Read<'_>, report: &mut Report) -> Option<Vec<Node>> {
    let text = match read(path) {
        Ok(text) => text,
        Err(error) => {
            report.problems.push(environment::unreadable("compose file", path, &error));
            return None;
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let number = report.add_file(path.to_owned(), text);
    let mut documents = yaml::parse(text, number, report)?;
    documents.retain(|document| !document.is_null());
    for document in documents.iter().filter(|d| d.as_map().is_none()) {
        report.problem(document.spot, format!("a compose file must be a mapping, not {}", document.kind()));
    }
    documents.iter().all(|d| d.as_map().is_some()).then_some(documents)
}

fn lay_over_each_other(documents: Vec<Node>, environment: &Environment, report: &mut Report) -> Option<Node> {
    let mut warned = BTreeSet::new();
    let mut tree: Option<Node> = None;
    for mut document in documents {
        interpolate(&mut document, environment, &mut warned, report);
        tree = Some(match tree {
            None => settle(document),
            Some(tree) => merge(tree, document, report),
        });
    }
    tree
}

/// The caller's choice, `COMPOSE_PROJECT_NAME`, the last `name:` of the files, the name of the folder.
fn project_name(sources: &Sources, environment: &Environment, documents: &[Node], report: &mut Report) -> String {
    let fixed = sources.project_name.as_deref().or(environment.get("COMPOSE_PROJECT_NAME").filter(|n| !n.is_empty()));
    if let Some(name) = fixed {
        if !is_project_name(name) {
            let rule = "use lower-case letters, digits, `-` and `_`, and begin with a letter or digit";
            report.problems.push(Problem::new(format!("invalid project name `{name}`")).hint(rule));
        }
        return name.to_owned();
    }
    let written = documents.iter().rev().find_map(|document| {
        let mut node = document.as_map()?.get("name")?.node.clone();
        interpolate(&mut node, environment, &mut BTreeSet::new(), &mut Report::default());
        Some(normalised(&node.scalar()?)).filter(|name| !name.is_empty())
    });
    let folder = || sources.working_dir.file_name().map(|n| normalised(&n.to_string_lossy())).unwrap_or_default();
    let name = written.unwrap_or_else(folder);
    if name.is_empty() {
        report
            .problems
            .push(Problem::new("the project has no name").hint("set `name:` at the top of the compose file"));
    }
    name
}

/// True for a name that needs no change to be a project's.
pub fn is_project_name(name: &str) -> bool {
    !name.is_empty() && normalised(name) == name
}

/// A name as Docker takes it: lower case, without other characters than letters, digits, `-` and `_`.
fn normalised(name: &str) -> String {
    let allowed = |c: &char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_');
    let kept: String = name.to_lowercase().chars().filter(allowed).collect();
    kept.trim_start_matches(['-', '_']).to_owned()
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
