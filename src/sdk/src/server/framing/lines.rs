//! The lines that frame a request, read more strictly than the parser behind does.

/// What the first line of a request says.
pub(super) struct Start<'a> {
    pub http10: bool,
    /// What an absolute target names.
    pub authority: Option<&'a [u8]>,
}

/// A line of a head, or of trailers.
pub(super) struct Field<'a> {
    pub name: &'a [u8],
    /// Without the white space around it.
    pub value: &'a [u8],
}

/// A line without its end.
pub(super) fn text(line: &[u8]) -> Result<&[u8], &'static str> {
    let text = line.strip_suffix(b"\r\n").ok_or("a line that ends without a carriage return")?;
    if text.iter().any(|byte| matches!(byte, b'\r' | 0)) {
        return Err("a carriage return or a zero within a line");
    }
    Ok(text)
}

/// `METHOD target HTTP/1.x`, with single spaces.
pub(super) fn start(text: &[u8]) -> Result<Start<'_>, &'static str> {
    const MALFORMED: &str = "a malformed request line";
    let mut words = text.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(MALFORMED);
    };
    if !is_token(method) || !target.iter().all(u8::is_ascii_graphic) {
        return Err(MALFORMED);
    }
    let http10 = match version {
        b"HTTP/1.1" => false,
        b"HTTP/1.0" => true,
        _ => return Err("a version other than HTTP/1.1 and HTTP/1.0"),
    };
    match target {
        // what follows a CONNECT would be no request at all
        _ if method == b"CONNECT" => Err("CONNECT, which is not for this server"),
        [b'/', ..] => Ok(Start { http10, authority: None }),
        b"*" if method == b"OPTIONS" => Ok(Start { http10, authority: None }),
        _ => {
            let rest = absolute(target).ok_or("a target that is neither a path nor an address")?;
            let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
            check_host(&rest[..end])?;
            Ok(Start { http10, authority: Some(&rest[..end]) })
        }
    }
}

/// What follows the scheme of an `http://` or `https://` target.
fn absolute(target: &[u8]) -> Option<&[u8]> {
    [&b"http://"[..], b"https://"].into_iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// `Name: value`.
pub(super) fn field(text: &[u8]) -> Result<Field<'_>, &'static str> {
    if matches!(text.first(), Some(b' ' | b'\t')) {
        return Err("a line that continues another");
    }
    let colon = text.iter().position(|byte| *byte == b':').ok_or("a line without a colon")?;
    let (name, value) = (&text[..colon], &text[colon + 1..]);
    if !is_token(name) {
        return Err("a malformed name before a colon");
    }
    if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err("a control character");
    }
    Ok(Field { name, value: trimmed(value) })
}

fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Digits and nothing else: no sign, no list.
pub(super) fn content_length(value: &[u8]) -> Result<u64, &'static str> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| digits);
    text.and_then(|text| text.parse().ok()).ok_or("a Content-Length that is no number")
}

/// Refuses what can be read as more than one host, or as more than a host.
pub(super) fn check_host(value: &[u8]) -> Result<(), &'static str> {
    let known = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+;=".contains(byte);
    if value.iter().all(known) { Ok(()) } else { Err("a malformed Host") }
}

/// The length of a chunk. What an extension says is for nobody here.
pub(super) fn chunk(text: &[u8]) -> Result<u64, &'static str> {
    let end = text.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(text.len());
    let (digits, extension) = text.split_at(end);
    let length = std::str::from_utf8(digits).ok().and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let length = length.ok_or("a chunk whose length is no number")?;
    match extension {
        [] => Ok(length),
        [b';', rest @ ..] if !rest.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') => Ok(length),
        _ => Err("a malformed line of a chunk"),
    }
}

/// The letters that methods and names consist of.
fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}
