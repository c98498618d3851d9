//! What a YAML scalar means: the rules that Compose's own parser follows.

use crate::node::Value;

/// Resolves a scalar; `tag` is the suffix of a core-schema tag. The error names what the tag asks for.
pub(crate) fn resolve(text: &str, plain: bool, tag: Option<&str>) -> Result<Value, &'static str> {
    let implicit = if plain { guess(text) } else { Value::Text(text.to_owned()) };
    match tag {
        None => Ok(implicit),
        Some("str") => Ok(Value::Text(text.to_owned())),
        Some("int") => integer(text).map(Value::Int).ok_or("an integer"),
        Some("float") => number(text).map(Value::Float).ok_or("a number"),
        Some("bool") => boolean(text).map(Value::Bool).ok_or("true or false"),
        Some("null") if is_null(text) => Ok(Value::Null),
        Some("null") => Err("empty"),
        Some(_) => Err("of a type that is supported here"),
    }
}

fn guess(text: &str) -> Value {
    if is_null(text) {
        Value::Null
    } else if let Some(b) = boolean(text) {
        Value::Bool(b)
    } else if let Some(i) = integer(text) {
        Value::Int(i)
    } else if !text.starts_with(['0', '+']) && text.parse::<u64>().is_ok() {
        Value::Text(text.to_owned())
    } else if let Some(f) = number(text) {
        Value::Float(f)
    } else {
        Value::Text(text.to_owned())
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// Decimal, `0x`, `0b`, `0o` and, as in YAML 1.1, a leading zero for octal; `_` between digits.
fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let digits = digits.replace('_', "");
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, &digits[..]),
    };
    if !digits.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    i64::try_from(if negative { -value } else { value }).ok()
}

fn number(text: &str) -> Option<f64> {
    match text {
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Some(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Some(f64::NAN),
        _ => {}
    }
    let shape = text.strip_prefix(['-', '+']).unwrap_or(text);
    let ok = shape.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && shape.contains(|c: char| c.is_ascii_digit())
        && shape.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    if ok { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars() {
        let shown = |text: &str| format!("{:?}", guess(text));
        for (text, expected) in [
            ("", "Null"),
            ("~", "Null"),
            ("null", "Null"),
            ("true", "Bool(true)"),
            ("False", "Bool(false)"),
            ("yes", "Text(\"yes\")"),
            ("on", "Text(\"on\")"),
            ("12", "Int(12)"),
            ("-3", "Int(-3)"),
            ("0440", "Int(288)"),
            ("0o17", "Int(15)"),
            ("0x10", "Int(16)"),
            ("1_000", "Int(1000)"),
            ("089", "Float(89.0)"),
            ("1.0", "Float(1.0)"),
            (".5", "Float(0.5)"),
            ("1e3", "Float(1000.0)"),
            (".", "Text(\".\")"),
            ("1.2.3", "Text(\"1.2.3\")"),
            ("22:22", "Text(\"22:22\")"),
            ("12345678901234567890", "Text(\"12345678901234567890\")"),
            ("inf", "Text(\"inf\")"),
            ("-", "Text(\"-\")"),
            ("0x", "Text(\"0x\")"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }
}
