//! What a token says, and whether that is good here and now.

use serde_json::{Map, Value};

use super::{Demands, TokenError, Verified};
use crate::protocol::Auth;

/// No user's id is longer, in bytes.
const LONGEST_SUBJECT: usize = 255;

/// Reads the claims of a token whose signature is right.
pub(super) fn read(claims: Map<String, Value>, demands: &Demands<'_>, now: u64) -> Result<Verified, TokenError> {
    let tolerance = demands.tolerance.as_secs();
    let expires = moment(&claims, "exp")?.ok_or(TokenError::Expired)?;
    if expires.saturating_add(tolerance) <= now {
        return Err(TokenError::Expired);
    }
    for name in ["nbf", "iat"] {
        if moment(&claims, name)?.is_some_and(|at| at > now.saturating_add(tolerance)) {
            return Err(TokenError::NotYet);
        }
    }
    if claims.get("type").is_some_and(|it| it != "access") {
        return Err(TokenError::Kind);
    }
    if demands.issuer.is_some_and(|wanted| text(&claims, "iss") != Some(wanted)) {
        return Err(TokenError::Issuer);
    }
    if demands.audience.is_some_and(|wanted| !is_for(&claims, wanted)) {
        return Err(TokenError::Audience);
    }
    let subject = text(&claims, "sub").filter(|it| (1..=LONGEST_SUBJECT).contains(&it.len()));
    let user_id = subject.ok_or(TokenError::Subject)?.to_owned();
    let auth = Auth {
        email: Some(text(&claims, "email").map_or_else(|| format!("{user_id}@unknown"), str::to_owned)),
        name: Some(text(&claims, "name").map_or_else(|| user_id.clone(), str::to_owned)),
        permissions: permissions(&claims),
        roles: claims.get("roles").and_then(list).unwrap_or_default(),
        correlation_id: None,
        user_id,
    };
    Ok(Verified { auth, expires })
}

/// `permissions`; else a list under a name that contains the word; else the words of `scope`.
fn permissions(claims: &Map<String, Value>) -> Vec<String> {
    let named = || claims.iter().filter(|(key, _)| key.contains("permissions")).find_map(|(_, value)| list(value));
    let scope = || text(claims, "scope").map(|text| text.split(' ').map(str::to_owned).collect());
    let found = claims.get("permissions").and_then(list).or_else(named).or_else(scope);
    let mut found: Vec<String> = found.unwrap_or_default();
    found.retain(|it| !it.is_empty());
    found
}

fn is_for(claims: &Map<String, Value>, wanted: &str) -> bool {
    match claims.get("aud") {
        Some(Value::String(one)) => one == wanted,
        Some(Value::Array(several)) => several.iter().any(|it| it == wanted),
        _ => false,
    }
}

fn list(value: &Value) -> Option<Vec<String>> {
    let items = value.as_array()?;
    Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}

/// A moment in seconds since 1970; fractions are cut off.
fn moment(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, TokenError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let fraction = || value.as_f64().filter(|it| *it >= 0.0).map(|it| it as u64);
    value.as_u64().or_else(fraction).map(Some).ok_or(TokenError::Malformed)
}
