//! What tokens are accepted, and how each trick fails.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{Keys, TokenError, Verifier};
use crate::{
    config::{Config, Reader},
    protocol::Auth,
};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const RSA: &str = include_str!("../../tests/keys/rsa.pem");
const EC: &str = include_str!("../../tests/keys/ec.pem");
const SHORT: &str = include_str!("../../tests/keys/short.pem");

fn keys(pairs: &[(&str, &str)]) -> Result<Keys, String> {
    let env = |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let mut reader = Reader::new(&env);
    let config = Config::read(&mut reader, "auth-service", 3001);
    let keys = config.and_then(|config| Keys::read(&mut reader, &config, true));
    reader.finish(keys).map_err(|error| error.to_string())
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

const NOW: u64 = 1_800_000_000;

fn ann() -> Auth {
    Auth {
        user_id: "u1".to_owned(),
        permissions: vec!["orders:place".to_owned()],
        email: Some("ann@example.com".to_owned()),
        name: Some("Ann".to_owned()),
        roles: vec!["user".to_owned()],
        correlation_id: None,
    }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        text.extend((0..=chunk.len()).map(|i| char::from(LETTERS[(bits >> (18 - 6 * i) & 63) as usize])));
    }
    text
}

/// A token put together by hand, with whatever signature.
fn forged(header: &Value, claims: &Value, signature: &str) -> String {
    format!("{}.{}.{signature}", base64(header.to_string().as_bytes()), base64(claims.to_string().as_bytes()))
}

fn good_claims() -> Value {
    json!({ "sub": "u1", "exp": NOW + 60, "permissions": ["auth:manage-roles"] })
}

#[tokio::test]
async fn every_kind_of_key_signs_what_it_checks() {
    for settings in [&[("JWT_SECRET", SECRET)], &[("JWT_PRIVATE_KEY", RSA)], &[("JWT_PRIVATE_KEY", EC)]] {
        let mut keys = keys(settings).unwrap();
        let signer = keys.signer().unwrap();
        let published = keys.published().to_string();
        assert!(!published.contains("\"d\"") && !published.contains("\"k\""), "{published}");
        let verifier = Verifier::new(keys);
        let token = signer.sign(&ann(), at(NOW)).unwrap();
        let verified = verifier.verify(&token, at(NOW)).await.unwrap();
        assert_eq!((&verified.auth, verified.expires), (&ann(), NOW + 300));
        // from memory as well as anew, the end is the end
        assert!(verifier.verify(&token, at(NOW + 299)).await.is_ok());
        assert_eq!(verifier.verify(&token, at(NOW + 300)).await, Err(TokenError::Expired));
        assert_eq!(verifier.verify(&token, at(NOW - 1)).await, Err(TokenError::NotYet));
        let mut letters: Vec<char> = token.chars().collect();
        for place in 0..letters.len() {
            let there = letters[place];
            letters[place] = if there == 'A' { 'B' } else { 'A' };
            let changed: String = letters.iter().collect();
            // the last letter of a signature may hold bits that mean nothing: those must be nil
            assert!(verifier.verify(&changed, at(NOW)).await.is_err(), "letter {place} of {token}");
            letters[place] = there;
        }
    }
}

#[tokio::test]
async fn no_trick_with_the_head_helps() {
    let mut keys = keys(&[("JWT_SECRET", SECRET), ("JWT_PRIVATE_KEY", RSA)]).unwrap();
    let published = keys.published();
    let kid = published["keys"][0]["kid"].as_str().unwrap().to_owned();
    let real = keys.signer().unwrap().sign(&ann(), at(NOW)).unwrap();
    let signature = real.rsplit('.').next().unwrap();
    let verifier = Verifier::new(keys);
    let claims = good_claims();
    let hs256 = |secret: &[u8], header: Header| encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap();
    let with_kid = |alg, kid: &str| Header { kid: Some(kid.to_owned()), ..Header::new(alg) };
    let public = published["keys"][0].to_string();
    let rs256 = |header: &Header| encode(header, &claims, &EncodingKey::from_rsa_pem(RSA.as_bytes()).unwrap()).unwrap();
    let crit = Header { crit: Some(vec!["exp".to_owned()]), ..with_kid(Algorithm::RS256, &kid) };
    let table = [
        ("no algorithm", forged(&json!({ "alg": "none" }), &claims, "")),
        ("no algorithm, as others write it", forged(&json!({ "alg": "nOnE" }), &claims, "")),
        ("no algorithm, with a signature", forged(&json!({ "alg": "none", "kid": kid }), &claims, signature)),
        ("a public key as secret", hs256(public.as_bytes(), with_kid(Algorithm::HS256, &kid))),
        ("a modulus as secret", hs256(published["keys"][0]["n"].as_str().unwrap().as_bytes(), Header::default())),
        ("an empty secret", hs256(b"", Header::default())),
        ("the key for RS256 told as one for ES256", forged(&json!({ "alg": "ES256", "kid": kid }), &claims, signature)),
        ("RS512 with the key for RS256", forged(&json!({ "alg": "RS512", "kid": kid }), &claims, signature)),
        ("PS256 with the key for RS256", forged(&json!({ "alg": "PS256", "kid": kid }), &claims, signature)),
        ("no key", rs256(&Header::new(Algorithm::RS256))),
        ("a path as key", rs256(&with_kid(Algorithm::RS256, "../../../../dev/null"))),
        ("SQL as key", rs256(&with_kid(Algorithm::RS256, "' union select 'x"))),
        ("a key of its own", forged(&json!({ "alg": "RS256", "jwk": published["keys"][0] }), &claims, signature)),
        (
            "an address of a key",
            forged(&json!({ "alg": "RS256", "jku": "http://evil/k", "kid": "x" }), &claims, signature),
        ),
        ("parts that must be understood", rs256(&crit)),
        ("another body", forged(&json!({ "alg": "RS256", "kid": kid }), &claims, signature)),
        ("two parts", real.rsplit_once('.').unwrap().0.to_owned()),
        ("four parts", format!("{real}.x")),
        ("no parts", String::new()),
        ("a null byte", format!("{real}\0")),
        ("too long", "a".repeat(8 * 1024 + 1)),
        ("deeply nested", forged(&json!({ "alg": "HS256" }), &json!([]), signature).replace('.', &"[".repeat(1000))),
    ];
    for (name, token) in table {
        let refused = verifier.verify(&token, at(NOW)).await;
        assert!(matches!(&refused, Err(error) if !matches!(error, TokenError::Unreachable(_))), "{name}: {refused:?}");
    }
    assert!(verifier.verify(&real, at(NOW)).await.is_ok());
}

