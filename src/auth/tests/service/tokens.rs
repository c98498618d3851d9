//! Tokens as others check them, and clocks that are wrong.

use std::time::SystemTime;

use auth::{SERVICE, messages::RefreshToken};
use banyan_sdk::{
    config::{Config, Reader},
    protocol::Auth,
    tokens::{Keys, TokenError, Verifier},
};

use super::stage::{Instance, PASSWORD, SECRET, Stage};

/// What checks tokens as the gateway does, with `settings` beside the tests' secret.
fn verifier(settings: &[(&str, &str)]) -> Verifier {
    let env = |name: &str| {
        let mut all = settings.iter().chain(&[("JWT_SECRET", SECRET)]);
        all.find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    let mut reader = Reader::new(&env);
    let config = Config::read(&mut reader, SERVICE, 3003);
    let keys = config.and_then(|config| Keys::read(&mut reader, &config, false));
    Verifier::new(reader.finish(keys).ok().unwrap())
}

/// Whom a token speaks for.
pub async fn claims(token: &str) -> Auth {
    verifier(&[]).verify(token, SystemTime::now()).await.unwrap().auth.clone()
}

#[tokio::test]
async fn a_clock_that_is_wrong_makes_tokens_wrong_and_no_session() {
    let stage = Stage::set().await;
    let right = Instance::start(&stage, &[]);
    right.ready().await;
    stage.create("ann@example.com", &["user"]).await;
    drop(right);
    for (ahead, plain, tolerant) in [
        ("0", Ok(()), Ok(())),
        ("-20", Ok(()), Ok(())),
        ("20", Err(TokenError::NotYet), Ok(())),
        ("3600", Err(TokenError::NotYet), Err(TokenError::NotYet)),
        ("-3600", Err(TokenError::Expired), Err(TokenError::Expired)),
    ] {
        let instance = Instance::start(&stage, &[("CLOCK_AHEAD", ahead)]);
        instance.ready().await;
        let session = stage.log_in("ann@example.com", PASSWORD).await.unwrap();
        let (token, now) = (&session.access_token, SystemTime::now());
        assert_eq!(verifier(&[]).verify(token, now).await.map(drop), plain, "{ahead} s ahead");
        let settings = [("JWT_CLOCK_TOLERANCE", "30")];
        assert_eq!(verifier(&settings).verify(token, now).await.map(drop), tolerant, "{ahead} s ahead");
        // whether a refresh token is good is for the database's clock to say
        let refresh = RefreshToken { refresh_token: session.refresh_token };
        assert!(stage.call(None, refresh).await.is_ok(), "{ahead} s ahead");
    }
}

#[tokio::test]
async fn public_keys_are_there_for_everybody_and_change_without_a_gap() {
    const RSA: &str = include_str!("../../../sdk/tests/keys/rsa.pem");
    const EC: &str = include_str!("../../../sdk/tests/keys/ec.pem");
    let stage = Stage::set().await;
    let first = Instance::start(&stage, &[("JWT_PRIVATE_KEY", RSA)]);
    first.ready().await;
    stage.create("ann@example.com", &["user"]).await;
    let old = stage.log_in("ann@example.com", PASSWORD).await.unwrap().access_token;
    let (status, before) = first.get("/.well-known/jwks.json").await.unwrap();
    assert_eq!(status, 200);
    drop(first);
    let second = Instance::start(&stage, &[("JWT_PRIVATE_KEY", EC), ("JWT_OTHER_KEYS", &before)]);
    second.ready().await;
    let new = stage.log_in("ann@example.com", PASSWORD).await.unwrap().access_token;
    let uri = second.keys();
    for settings in
        [vec![("JWKS_URI", &*uri)], vec![("JWT_OTHER_KEYS", &*second.get("/.well-known/jwks.json").await.unwrap().1)]]
    {
        let verifier = verifier(&settings);
        for token in [&old, &new] {
            assert!(verifier.verify(token, SystemTime::now()).await.is_ok(), "{settings:?}");
        }
    }
    let after = second.get("/.well-known/jwks.json").await.unwrap().1;
    for private in ["\"d\"", "\"p\"", "\"q\"", "\"k\"", "PRIVATE"] {
        assert!(!after.contains(private), "{after}");
    }
}

#[tokio::test]
async fn http_takes_nothing_but_what_it_serves() {
    let (_stage, instance) = Stage::with_instance().await;
    assert_eq!(instance.get("/.well-known/jwks.json").await.unwrap(), (200, r#"{"keys":[]}"#.to_owned()));
    assert_eq!(instance.get("/health").await.unwrap().0, 200);
    for path in ["/", "/.well-known/../etc/passwd", "/users", &format!("/{}", "a".repeat(10_000))] {
        assert_eq!(instance.get(path).await.unwrap().0, 404, "{path}");
    }
    // a client who never ends its request keeps nobody else from being served
    let mut slow = Vec::new();
    for _ in 0..200 {
        use tokio::io::AsyncWriteExt;
        let mut stream = instance.connect().await;
        stream.write_all(b"POST /.well-known/jwks.json HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n{").await.unwrap();
        slow.push(stream);
    }
    let began = std::time::Instant::now();
    assert_eq!(instance.get("/.well-known/jwks.json").await.unwrap().0, 200);
    assert!(began.elapsed() < std::time::Duration::from_secs(1));
}
