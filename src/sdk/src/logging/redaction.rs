//! Keeps secrets out of logs: by the name that they stand under, and by their type.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schemars::{self, JsonSchema};

/// What stands in a log in place of a value whose key is sensitive.
pub const REDACTED: &str = "***REDACTED***";

/// Keys that name a secret, in lower case, without `_` and `-`.
const SENSITIVE: [&str; 11] =
    ["password", "passwd", "pwd", "token", "apikey", "secret", "ssn", "creditcard", "cvv", "privatekey", "accesstoken"];

/// Endings that make a longer key name a secret: `newPassword`, `refresh_token`, `JWT_SECRET`.
const ENDINGS: [&str; 6] = ["password", "passwd", "token", "apikey", "secret", "privatekey"];

/// Whether what stands under `key` is a secret. Case, `_` and `-` do not matter.
#[must_use]
pub fn is_sensitive(key: &str) -> bool {
    let plain: String = key.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).collect();
    SENSITIVE.contains(&plain.as_str()) || ENDINGS.iter().any(|ending| plain.ends_with(ending))
}

/// `value` as it may be logged: what stands under a sensitive key is replaced, however deep, and in text as well.
#[must_use]
pub fn redacted(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| {
                let value = if is_sensitive(&key) { REDACTED.into() } else { redacted(value) };
                (key, value)
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(redacted).collect(),
        Value::String(text) => match redacted_text(&text) {
            Cow::Borrowed(_) => Value::String(text),
            Cow::Owned(text) => Value::String(text),
        },
        other => other,
    }
}

/// `text` as it may be logged: in `key: value`, `key=value` and `"key":"value"`, as `Debug`, JSON and query strings
/// write them, the values of sensitive keys are replaced.
#[must_use]
pub fn redacted_text(text: &str) -> Cow<'_, str> {
    let mut written = String::new();
    let (mut kept, mut at) = (0, 0);
    while let Some(found) = text[at..].find([':', '=']) {
        let sign = at + found;
        at = sign + 1;
        // a path (`token::read`) or a comparison
        let doubled = text[at..].starts_with([':', '=']) || text[..sign].ends_with([':', '=']);
        if doubled || !is_sensitive(key_before(&text[..sign])) {
            continue;
        }
        let value = at + (text[at..].len() - text[at..].trim_start_matches([' ', '\t']).len());
        let end = value + value_length(&text[value..]);
        if end > value {
            written.push_str(&text[kept..value]);
            // what was quoted stays so, so that JSON stays JSON
            let quote = text[value..end].chars().next().filter(|c| matches!(c, '"' | '\''));
            written.extend(quote);
            written.push_str(REDACTED);
            written.extend(quote);
            (kept, at) = (end, end);
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    written.push_str(&text[kept..]);
    Cow::Owned(written)
}

/// The word that `text` ends with, quoted or not.
fn key_before(text: &str) -> &str {
    let text = text.trim_end_matches([' ', '"', '\'', '\\']);
    let start = text.rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).map_or(0, |at| {
        // the character there may be longer than one byte
        at + text[at..].chars().next().map_or(0, char::len_utf8)
    });
    &text[start..]
}

/// How many bytes the value takes that `text` begins with: a quoted string, or everything up to a separator that is
/// not inside of brackets.
fn value_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => {
                quote = None;
                if depth == 0 {
                    return at + c.len_utf8();
                }
            }
            Some(_) => {}
            None => match c {
                '"' | '\'' => quote = Some(c),
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' if depth > 0 => {
                    depth -= 1;
                    if depth == 0 {
                        return at + c.len_utf8();
                    }
                }
                ')' | ']' | '}' => return at,
                ',' | ';' | '&' if depth == 0 => return at,
                c if c.is_whitespace() && depth == 0 => return at,
                _ => {}
            },
        }
    }
    text.len()
}

/// A value that is written and read as it is, and never shown: `Debug` and `Display` give `[REDACTED]`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(transparent)]
pub struct Sensitive<T>(pub T);

impl<T> fmt::Debug for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

impl<T> fmt::Display for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

impl<T> From<T> for Sensitive<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dice::rounds;

    #[test]
    fn keys_are_known_in_every_spelling() {
        for key in ["password", "PASSWORD", "api_key", "apiKey", "API-KEY", "creditCard", "credit_card", "newPassword"]
        {
            assert!(is_sensitive(key), "{key}");
        }
        for key in ["", "user", "passwordless", "tokens_used", "secretary", "keyboard", "pwds"] {
            assert!(!is_sensitive(key), "{key}");
        }
    }

    #[test]
    fn structured_values_are_cleaned_at_every_depth() {
        let value = json!({
            "user": { "name": "ada", "Password": "hunter2", "cards": [{ "cvv": 123, "kind": "visa" }] },
            "secret": { "all": ["of", "it"] },
            "note": "password=hunter2 and more",
        });
        assert_eq!(
            redacted(value),
            json!({
                "user": { "name": "ada", "Password": REDACTED, "cards": [{ "cvv": REDACTED, "kind": "visa" }] },
                "secret": REDACTED,
                "note": "password=***REDACTED*** and more",
            })
        );
    }

    #[test]
    fn text_is_cleaned_in_every_notation() {
        for (text, expected) in [
            (r#"User { name: "ada", password: "a \" b, c" }"#, r#"User { name: "ada", password: "***REDACTED***" }"#),
            (r#"Login { token: Some("a b"), id: 7 }"#, "Login { token: ***REDACTED***, id: 7 }"),
            (r#"{"password":"hunter2","id":1}"#, r#"{"password":"***REDACTED***","id":1}"#),
            ("GET /x?token=abc&page=2", "GET /x?token=***REDACTED***&page=2"),
            ("API_KEY = abc; x", "API_KEY = ***REDACTED***; x"),
            ("passwörter: abc", "passwörter: abc"),
            ("ä token: abc", "ä token: ***REDACTED***"),
            ("password: [1, 2, 3], id: 1", "password: ***REDACTED***, id: 1"),
            ("token: \"never ends", "token: \"***REDACTED***\""),
            ("token::read failed: x", "token::read failed: x"),
            ("password:", "password:"),
            ("", ""),
        ] {
            assert_eq!(redacted_text(text), expected);
        }
    }

    #[test]
    fn any_text_is_taken() {
        let pieces = ["token", "=", ":", "\"", "\\", "{", "}", "(", "ä", "\u{2028}", " ", ",", "x"];
        for mut dice in rounds(20_000) {
            let text: String = (0..12).map(|_| dice.pick(&pieces)).collect();
            let once = redacted_text(&text).into_owned();
            assert!(once.len() <= text.len() + 12 * (REDACTED.len() + 2), "{text}");
        }
    }

    #[test]
    fn a_sensitive_value_travels_but_is_not_shown() {
        let value = Sensitive("hunter2".to_owned());
        assert_eq!(format!("{value} {value:?}"), "[REDACTED] [REDACTED]");
        assert_eq!(serde_json::to_string(&value).unwrap(), "\"hunter2\"");
        assert_eq!(serde_json::from_str::<Sensitive<String>>("\"hunter2\"").unwrap(), value);
        assert_eq!(schemars::schema_for!(Sensitive<String>).as_value()["type"], "string");
    }
}
