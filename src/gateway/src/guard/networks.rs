//! Networks, and the address behind a row of proxies.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::HeaderMap;

/// Networks that are listed somewhere.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Networks(Vec<Network>);

#[derive(Debug, PartialEq, Eq)]
struct Network {
    /// IPv4 as the part of IPv6 that stands for it.
    base: u128,
    mask: u128,
}

impl Networks {
    pub(super) fn parse(text: &str) -> Option<Self> {
        text.split(',').map(|item| Network::parse(item.trim())).collect::<Option<_>>().map(Self)
    }

    pub(super) fn contain(&self, address: IpAddr) -> bool {
        let address = bits(address);
        self.0.iter().any(|network| address & network.mask == network.base)
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let digits = |length: &str| !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
        let length: u32 = match length {
            Some(length) => length.parse().ok().filter(|number| digits(length) && *number <= longest)?,
            None => longest,
        };
        let mask = u128::MAX.checked_shl(longest - length).unwrap_or(0);
        let mask = if address.is_ipv4() { mask | u128::MAX << 32 } else { mask };
        Some(Self { base: bits(address) & mask, mask })
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Who asks: the first, from the end of `X-Forwarded-For`, that is not a proxy to be trusted. What stands before it may
/// be made up.
pub(super) fn behind(proxies: &Networks, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let mut address = peer.to_canonical();
    let values: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    let mut hops = values.into_iter().rev().flat_map(|value| value.to_str().unwrap_or("?").rsplit(','));
    while proxies.contain(address) {
        match hops.next().map(hop) {
            Some(Some(next)) => address = next,
            _ => break,
        }
    }
    address
}

/// An address, which may have a port.
fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None if text.matches(':').count() == 1 => text.split_once(':')?.0,
        None => text,
    };
    address.parse().ok().map(|address: IpAddr| address.to_canonical())
}

/// Whether an address can only be a neighbour's: of this machine, or of a network that is not routed on the internet.
pub(super) fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address == Ipv6Addr::LOCALHOST || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_contain_what_begins_as_they_do() {
        let networks = Networks::parse("10.1.0.0/16, 192.168.7.9,fd00::/8, 0.0.0.0/32").unwrap();
        for inside in ["10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3", "192.168.7.9", "fdff::1", "0.0.0.0"] {
            assert!(networks.contain(address(inside)), "{inside}");
        }
        for outside in ["10.2.0.0", "192.168.7.8", "fc00::1", "::1", "0.0.0.1", "::"] {
            assert!(!networks.contain(address(outside)), "{outside}");
        }
        let every = Networks::parse("0.0.0.0/0").unwrap();
        assert!(every.contain(address("203.0.113.9")) && !every.contain(address("2001:db8::1")));
        for wrong in ["", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10.0.0/8", "a", "::/129", "10.0.0.1,"] {
            assert_eq!(Networks::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let proxies = Networks::parse("10.0.0.0/8").unwrap();
        for (peer, said, expected) in [
            ("203.0.113.1", &["1.2.3.4"][..], "203.0.113.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("::ffff:10.0.0.1", &["1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", &["127.0.0.1, 1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", &["127.0.0.1", "1.2.3.4, 10.0.0.2"], "1.2.3.4"),
            ("10.0.0.1", &["1.2.3.4, 10.0.0.3", "10.0.0.2"], "1.2.3.4"),
            ("10.0.0.1", &["1.2.3.4:4711"], "1.2.3.4"),
            ("10.0.0.1", &["[2001:db8::7]:80"], "2001:db8::7"),
            ("10.0.0.1", &["2001:db8::7"], "2001:db8::7"),
            ("10.0.0.1", &["1.2.3.4, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["127.0.0.1, , 10.0.0.2"], "10.0.0.2"),
        ] {
            let mut headers = HeaderMap::new();
            for value in said {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            assert_eq!(behind(&proxies, address(peer), &headers), address(expected), "{peer} {said:?}");
        }
    }

    #[test]
    fn neighbours_are_where_the_internet_is_not() {
        for near in ["127.0.0.1", "127.9.9.9", "::1", "172.18.0.4", "10.0.0.1", "192.168.1.1", "fd12::1", "fe80::1"] {
            assert!(is_near(address(near)), "{near}");
        }
        for far in ["172.32.0.1", "8.8.8.8", "0.0.0.0", "::", "2001:db8::1", "::ffff:8.8.8.8"] {
            assert!(!is_near(address(far)), "{far}");
        }
    }
}
