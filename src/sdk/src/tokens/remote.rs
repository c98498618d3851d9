//! The keys of another issuer, fetched from where it publishes them and kept for a while.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use jsonwebtoken::{Algorithm, DecodingKey, jwk::Jwk};
use serde_json::Value;
use tokio::{sync::Mutex, time::timeout};

use super::{TokenError, keys::usable};
use crate::config::Issuer;

/// How long keys are kept before they are fetched again.
const KEPT: Duration = Duration::from_secs(600);
/// A stranger who makes up names of keys must not make us ask more often than this in a minute.
const MOST_FETCHES: usize = 10;
const MINUTE: Duration = Duration::from_secs(60);
/// How long the issuer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// No set of keys is longer, in bytes.
const LONGEST: usize = 256 * 1024;

type Known = HashMap<String, (Algorithm, DecodingKey)>;

/// Another issuer and its keys.
pub(super) struct Remote {
    issuer: Issuer,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    keys: Known,
    fetched: Option<Instant>,
    /// When it was asked in the last minute.
    asked: VecDeque<Instant>,
}

impl Remote {
    pub(super) fn new(issuer: Issuer) -> Self {
        Self { issuer, state: Mutex::default() }
    }

    pub(super) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The key that is called `kid`. While the issuer cannot be reached, those that it had last are good.
    pub(super) async fn key(&self, kid: &str) -> Result<(Algorithm, DecodingKey), TokenError> {
        let mut state = self.state.lock().await;
        let fresh = state.fetched.is_some_and(|at| at.elapsed() < KEPT);
        if let Some(key) = state.keys.get(kid).filter(|_| fresh) {
            return Ok(key.clone());
        }
        let now = Instant::now();
        state.asked.retain(|at| now.duration_since(*at) < MINUTE);
        let mut failed = None;
        if state.asked.len() < MOST_FETCHES {
            state.asked.push_back(now);
            match timeout(PATIENCE, fetch(&self.issuer.keys)).await {
                Ok(Ok(keys)) => (state.keys, state.fetched) = (keys, Some(now)),
                Ok(Err(reason)) => failed = Some(reason),
                Err(_) => failed = Some(format!("no answer within {PATIENCE:?}")),
            }
        } else if state.fetched.is_none() {
            failed = Some("it was asked too often in the last minute".to_owned());
        }
        match (state.keys.get(kid), failed) {
            (Some(key), _) => Ok(key.clone()),
            (None, Some(reason)) => Err(TokenError::Unreachable(reason)),
            (None, None) => Err(TokenError::Key),
        }
    }
}

fn client() -> Result<Client<HttpsConnector<HttpConnector>, Empty<bytes::Bytes>>, String> {
    let roots = HttpsConnectorBuilder::new().with_native_roots().map_err(|error| error.to_string())?;
    Ok(Client::builder(TokioExecutor::new()).build(roots.https_or_http().enable_http1().build()))
}

async fn fetch(address: &str) -> Result<Known, String> {
    let address = address.parse().map_err(|_| "its address is none".to_owned())?;
    // It is asked so seldom that a connection would not be used twice.
    let answer = client()?.get(address).await.map_err(|error| causes(&error))?;
    if !answer.status().is_success() {
        return Err(format!("it answers with {}", answer.status()));
    }
    let body = Limited::new(answer.into_body(), LONGEST).collect().await.map_err(|error| error.to_string())?;
    known(&body.to_bytes()).ok_or_else(|| "it does not answer with a JWK set".to_owned())
}

/// The keys of a JWK set that can be used here; the others do no harm.
fn known(body: &[u8]) -> Option<Known> {
    let set: Value = serde_json::from_slice(body).ok()?;
    let keys = set["keys"].as_array()?.iter().filter_map(|key| {
        let jwk: Jwk = serde_json::from_value(key.clone()).ok()?;
        Some((jwk.common.key_id.clone()?, usable(&jwk)?))
    });
    Some(keys.collect())
}

fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
