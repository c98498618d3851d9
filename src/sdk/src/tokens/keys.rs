//! The keys of this platform: what signs tokens, what checks them, what everybody may see.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, encode,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse, ThumbprintHash},
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{header, ring, seconds};
use crate::{
    config::{Config, Environment, Issuer, Reader, SAMPLE_SECRET, Secret, Tokens},
    protocol::{Auth, Fault},
};

const PEM: &str = "must be a private key as PEM: RSA of 2048 bits or more, or P-256 as PKCS#8";
const JWKS: &str = "must be a JWK set of public RSA or P-256 keys, as /.well-known/jwks.json prints it";

/// The keys of this platform, and who else issues tokens for it.
pub struct Keys {
    /// Keys for HS256, the current one first.
    pub(super) secrets: Vec<DecodingKey>,
    /// Public keys by their thumbprints, each with its one algorithm.
    pub(super) public: HashMap<String, (Algorithm, DecodingKey)>,
    pub(super) issuers: Vec<Issuer>,
    pub(super) issuer: Option<String>,
    pub(super) audience: Option<String>,
    pub(super) tolerance: Duration,
    published: Vec<Jwk>,
    signing: Option<Signing>,
    lifetime: Duration,
}

/// What signs, and what its tokens say of it.
struct Signing {
    algorithm: Algorithm,
    kid: Option<String>,
    key: EncodingKey,
}

/// Makes access tokens.
pub struct Signer {
    signing: Signing,
    issuer: Option<String>,
    audience: Option<String>,
    lifetime: Duration,
}

/// What an access token says.
#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    permissions: &'a [String],
    roles: &'a [String],
    r#type: &'static str,
    iat: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

impl Keys {
    /// The keys that `config` tells of. Where nothing is said, on a developer's machine and in tests, it is the secret
    /// that everybody knows; elsewhere that is a mistake, also when there are other issuers and this service is to sign
    /// (`signs`).
    ///
    /// Nothing is returned when a setting is wrong: the reader then holds the problems.
    pub fn read(reader: &mut Reader<'_>, config: &Config, signs: bool) -> Option<Self> {
        ring::install();
        let tokens = &config.tokens;
        let secret = secret(reader, config, signs)?;
        let private = match &tokens.private_key {
            None => None,
            Some(pem) => {
                let read = private(pem);
                if read.is_none() {
                    reader.report("JWT_PRIVATE_KEY", PEM);
                }
                Some(read?)
            }
        };
        let others = match &tokens.other_keys {
            None => Vec::new(),
            Some(text) => {
                let read = public_keys(text);
                if read.is_none() {
                    reader.report("JWT_OTHER_KEYS", JWKS);
                }
                read?
            }
        };
        let mut published: Vec<Jwk> = private.iter().map(|(_, jwk)| jwk.clone()).collect();
        published.extend(others.into_iter().filter(|it| private.as_ref().is_none_or(|(_, own)| kid(own) != kid(it))));
        let public = published.iter().filter_map(|jwk| {
            let (algorithm, key) = usable(jwk)?;
            Some((kid(jwk)?.to_owned(), (algorithm, key)))
        });
        let public = public.collect();
        let key = |secret: &Secret| DecodingKey::from_secret(secret.expose().as_bytes());
        let with_secret = |secret: &Secret| Signing {
            algorithm: Algorithm::HS256,
            kid: None,
            key: EncodingKey::from_secret(secret.expose().as_bytes()),
        };
        Some(Self {
            secrets: secret.iter().chain(&tokens.previous_secret).map(key).collect(),
            public,
            published,
            signing: private.map(|(signing, _)| signing).or_else(|| secret.as_ref().map(with_secret)),
            issuers: tokens.issuers.clone(),
            issuer: tokens.own.0.clone(),
            audience: tokens.own.1.clone(),
            tolerance: tokens.tolerance,
            lifetime: tokens.lifetime,
        })
    }

    /// The public keys as a JWK set (RFC 7517): every key that may have signed a token that is still good, or will sign
    /// the next ones.
    #[must_use]
    pub fn published(&self) -> Value {
        json!({ "keys": self.published })
    }

