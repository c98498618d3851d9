//! What the live screen shows, as lines: a board, a window, a moment in; text out.

use std::time::Duration;

use engine::progress::{Kind, Phase};

use super::board::{Board, Row};
use super::style::{Style, Tone, humansize, humantime};
use super::text::{fill, fit, width};

/// Below this width kinds are abbreviated and the bar is left out.
const ROOMY: usize = 60;
/// The wheel turns once in this time.
const TURN: Duration = Duration::from_millis(100);
/// A note that has less room than this says nothing.
const WORTH: usize = 8;
/// Columns of a bar.
const BAR: usize = 12;

/// The window, the moment and the style in which a frame is drawn.
pub(super) struct View {
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) now: Duration,
    pub(super) style: Style,
    /// Nothing moves any more: this is what stays.
    pub(super) over: bool,
}

impl View {
    /// The board folded to the window: one line per resource, and as many layers of images as there is room for.
    pub(super) fn frame(&self, board: &Board) -> Vec<String> {
        // one row stays free: a full window would scroll
        let room = self.rows.saturating_sub(1).max(1);
        let (layers, mut order): (Vec<usize>, Vec<usize>) =
            (0..board.rows.len()).partition(|&index| board.rows[index].of.is_some());
        if let Some(left) = room.checked_sub(order.len()) {
            order.extend(most_urgent(board, layers, left));
            order.sort_unstable();
            return self.lines(board, order.iter().map(|&index| &board.rows[index]));
        }
        order = most_urgent(board, order, room - 1);
        order.retain(|&index| urgency(&board.rows[index]) < DONE);
        let is_folded = |index: &usize| board.rows[*index].of.is_none() && !order.contains(index);
        let folded = (0..board.rows.len()).filter(is_folded).map(|index| &board.rows[index]);
        let mut frame = vec![self.summary(folded)];
        frame.extend(self.lines(board, order.iter().map(|&index| &board.rows[index])));
        frame
    }

    /// The last column stays free: some terminals wrap as soon as it is written.
    fn width(&self) -> usize {
        self.columns.saturating_sub(1)
    }

    /// Every resource on a line of its own: what stays on the screen.
    pub(super) fn list(&self, board: &Board) -> Vec<String> {
        self.lines(board, board.resources())
    }

