//! Text by display width, and foreign text made harmless.

use std::iter::Peekable;
use std::str::Chars;

/// One line without escape sequences, control characters and invisible format characters.
///
/// Names and notes come from files, engines and logs; none of them may move the cursor or forge a line.
pub fn clean(foreign: &str) -> String {
    let mut clean = String::with_capacity(foreign.len());
    let mut chars = foreign.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => skip_sequence(&mut chars),
            '\u{9b}' => skip_parameters(&mut chars),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut chars),
            '\t' | '\n' | '\r' | '\x0b' | '\x0c' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                if !clean.is_empty() && !clean.ends_with(' ') {
                    clean.push(' ');
                }
            }
            c if c.is_control() || is_invisible(c) => {}
            c => clean.push(c),
        }
    }
    clean.truncate(clean.trim_end().len());
    clean
}

/// What follows an escape character: `[` and parameters, a string up to its terminator, or one character.
fn skip_sequence(chars: &mut Peekable<Chars>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            skip_parameters(chars);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            chars.next();
            skip_string(chars);
        }
        Some(' '..='/') => {
            while chars.next_if(|c| (' '..='/').contains(c)).is_some() {}
            chars.next_if(|c| ('0'..='~').contains(c));
        }
        Some('0'..='~') => {
            chars.next();
        }
        _ => {}
    }
}

/// Parameters, intermediates and the final character of a control sequence.
fn skip_parameters(chars: &mut Peekable<Chars>) {
    while chars.next_if(|c| (' '..='?').contains(c)).is_some() {}
    chars.next_if(|c| ('@'..='~').contains(c));
}

/// A control string; one that never ends goes no further than its line.
fn skip_string(chars: &mut Peekable<Chars>) {
    while let Some(c) = chars.next_if(|c| *c != '\n' && *c != '\r') {
        if c == '\x07' || c == '\u{9c}' || (c == '\x1b' && chars.next_if_eq(&'\\').is_some()) {
            return;
        }
    }
}

/// Characters that show nothing but change how others are shown: direction, joining, variants.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// The columns that a text takes; it holds no escape sequences.
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().map(char_width).sum() }
}

/// The columns that a character takes, as the library that lays the tables out measures it.
fn char_width(c: char) -> usize {
    if c.is_ascii() {
        return 1;
    }
    let mut table = comfy_table::Table::new();
    // a column is never narrower than 1: the `x` makes room for a width of 0
    table.add_row([format!("x{c}")]);
    table.column_max_content_widths().first().map_or(1, |width| usize::from(*width).saturating_sub(1))
}

/// The text in at most `columns`, cut with the ellipsis where it does not fit.
pub fn fit(text: &str, columns: usize, ellipsis: &str) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut room = columns.saturating_sub(width(ellipsis));
    let mut kept = String::new();
    for c in text.chars() {
        let taken = char_width(c);
        if taken > room {
            break;
        }
        room -= taken;
        kept.push(c);
    }
    kept.truncate(kept.trim_end().len());
    if width(ellipsis) <= columns {
        kept.push_str(ellipsis);
    }
    kept
}

/// The spaces that fill a text up to `columns`.
pub fn fill(text: &str, columns: usize) -> String {
    " ".repeat(columns.saturating_sub(width(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_foreign_moves_the_cursor_or_forges_a_line() {
        let cases = [
            ("up\n ✓ service db ready", "up  ✓ service db ready"),
            ("a\r\nb\tc", "a b c"),
            ("\x1b[31mred\x1b[0m", "red"),
            ("\x1b[2J\x1b[1;1Hgone", "gone"),
            ("\x1b]0;title\x07rest", "rest"),
            ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
            ("\x1b]never ends\nnext", "next"),
            ("\u{9b}31mred", "red"),
            ("\x1b(Bcharset\x1bc", "charset"),
            ("bell\x07\x08\x7f\u{85}end", "bell end"),
            ("cut \x1b", "cut"),
            ("\u{202e}txt.exe\u{200d}", "txt.exe"),
        ];
        for (foreign, expected) in cases {
            assert_eq!(clean(foreign), expected, "{foreign:?}");
        }
    }

    #[test]
    fn width_counts_columns() {
        assert_eq!(width("abc"), 3);
        assert_eq!(width("日本"), 4);
        assert_eq!(width("e\u{301}"), 1);
        assert_eq!(width("✓…⠹█"), 4);
        assert_eq!(width("🦀"), 2);
    }

    #[test]
    fn a_cut_never_exceeds_the_columns() {
        assert_eq!(fit("postgres", 8, "…"), "postgres");
        assert_eq!(fit("postgres", 5, "…"), "post…");
        assert_eq!(fit("日本語", 5, "…"), "日本…");
        assert_eq!(fit("日本語", 4, "…"), "日…");
        assert_eq!(fit("postgres", 5, "..."), "po...");
        for columns in 0..8 {
            for ellipsis in ["…", "..."] {
                assert!(width(&fit("日本語 🦀🦀", columns, ellipsis)) <= columns);
            }
        }
    }
}
