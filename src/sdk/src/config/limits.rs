//! How much of a service's HTTP server a client may take up, and for how long.

use std::{ops::RangeInclusive, time::Duration};

use super::Reader;

const HOUR_MS: u64 = 3_600_000;
const LARGEST_BODY: u64 = 1 << 30;

/// How much of a service's HTTP server a client may take up, and for how long. All times in the environment are in
/// milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From a connection's begin, or from the first byte of a later request, to the end of the request's head
    /// (`HTTP_HEADER_TIMEOUT_MS`).
    pub head_time: Duration,
    /// Without any byte of a body that is waited for (`HTTP_BODY_PAUSE_TIMEOUT_MS`).
    pub body_pause: Duration,
    /// From a request's head to the end of its body, as far as the client is waited for (`HTTP_BODY_TIMEOUT_MS`).
    pub body_time: Duration,
    /// Without the client taking any byte of an answer (`HTTP_WRITE_TIMEOUT_MS`).
    pub write_pause: Duration,
    /// Without a request on a connection that had one (`HTTP_KEEP_ALIVE_TIMEOUT_MS`).
    pub idle_time: Duration,
    /// Headers of a request (`HTTP_MAX_HEADERS`).
    pub headers: usize,
    /// The bytes of a request's head (`HTTP_MAX_HEADER_BYTES`).
    pub head_bytes: usize,
    /// The bytes of a request's body (`HTTP_MAX_BODY_BYTES`).
    pub body_bytes: usize,
    /// Connections at the same time (`HTTP_MAX_CONNECTIONS`). The service never takes more than half of the files that it
    /// may open, so that it can reach its stores however many clients there are.
    pub connections: usize,
    /// Connections from one address (`HTTP_MAX_CONNECTIONS_PER_ADDRESS`). Behind a proxy all have one.
    pub connections_each: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_time: Duration::from_secs(10),
            body_pause: Duration::from_secs(10),
            body_time: Duration::from_secs(30),
            write_pause: Duration::from_secs(30),
            idle_time: Duration::from_secs(75),
            headers: 100,
            head_bytes: 16 * 1024,
            body_bytes: 1024 * 1024,
            connections: 16_384,
            connections_each: 4_096,
        }
    }
}

impl Limits {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let default = Self::default();
        let mut time = |name, default: Duration| {
            let expected = "a number of milliseconds from 1 to 3600000";
            reader.parsed_or(name, expected, |text| within(text, 1..=HOUR_MS).map(Duration::from_millis), default)
        };
        let head_time = time("HTTP_HEADER_TIMEOUT_MS", default.head_time);
        let body_pause = time("HTTP_BODY_PAUSE_TIMEOUT_MS", default.body_pause);
        let body_time = time("HTTP_BODY_TIMEOUT_MS", default.body_time);
        let write_pause = time("HTTP_WRITE_TIMEOUT_MS", default.write_pause);
        let idle_time = time("HTTP_KEEP_ALIVE_TIMEOUT_MS", default.idle_time);
        let mut number = |name, range: RangeInclusive<u64>, default| {
            let expected = format!("a number from {} to {}", range.start(), range.end());
            let parse = |text: &str| within(text, range).and_then(|number| usize::try_from(number).ok());
            reader.parsed_or(name, &expected, parse, default)
        };
        Some(Self {
            headers: number("HTTP_MAX_HEADERS", 8..=1_000, default.headers)?,
            head_bytes: number("HTTP_MAX_HEADER_BYTES", 512..=256 * 1024, default.head_bytes)?,
            body_bytes: number("HTTP_MAX_BODY_BYTES", 1..=LARGEST_BODY, default.body_bytes)?,
            connections: number("HTTP_MAX_CONNECTIONS", 1..=1_000_000, default.connections)?,
            connections_each: number("HTTP_MAX_CONNECTIONS_PER_ADDRESS", 1..=1_000_000, default.connections_each)?,
            head_time: head_time?,
            body_pause: body_pause?,
            body_time: body_time?,
            write_pause: write_pause?,
            idle_time: idle_time?,
        })
    }
}

fn within(text: &str, range: RangeInclusive<u64>) -> Option<u64> {
    text.parse().ok().filter(|number| range.contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Limits, String> {
        let env = |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let mut reader = Reader::new(&env);
        let limits = Limits::read(&mut reader);
        reader.finish(limits).map_err(|error| error.to_string())
    }

    #[test]
    fn each_has_a_name_and_a_default() {
        assert_eq!(read(&[]), Ok(Limits::default()));
        let limits = read(&[("HTTP_HEADER_TIMEOUT_MS", "50"), ("HTTP_MAX_BODY_BYTES", "9")]).unwrap();
        assert_eq!(limits, Limits { head_time: Duration::from_millis(50), body_bytes: 9, ..Limits::default() });
    }

    #[test]
    fn what_would_shut_everybody_out_is_refused() {
        for name in ["HTTP_HEADER_TIMEOUT_MS", "HTTP_MAX_CONNECTIONS", "HTTP_MAX_HEADERS", "HTTP_MAX_BODY_BYTES"] {
            for value in ["0", "-1", "99999999999", "ten"] {
                let error = read(&[(name, value)]).unwrap_err();
                assert!(error.contains(&format!("{name} must be a number")), "{error}");
            }
        }
    }
}