#[tokio::test]
async fn what_a_token_says_is_read_as_it_is_meant() {
    let verifier = Verifier::new(keys(&[("JWT_SECRET", SECRET), ("JWT_CLOCK_TOLERANCE", "30")]).unwrap());
    let verify = async |claims: Value| {
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        verifier.verify(&encode(&Header::default(), &claims, &key).unwrap(), at(NOW)).await
    };
    for (claims, wrong) in [
        (json!({ "exp": NOW + 60 }), TokenError::Subject),
        (json!({ "sub": "", "exp": NOW + 60 }), TokenError::Subject),
        (json!({ "sub": 1, "exp": NOW + 60 }), TokenError::Subject),
        (json!({ "sub": "u1" }), TokenError::Expired),
        (json!({ "sub": "u1", "exp": "tomorrow" }), TokenError::Malformed),
        (json!({ "sub": "u1", "exp": -1 }), TokenError::Malformed),
        (json!({ "sub": "u1", "exp": NOW - 30 }), TokenError::Expired),
        (json!({ "sub": "u1", "exp": NOW + 60, "nbf": NOW + 31 }), TokenError::NotYet),
        (json!({ "sub": "u1", "exp": NOW + 60, "iat": NOW + 3600 }), TokenError::NotYet),
        (json!({ "sub": "u1", "exp": NOW + 60, "type": "refresh" }), TokenError::Kind),
        (json!([1]), TokenError::Malformed),
    ] {
        assert_eq!(verify(claims.clone()).await, Err(wrong), "{claims}");
    }
    for (claims, permissions) in [
        (json!({ "permissions": ["a:b", 1, ""] }), &["a:b"][..]),
        (json!({ "https://example.com/permissions": ["a:b"], "scope": "c:d" }), &["a:b"]),
        (json!({ "scope": "a:b  c:d" }), &["a:b", "c:d"]),
        (json!({ "permissions": "a:b" }), &[]),
    ] {
        let mut all = claims.clone();
        all["sub"] = "u1".into();
        all["exp"] = (NOW - 29).into();
        let verified = verify(all).await.unwrap();
        assert_eq!(verified.auth.permissions, permissions, "{claims}");
        assert_eq!(verified.auth.email.as_deref(), Some("u1@unknown"));
        assert_eq!(verified.auth.name.as_deref(), Some("u1"));
    }
}

#[tokio::test]
async fn keys_change_while_tokens_are_under_way() {
    let mut before = keys(&[("JWT_PRIVATE_KEY", RSA)]).unwrap();
    let old = before.signer().unwrap().sign(&ann(), at(NOW)).unwrap();
    let others = before.published().to_string();
    let mut after = keys(&[("JWT_PRIVATE_KEY", &EC.replace('\n', "\\n")), ("JWT_OTHER_KEYS", &others)]).unwrap();
    let new = after.signer().unwrap().sign(&ann(), at(NOW)).unwrap();
    assert_eq!(after.published()["keys"].as_array().unwrap().len(), 2);
    let verifier = Verifier::new(after);
    assert!(verifier.verify(&old, at(NOW)).await.is_ok() && verifier.verify(&new, at(NOW)).await.is_ok());
    assert_eq!(Verifier::new(before).verify(&new, at(NOW)).await, Err(TokenError::Key));

    let mut before = keys(&[("JWT_SECRET", SECRET)]).unwrap();
    let old = before.signer().unwrap().sign(&ann(), at(NOW)).unwrap();
    let other = "another secret that has 32 bytes";
    let overlap = keys(&[("JWT_SECRET", other), ("JWT_SECRET_PREVIOUS", SECRET)]).unwrap();
    assert!(Verifier::new(overlap).verify(&old, at(NOW)).await.is_ok());
    let over = keys(&[("JWT_SECRET", other)]).unwrap();
    assert_eq!(Verifier::new(over).verify(&old, at(NOW)).await, Err(TokenError::Signature));
}

