//! What all handlers share.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use banyan_sdk::{Fault, protocol::Timestamp, tokens::Signer};
use sha2::{Digest, Sha256};

use crate::{
    hashing::Hasher,
    settings::{Admin, Settings},
    tables::TokenHash,
};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;
/// Fills bytes with what nobody can guess.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// The time and the chance that everything here goes by.
#[derive(Clone)]
pub struct World {
    /// Tells the time.
    pub clock: Clock,
    /// Fills bytes with what nobody can guess.
    pub random: Random,
}

impl Default for World {
    fn default() -> Self {
        Self { clock: Arc::new(SystemTime::now), random: Arc::new(|bytes| rand::fill(bytes)) }
    }
}

/// What all handlers share.
pub struct State {
    pub(crate) hasher: Hasher,
    pub(crate) signer: Signer,
    /// How long a session lasts without being refreshed.
    pub(crate) session: Duration,
    /// Whether developers may get tokens of others.
    pub(crate) development: bool,
    pub(crate) admin: Option<Admin>,
    world: World,
}

impl State {
    pub(crate) fn new(settings: Settings, world: World) -> std::io::Result<Self> {
        let Settings { signer, session, development, admin, .. } = settings;
        let hasher = Hasher::new(Hasher::usual_threads())?;
        Ok(Self { hasher, signer, session, development, admin, world })
    }

    pub(crate) fn now(&self) -> SystemTime {
        (self.world.clock)()
    }

    /// The present moment, as events tell it.
    pub(crate) fn moment(&self) -> Timestamp {
        let since = self.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// A new name, with a word for what it names in front.
    pub(crate) fn id(&self, word: &str) -> String {
        format!("{word}_{:032x}", u128::from_be_bytes(self.bytes()))
    }

    pub(crate) fn salt(&self) -> [u8; 16] {
        self.bytes()
    }

    /// A new refresh token, of 256 bits, and what is kept of it.
    pub(crate) fn refresh_token(&self) -> (String, TokenHash) {
        let bytes: [u8; 32] = self.bytes();
        let token = bytes.iter().fold("rt_".to_owned(), |text, byte| format!("{text}{byte:02x}"));
        let hash = token_hash(&token);
        (token, hash)
    }

    fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.world.random)(&mut bytes);
        bytes
    }
}

/// What is kept of a refresh token.
pub fn token_hash(token: &str) -> TokenHash {
    Sha256::digest(token).into()
}

/// An e-mail address as it is kept: one address, one spelling.
///
/// # Errors
/// `ValidationError` for what is none.
pub fn address(text: &str) -> Result<String, Fault> {
    let email = spelled(text);
    let right = email.len() <= 254
        && !email.contains(|c: char| {
            c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | ',' | ';' | '\u{fffd}')
        })
        && email.split_once('@').is_some_and(|(local, domain)| {
            let edges = |c: char| matches!(c, '.' | '-');
            (1..=64).contains(&local.len())
                && !domain.is_empty()
                && !domain.contains('@')
                && !domain.starts_with(edges)
                && !domain.ends_with(edges)
        });
    if right { Ok(email) } else { Err(invalid("email", "is not an e-mail address")) }
}

/// An address as it is looked for, whether it is one or not. The database knows no NUL.
pub fn spelled(text: &str) -> String {
    text.trim().to_lowercase().replace('\0', "\u{fffd}")
}

/// What is counted for attempts from an address of the network: one machine, or one customer of IPv6.
///
/// # Errors
/// `ValidationError` for what is none.
pub fn origin(text: Option<&str>) -> Result<Option<String>, Fault> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let parsed: IpAddr = text.parse().map_err(|_| invalid("ipAddress", "is not an address"))?;
    Ok(Some(match parsed.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }))
}

/// A refusal of a field; never with its value.
pub fn invalid(field: &str, what: &str) -> Fault {
    let errors = serde_json::json!({ "errors": [{ "field": format!("payload.{field}"), "message": what }] });
    Fault::validation(format!("`payload.{field}`: {what}")).with_details(errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_one_spelling() {
        assert_eq!(address(" Ann.Miller@Example.COM ").unwrap(), "ann.miller@example.com");
        assert_eq!(address("admin@localhost").unwrap(), "admin@localhost");
        let long = format!("{}@example.com", "a".repeat(65));
        for wrong in
            ["", "@", "a@", "@b", "a b@c", "a@b@c", "a@.b", "a@b.", "<a@b>", "a@b,c@d", "a\n@b", "a\0@b", &long]
        {
            assert!(address(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_customer_with_many_addresses_is_one_origin() {
        let of = |text| origin(Some(text)).unwrap().unwrap();
        assert_eq!(of("203.0.113.7"), "203.0.113.7");
        assert_eq!(of("::ffff:203.0.113.7"), "203.0.113.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::"), of("2001:db8:1:3::"));
        assert_eq!(origin(None).unwrap(), None);
        assert!(origin(Some("localhost")).is_err());
    }
}
