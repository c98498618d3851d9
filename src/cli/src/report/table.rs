//! Plain columns for lists; a block per row where the window is too narrow for columns.

use comfy_table::presets::NOTHING;

use super::style::{Style, Tone};
use super::text::{self, fill, width};

/// Columns between two columns.
const GAP: u16 = 3;

/// Headers and rows.
#[derive(Debug, Clone, Default)]
pub struct Table {
    headers: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

/// A text and what it says.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A cell in a tone.
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Cell { text: text.into(), tone }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Cell::new(Tone::Plain, text)
    }
}

impl Table {
    /// A table with these columns.
    pub fn new<H: Into<String>>(headers: impl IntoIterator<Item = H>) -> Self {
        Table { headers: headers.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// One row more: short rows are filled up, and cells beyond the last header are left out.
    pub fn row<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) -> &mut Self {
        let mut row: Vec<Cell> = cells.into_iter().map(Into::into).collect();
        row.resize(self.headers.len(), Cell::default());
        self.rows.push(row);
        self
    }

    /// True when there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text, every line with its end; `columns` is the window's width, if there is one.
    pub fn render(&self, style: Style, columns: Option<usize>) -> String {
        let headers: Vec<Cell> = self.headers.iter().map(|text| Cell::new(Tone::Strong, style.text(text))).collect();
        let rows: Vec<Vec<Cell>> =
            self.rows.iter().map(|row| row.iter().map(|cell| cell.clean(style)).collect()).collect();
        let table = layout(&headers, &rows);
        let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        let fits = columns.is_none_or(|columns| lines.iter().all(|line| width(line) <= columns));
        if !fits {
            return blocks(style, &headers, &rows, columns.unwrap_or(usize::MAX));
        }
        let all = std::iter::once(&headers).chain(&rows);
        all.zip(lines).map(|(row, line)| painted(style, row, &line) + "\n").collect()
    }
}

impl Cell {
    fn clean(&self, style: Style) -> Cell {
        Cell { text: style.text(&self.text), tone: self.tone }
    }
}

fn layout(headers: &[Cell], rows: &[Vec<Cell>]) -> comfy_table::Table {
    let texts = |row: &[Cell]| row.iter().map(|cell| cell.text.clone()).collect::<Vec<_>>();
    let mut table = comfy_table::Table::new();
    table.load_style(NOTHING).set_header(texts(headers));
    for row in rows {
        table.add_row(texts(row));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    table
}

/// Colours the cells of a line that is laid out: colours have no width, so they come last.
fn painted(style: Style, row: &[Cell], line: &str) -> String {
    let mut rest = line;
    let mut out = String::new();
    for cell in row {
        let Some(after) = rest.strip_prefix(cell.text.as_str()) else { break };
        let next = after.trim_start_matches(' ');
        out.push_str(&style.paint(cell.tone, &cell.text));
        out.push_str(&after[..after.len() - next.len()]);
        rest = next;
    }
    out + rest
}

/// `HEADER: value` lines, one block per row, broken between words only.
fn blocks(style: Style, headers: &[Cell], rows: &[Vec<Cell>], columns: usize) -> String {
    let keys = headers.iter().map(|header| width(&header.text)).max().unwrap_or(0) + 2;
    let mut blocks = Vec::new();
    for row in rows {
        let mut block = String::new();
        for (header, cell) in headers.iter().zip(row).filter(|(_, cell)| !cell.text.is_empty()) {
            let key = format!("{}:", header.text);
            let mut indent = fill(&key, keys);
            block.push_str(&style.paint(header.tone, &key));
            for line in words(&cell.text, columns.saturating_sub(keys)) {
                block.push_str(&format!("{indent}{}\n", style.paint(cell.tone, &line)));
                indent = " ".repeat(keys);
            }
        }
        blocks.push(block);
    }
    blocks.join("\n")
}

/// The text in lines of at most `columns`; a word that is longer stays whole, so that it can be copied.
fn words(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if text::width(line) + 1 + width(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style { color: false, unicode: true };

    fn status() -> Table {
        let mut table = Table::new(["NAME", "STATE", "PORTS"]);
        table.row([Cell::from("postgres"), Cell::new(Tone::Ok, "ready"), "127.0.0.1:5432->5432/tcp".into()]);
        table.row([Cell::from("日本"), Cell::new(Tone::Fail, "failed")]);
        table
    }

    #[test]
    fn columns_line_up_without_borders() {
        assert_eq!(
            status().render(PLAIN, None),
            "NAME       STATE    PORTS\n\
             postgres   ready    127.0.0.1:5432->5432/tcp\n\
             日本       failed\n"
        );
        assert_eq!(Table::new(["NAME", "STATE"]).render(PLAIN, Some(80)), "NAME   STATE\n");
    }

    #[test]
    fn colours_do_not_move_the_columns() {
        let painted = status().render(Style { color: true, unicode: true }, Some(120));
        assert!(painted.contains("postgres   \x1b[32mready\x1b[0m    127"), "{painted}");
        let bare: String = painted.lines().map(|line| text::clean(line) + "\n").collect();
        assert_eq!(bare, status().render(PLAIN, None));
    }

    #[test]
    fn a_narrow_window_gets_blocks_and_whole_words() {
        let mut table = status();
        table.row(["web", "waits for a database that is not there", "http://localhost:8080/a/very/long/address"]);
        assert_eq!(
            table.render(PLAIN, Some(40)),
            "NAME:  postgres\nSTATE: ready\nPORTS: 127.0.0.1:5432->5432/tcp\n\n\
             NAME:  日本\nSTATE: failed\n\n\
             NAME:  web\nSTATE: waits for a database that is not\n       there\n\
             PORTS: http://localhost:8080/a/very/long/address\n"
        );
    }

    #[test]
    fn an_empty_cell_keeps_its_place_and_foreign_text_its_line() {
        let mut table = Table::new(["A", "B", "C"]);
        table.row(["", "x\ny\x1b[2J", "z"]);
        table.row(["one", "", "z"]);
        let painted = table.render(Style { color: true, unicode: true }, None);
        assert_eq!(painted.lines().map(text::clean).collect::<Vec<_>>()[2], "one         z");
        assert_eq!(table.render(PLAIN, None), "A     B     C\n      x y   z\none         z\n");
    }
}
