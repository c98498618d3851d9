//! Access tokens (RFC 7519): auth makes them, whoever takes requests from outside checks them.
//!
//! | algorithm | key | told by |
//! |---|---|---|
//! | HS256 | `JWT_SECRET`, and `JWT_SECRET_PREVIOUS` for checking | no `kid` |
//! | RS256, ES256 | `JWT_PRIVATE_KEY`, and `JWT_OTHER_KEYS` for checking | `kid`, the key's thumbprint (RFC 7638) |
//! | RS256, ES256 | those at `JWKS_URI` | `iss`, then `kid` |
//!
//! Each key has one algorithm. What a token says of its own key (`jwk`, `jku`, `x5c`, `x5u`) is not looked at.

mod checked;
mod claims;
mod keys;
mod remote;
mod ring;
#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, dangerous, decode, decode_header};
use serde_json::{Map, Value};

use crate::protocol::{Auth, Fault, FaultCode};

use checked::Checked;
pub use keys::{Keys, Signer};
use remote::Remote;

/// No token is longer, in bytes.
const LONGEST: usize = 8 * 1024;

/// Whom a token speaks for, and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Who it is, and what they may do.
    pub auth: Auth,
    /// When it ends, in seconds since 1970.
    pub expires: u64,
}

/// Why a token is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is no token, or one with parts that are not understood.
    #[error("the token is malformed")]
    Malformed,
    /// Its key does not go with the algorithm that it names.
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// Nobody knows its key.
    #[error("the token's key is not known")]
    Key,
    /// It was changed, or signed by somebody else.
    #[error("the token's signature is wrong")]
    Signature,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYet,
    /// It is not an access token.
    #[error("the token is not an access token")]
    Kind,
    /// It does not say whom it speaks for.
    #[error("the token has no subject")]
    Subject,
    /// It is from somebody else.
    #[error("the token is from another issuer")]
    Issuer,
    /// It is for somebody else.
    #[error("the token is for another audience")]
    Audience,
    /// Whether it is good cannot be said right now.
    #[error("the keys of the token's issuer cannot be had: {0}")]
    Unreachable(String),
}

impl From<TokenError> for Fault {
    fn from(error: TokenError) -> Self {
        match &error {
            TokenError::Unreachable(reason) => {
                tracing::warn!("{error}: {reason}");
                let message = "the keys of the token's issuer cannot be had right now";
                Fault::new(FaultCode::ServiceUnavailable, message)
            }
            _ => Fault::unauthorized(error.to_string()),
        }
    }
}

/// Checks tokens. What was found out is remembered for a minute, under the token's hash.
pub struct Verifier {
    keys: Keys,
    remote: Vec<Remote>,
    checked: Checked,
}

/// What goes with the key of a token.
struct Demands<'a> {
    issuer: Option<&'a str>,
    audience: Option<&'a str>,
    tolerance: Duration,
}

impl Verifier {
    /// Checks tokens with these keys.
    pub fn new(keys: Keys) -> Self {
        let remote = keys.issuers.iter().cloned().map(Remote::new).collect();
        Self { keys, remote, checked: Checked::default() }
    }

    /// Whom `token` speaks for at `now`.
    ///
    /// # Errors
    /// Why it is refused; [`TokenError::Unreachable`] when that cannot be said.
    pub async fn verify(&self, token: &str, now: SystemTime) -> Result<Arc<Verified>, TokenError> {
        if token.len() > LONGEST {
            return Err(TokenError::Malformed);
        }
        let (hash, seconds) = (Checked::hash(token), seconds(now));
        if let Some(known) = self.checked.get(&hash, seconds) {
            let over = known.expires.saturating_add(self.keys.tolerance.as_secs()) <= seconds;
            return if over { Err(TokenError::Expired) } else { Ok(known) };
        }
        let verified = Arc::new(self.examine(token, seconds).await?);
        self.checked.insert(hash, Arc::clone(&verified), seconds);
        Ok(verified)
    }

    async fn examine(&self, token: &str, now: u64) -> Result<Verified, TokenError> {
        let header = decode_header(token).map_err(|error| refused(&error))?;
        if header.crit.is_some() {
            return Err(TokenError::Malformed);
        }
        let own = Demands {
            issuer: self.keys.issuer.as_deref(),
            audience: self.keys.audience.as_deref(),
            tolerance: self.keys.tolerance,
        };
        if header.alg == Algorithm::HS256 {
            let mut result = Err(TokenError::Key);
            for key in &self.keys.secrets {
                result = signed(token, key, header.alg);
                if result != Err(TokenError::Signature) {
                    break;
                }
            }
            return claims::read(result?, &own, now);
        }
        let kid = header.kid.as_deref().ok_or(TokenError::Key)?;
        if let Some((algorithm, key)) = self.keys.public.get(kid) {
            return claims::read(signed(token, key, *algorithm)?, &own, now);
        }
        let remote = self.issuer(token)?;
        let (algorithm, key) = remote.key(kid).await?;
        let issuer = remote.issuer();
        let demands = Demands { issuer: issuer.name.as_deref(), audience: issuer.audience.as_deref(), ..own };
        claims::read(signed(token, &key, algorithm)?, &demands, now)
    }

    /// Where the key of a token has to be looked for: what it says of its issuer is believed when the key fits.
    fn issuer(&self, token: &str) -> Result<&Remote, TokenError> {
        if self.remote.is_empty() {
            return Err(TokenError::Key);
        }
        let told: Map<String, Value> = dangerous::insecure_decode_claims(token).map_err(|error| refused(&error))?;
        let told = told.get("iss").and_then(Value::as_str);
        let fits = |remote: &&Remote| remote.issuer().name.as_deref().is_none_or(|name| Some(name) == told);
        self.remote.iter().find(fits).ok_or(TokenError::Issuer)
    }
}

/// The claims of a token that was signed with this key by this algorithm. The clock is not asked.
fn signed(token: &str, key: &DecodingKey, algorithm: Algorithm) -> Result<Map<String, Value>, TokenError> {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_aud) = (false, false);
    decode(token, key, &validation).map(|data| data.claims).map_err(|error| refused(&error))
}

fn refused(error: &jsonwebtoken::errors::Error) -> TokenError {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm | ErrorKind::InvalidKeyFormat => {
            TokenError::Algorithm
        }
        _ => TokenError::Malformed,
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The head of a token that is signed with a key of its own.
fn header(algorithm: Algorithm, kid: Option<&str>) -> Header {
    Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) }
}
