//! The syntax of `.env` files.

use std::collections::BTreeMap;

use crate::node::Spot;
use crate::report::Report;
use crate::template::{self, Lookup};

/// Reads the lines of an env file. `outer` is asked before the values of the file itself when `$NAME` is put in,
/// and for names that stand alone on a line. Mistakes go to the report.
pub(crate) fn parse(
    text: &str,
    file: usize,
    outer: &dyn Fn(&str) -> Option<String>,
    report: &mut Report,
) -> BTreeMap<String, String> {
    let mut parser = Parser { text, at: 0, file, outer, report, values: BTreeMap::new() };
    parser.statements();
    parser.values
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    file: usize,
    outer: &'a dyn Fn(&str) -> Option<String>,
    report: &'a mut Report,
    values: BTreeMap<String, String>,
}

impl<'a> Parser<'a> {
    fn statements(&mut self) {
        loop {
            self.skip(char::is_whitespace);
            match self.rest().chars().next() {
                None => return,
                Some('#') => self.skip(|c| c != '\n'),
                Some(_) => self.statement(),
            }
        }
    }

    fn statement(&mut self) {
        if let Some(rest) = self.rest().strip_prefix("export")
            && rest.starts_with(is_blank)
        {
            self.at += "export".len();
            self.skip(is_blank);
        }
        let start = self.at;
        let line = self.rest().split('\n').next().unwrap_or_default();
        let Some(end) = line.find(['=', ':']) else {
            return self.inherited(line);
        };
        let name = line[..end].trim_end().to_owned();
        self.at += end + 1;
        self.skip(is_blank);
        let value = self.value();
        if self.name_is_good(&name, start)
            && let Some(value) = value
        {
            self.values.insert(name, value);
        }
    }

    /// A name alone on its line takes its value from outside.
    fn inherited(&mut self, line: &str) {
        let start = self.at;
        self.at += line.len();
        let name = line.split(" #").next().unwrap_or_default().trim();
        if self.name_is_good(name, start)
            && let Some(value) = (self.outer)(name)
        {
            self.values.insert(name.to_owned(), value);
        }
    }

