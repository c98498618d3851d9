//! Durations, byte sizes and CPU counts as Compose writes them.

use std::time::Duration;

/// `1m30s`, `500ms`, `1.5h`; also days and weeks. The error is what is wrong with it.
pub fn duration(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err("a duration is empty".into());
    }
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let Some(scale) = unit_nanos(unit) else {
            return Err(if unit.is_empty() {
                format!("duration `{text}` has no unit")
            } else {
                format!("`{text}` is not a duration")
            });
        };
        nanos = nanos.saturating_add(scaled(number, scale).ok_or_else(|| format!("`{text}` is not a duration"))?);
        rest = tail;
    }
    if nanos > i64::MAX as u128 {
        return Err(format!("duration `{text}` is too long"));
    }
    Ok(Duration::from_nanos(nanos as u64))
}

fn unit_nanos(unit: &str) -> Option<u128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        "w" => 604_800_000_000_000,
        _ => return None,
    })
}

/// `number` (digits with at most one point) times `scale`, cut to whole nanoseconds.
fn scaled(number: &str, scale: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || number.len() > 40 {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut part = 0;
    let mut weight = scale;
    for digit in fraction.bytes() {
        weight /= 10;
        part += u128::from(digit - b'0') * weight;
    }
    whole.checked_mul(scale)?.checked_add(part)
}

/// A duration as Go prints it: `1m30s`, `1.5s`, `500ms`, `0s`.
pub(crate) fn go_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    match nanos {
        0 => return "0s".into(),
        n if n < 1_000 => return format!("{n}ns"),
        n if n < 1_000_000 => return format!("{}µs", decimal(n, 1_000)),
        n if n < 1_000_000_000 => return format!("{}ms", decimal(n, 1_000_000)),
        _ => {}
    }
    let minutes = nanos / 60_000_000_000;
    let seconds = decimal(nanos % 60_000_000_000, 1_000_000_000);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, m) => format!("{m}m{seconds}s"),
        (h, m) => format!("{h}h{m}m{seconds}s"),
    }
}

fn decimal(value: u128, unit: u128) -> String {
    let (whole, part) = (value / unit, value % unit);
    if part == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    format!("{whole}.{}", format!("{part:0width$}").trim_end_matches('0'))
}

/// `512m`, `1.5gb`, `64 KiB`, `1000`: units are powers of 1024. The error is what is wrong with it.
pub(crate) fn bytes(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is not a size");
    let end = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ').ok_or_else(wrong)? + 1;
    let number = text[..end].strip_suffix(' ').unwrap_or(&text[..end]);
    let suffix = text[end..].to_ascii_lowercase();
    let power = match suffix.as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        "p" | "pb" | "pib" => 5,
        _ => return Err(wrong()),
    };
    let well_formed = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let value: f64 = if well_formed { number.parse().map_err(|_| wrong())? } else { return Err(wrong()) };
    let size = value * 1024f64.powi(power);
    if size >= i64::MAX as f64 {
        return Err(format!("size `{text}` is too large"));
    }
    Ok(size as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_and_out() {
        for (text, printed) in [
            ("90s", "1m30s"),
            ("1h30m", "1h30m0s"),
            ("500ms", "500ms"),
            ("1.5s", "1.5s"),
            ("0s", "0s"),
            ("0", "0s"),
            ("10us", "10µs"),
            ("1.5h", "1h30m0s"),
            ("2d", "48h0m0s"),
            ("1w", "168h0m0s"),
            (".5s", "500ms"),
            ("61m", "1h1m0s"),
        ] {
            assert_eq!(go_duration(duration(text).unwrap()), printed, "{text}");
        }
    }

    #[test]
    fn bad_durations() {
        for text in ["", "5", "s", "-5s", "5x", "1..5s", "5s3", "99999999999h", "5 s"] {
            assert!(duration(text).is_err(), "{text:?}");
        }
        assert_eq!(duration("5").unwrap_err(), "duration `5` has no unit");
    }

    #[test]
    fn sizes() {
        for (text, size) in [
            ("1G", 1 << 30),
            ("512M", 512 << 20),
            ("1.5gb", 3 << 29),
            ("64 KiB", 64 << 10),
            ("1000", 1000),
            ("10b", 10),
            ("0", 0),
        ] {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        for text in ["", "G", "1x", "-1g", "1..2g", "1e400g", "999999999999p", " ", "1g b"] {
            assert!(bytes(text).is_err(), "{text:?}");
        }
    }
}
