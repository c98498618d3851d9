//! How access tokens are made and checked, as the environment tells it.

use std::time::Duration;

use super::{Environment, Reader, SWITCH, Secret, switch};

/// The secret that samples and tutorials use; everybody knows it.
pub const SAMPLE_SECRET: &str = "dev-secret-key-change-in-production";

/// A key for HS256 has at least as many bytes as its hash (RFC 7518, section 3.2).
const SHORTEST_SECRET: usize = 32;
const DEFAULT_LIFETIME: Duration = Duration::from_secs(300);
const LONGEST_TOLERANCE: u32 = 300;

/// How access tokens are made and checked.
pub struct Tokens {
    /// The key that signs them with HS256 (`JWT_SECRET`).
    pub secret: Option<Secret>,
    /// The key that did before; tokens signed with it are still good (`JWT_SECRET_PREVIOUS`).
    pub previous_secret: Option<Secret>,
    /// The key that signs them with RS256 or ES256 instead, as PEM (`JWT_PRIVATE_KEY`).
    pub private_key: Option<Secret>,
    /// The public keys that did before or will next, as a JWK set (`JWT_OTHER_KEYS`).
    pub other_keys: Option<String>,
    /// Where other issuers publish their keys (`JWKS_URI`, separated by commas).
    pub issuers: Vec<Issuer>,
    /// Who our own tokens say that they are from and for, while there are no other issuers (`JWT_ISSUER`,
    /// `JWT_AUDIENCE`).
    pub own: (Option<String>, Option<String>),
    /// How long they are valid (`JWT_EXPIRATION`, seconds).
    pub lifetime: Duration,
    /// How far the clock of an issuer may be ahead or behind (`JWT_CLOCK_TOLERANCE`, seconds).
    pub tolerance: Duration,
    /// Whether callers may be named by `X-Dev-User-Id` (`DEVELOPMENT_AUTH_ENABLED`).
    pub development: bool,
}

/// Somebody else who issues tokens for the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// Where its keys are, `http://` or `https://`.
    pub keys: String,
    /// What its tokens must have in `iss`; anything when nothing is said.
    pub name: Option<String>,
    /// What its tokens must have in `aud`; anything when nothing is said.
    pub audience: Option<String>,
}

impl Tokens {
    pub(super) fn read(reader: &mut Reader<'_>, environment: Option<Environment>) -> Option<Self> {
        let production = environment == Some(Environment::Production);
        let [secret, previous_secret] = ["JWT_SECRET", "JWT_SECRET_PREVIOUS"].map(|name| {
            let secret = reader.value(name)?;
            if production && secret == SAMPLE_SECRET {
                reader.report(name, "is the sample secret, which must not be used in production");
            } else if production && secret.len() < SHORTEST_SECRET {
                reader.report(name, "is too short for production: give 32 bytes or more, as of `openssl rand -hex 32`");
            }
            Some(Secret::new(secret))
        });
        let development = ["DEVELOPMENT_AUTH_ENABLED", "BYPASS_AUTH"].map(|name| {
            let on = reader.parsed_or(name, SWITCH, switch, false);
            if production && on == Some(true) {
                reader.report(name, "must not be true in production: whoever sends a header would be anybody");
            }
            on
        });
        let issuers = issuers(reader, production);
        let own = if reader.value("JWKS_URI").is_none() {
            (reader.value("JWT_ISSUER"), reader.value("JWT_AUDIENCE"))
        } else {
            (None, None)
        };
        let lifetime = reader.parsed_or("JWT_EXPIRATION", "a number of seconds above zero", seconds, DEFAULT_LIFETIME);
        let tolerance = reader.parsed_or(
            "JWT_CLOCK_TOLERANCE",
            "a number of seconds, at most 300",
            |text| {
                let number: u32 = text.parse().ok().filter(|number| *number <= LONGEST_TOLERANCE)?;
                Some(Duration::from_secs(number.into()))
            },
            Duration::ZERO,
        );
        Some(Self {
            secret,
            previous_secret,
            private_key: reader.value("JWT_PRIVATE_KEY").map(Secret::new),
            other_keys: reader.value("JWT_OTHER_KEYS"),
            issuers: issuers?,
            own,
            lifetime: lifetime?,
            tolerance: tolerance?,
            development: development[0]? && development[1].is_some(),
        })
    }
}

