//! Variables in text: `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:?message}`, `${NAME:+replacement}`.

use std::cell::RefCell;
use std::fmt;

/// Templates inside each other.
const MAX_DEPTH: usize = 50;
/// Characters that one template may unfold to.
const MAX_LENGTH: usize = 10_000_000;

/// The value of a name, if it has one.
type Value<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Where values come from; remembers the names that had none and no default.
pub(crate) struct Lookup<'a> {
    value: Box<Value<'a>>,
    unset: RefCell<Vec<String>>,
}

impl<'a> Lookup<'a> {
    pub(crate) fn new(value: impl Fn(&str) -> Option<String> + 'a) -> Self {
        Self { value: Box::new(value), unset: RefCell::default() }
    }

    /// Names that became empty text because nothing sets them.
    pub(crate) fn into_unset(self) -> Vec<String> {
        self.unset.into_inner()
    }
}

/// Why a template has no value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TemplateError {
    /// Not a template; the text from the `$` on.
    Invalid(String),
    /// `${NAME:?message}` and no value.
    Required { name: String, message: String },
}

impl TemplateError {
    /// The text by which to find the place.
    pub(crate) fn fragment(&self) -> String {
        match self {
            TemplateError::Invalid(text) => text.clone(),
            TemplateError::Required { name, .. } => format!("${{{name}"),
        }
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TemplateError::Invalid(text) => write!(f, "invalid template `{}`", text.lines().next().unwrap_or_default()),
            TemplateError::Required { name, message } if message.is_empty() => {
                write!(f, "required variable `{name}` is missing a value")
            }
            TemplateError::Required { name, message } => {
                write!(f, "required variable `{name}` is missing a value: {message}")
            }
        }
    }
}

/// Puts values in the place of variables; `$$` is a dollar sign, a `$` before anything else stands for itself.
pub(crate) fn substitute(text: &str, lookup: &Lookup<'_>) -> Result<String, TemplateError> {
    expand(text, lookup, 0)
}

