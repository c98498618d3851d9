//! Where a server is and how to log in.
//!
//! One reader serves all schemes, so that a password is a [`Secret`] from the first moment on and no client library
//! repeats a whole address in its error.

use super::Secret;

/// A server's address with the credentials for it. It has no `Debug`: see [`Endpoint::authority`].
#[derive(Clone)]
pub struct Endpoint {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Who logs in.
    pub user: Option<String>,
    /// With which password.
    pub password: Option<Secret>,
    /// What follows the first slash: a database, a virtual host, a path.
    pub path: String,
    pub(super) query: String,
}

impl Endpoint {
    /// Reads `scheme://[user[:password]@]host[:port][/path][?query]`; nothing when `text` is not such an address or its
    /// scheme is not one of `schemes`.
    pub fn parse(text: &str, schemes: &[&str], default_port: u16) -> Option<Self> {
        if text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '#') {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        if !schemes.contains(&scheme) {
            return None;
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
            Some((user, password)) => (percent_decoded(user)?, percent_decoded(password)?),
            None => Default::default(),
        };
        let (host, port) = host_and_port(place)?;
        Some(Self {
            host: host.to_owned(),
            port: port.unwrap_or(default_port),
            user: Some(user).filter(|user| !user.is_empty()),
            password: Some(password).filter(|password| !password.is_empty()).map(Secret::new),
            path: percent_decoded(path)?,
            query: query.to_owned(),
        })
    }

    /// `host:port`, which is safe to show.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    pub(crate) fn query(&self) -> &str {
        &self.query
    }
}

fn host_and_port(place: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    if host.is_empty() {
        return None;
    }
    let port = match port {
        Some(digits) => Some(digits.parse().ok().filter(|port| *port != 0)?),
        None => None,
    };
    Some((host, port))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        Endpoint::parse(text, &["amqp"], 5672).map(|it| {
            format!(
                "{} {:?} {:?} {} {}",
                it.authority(),
                it.user,
                it.password.as_ref().map(Secret::expose),
                it.path,
                it.query
            )
        })
    }

    #[test]
    fn reads_every_part() {
        for (text, expected) in [
            ("amqp://h", "h:5672 None None  "),
            ("amqp://u:p@h:1/v?x=1", "h:1 Some(\"u\") Some(\"p\") v x=1"),
            ("amqp://:p@h", "h:5672 None Some(\"p\")  "),
            ("amqp://u:a%40%2fb@[::1]:9/%2f", "[::1]:9 Some(\"u\") Some(\"a@/b\") / "),
            ("amqp://u:a@b@h", "h:5672 Some(\"u\") Some(\"a@b\")  "),
        ] {
            assert_eq!(shown(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_address() {
        for text in [
            "",
            "h",
            "http://h",
            "amqp://",
            "amqp://u:p@",
            "amqp://h:0",
            "amqp://h:65536",
            "amqp://h:1:2",
            "amqp://[::1",
            "amqp://[::1]x",
            "amqp://u:%4@h",
            "amqp://u:%zz@h",
            "amqp://u:%ff@h",
            "amqp://h\n/",
            "amqp://h h",
        ] {
            assert_eq!(shown(text), None, "{text:?}");
        }
    }
}
