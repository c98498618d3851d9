//! `banyan.yaml`, the manifest of a project folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use compose::Problem;
use serde::Deserialize;

use super::files::read_bounded;
use crate::failure::{Exit, Failure};

/// Its name.
pub const MANIFEST: &str = "banyan.yaml";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    #[serde(default)]
    compose: Vec<PathBuf>,
    #[serde(default)]
    services: BTreeMap<String, PathBuf>,
}

/// The compose files that a manifest names, then those of its services.
pub fn files(manifest: &Path) -> Result<Vec<PathBuf>, Failure> {
    let text = read_bounded(manifest)
        .map_err(|e| Failure::new(Exit::Config, 3, format!("cannot read {}: {e}", manifest.display())))?;
    let parsed: Manifest = serde_yaml::from_str(&text).map_err(|e| {
        let place = e.location().map(|l| compose::problem::Place {
            file: manifest.to_owned(),
            line: l.line(),
            column: l.column(),
        });
        // the place is told by the problem itself
        let message = e.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        let mut problem = Problem::new(message)
            .hint("banyan.yaml has two keys: `compose` (a list of files) and `services` (name: folder)");
        problem.source_line =
            place.as_ref().and_then(|p| text.lines().nth(p.line.saturating_sub(1))).map(str::to_owned);
        problem.place = place;
        Failure::problems(&[problem])
    })?;
    let root = manifest.parent().unwrap_or(Path::new("/"));
    let mut files: Vec<PathBuf> = parsed.compose.iter().map(|f| compose::clean_path(&root.join(f))).collect();
    let mut problems = Vec::new();
    for (name, folder) in &parsed.services {
        let file = compose::clean_path(&root.join(folder).join("compose.yaml"));
        if file.is_file() {
            files.push(file);
        } else {
            problems.push(
                Problem::new(format!("{}: service `{name}`: there is no {}", manifest.display(), file.display()))
                    .hint("correct the folder, or take the service out"),
            );
        }
    }
    if files.is_empty() && problems.is_empty() {
        problems.push(
            Problem::new(format!("{}: `compose` names no file", manifest.display()))
                .hint("write `compose: [docker-compose.yml]`"),
        );
    }
    if problems.is_empty() { Ok(files) } else { Err(Failure::problems(&problems)) }
}