fn expand(text: &str, lookup: &Lookup<'_>, depth: usize) -> Result<String, TemplateError> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        let (value, length) = variable(&rest[dollar..], lookup, depth)?;
        out.push_str(&value);
        rest = &rest[dollar + length..];
        if out.len() > MAX_LENGTH {
            return Err(TemplateError::Invalid(rest.into()));
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// The value of what stands at the start of `text` (a `$`), and its length in bytes.
fn variable(text: &str, lookup: &Lookup<'_>, depth: usize) -> Result<(String, usize), TemplateError> {
    let after = &text[1..];
    if after.starts_with('$') {
        return Ok(("$".into(), 2));
    }
    if after.starts_with('{') {
        return braced(text, lookup, depth);
    }
    match name_length(after) {
        0 => Ok(("$".into(), 1)),
        length => Ok((plain(&after[..length], lookup), 1 + length)),
    }
}

fn braced(text: &str, lookup: &Lookup<'_>, depth: usize) -> Result<(String, usize), TemplateError> {
    let invalid = || TemplateError::Invalid(text.into());
    let end = closing_brace(text).ok_or_else(invalid)?;
    let invalid = || TemplateError::Invalid(text[..=end].into());
    let inner = &text[2..end];
    let length = name_length(inner);
    if length == 0 || depth > MAX_DEPTH {
        return Err(invalid());
    }
    let (name, operation) = inner.split_at(length);
    let value = match Operation::parse(operation).ok_or_else(invalid)? {
        Operation::Plain => plain(name, lookup),
        Operation::Default { or_empty, text } => match value_of(name, lookup, or_empty) {
            Some(value) => value,
            None => expand(text, lookup, depth + 1)?,
        },
        Operation::Required { or_empty, text } => match value_of(name, lookup, or_empty) {
            Some(value) => value,
            None => {
                let message = expand(text, lookup, depth + 1)?;
                return Err(TemplateError::Required { name: name.into(), message });
            }
        },
        Operation::Replace { or_empty, text } => match value_of(name, lookup, or_empty) {
            Some(_) => expand(text, lookup, depth + 1)?,
            None => String::new(),
        },
    };
    Ok((value, end + 1))
}

/// What follows the name in braces. `or_empty`: an empty value counts as none.
enum Operation<'a> {
    Plain,
    Default { or_empty: bool, text: &'a str },
    Required { or_empty: bool, text: &'a str },
    Replace { or_empty: bool, text: &'a str },
}

impl<'a> Operation<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        if text.is_empty() {
            return Some(Operation::Plain);
        }
        let (or_empty, text) = match text.strip_prefix(':') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let rest = text.get(1..)?;
        match text.as_bytes()[0] {
            b'-' => Some(Operation::Default { or_empty, text: rest }),
            b'?' => Some(Operation::Required { or_empty, text: rest }),
            b'+' => Some(Operation::Replace { or_empty, text: rest }),
            _ => None,
        }
    }
}

fn value_of(name: &str, lookup: &Lookup<'_>, or_empty: bool) -> Option<String> {
    (lookup.value)(name).filter(|value| !(or_empty && value.is_empty()))
}

fn plain(name: &str, lookup: &Lookup<'_>) -> String {
    (lookup.value)(name).unwrap_or_else(|| {
        lookup.unset.borrow_mut().push(name.into());
        String::new()
    })
}

/// Length of the variable name at the start of `text`.
pub(crate) fn name_length(text: &str) -> usize {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return 0;
    }
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

/// Index of the brace that closes the first one.
pub(crate) fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => open += 1,
            '}' => {
                open = open.checked_sub(1)?;
                if open == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The variable that alone makes up `text`: `$NAME` or `${NAME…}`.
pub(crate) fn sole_variable(text: &str) -> Option<&str> {
    let after = text.strip_prefix('$')?;
    let (inner, whole) = match after.strip_prefix('{') {
        Some(inner) => (inner, closing_brace(text)? + 1 == text.len()),
        None => (after, name_length(after) == after.len()),
    };
    let length = name_length(inner);
    (whole && length > 0).then(|| &inner[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup() -> Lookup<'static> {
        Lookup::new(|name| match name {
            "SET" => Some("value".into()),
            "EMPTY" => Some(String::new()),
            "_a1" => Some("under".into()),
            _ => None,
        })
    }

    #[test]
    fn forms() {
        for (text, expected) in [
            ("$SET", "value"),
            ("${SET}", "value"),
            ("a${SET}b$SET.c", "avaluebvalue.c"),
            ("$_a1", "under"),
            ("$UNSET|", "|"),
            ("${UNSET:-d}", "d"),
            ("${EMPTY:-d}", "d"),
            ("${EMPTY-d}", ""),
            ("${UNSET-d}", "d"),
            ("${SET:-d}", "value"),
            ("${SET:+r}", "r"),
            ("${EMPTY:+r}", ""),
            ("${EMPTY+r}", "r"),
            ("${UNSET+r}", ""),
            ("${SET:?no}", "value"),
            ("${EMPTY?no}", ""),
            ("${UNSET:-${SET}}", "value"),
            ("${UNSET:-${OTHER:-x}-$SET}", "x-value"),
            ("${SET:+[${SET}]}", "[value]"),
            ("${UNSET:-a:-b?c}", "a:-b?c"),
            ("${UNSET:-{\"a\": 1}}", "{\"a\": 1}"),
            ("${UNSET:-}", ""),
            ("$$SET", "$SET"),
            ("$$$SET", "$value"),
            ("^a$", "^a$"),
            ("$}", "$}"),
            ("$1", "$1"),
            ("a $ b", "a $ b"),
            ("${SET:-${", "invalid template `${SET:-${`"),
            ("${", "invalid template `${`"),
            ("${}", "invalid template `${}`"),
            ("${ a}", "invalid template `${ a}`"),
            ("${a }", "invalid template `${a }`"),
            ("${a!}", "invalid template `${a!}`"),
            ("x ${a:b} y", "invalid template `${a:b}`"),
            ("${é}", "invalid template `${é}`"),
            ("${a:é}", "invalid template `${a:é}`"),
            ("${UNSET:?say $SET}", "required variable `UNSET` is missing a value: say value"),
            ("${EMPTY:?}", "required variable `EMPTY` is missing a value"),
            ("${UNSET?}", "required variable `UNSET` is missing a value"),
            ("${SET:-${UNSET:?never asked}}", "value"),
        ] {
            let result = substitute(text, &lookup()).unwrap_or_else(|e| e.to_string());
            assert_eq!(result, expected, "{text}");
        }
    }

    #[test]
    fn only_names_without_value_and_default_are_remembered() {
        let lookup = lookup();
        substitute("$UNSET ${A:-b} ${SET:-$LAZY} ${EMPTY} ${B:-$C}", &lookup).unwrap();
        assert_eq!(lookup.into_unset(), ["UNSET", "C"]);
    }

    #[test]
    fn a_variable_alone() {
        for (text, name) in [
            ("${A}", Some("A")),
            ("$A", Some("A")),
            ("${A:-${B:-1}}", Some("A")),
            ("${A}${B}", None),
            ("${A}1", None),
            ("1", None),
            ("$", None),
        ] {
            assert_eq!(sole_variable(text), name, "{text}");
        }
    }
}