    /// Takes what signs tokens out of them; there is one where [`Keys::read`] was told that this service signs.
    pub fn signer(&mut self) -> Option<Signer> {
        let signing = self.signing.take()?;
        let (issuer, audience, lifetime) = (self.issuer.clone(), self.audience.clone(), self.lifetime);
        Some(Signer { signing, issuer, audience, lifetime })
    }
}

impl Signer {
    /// A token that speaks for `auth` from `now` on.
    ///
    /// # Errors
    /// `InternalError` when the key does not sign.
    pub fn sign(&self, auth: &Auth, now: SystemTime) -> Result<String, Fault> {
        let iat = seconds(now);
        let claims = Claims {
            sub: &auth.user_id,
            email: auth.email.as_deref(),
            name: auth.name.as_deref(),
            permissions: &auth.permissions,
            roles: &auth.roles,
            r#type: "access",
            iat,
            exp: iat.saturating_add(self.lifetime.as_secs()),
            iss: self.issuer.as_deref(),
            aud: self.audience.as_deref(),
        };
        let Signing { algorithm, kid, key } = &self.signing;
        encode(&header(*algorithm, kid.as_deref()), &claims, key).map_err(|error| {
            tracing::error!("cannot sign a token: {error}");
            Fault::internal("the token cannot be signed")
        })
    }

    /// How long its tokens are good.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }
}

/// The secret to use: none, the one that is set, or the one that everybody knows.
fn secret(reader: &mut Reader<'_>, config: &Config, signs: bool) -> Option<Option<Secret>> {
    let Tokens { secret, private_key, issuers, .. } = &config.tokens;
    if secret.is_some() || private_key.is_some() || !signs && !issuers.is_empty() {
        return Some(secret.clone());
    }
    if matches!(config.environment, Environment::Development | Environment::Test) {
        return Some(Some(Secret::new(SAMPLE_SECRET)));
    }
    reader.report(
        "JWT_SECRET (or JWT_PRIVATE_KEY)",
        "is not set; give a secret of 32 bytes or more, as of `openssl rand -hex 32`",
    );
    None
}

fn private(pem: &Secret) -> Option<(Signing, Jwk)> {
    // files of variables hold no line ends
    let pem = pem.expose().replace("\\n", "\n");
    let kinds = [
        (Algorithm::RS256, EncodingKey::from_rsa_pem(pem.as_bytes())),
        (Algorithm::ES256, EncodingKey::from_ec_pem(pem.as_bytes())),
    ];
    let (algorithm, key) = kinds.into_iter().find_map(|(algorithm, key)| Some((algorithm, key.ok()?)))?;
    let jwk = named(Jwk::from_encoding_key(&key, algorithm).ok()?)?;
    // what cannot be checked need not be signed: a key that is too short
    let token = encode(&header(algorithm, None), &json!({}), &key).ok()?;
    super::signed(&token, &usable(&jwk)?.1, algorithm).ok()?;
    Some((Signing { algorithm, kid: kid(&jwk).map(str::to_owned), key }, jwk))
}

/// A public key under the name that follows from it.
fn named(mut jwk: Jwk) -> Option<Jwk> {
    jwk.common.key_id = Some(jwk.thumbprint(ThumbprintHash::SHA256).ok()?);
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    Some(jwk)
}

fn kid(jwk: &Jwk) -> Option<&str> {
    jwk.common.key_id.as_deref()
}

fn public_keys(text: &str) -> Option<Vec<Jwk>> {
    let set: Value = serde_json::from_str(text).ok()?;
    let keys = set["keys"].as_array()?.iter().map(|key| {
        let jwk: Jwk = serde_json::from_value(key.clone()).ok()?;
        usable(&jwk)?;
        named(jwk)
    });
    keys.collect()
}

/// A public key for signatures, with the one algorithm that it is for; never a secret in the clothes of one.
pub(super) fn usable(jwk: &Jwk) -> Option<(Algorithm, DecodingKey)> {
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Algorithm::ES256,
        _ => return None,
    };
    let common = &jwk.common;
    let signs = common.public_key_use.as_ref().is_none_or(|it| *it == PublicKeyUse::Signature);
    let same = common.key_algorithm.as_ref().is_none_or(|it| it.to_string() == format!("{algorithm:?}"));
    (signs && same).then(|| DecodingKey::from_jwk(jwk).ok()).flatten().map(|key| (algorithm, key))
}
