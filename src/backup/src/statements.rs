//! What the text for `psql` inside of a backup would do.
//!
//! `psql` carries out commands of its own: `\!` runs a program, `\copy` writes files. And a superuser's `COPY … PROGRAM`
//! does the same in the server. A backup holds roles, rights and settings in this form, which need neither; so there is
//! a list of the statements that are let through, and no backslash outside of quotes.

/// The longest statement.
const LIMIT: usize = 1 << 20;

/// How statements may begin.
const KNOWN: [&str; 11] = [
    "ALTER DATABASE ",
    "ALTER ROLE ",
    "COMMENT ON DATABASE ",
    "COMMENT ON ROLE ",
    "CREATE ROLE ",
    "GRANT ",
    "REVOKE ",
    "SECURITY LABEL ",
    "SET CLIENT_ENCODING ",
    "SET DEFAULT_TRANSACTION_READ_ONLY ",
    "SET STANDARD_CONFORMING_STRINGS = ON",
];

/// Reads statements as the bytes go by.
#[derive(Default)]
pub struct Statements {
    state: State,
    /// The statement so far, without what stands in quotes, in capitals, with single spaces.
    statement: String,
    /// The line of `psql`'s own, so far.
    line: String,
    before: u8,
    /// What kind of text has just ended: a quote that follows at once is a part of it.
    ended: State,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Plain,
    /// `'…'`
    Text,
    /// `E'…'`, with backslashes
    Escaped,
    /// After a backslash in that.
    Escape,
    /// `"…"`
    Name,
    /// `-- …`
    Comment,
    /// `\restrict …`
    Own,
}

impl Statements {
    /// The next bytes; an error says what is wrong with them.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), String> {
        bytes.iter().try_for_each(|byte| self.byte(*byte))
    }

    /// There are no more bytes.
    pub fn end(&mut self) -> Result<(), String> {
        self.push(b"\n")?;
        if self.state == State::Plain && self.statement.trim().is_empty() {
            return Ok(());
        }
        Err("a statement without its end".to_owned())
    }

    fn byte(&mut self, byte: u8) -> Result<(), String> {
        let before = std::mem::replace(&mut self.before, byte);
        if byte == 0 {
            return Err("a zero byte in SQL".to_owned());
        }
        match self.state {
            State::Plain => return self.plain(byte, before),
            // a quote within is written twice, which ends it and begins it again
            State::Text | State::Escaped if byte == b'\'' => {
                self.ended = std::mem::replace(&mut self.state, State::Plain);
            }
            // how it is read depends on a setting of the server
            State::Text if byte == b'\\' => return Err("a backslash in plain quotes".to_owned()),
            State::Escaped if byte == b'\\' => self.state = State::Escape,
            State::Escape => self.state = State::Escaped,
            State::Name if byte == b'"' => self.state = State::Plain,
            State::Comment if byte == b'\n' => self.state = State::Plain,
            State::Own if byte == b'\n' => {
                self.state = State::Plain;
                return own(&std::mem::take(&mut self.line));
            }
            State::Own if self.line.len() < 200 => self.line.push(byte.into()),
            State::Own => return Err("a long command of psql".to_owned()),
            _ => {}
        }
        Ok(())
    }

    fn plain(&mut self, byte: u8, before: u8) -> Result<(), String> {
        match byte {
            b'\'' if before == b'\'' => self.state = self.ended,
            b'\'' => {
                let is_escaped = before.eq_ignore_ascii_case(&b'e') && is_word_of_one(&self.statement);
                self.state = if is_escaped { State::Escaped } else { State::Text };
            }
            b'"' => self.state = State::Name,
            b'-' if before == b'-' => {
                self.statement.pop();
                self.state = State::Comment;
                return Ok(());
            }
            b'*' if before == b'/' => return Err("a comment of many lines".to_owned()),
            b'$' => return Err("quotes of dollars".to_owned()),
            b'\\' if self.statement.trim().is_empty() => {
                self.state = State::Own;
                return Ok(());
            }
            b'\\' => return Err("a command of psql within a statement".to_owned()),
            b';' => {
                let statement = std::mem::take(&mut self.statement);
                return check(&statement);
            }
            _ => {}
        }
        let letter = if byte.is_ascii_whitespace() { ' ' } else { char::from(byte.to_ascii_uppercase()) };
        if !(letter == ' ' && (self.statement.is_empty() || self.statement.ends_with(' '))) {
            self.statement.push(letter);
        }
        if self.statement.len() > LIMIT { Err("a statement without end".to_owned()) } else { Ok(()) }
    }
}

