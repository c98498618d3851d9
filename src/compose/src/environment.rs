//! The variables that a project sees, and which source wins.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use crate::dotenv;
use crate::load::{Read, Sources};
use crate::node::Spot;
use crate::problem::{Place, Problem};
use crate::report::Report;

/// Variables in force, by name.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    values: BTreeMap<String, String>,
}

impl Environment {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.values.insert(name.into(), value.into());
    }

    /// Strongest first: process environment, `--env-file`s (a later one wins), overlay, `.env` of the project.
    pub(crate) fn gather(sources: &Sources, read: Read<'_>, report: &mut Report) -> Self {
        let mut values = BTreeMap::new();
        if sources.env_files.is_empty() {
            let path = sources.working_dir.join(".env");
            values.extend(file(&path, false, &sources.process_env, &BTreeMap::new(), read, report));
        }
        values.extend(sources.overlay.clone());
        for path in &sources.env_files {
            let more = file(path, true, &sources.process_env, &values, read, report);
            values.extend(more);
        }
        values.extend(sources.process_env.clone());
        Self { values }
    }
}

/// The variables of one env file of the project.
fn file(
    path: &Path,
    required: bool,
    process: &BTreeMap<String, String>,
    earlier: &BTreeMap<String, String>,
    read: Read<'_>,
    report: &mut Report,
) -> BTreeMap<String, String> {
    let text = match read(path) {
        Ok(text) => text,
        Err(error) if !required && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory) => {
            return BTreeMap::new();
        }
        Err(error) => {
            report.problems.push(unreadable("env file", path, &error));
            return BTreeMap::new();
        }
    };
    let outer = |name: &str| process.get(name).or_else(|| earlier.get(name)).cloned();
    parse(path, &text, &outer, report)
}

/// The variables in the text of an env file.
pub(crate) fn parse(
    path: &Path,
    text: &str,
    outer: &dyn Fn(&str) -> Option<String>,
    report: &mut Report,
) -> BTreeMap<String, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let number = report.add_file(path.to_owned(), text);
    dotenv::parse(text, number, outer, report)
}

/// The problem of a file that cannot be read.
pub(crate) fn unreadable(what: &str, path: &Path, error: &std::io::Error) -> Problem {
    let place = Place { file: path.to_owned(), line: 0, column: 0 };
    let message = match error.kind() {
        ErrorKind::NotFound => format!("{what} does not exist"),
        ErrorKind::InvalidData => format!("{what} is not UTF-8 text"),
        _ => format!("cannot read {what}: {error}"),
    };
    Problem::at(place, message)
}

/// The same for a file that is named at a spot of a compose file.
pub(crate) fn unreadable_at(spot: Spot, what: &str, path: &Path, error: &std::io::Error, report: &mut Report) {
    let Problem { message, .. } = unreadable(&format!("{what} {}", path.display()), path, error);
    report.problem(spot, message);
}