    fn name_is_good(&mut self, name: &str, start: usize) -> bool {
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '[' | ']');
        let message = if name.is_empty() {
            "a variable has no name".to_owned()
        } else if let Some(bad) = name.chars().find(|c| !allowed(*c)) {
            format!("unexpected character {bad:?} in variable name `{name}`")
        } else {
            // Compose leaves out names that begin with a digit
            return !name.starts_with(|c: char| c.is_ascii_digit());
        };
        self.problem(start, message);
        false
    }

    fn value(&mut self) -> Option<String> {
        match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote),
            _ => self.unquoted(),
        }
    }

    fn unquoted(&mut self) -> Option<String> {
        let start = self.at;
        let line = self.rest().split('\n').next().unwrap_or_default();
        self.at += line.len();
        let value = if line.starts_with('#') { "" } else { line.split(" #").next().unwrap_or_default() };
        self.expand(value.trim_end(), start)
    }

    fn quoted(&mut self, quote: char) -> Option<String> {
        let start = self.at;
        let mut raw = String::new();
        let mut escaped = false;
        for (offset, c) in self.rest().char_indices().skip(1) {
            if escaped {
                escaped = false;
                if c != quote {
                    raw.push('\\');
                }
                raw.push(c);
            } else if c == '\\' {
                escaped = true;
            } else if c == quote {
                self.at += offset + c.len_utf8();
                self.after_quote();
                return if quote == '"' { self.expand(&unescape(&raw), start) } else { Some(raw) };
            } else {
                raw.push(c);
            }
        }
        self.at = self.text.len();
        self.problem(start, "a quoted value has no end");
        None
    }

    /// After a closing quote only a comment may follow on the line.
    fn after_quote(&mut self) {
        self.skip(is_blank);
        let line = self.rest().split('\n').next().unwrap_or_default();
        if !line.is_empty() && !line.starts_with('#') {
            let at = self.at;
            self.problem(at, "unexpected text after a quoted value");
        }
        self.at += line.len();
    }

    fn expand(&mut self, value: &str, start: usize) -> Option<String> {
        let lookup = Lookup::new(|name| (self.outer)(name).or_else(|| self.values.get(name).cloned()));
        let result = template::substitute(value, &lookup);
        drop(lookup);
        match result {
            Ok(text) => Some(text),
            Err(error) => {
                self.problem(start, error.to_string());
                None
            }
        }
    }

    fn skip(&mut self, wanted: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.at += rest.find(|c| !wanted(c)).unwrap_or(rest.len());
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn problem(&mut self, at: usize, message: impl Into<String>) {
        let before = &self.text[..at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        self.report.problem(Spot { file: self.file, line, column }, message);
    }
}

fn is_blank(c: char) -> bool {
    c != '\n' && c.is_whitespace()
}

/// `\n`, `\t`, `\"`, `\\`, `\0123` …; `\$` becomes `$$`, which stands for a dollar sign.
fn unescape(raw: &str) -> String {
    let mut text = String::new();
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('a') => text.push('\u{7}'),
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('v') => text.push('\u{b}'),
            Some('$') => text.push_str("$$"),
            Some('\\') => text.push('\\'),
            Some('"') => text.push('"'),
            Some('0') => {
                let mut code = 0;
                for _ in 0..3 {
                    let Some(digit) = chars.peek().and_then(|d| d.to_digit(8)) else { break };
                    code = code * 8 + digit;
                    chars.next();
                }
                text.push(char::from(u8::try_from(code).unwrap_or(b'?')));
            }
            Some(other) => text.extend(['\\', other]),
            None => text.push('\\'),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (BTreeMap<String, String>, Vec<String>) {
        let mut report = Report::default();
        let file = report.add_file("/p/.env".into(), text);
        let outer = |name: &str| (name == "OUTER").then(|| "from outside".to_owned());
        let values = parse(text, file, &outer, &mut report);
        let lines = |p: &crate::Problem| format!("{}: {}", p.place.as_ref().unwrap().line, p.message);
        (values, report.problems.iter().map(lines).collect())
    }

    #[test]
    fn values() {
        for (text, name, value) in [
            ("A=1", "A", "1"),
            ("export A=1", "A", "1"),
            ("A: 1", "A", "1"),
            ("A = 1", "A", "1"),
            ("A=", "A", ""),
            ("A=x # note", "A", "x"),
            ("A=x#y", "A", "x#y"),
            ("A='a $B \\n'", "A", "a $B \\n"),
            ("A=\"a\\tb\\n\"", "A", "a\tb\n"),
            ("A=\"say \\\"x\\\"\"", "A", "say \"x\""),
            ("A=\"\\$B\"", "A", "$B"),
            ("A=\"\\0101\"", "A", "A"),
            ("A=\"one\ntwo\"", "A", "one\ntwo"),
            ("B=1\nA=$B-${C:-2}", "A", "1-2"),
            ("OUTER=own\nA=$OUTER", "A", "from outside"),
            ("OUTER", "OUTER", "from outside"),
            ("A.b-c[0]=1", "A.b-c[0]", "1"),
            ("# note\n\n  A=1\r\nB=2", "A", "1"),
            ("A=http://x:1/?a=b", "A", "http://x:1/?a=b"),
            ("A=\"x\" # note", "A", "x"),
            ("export=1", "export", "1"),
        ] {
            let (values, problems) = read(text);
            assert_eq!(problems, Vec::<String>::new(), "{text:?}");
            assert_eq!(values.get(name).map(String::as_str), Some(value), "{text:?}");
        }
    }

    #[test]
    fn mistakes_carry_the_line() {
        for (text, problem) in [
            ("A=1\nB C=2", "2: unexpected character ' ' in variable name `B C`"),
            ("A=1\n\nB='x", "3: a quoted value has no end"),
            ("=1", "1: a variable has no name"),
            ("A!=1", "1: unexpected character '!' in variable name `A!`"),
            ("A=\"x\" y", "1: unexpected text after a quoted value"),
            ("A=${", "1: invalid template `${`"),
            ("A=1\nB=${C:?say so}", "2: required variable `C` is missing a value: say so"),
        ] {
            assert_eq!(read(text).1, [problem], "{text:?}");
        }
    }

    #[test]
    fn a_bare_name_that_is_set_nowhere_is_left_out() {
        assert_eq!(read("NOWHERE\nA=1"), (BTreeMap::from([("A".into(), "1".into())]), vec![]));
    }
}
