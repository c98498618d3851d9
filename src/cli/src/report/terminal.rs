//! What the terminal and the environment say, read once.

use std::env;
use std::io::{self, IsTerminal};

use super::Color;
use super::style::Style;

/// A window narrower or lower than this gets plain lines.
const SMALLEST: (u16, u16) = (40, 4);

/// Which stream the text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Data.
    Out,
    /// Progress and failures.
    Err,
}

/// What decides how the output looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// Stdout is a terminal.
    pub stdout_tty: bool,
    /// Stderr is a terminal.
    pub stderr_tty: bool,
    /// Columns and rows of the window that stderr shows in.
    pub size: Option<(u16, u16)>,
    /// `TERM` says that the terminal cannot move its cursor.
    pub dumb: bool,
    /// `CI` is set.
    pub ci: bool,
    /// `NO_COLOR` is set.
    pub no_color: bool,
    /// The locale is a UTF-8 one.
    pub unicode: bool,
}

impl Facts {
    /// Reads the environment and the streams of this process.
    pub fn read() -> Self {
        Facts {
            stdout_tty: io::stdout().is_terminal(),
            stderr_tty: io::stderr().is_terminal(),
            size: stderr_size(),
            ..Facts::of_environment(|name| env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
        }
    }

    fn of_environment(get: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| get(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| set(name)).unwrap_or_default();
        let locale = locale.to_ascii_lowercase();
        Facts {
            dumb: set("TERM").is_none_or(|term| term == "dumb"),
            ci: set("CI").is_some_and(|ci| ci != "false" && ci != "0"),
            no_color: set("NO_COLOR").is_some(),
            unicode: locale.contains("utf-8") || locale.contains("utf8"),
            ..Facts::default()
        }
    }

    /// True when lines can be drawn and drawn again on stderr.
    pub fn can_redraw(&self) -> bool {
        let room = self.size.is_some_and(|(columns, rows)| columns >= SMALLEST.0 && rows >= SMALLEST.1);
        self.stderr_tty && room && !self.dumb && !self.ci
    }

    /// The style for one stream.
    pub fn style(&self, color: Color, stream: Stream) -> Style {
        let tty = match stream {
            Stream::Out => self.stdout_tty,
            Stream::Err => self.stderr_tty,
        };
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => tty && !self.dumb && !self.no_color,
        };
        Style { color, unicode: self.unicode }
    }

    /// The width that a table on stdout is folded to; none when stdout is not a terminal.
    pub fn table_width(&self) -> Option<usize> {
        if !self.stdout_tty {
            return None;
        }
        size_of(io::stdout()).or(self.size).map(|(columns, _)| columns.into())
    }
}

/// Columns and rows of the window now.
pub fn stderr_size() -> Option<(u16, u16)> {
    size_of(io::stderr())
}

fn size_of(stream: impl std::os::fd::AsFd) -> Option<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(variables: &[(&str, &str)]) -> Facts {
        Facts::of_environment(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_is_read_as_convention_has_it() {
        assert!(facts(&[("LANG", "de_DE.UTF-8")]).unicode);
        assert!(facts(&[("LC_ALL", ""), ("LC_CTYPE", "C.utf8")]).unicode);
        assert!(!facts(&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")]).unicode);
        assert!(!facts(&[]).unicode);
        assert!(facts(&[("CI", "true")]).ci);
        assert!(!facts(&[("CI", "false")]).ci);
        assert!(facts(&[("TERM", "dumb")]).dumb);
        assert!(facts(&[]).dumb);
        assert!(!facts(&[("TERM", "xterm")]).dumb);
        assert!(facts(&[("NO_COLOR", "1")]).no_color);
        assert!(!facts(&[("NO_COLOR", "")]).no_color);
    }

    #[test]
    fn no_color_yields_only_to_the_option() {
        let facts = Facts { stderr_tty: true, no_color: true, ..Facts::default() };
        assert!(!facts.style(Color::Auto, Stream::Err).color);
        assert!(facts.style(Color::Always, Stream::Err).color);
        let facts = Facts { no_color: false, ..facts };
        assert!(facts.style(Color::Auto, Stream::Err).color);
        assert!(!facts.style(Color::Auto, Stream::Out).color, "stdout is no terminal here");
        assert!(!facts.style(Color::Never, Stream::Err).color);
    }
}
