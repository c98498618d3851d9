//! The live screen: one line per resource, drawn again where it stands.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::progress::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use super::board::Board;
use super::frame::View;
use super::pump::Renderer;
use super::style::Style;

/// Between two frames at least.
const PAUSE: Duration = Duration::from_millis(100);
/// What is assumed of a terminal that does not tell its size.
const USUAL: (u16, u16) = (80, 24);

/// Asked before every frame: the window may have been resized.
pub(super) type Size = Box<dyn Fn() -> Option<(u16, u16)>>;

/// Renders the board as one bar whose message is the whole frame, so that a frame is one write.
pub(super) struct Tty {
    board: Board,
    bar: ProgressBar,
    window: Arc<Window>,
    size: Size,
    style: Style,
    now: Duration,
    drawn: Option<Duration>,
    changed: bool,
}

impl Tty {
    pub(super) fn new(out: Box<dyn Write + Send>, style: Style, size: Size) -> Self {
        let window = Arc::new(Window::new(out));
        let target = ProgressDrawTarget::term_like(Box::new(Pane(window.clone())));
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar()));
        let (now, board) = (Duration::ZERO, Board::default());
        Tty { board, bar, window, size, style, now, drawn: None, changed: false }
    }

    fn view(&self, over: bool) -> View {
        let (columns, rows) = (self.size)().unwrap_or(USUAL);
        View { columns: columns.into(), rows: rows.into(), now: self.now, style: self.style, over }
    }

    fn turning(&self) -> bool {
        self.board.open().next().is_some()
    }
}

impl Renderer for Tty {
    fn news(&mut self, news: &Progress) {
        self.board.note(news);
        self.now = news.at;
        self.changed = true;
    }

    fn tick(&mut self, now: Duration) {
        // a clock that was set back counts as a pause that is over
        let due = self.drawn.is_none_or(|drawn| now >= drawn + PAUSE || now < drawn);
        if !due || !(self.changed || self.turning()) {
            return;
        }
        self.now = now;
        let view = self.view(false);
        self.window.resize(view.columns, view.rows);
        self.bar.set_message(view.frame(&self.board).join("\n"));
        self.drawn = Some(now);
        self.changed = false;
    }

    fn wake(&self) -> Option<Duration> {
        (self.changed || self.turning()).then(|| self.drawn.map_or(Duration::ZERO, |drawn| drawn + PAUSE))
    }

    fn hide(&mut self) {
        let view = self.view(false);
        self.window.resize(view.columns, view.rows);
        self.bar.set_message("");
        self.drawn = None;
        self.changed = true;
    }

    fn settle(&mut self) {
        self.hide();
        self.window.leave(&self.view(true).list(&self.board));
        self.board = Board::default();
        self.changed = false;
    }

    fn end(&mut self) {
        self.hide();
        self.bar.finish_and_clear();
        self.window.leave(&self.view(true).list(&self.board));
    }
}

/// The terminal as the bar draws on it. The cursor is never hidden, so no death can leave it so.
struct Window(Mutex<Inner>);

struct Inner {
    out: Box<dyn Write + Send>,
    /// One frame, written at once.
    buffer: String,
    size: (usize, usize),
    /// Something stands on the current row.
    open: bool,
    /// The widths of the lines on the screen, and of those being drawn.
    shown: Vec<usize>,
    drawing: Vec<usize>,
    /// Rows that the terminal added by wrapping lines when it became narrower.
    wrapped: usize,
}

impl Window {
    fn new(out: Box<dyn Write + Send>) -> Self {
        let size = (USUAL.0.into(), USUAL.1.into());
        let (shown, drawing) = (Vec::new(), Vec::new());
        Window(Mutex::new(Inner { out, buffer: String::new(), size, open: false, shown, drawing, wrapped: 0 }))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn resize(&self, columns: usize, rows: usize) {
        let mut inner = self.inner();
        let columns = columns.max(2);
        if columns < inner.size.0 {
            inner.wrapped = inner.shown.iter().map(|width| width.saturating_sub(1) / columns).sum();
        }
        inner.size = (columns, rows);
    }

    /// Writes what stays.
    fn leave(&self, lines: &[String]) {
        let mut inner = self.inner();
        inner.buffer.push('\r');
        for line in lines {
            inner.buffer.push_str(line);
            inner.buffer.push_str("\r\n");
        }
        // nobody is left to tell when the terminal is gone
        let _ = inner.flush();
    }
}

impl Inner {
    fn flush(&mut self) -> io::Result<()> {
        self.shown = std::mem::take(&mut self.drawing);
        let frame = std::mem::take(&mut self.buffer);
        self.out.write_all(frame.as_bytes())?;
        self.out.flush()
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window").finish_non_exhaustive()
    }
}

/// The bar's hold on the window. A terminal that is gone must not stop the work: no error is passed on.
#[derive(Debug)]
struct Pane(Arc<Window>);

impl Pane {
    fn go(&self, rows: usize, to: char) -> io::Result<()> {
        if rows > 0 {
            self.0.inner().buffer.push_str(&format!("\x1b[{rows}{to}"));
        }
        Ok(())
    }
}

impl TermLike for Pane {
    fn width(&self) -> u16 {
        self.0.inner().size.0.try_into().unwrap_or(u16::MAX)
    }

    fn height(&self) -> u16 {
        self.0.inner().size.1.try_into().unwrap_or(u16::MAX)
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        let wrapped = std::mem::take(&mut self.0.inner().wrapped);
        self.go(n + wrapped, 'A')?;
        if wrapped > 0 {
            self.0.inner().buffer.push_str("\r\x1b[J");
        }
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.go(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.go(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.go(n, 'D')
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        self.write_str(s)
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        // the bar fills its lines with spaces up to the edge so that the next one begins below;
        // such lines would wrap when the window shrinks, hence a plain line end instead
        if s.trim().is_empty() {
            return Ok(());
        }
        let mut inner = self.0.inner();
        if std::mem::replace(&mut inner.open, true) {
            inner.buffer.push_str("\r\n");
        }
        inner.buffer.push_str(s);
        inner.drawing.push(painted_width(s));
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        let mut inner = self.0.inner();
        inner.buffer.push_str("\r\x1b[2K");
        inner.open = false;
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let _ = self.0.inner().flush();
        Ok(())
    }
}

/// The columns of a painted line.
fn painted_width(line: &str) -> usize {
    super::text::width(&super::text::clean(line))
}

#[cfg(test)]
#[path = "tty_tests.rs"]
mod tests;
