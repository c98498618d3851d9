//! Collects what a load finds wrong, and turns spots into places with their source line.

use std::path::PathBuf;

use crate::node::Spot;
use crate::problem::{Place, Problem};

/// The files of a load, and what was found in them.
#[derive(Debug, Default)]
pub(crate) struct Report {
    files: Vec<SourceFile>,
    pub problems: Vec<Problem>,
    pub warnings: Vec<Problem>,
}

#[derive(Debug)]
struct SourceFile {
    path: PathBuf,
    lines: Vec<String>,
}

impl Report {
    /// Adds a file and returns its number, for [`Spot::file`].
    pub(crate) fn add_file(&mut self, path: PathBuf, text: &str) -> usize {
        self.files.push(SourceFile { path, lines: text.lines().map(str::to_owned).collect() });
        self.files.len() - 1
    }

    /// A problem at a spot, not yet recorded.
    pub(crate) fn at(&self, spot: Spot, message: impl Into<String>) -> Problem {
        let Some(file) = self.files.get(spot.file) else { return Problem::new(message) };
        let place = Place { file: file.path.clone(), line: spot.line, column: spot.column };
        let mut problem = Problem::at(place, message);
        problem.source_line = self.line(spot).map(str::to_owned);
        problem
    }

    /// Records a problem.
    pub(crate) fn problem(&mut self, spot: Spot, message: impl Into<String>) {
        let problem = self.at(spot, message);
        self.problems.push(problem);
    }

    /// Records a problem with the way to mend it, if there is one.
    pub(crate) fn problem_hint(&mut self, spot: Spot, message: impl Into<String>, hint: Option<String>) {
        let mut problem = self.at(spot, message);
        problem.hint = hint;
        self.problems.push(problem);
    }

    /// Records something worth telling that is no mistake.
    pub(crate) fn warn(&mut self, spot: Spot, message: impl Into<String>) {
        let warning = self.at(spot, message);
        self.warnings.push(warning);
    }

    /// The text of the line at a spot.
    pub(crate) fn line(&self, spot: Spot) -> Option<&str> {
        self.files.get(spot.file)?.lines.get(spot.line.checked_sub(1)?).map(String::as_str)
    }

    /// Where one of `fragments` first stands at or after `from`, within a bounded number of lines; `from` if nowhere.
    pub(crate) fn locate(&self, from: Spot, fragments: &[&str]) -> Spot {
        fragments.iter().filter_map(|fragment| self.find(from, fragment)).min().unwrap_or(from)
    }

    fn find(&self, from: Spot, fragment: &str) -> Option<Spot> {
        const LINES: usize = 400;
        let needle = fragment.lines().next().unwrap_or_default();
        let file = self.files.get(from.file).filter(|_| !needle.is_empty() && from.line > 0)?;
        for (offset, line) in file.lines.iter().skip(from.line - 1).take(LINES).enumerate() {
            let skipped = if offset == 0 { byte_of_column(line, from.column) } else { 0 };
            if let Some(at) = line[skipped..].find(needle) {
                let column = line[..skipped + at].chars().count() + 1;
                return Some(Spot { file: from.file, line: from.line + offset, column });
            }
        }
        None
    }
}

fn byte_of_column(line: &str, column: usize) -> usize {
    line.char_indices().nth(column.saturating_sub(1)).map_or(line.len(), |(at, _)| at)
}