#[test]
fn what_is_no_key_is_a_mistake_in_the_settings() {
    let symmetric = r#"{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"x"}]}"#;
    for (name, value) in [
        ("JWT_PRIVATE_KEY", SHORT),
        ("JWT_PRIVATE_KEY", "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----"),
        ("JWT_PRIVATE_KEY", "hunter2"),
        ("JWT_OTHER_KEYS", "hunter2"),
        ("JWT_OTHER_KEYS", symmetric),
    ] {
        let error = keys(&[(name, value)]).err().unwrap();
        assert!(error.contains(name) && !error.contains("hunter2"), "{error}");
    }
    for environment in ["production", "staging"] {
        let error = keys(&[("NODE_ENV", environment)]).err().unwrap();
        assert!(error.contains("JWT_SECRET (or JWT_PRIVATE_KEY) is not set"), "{error}");
    }
    assert!(keys(&[]).is_ok(), "a developer need not set anything");
}

/// An issuer that publishes `set`; how often it was asked.
async fn issuer(set: Value) -> (String, &'static AtomicU32) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/keys", listener.local_addr().unwrap());
    let asked: &AtomicU32 = Box::leak(Box::default());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            asked.fetch_add(1, Ordering::SeqCst);
            let body = set.to_string();
            let _ = stream.read(&mut [0; 4096]).await;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body).as_bytes()).await;
        }
    });
    (address, asked)
}

#[tokio::test]
async fn another_issuer_is_believed_as_far_as_its_keys_go() {
    let mut theirs = keys(&[("JWT_PRIVATE_KEY", RSA), ("JWT_ISSUER", "them"), ("JWT_AUDIENCE", "us")]).unwrap();
    let mut set = theirs.published();
    let kid = set["keys"][0]["kid"].as_str().unwrap().to_owned();
    // what else may stand there does no harm, and never becomes a key
    set["keys"].as_array_mut().unwrap().extend([
        json!({ "kty": "oct", "k": base64(SECRET.as_bytes()), "kid": "symmetric", "alg": "HS256" }),
        json!({ "kty": "new", "kid": "future" }),
        json!(1),
    ]);
    let (address, asked) = issuer(set).await;
    let ours = |issuer: &str, audience: &str| {
        let settings =
            [("JWT_SECRET", SECRET), ("JWKS_URI", &*address), ("JWT_ISSUER", issuer), ("JWT_AUDIENCE", audience)];
        Verifier::new(keys(&settings).unwrap())
    };
    let token = theirs.signer().unwrap().sign(&ann(), at(NOW)).unwrap();
    let verifier = ours("them", "us");
    assert_eq!(verifier.verify(&token, at(NOW)).await.unwrap().auth, ann());
    assert_eq!(ours("others", "us").verify(&token, at(NOW)).await, Err(TokenError::Issuer));
    assert_eq!(ours("them", "others").verify(&token, at(NOW)).await, Err(TokenError::Audience));

    let before = asked.load(Ordering::SeqCst);
    let strange = |kid: &str| forged(&json!({ "alg": "RS256", "kid": kid }), &json!({ "iss": "them" }), "x");
    for number in 0..100 {
        assert_eq!(verifier.verify(&strange(&number.to_string()), at(NOW)).await, Err(TokenError::Key));
    }
    assert_eq!(asked.load(Ordering::SeqCst), before + 9, "strangers make it ask ten times a minute at most");
    let confused = Header { kid: Some("symmetric".to_owned()), ..Header::new(Algorithm::HS256) };
    let confused = encode(&confused, &good_claims(), &EncodingKey::from_secret(kid.as_bytes())).unwrap();
    assert_eq!(verifier.verify(&confused, at(NOW)).await, Err(TokenError::Signature));
}

#[tokio::test]
async fn an_issuer_that_is_away_is_not_the_callers_fault() {
    let mut theirs = keys(&[("JWT_PRIVATE_KEY", EC)]).unwrap();
    let token = theirs.signer().unwrap().sign(&ann(), at(NOW)).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let address = format!("http://127.0.0.1:{port}/keys");
    let verifier = Verifier::new(keys(&[("JWT_SECRET", SECRET), ("JWKS_URI", &address)]).unwrap());
    let refused = verifier.verify(&token, at(NOW)).await.unwrap_err();
    assert!(matches!(refused, TokenError::Unreachable(_)), "{refused}");
    assert_eq!(crate::Fault::from(refused).code, crate::FaultCode::ServiceUnavailable);
}