/// Issuers by their place in the three lists.
fn issuers(reader: &mut Reader<'_>, production: bool) -> Option<Vec<Issuer>> {
    let list = |text: Option<String>| -> Vec<String> {
        text.map(|text| text.split(',').map(|it| it.trim().to_owned()).collect()).unwrap_or_default()
    };
    let [keys, names, audiences] = ["JWKS_URI", "JWT_ISSUER", "JWT_AUDIENCE"].map(|name| list(reader.value(name)));
    let mut right = true;
    if keys.iter().any(|it| !it.starts_with("https://") && !it.starts_with("http://")) {
        reader.report("JWKS_URI", "must be http:// or https:// addresses, separated by commas");
        right = false;
    }
    if !keys.is_empty() {
        for (name, given) in [("JWT_ISSUER", &names), ("JWT_AUDIENCE", &audiences)] {
            let missing = given.is_empty() && (production || keys.len() > 1 && name == "JWT_ISSUER");
            if missing || !given.is_empty() && given.len() != keys.len() {
                reader.report(name, "must have one value for each address in JWKS_URI, separated by commas");
                right = false;
            }
        }
    }
    let at = |list: &[String], index: usize| list.get(index).cloned();
    let issuers = keys.iter().enumerate().map(|(index, keys)| Issuer {
        keys: keys.clone(),
        name: at(&names, index),
        audience: at(&audiences, index),
    });
    right.then(|| issuers.collect())
}

fn seconds(text: &str) -> Option<Duration> {
    let number: u32 = text.parse().ok()?;
    (number > 0).then(|| Duration::from_secs(number.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(pairs: &[(&str, &str)]) -> Result<Tokens, String> {
        let env = |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let mut reader = Reader::new(&env);
        let config = Config::read(&mut reader, "auth-service", 3001);
        reader.finish(config).map(|config| config.tokens).map_err(|error| error.to_string())
    }

    #[test]
    fn production_refuses_what_everybody_knows_or_can_guess_all_at_once() {
        let error = read(&[
            ("NODE_ENV", "production"),
            ("JWT_SECRET", SAMPLE_SECRET),
            ("JWT_SECRET_PREVIOUS", "hunter2"),
            ("DEVELOPMENT_AUTH_ENABLED", "true"),
            ("BYPASS_AUTH", "true"),
            ("JWKS_URI", "https://id.example.com/keys"),
        ])
        .err()
        .unwrap();
        let names: Vec<_> = error.lines().skip(1).map(|line| line.trim().split(' ').next().unwrap()).collect();
        let all = ["JWT_SECRET", "JWT_SECRET_PREVIOUS", "DEVELOPMENT_AUTH_ENABLED", "BYPASS_AUTH", "JWT_ISSUER"];
        assert_eq!(names, [&all[..], &["JWT_AUDIENCE"]].concat(), "{error}");
        assert!(!error.contains(SAMPLE_SECRET) && !error.contains("hunter2"), "{error}");
        let long = "0123456789abcdef0123456789abcdef";
        assert!(read(&[("NODE_ENV", "production"), ("JWT_SECRET", long)]).is_ok());
        assert!(read(&[("JWT_SECRET", SAMPLE_SECRET), ("DEVELOPMENT_AUTH_ENABLED", "true")]).is_ok());
    }

    #[test]
    fn issuers_are_told_apart_by_their_place() {
        let tokens = read(&[("JWKS_URI", "https://a/k, https://b/k"), ("JWT_ISSUER", "a,b")]).ok().unwrap();
        let names: Vec<_> = tokens.issuers.iter().map(|it| (it.keys.as_str(), it.name.as_deref().unwrap())).collect();
        assert_eq!(names, [("https://a/k", "a"), ("https://b/k", "b")]);
        assert_eq!(tokens.own, (None, None));
        for wrong in [&[("JWKS_URI", "https://a/k,https://b/k")][..], &[("JWKS_URI", "file:///k")]] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
        let own = read(&[("JWT_ISSUER", "us"), ("JWT_AUDIENCE", "them")]).ok().unwrap().own;
        assert_eq!(own, (Some("us".to_owned()), Some("them".to_owned())));
    }
}