/// True when the text ends with a word of one letter: the `E` of `E'…'`, and not the end of a name.
fn is_word_of_one(text: &str) -> bool {
    let word = text.rsplit(|c: char| !(c.is_alphanumeric() || c == '_')).next();
    word.is_some_and(|word| word.len() == 1)
}

fn check(statement: &str) -> Result<(), String> {
    let statement = statement.trim();
    if statement.is_empty() || KNOWN.iter().any(|known| statement.starts_with(known)) {
        return Ok(());
    }
    let begin: String = statement.chars().take(60).collect();
    Err(format!("a statement that no backup has: {begin}"))
}

/// Newer dumps fence themselves in with these; a server's older `psql` does not know them, and says so.
fn own(line: &str) -> Result<(), String> {
    let (word, key) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    let is_fence = matches!(word, "restrict" | "unrestrict");
    if is_fence && !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(format!("a command of psql: \\{word}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str) -> Result<(), String> {
        let verdicts: Vec<Result<(), String>> = [1, 7, text.len().max(1)]
            .iter()
            .map(|size| {
                let mut statements = Statements::default();
                text.as_bytes().chunks(*size).try_for_each(|chunk| statements.push(chunk))?;
                statements.end()
            })
            .collect();
        assert!(verdicts.iter().all(|v| *v == verdicts[0]), "the size of the pieces changes nothing: {verdicts:?}");
        verdicts[0].clone()
    }

    #[test]
    fn what_the_server_s_tools_write_goes_through() {
        let text = r#"--
-- PostgreSQL database cluster dump: it's \!
--

\restrict abc123

SET default_transaction_read_only = off;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;

CREATE ROLE "DOMAIN\user;";
ALTER ROLE "DOMAIN\user;" WITH NOSUPERUSER INHERIT LOGIN PASSWORD 'SCRAM-SHA-256$4096:x''y;';
COMMENT ON ROLE reader IS E'it''s a back\\slash, a \' quote; \\! and an end\\';
ALTER ROLE reader SET search_path TO 'a', 'b';
GRANT writers TO reader WITH ADMIN OPTION GRANTED BY "admin";
ALTER DATABASE eventstore OWNER TO actor_user;
REVOKE ALL ON DATABASE eventstore FROM PUBLIC;

\unrestrict abc123
"#;
        assert_eq!(judged(text), Ok(()));
        assert_eq!(judged(""), Ok(()));
    }

    #[test]
    fn what_does_more_does_not() {
        for (text, word) in [
            ("\\! rm -rf /\n", "command of psql"),
            ("  \\connect other\n", "command of psql"),
            ("\\restrict a b\n", "command of psql"),
            ("GRANT a TO b \\! rm -rf /\n;", "within a statement"),
            ("GRANT a TO b \\g |sh\n;", "within a statement"),
            ("COPY t FROM PROGRAM 'sh';", "no backup has: COPY"),
            ("DO 'x';", "no backup has: DO"),
            ("GRANT a TO b; SELECT pg_read_file('x');", "no backup has: SELECT"),
            ("SET standard_conforming_strings = off;", "no backup has: SET STANDARD"),
            ("ALTER ROLE a SET b TO '\\'; \\! sh ';", "backslash in plain quotes"),
            ("ALTER ROLE a SET b TO E'\\'' \\! sh\n;", "within a statement"),
            ("ALTER ROLE a SET be'\\' \\! sh\n';", "backslash in plain quotes"),
            ("CREATE ROLE /* ' */ a \\! sh '\n;", "many lines"),
            ("CREATE ROLE $a$ ' $a$ \\! sh '\n;", "dollars"),
            ("CREATE ROLE a", "without its end"),
            ("CREATE ROLE \"a;\n", "without its end"),
            ("CREATE ROLE a;\0", "zero byte"),
        ] {
            let why = judged(text).unwrap_err();
            assert!(why.contains(word), "{text:?}: {why} / {word}");
        }
    }
}
