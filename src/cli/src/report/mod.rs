//! Showing what happens: one stream of news, four ways to render it.
//!
//! Progress goes to stderr and data to stdout, so that a pipe gets only what was asked for. `report`
//! hands the news to a thread and returns; that thread alone writes, at its own pace.

mod board;
#[cfg(test)]
mod emulator;
mod frame;
mod json;
mod plain;
mod pump;
mod quiet;
pub mod style;
pub mod table;
pub mod terminal;
mod text;
mod tty;

use std::io;
use std::sync::Arc;

use engine::progress::Reporter;

use pump::Pump;
use terminal::{Facts, Stream};

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Mode {
    /// `tty` on a terminal that can show it, else `plain`.
    #[default]
    Auto,
    /// One live line per resource.
    Tty,
    /// One line per final state.
    Plain,
    /// One JSON object per line.
    Json,
    /// Failures only.
    Quiet,
}

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A reporter that has an end, and that can step aside.
pub trait Screen: Reporter {
    /// Shows all that was reported, leaves the terminal in order, and falls silent. May be called again.
    fn finish(&self);

    /// Leaves what is shown as it is; what comes from now on begins below it.
    fn settle(&self);

    /// Runs `f` while nothing else is written: for a question, or for output of another kind.
    fn suspend(&self, f: &mut dyn FnMut());
}

/// The reporter for a mode; it writes to stderr.
pub fn reporter(mode: Mode, color: Color, facts: &Facts) -> Arc<dyn Screen> {
    let style = facts.style(color, Stream::Err);
    let out = Box::new(io::stderr());
    Arc::new(match mode.resolve(facts) {
        Mode::Tty => Pump::start(move || tty::Tty::new(out, style, Box::new(terminal::stderr_size))),
        Mode::Json => Pump::start(move || json::Json::new(out)),
        Mode::Quiet => Pump::start(move || quiet::Quiet::new(out, style)),
        Mode::Plain | Mode::Auto => Pump::start(move || plain::Plain::new(out, style)),
    })
}

impl Mode {
    /// What `auto` means here; every other mode is what was asked for.
    pub fn resolve(self, facts: &Facts) -> Mode {
        match self {
            Mode::Auto if facts.can_redraw() => Mode::Tty,
            Mode::Auto => Mode::Plain,
            asked => asked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_needs_a_terminal_with_room_that_can_redraw() {
        let window = Facts { stderr_tty: true, size: Some((40, 10)), unicode: true, ..Facts::default() };
        assert_eq!(Mode::Auto.resolve(&window), Mode::Tty);
        for poor in [
            Facts { stderr_tty: false, ..window },
            Facts { size: Some((39, 10)), ..window },
            Facts { size: Some((40, 3)), ..window },
            Facts { size: None, ..window },
            Facts { dumb: true, ..window },
            Facts { ci: true, ..window },
        ] {
            assert_eq!(Mode::Auto.resolve(&poor), Mode::Plain, "{poor:?}");
            assert_eq!(Mode::Tty.resolve(&poor), Mode::Tty, "asked for is asked for");
        }
    }

    #[test]
    fn a_screen_serves_as_a_reporter_and_ends_twice() {
        let screen = reporter(Mode::Quiet, Color::Auto, &Facts::default());
        let _reporter: Arc<dyn Reporter> = screen.clone();
        let mut ran = 0;
        screen.suspend(&mut || ran += 1);
        screen.finish();
        screen.finish();
        screen.suspend(&mut || ran += 1);
        assert_eq!(ran, 2);
    }
}
