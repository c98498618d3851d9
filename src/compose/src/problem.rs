//! Something wrong in the user's files, with the place where it is.

use std::fmt;
use std::path::PathBuf;

/// A place in a file: lines and columns count from 1; `0` means that the place within the file is not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file as it was named to the loader.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// One mistake. A load collects all of them, so that they can be mended in one go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where; `None` for a mistake that is in no file (a bad option value, say).
    pub place: Option<Place>,
    /// What is wrong, lower case, no full stop.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
    /// The text of the line at `place`, to draw a caret under.
    pub source_line: Option<String>,
}

impl Problem {
    /// A problem that is in no file.
    pub fn new(message: impl Into<String>) -> Self {
        Self { place: None, message: message.into(), hint: None, source_line: None }
    }

    /// A problem at a place.
    pub fn at(place: Place, message: impl Into<String>) -> Self {
        Self { place: Some(place), message: message.into(), hint: None, source_line: None }
    }

    /// The same problem with the way to mend it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// `file:line:column: message`, then the line with a caret, then the hint.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(p) if p.line > 0 => write!(f, "{}:{}:{}: ", p.file.display(), p.line, p.column)?,
            Some(p) => write!(f, "{}: ", p.file.display())?,
            None => {}
        }
        f.write_str(&clip(&self.message, 300))?;
        if let (Some(p), Some(line)) = (&self.place, &self.source_line) {
            let (line, column) = window(line, p.column);
            let gutter = p.line.to_string();
            let pad = " ".repeat(gutter.len());
            let before = line.chars().take(column.saturating_sub(1));
            let indent: String = before.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            write!(f, "\n {pad} |\n {gutter} | {line}\n {pad} | {indent}^")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// The part of a long line that is around a column, and the column in that part.
fn window(line: &str, column: usize) -> (String, usize) {
    const WIDTH: usize = 100;
    if line.chars().count() <= WIDTH {
        return (line.to_owned(), column);
    }
    let start = column.saturating_sub(WIDTH / 2);
    let part: String = line.chars().skip(start).take(WIDTH).collect();
    let more = if line.chars().count() > start + WIDTH { "…" } else { "" };
    if start == 0 { (format!("{part}{more}"), column) } else { (format!("…{part}{more}"), column - start + 1) }
}

/// The beginning of a long text.
fn clip(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
