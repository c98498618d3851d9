//! The hosts that a request may be for. A name that somebody else can let point here is none of them, so that no web page
//! can make a browser take this gateway for its own server.

use std::net::IpAddr;

use axum::http::{HeaderMap, Uri, header, uri::Authority};

/// How other containers call this machine.
const MACHINE: &str = "host.docker.internal";

/// The names that were given, beside those that are always good.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hosts {
    names: Vec<String>,
    service: String,
}

impl Hosts {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let names = text.split(',').map(|item| {
            let name = bare(item.trim());
            let host = name.parse::<IpAddr>().is_ok() || (name.bytes().all(is_of_a_name) && !name.is_empty());
            host.then_some(name)
        });
        Some(Self { names: names.collect::<Option<_>>()?, service: String::new() })
    }

    /// The same, with the name that a service has on its own network.
    pub(super) fn with(self, service: &str) -> Self {
        Self { service: service.to_ascii_lowercase(), ..self }
    }

    /// Whether a request is for one of them. Which port it was sent to does not matter: that may be one that leads here.
    pub(super) fn have(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(header::HOST).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return false;
        };
        let Some(authority) = value.to_str().ok().and_then(authority) else {
            return false;
        };
        self.name(authority.host()) && uri.authority().is_none_or(|named| *named == authority)
    }

    fn name(&self, host: &str) -> bool {
        let name = bare(host);
        if let Ok(address) = name.parse::<IpAddr>()
            && address.to_canonical().is_loopback()
        {
            return true;
        }
        let alias = || {
            let project = name.strip_suffix(&self.service).and_then(|rest| rest.strip_suffix('-'));
            // a container's name has no dot, and a name without one is nobody's on the internet
            !self.service.is_empty() && (name == self.service || project.is_some_and(|it| !it.contains('.')))
        };
        let local = name == "localhost" || name.ends_with(".localhost") || name == MACHINE;
        local || alias() || self.names.contains(&name)
    }
}

/// The value of a `Host`, which has no login.
pub(super) fn authority(text: &str) -> Option<Authority> {
    text.parse().ok().filter(|_| !text.contains('@'))
}

/// A host in lower case, without brackets and without the dot that may end a name.
fn bare(host: &str) -> String {
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}
