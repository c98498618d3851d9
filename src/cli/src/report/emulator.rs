//! A terminal for tests: it understands what we send, and refuses the rest.

#![allow(clippy::unwrap_used)]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::text::width;

/// Keeps what is written.
#[derive(Clone, Default)]
pub(super) struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub(super) fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All lines ever shown, the cursor, and the window that shows the last of them.
pub(super) struct Terminal {
    columns: usize,
    rows: usize,
    lines: Vec<String>,
    line: usize,
    column: usize,
    /// The first line in the window.
    top: usize,
    /// Colours were seen.
    pub(super) colors: bool,
    /// Lines that ran over the edge.
    pub(super) wraps: usize,
}

impl Terminal {
    pub(super) fn new(columns: usize, rows: usize) -> Self {
        Terminal { columns, rows, lines: vec![String::new()], line: 0, column: 0, top: 0, colors: false, wraps: 0 }
    }

    /// What is on it, without what is blank at the end.
    pub(super) fn lines(&self) -> Vec<&str> {
        let lines: Vec<&str> = self.lines.iter().map(|line| line.trim_end()).collect();
        let end = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
        lines[..end].to_vec()
    }

    pub(super) fn cursor(&self) -> (usize, usize) {
        (self.line, self.column)
    }

    /// The window becomes narrower; lines that do not fit are continued on rows of their own.
    pub(super) fn narrow(&mut self, columns: usize) {
        let mut lines = Vec::new();
        for (index, line) in self.lines.iter().enumerate() {
            let chars: Vec<char> = line.chars().collect();
            let mut parts: Vec<String> = chars.chunks(columns).map(String::from_iter).collect();
            if parts.is_empty() {
                parts.push(String::new());
            }
            lines.extend(parts);
            if index == self.line {
                self.line = lines.len() - 1;
                self.column = width(&lines[self.line]);
            }
        }
        (self.lines, self.columns) = (lines, columns);
        self.reach();
    }

    /// There are rows as far as the cursor, and the window scrolls with it.
    fn reach(&mut self) {
        self.lines.resize(self.lines.len().max(self.line + 1), String::new());
        self.top = self.top.max((self.line + 1).saturating_sub(self.rows));
    }

    pub(super) fn feed(&mut self, text: &str) {
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\r' => self.column = 0,
                '\n' => {
                    self.line += 1;
                    self.reach();
                }
                '\x1b' => {
                    assert_eq!(chars.next(), Some('['));
                    let mut number = String::new();
                    let last = loop {
                        match chars.next().unwrap() {
                            c if c.is_ascii_digit() => number.push(c),
                            c => break c,
                        }
                    };
                    self.control(last, number.parse().unwrap_or(0));
                }
                c => self.print(c),
            }
        }
    }

    fn control(&mut self, last: char, number: usize) {
        match last {
            'm' => self.colors = true,
            'A' => {
                self.line = self.line.checked_sub(number).unwrap();
                assert!(self.line >= self.top, "above the window");
            }
            'B' => {
                self.line += number;
                assert!(self.line < self.top + self.rows, "below the window");
                self.reach();
            }
            'K' => self.lines[self.line].clear(),
            'J' => {
                self.lines.truncate(self.line + 1);
                self.lines[self.line].clear();
            }
            other => panic!("what is {other}?"),
        }
    }

    fn print(&mut self, c: char) {
        assert!(!c.is_control(), "{c:?}");
        // what is written stands at the end of its line, which was cleared before
        assert_eq!(self.column, width(&self.lines[self.line]), "over {:?}", self.lines[self.line]);
        self.lines[self.line].push(c);
        self.column = width(&self.lines[self.line]);
        self.wraps += usize::from(self.column > self.columns);
    }
}