    fn lines<'a>(&self, board: &Board, rows: impl Iterator<Item = &'a Row>) -> Vec<String> {
        // the columns are those of the whole board, so that they stand still while rows come and go
        let names = board.rows.iter().map(|row| width(&self.name(row))).max().unwrap_or(0);
        let words = board.rows.iter().map(|row| row.phase.word().len()).max().unwrap_or(0).max(9);
        rows.map(|row| self.line(row, names, words)).collect()
    }

    /// Mark, kind, name, state, timer, note.
    fn line(&self, row: &Row, names: usize, words: usize) -> String {
        let tone = row.tone();
        let kind = self.kind(row.kind);
        let timer = format!("{:>6}", humantime(row.elapsed(self.now)));
        let fixed = " m ".len() + width(&kind) + " ".len() + " ".len() + words + " ".len() + width(&timer);
        let names = names.min(self.width().saturating_sub(fixed));
        let name = fit(&self.name(row), names, self.style.ellipsis());
        let name = format!("{name}{}", fill(&name, names));
        let word = format!("{:<words$}", row.phase.word());
        let mut line = Line::new(self);
        line.push(Tone::Plain, " ");
        line.push(tone, &self.mark(row));
        line.push(Tone::Dim, &format!(" {kind} "));
        line.push(Tone::Strong, &name);
        line.push(tone, &format!(" {word}"));
        line.push(Tone::Dim, &format!(" {timer}"));
        let tail = self.tail(row);
        if !tail.is_empty() && line.room >= WORTH {
            let quiet = if row.phase.is_final() && tone != Tone::Ok { Tone::Plain } else { Tone::Dim };
            line.push(quiet, &format!("  {tail}"));
        }
        line.text
    }

    /// What is part of something else is set in.
    fn name(&self, row: &Row) -> String {
        let indent = if row.of.is_some() { "  " } else { "" };
        format!("{indent}{}", self.style.text(&row.name))
    }

    fn mark(&self, row: &Row) -> String {
        let plain = Style { color: false, ..self.style };
        match row.phase {
            Phase::Doing(_) | Phase::Bytes(..) if !self.over => {
                self.style.spinner((self.now.as_millis() / TURN.as_millis()) as u64).to_owned()
            }
            _ => plain.mark(row.tone()),
        }
    }

    fn kind(&self, kind: Kind) -> String {
        if self.columns >= ROOMY {
            return format!("{:<7}", kind.as_str());
        }
        let short = match kind {
            Kind::Network => "net",
            Kind::Volume => "vol",
            Kind::Image => "img",
            Kind::Layer => "lyr",
            Kind::Service => "svc",
            Kind::Engine => "eng",
            Kind::Backup => "bak",
        };
        short.to_owned()
    }

    fn tail(&self, row: &Row) -> String {
        let note = self.style.text(&row.note);
        let Phase::Bytes(_, done, total) = row.phase else { return note };
        let mut parts = Vec::new();
        if total == 0 {
            parts.push(humansize(done));
        } else {
            if self.columns >= ROOMY {
                parts.push(self.style.bar(done, total, BAR));
            }
            parts.push(format!("{} / {}", humansize(done), humansize(total)));
        }
        if let Some(rate) = row.rate {
            parts.push(format!("{}/s", humansize(rate)));
            // a total of 0 is none
            let left = total.saturating_sub(done).checked_div(rate).filter(|_| total > 0);
            parts.extend(left.map(|seconds| format!("{} left", humantime(Duration::from_secs(seconds)))));
        }
        parts.extend((!note.is_empty()).then_some(note));
        parts.join("  ")
    }

    /// One line for the rows that do not fit.
    fn summary<'a>(&self, folded: impl Iterator<Item = &'a Row>) -> String {
        let mut counts = COUNTED.map(|(tone, word)| (tone, word, 0));
        for row in folded {
            for (tone, _, count) in &mut counts {
                *count += usize::from(*tone == row.tone());
            }
        }
        let mut line = Line::new(self);
        line.push(Tone::Plain, " ");
        for (index, (tone, word, count)) in counts.into_iter().filter(|(.., count)| *count > 0).enumerate() {
            if index > 0 {
                line.push(Tone::Plain, "  ");
            }
            line.push(tone, &Style { color: false, ..self.style }.mark(tone));
            line.push(Tone::Plain, &format!(" {count} {word}"));
        }
        line.text
    }
}

/// What a summary counts, in its order.
const COUNTED: [(Tone, &str); 4] =
    [(Tone::Ok, "done"), (Tone::Warn, "to note"), (Tone::Fail, "failed"), (Tone::Busy, "under way")];

const DONE: u8 = 3;

/// The rows that should stay in sight, in their order, when there is room for so many.
fn most_urgent(board: &Board, mut rows: Vec<usize>, room: usize) -> Vec<usize> {
    rows.sort_by_key(|&index| urgency(&board.rows[index]));
    rows.truncate(room);
    rows.sort_unstable();
    rows
}

/// What must stay in sight comes first.
fn urgency(row: &Row) -> u8 {
    match row.phase {
        Phase::Failed(_) => 0,
        Phase::Doing(_) | Phase::Bytes(..) | Phase::Reached(_) => 1,
        Phase::Warned(_) => 2,
        Phase::Done(_) => DONE,
    }
}

/// A line that never grows wider than its window.
struct Line<'a> {
    view: &'a View,
    text: String,
    room: usize,
}

impl<'a> Line<'a> {
    fn new(view: &'a View) -> Self {
        Line { view, text: String::new(), room: view.width() }
    }

    fn push(&mut self, tone: Tone, text: &str) {
        let text = fit(text, self.room, self.view.style.ellipsis());
        self.room -= width(&text);
        self.text.push_str(&self.view.style.paint(tone, &text));
    }
}
