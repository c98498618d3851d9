//! One text for one JSON value, so that a checksum means the same in every language (RFC 8785).
//!
//! Keys are sorted by their UTF-16 code units, there is no white space, and numbers are written as JavaScript does.

use std::fmt::Write as _;

use serde_json::{Number, Value};
use sha2::{Digest as _, Sha256};

/// The canonical text of a value.
#[must_use]
pub fn text(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// The SHA-256 of the canonical text of a value, as 64 lower-case hex digits.
#[must_use]
pub fn checksum(value: &Value) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text(value).as_bytes()) {
        write!(hex, "{byte:02x}").expect("a String takes everything");
    }
    hex
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(number, out),
        // serde_json escapes exactly what RFC 8785 asks for, in the same way
        Value::String(_) => out.push_str(&value.to_string()),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (i, (key, item)) in sorted.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write(item, out);
            }
            out.push('}');
        }
    }
}

fn write_number(number: &Number, out: &mut String) {
    let float = number.as_f64().expect("without arbitrary precision every number has a float");
    if float == 0.0 {
        out.push('0');
        return;
    }
    if float < 0.0 {
        out.push('-');
    }
    // the shortest digits that read back as the same number, and where the point stands among them
    let scientific = format!("{:e}", float.abs());
    let (mantissa, exponent) = scientific.split_once('e').expect("`{:e}` writes an exponent");
    let digits = mantissa.replace('.', "");
    let exponent: i32 = exponent.parse().expect("`{:e}` writes the exponent as a number");
    let (point, length) = (exponent + 1, i32::try_from(digits.len()).expect("a float has 17 digits at most"));
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    match point {
        1..=21 if length <= point => out.extend([digits.as_str(), &zeros(point - length)]),
        1..=21 => {
            let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or(0));
            out.extend([whole, ".", fraction]);
        }
        -5..=0 => out.extend(["0.", &zeros(-point), &digits]),
        _ => {
            let (first, rest) = digits.split_at(1);
            out.extend([first, if rest.is_empty() { "" } else { "." }, rest]);
            write!(out, "e{exponent:+}").expect("a String takes everything");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_written_as_javascript_does() {
        let known = [
            ("0", "0"),
            ("-0.0", "0"),
            ("1.0", "1"),
            ("-1", "-1"),
            ("4.50", "4.5"),
            ("2e-3", "0.002"),
            ("0.000001", "0.000001"),
            ("0.0000001", "1e-7"),
            ("1.5e-7", "1.5e-7"),
            ("123456789012345680000", "123456789012345680000"),
            ("1e21", "1e+21"),
            ("333333333.33333329", "333333333.3333333"),
            ("1E30", "1e+30"),
            ("9007199254740993", "9007199254740992"),
            ("18446744073709551615", "18446744073709552000"),
            ("-9223372036854775808", "-9223372036854776000"),
            ("5e-324", "5e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ];
        for (from, to) in known {
            assert_eq!(text(&serde_json::from_str(from).unwrap()), to, "{from}");
        }
    }

    #[test]
    fn the_example_of_the_rfc() {
        let value: Value = serde_json::from_str(
            r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
                "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#,
        )
        .unwrap();
        let expected = r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#;
        assert_eq!(text(&value), expected);
    }

    #[test]
    fn keys_are_sorted_by_their_code_units() {
        // U+1F600 is a pair of surrogates, which come before U+FB33
        assert_eq!(
            text(&json!({ "\u{fb33}": 1, "\u{1f600}": 2, "b": 3, "a": 4 })),
            "{\"a\":4,\"b\":3,\"\u{1f600}\":2,\"\u{fb33}\":1}"
        );
    }

    #[test]
    fn the_checksum_does_not_depend_on_the_order_of_keys() {
        let (one, other) = (json!({ "a": 1, "b": [1.0] }), json!({ "b": [1], "a": 1.0 }));
        assert_eq!(checksum(&one), checksum(&other));
        assert_eq!(checksum(&json!({})), "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    }
}
