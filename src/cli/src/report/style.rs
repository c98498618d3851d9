//! The one place for colours, marks and units.

use std::time::Duration;

use super::text;

/// What a piece of text says, which decides its colour and its mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// Nothing special.
    #[default]
    Plain,
    /// It went well.
    Ok,
    /// Something to know.
    Warn,
    /// It failed.
    Fail,
    /// Under way.
    Busy,
    /// Less important.
    Dim,
    /// More important.
    Strong,
}

/// What this output can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Colours may be used.
    pub color: bool,
    /// Characters outside ASCII may be used.
    pub unicode: bool,
}

impl Style {
    /// The text in its colour.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Ok => "32",
            Tone::Warn => "33",
            Tone::Fail => "31",
            Tone::Busy => "36",
            Tone::Dim => "2",
            Tone::Strong => "1",
        };
        if self.color && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// The mark in its colour; always one column wide.
    pub fn mark(self, tone: Tone) -> String {
        self.paint(tone, self.bare_mark(tone))
    }

    fn bare_mark(self, tone: Tone) -> &'static str {
        match (tone, self.unicode) {
            (Tone::Ok, true) => "✓",
            (Tone::Ok, false) => "+",
            (Tone::Warn, _) => "!",
            (Tone::Fail, true) => "✗",
            (Tone::Fail, false) => "x",
            (_, true) => "·",
            (_, false) => "-",
        }
    }

    /// One picture of a turning wheel.
    pub fn spinner(self, turn: u64) -> &'static str {
        const WHEEL: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
        const STICK: [&str; 4] = ["|", "/", "-", "\\"];
        let pictures: &[&'static str] = if self.unicode { &WHEEL } else { &STICK };
        pictures[(turn % pictures.len() as u64) as usize]
    }

    /// A bar of `width` columns, filled to `done` of `total`.
    pub fn bar(self, done: u64, total: u64, width: usize) -> String {
        let (full, empty) = if self.unicode { ("█", "░") } else { ("#", "-") };
        let share = if total == 0 { 0.0 } else { (done as f64 / total as f64).min(1.0) };
        let filled = (share * width as f64) as usize;
        full.repeat(filled) + &empty.repeat(width - filled)
    }

    /// What stands for the part that was cut off.
    pub fn ellipsis(self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }

    /// Foreign text made harmless: one line, no control characters, nothing that this output cannot show.
    pub fn text(self, foreign: &str) -> String {
        let clean = text::clean(foreign);
        if self.unicode { clean } else { clean.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect() }
    }
}

/// A time as people say it: `0.8s`, `1m 12s`, `2h 05m`.
pub fn humantime(time: Duration) -> String {
    let tenths = (time.as_millis() + 50) / 100;
    let seconds = (time.as_millis() + 500) / 1000;
    match seconds {
        _ if tenths < 600 => format!("{}.{}s", tenths / 10, tenths % 10),
        ..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// A size as people say it, in powers of 1000: `999 B`, `1.2 GB`.
pub fn humansize(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64;
    let mut unit = "B";
    for next in ["kB", "MB", "GB", "TB", "PB", "EB"] {
        // what would be shown as 1000.0 belongs to the next unit
        if size < 999.95 {
            break;
        }
        size /= 1000.0;
        unit = next;
    }
    format!("{size:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short_and_do_not_jump_at_the_borders() {
        let cases = [
            (0, "0.0s"),
            (780, "0.8s"),
            (59_949, "59.9s"),
            (59_950, "1m 00s"),
            (72_000, "1m 12s"),
            (3_599_499, "59m 59s"),
            (3_599_500, "1h 00m"),
            (7_500_000, "2h 05m"),
        ];
        for (millis, expected) in cases {
            assert_eq!(humantime(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn sizes_are_short_and_do_not_jump_at_the_borders() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (1_234_567_890, "1.2 GB"),
            (u64::MAX, "18.4 EB"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(humansize(bytes), expected);
        }
    }

    #[test]
    fn without_colour_and_unicode_everything_is_plain_ascii() {
        let style = Style { color: false, unicode: false };
        assert_eq!(style.paint(Tone::Fail, "failed"), "failed");
        for tone in [Tone::Ok, Tone::Warn, Tone::Fail, Tone::Busy] {
            assert!(style.mark(tone).is_ascii() && style.mark(tone).len() == 1);
        }
        assert!(style.spinner(7).is_ascii());
        assert_eq!(style.bar(5, 10, 4), "##--");
        assert_eq!(style.text("Zürich"), "Z?rich");
    }

    #[test]
    fn a_bar_stays_within_its_width() {
        let style = Style { color: true, unicode: true };
        assert_eq!(style.bar(30, 10, 4), "████");
        assert_eq!(style.bar(30, 0, 4), "░░░░");
    }
}
