//! How a value is written: the stamps that it was loaded under, in one line, then the value.

/// The text of a value that was loaded under `stamps`.
pub(super) fn sealed(stamps: &[String], value: &[u8]) -> Vec<u8> {
    let mut text = stamps.join(" ").into_bytes();
    text.push(b'\n');
    text.extend_from_slice(value);
    text
}

/// The value, if it was loaded under the stamps that are current.
pub(super) fn opened(mut text: Vec<u8>, current: &[Option<String>]) -> Option<Vec<u8>> {
    let end = text.iter().position(|byte| *byte == b'\n')?;
    let stamps = std::str::from_utf8(&text[..end]).ok()?.split(' ');
    let counts = stamps.map(Some).eq(current.iter().map(Option::as_deref));
    counts.then(|| text.split_off(end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamps(of: &[&str]) -> Vec<String> {
        of.iter().map(|it| (*it).to_owned()).collect()
    }

    fn current(of: &[Option<&str>]) -> Vec<Option<String>> {
        of.iter().map(|it| it.map(str::to_owned)).collect()
    }

    #[test]
    fn a_value_counts_under_its_own_stamps_only() {
        let text = sealed(&stamps(&["a", "b"]), b"{\n}");
        assert_eq!(opened(text.clone(), &current(&[Some("a"), Some("b")])).as_deref(), Some(&b"{\n}"[..]));
        for other in
            [&[Some("a")][..], &[Some("a"), Some("c")], &[Some("a"), None], &[Some("a"), Some("b"), Some("c")], &[]]
        {
            assert_eq!(opened(text.clone(), &current(other)), None, "{other:?}");
        }
    }

    #[test]
    fn what_somebody_else_wrote_is_no_value() {
        for text in [&b""[..], b"{}", b"\xff\n{}", b"\n"] {
            assert_eq!(opened(text.to_vec(), &current(&[Some("a")])), None);
        }
    }
}
