//! Our tokens as somebody else's library sees them (PyJWT), and theirs as ours does.

use std::{
    io::Write,
    process::{Command, Stdio},
    time::SystemTime,
};

use banyan_sdk::{
    config::{Config, Reader},
    tokens::{Keys, Verifier},
};
use serde_json::{Value, json};

use super::stage::{Instance, PASSWORD, SECRET, Stage};

const RSA: &str = include_str!("../../../sdk/tests/keys/rsa.pem");
const EC: &str = include_str!("../../../sdk/tests/keys/ec.pem");

/// What `script` prints as JSON when it is given `input` as JSON.
fn python(script: &str, input: &Value) -> Value {
    let python = std::env::var("BANYAN_TEST_PYJWT")
        .expect("set BANYAN_TEST_PYJWT to a Python that has pyjwt[crypto], as tests/run makes it");
    let mut child =
        Command::new(python).args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

const READ: &str = r#"
import json, sys, jwt
given = json.load(sys.stdin)
header = jwt.get_unverified_header(given["token"])
if header["alg"] == "HS256":
    key = given["secret"]
else:
    keys = jwt.PyJWKSet.from_dict(given["jwks"])
    key = next(k for k in keys.keys if k.key_id == header["kid"])
    assert key.public_key_use == "sig" and key.algorithm_name == header["alg"]
    key = key.key
required = ["exp", "iat", "sub", "iss", "aud"]
claims = jwt.decode(given["token"], key, algorithms=[header["alg"]], issuer="us", audience="them",
                    options={"require": required})
for wrong in [given["token"][:-2], given["token"].replace(".", "..", 1)]:
    try:
        jwt.decode(wrong, key, algorithms=[header["alg"]], issuer="us", audience="them")
        raise SystemExit("accepted a token that was changed")
    except jwt.InvalidTokenError:
        pass
json.dump({"alg": header["alg"], "claims": claims}, sys.stdout)
"#;

#[tokio::test]
async fn another_library_reads_our_tokens_and_keys() {
    for (algorithm, private) in [("HS256", None), ("RS256", Some(RSA)), ("ES256", Some(EC))] {
        let stage = Stage::set().await;
        let mut settings = vec![("JWT_ISSUER", "us"), ("JWT_AUDIENCE", "them")];
        settings.extend(private.map(|key| ("JWT_PRIVATE_KEY", key)));
        let instance = Instance::start(&stage, &settings);
        instance.ready().await;
        stage.create("ann@example.com", &["user"]).await;
        let session = stage.log_in("ann@example.com", PASSWORD).await.unwrap();
        let jwks: Value = serde_json::from_str(&instance.get("/.well-known/jwks.json").await.unwrap().1).unwrap();
        let read = python(READ, &json!({ "token": session.access_token, "jwks": jwks, "secret": SECRET }));
        assert_eq!(read["alg"], algorithm);
        let claims = &read["claims"];
        assert_eq!(claims["sub"], session.user.id.as_str());
        assert_eq!(claims["email"], "ann@example.com");
        assert_eq!(claims["permissions"], json!(["auth:revoke-token"]));
        assert_eq!(claims["roles"], json!(["user"]));
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 300);
    }
}

const WRITE: &str = r#"
import json, sys, time, jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key
given = json.load(sys.stdin)
keys, tokens = [], []
for alg, name, pem in [("RS256", "r", given["rsa"]), ("ES256", "e", given["ec"])]:
    private = load_pem_private_key(pem.encode(), None)
    jwk = json.loads(jwt.get_algorithm_by_name(alg).to_jwk(private.public_key()))
    keys.append({**jwk, "kid": name, "alg": alg, "use": "sig"})
    claims = {"sub": "u1", "scope": "orders:place orders:read", "exp": int(time.time()) + 60}
    tokens.append(jwt.encode(claims, private, algorithm=alg, headers={"kid": name}))
json.dump({"jwks": {"keys": keys}, "tokens": tokens}, sys.stdout)
"#;

#[tokio::test]
async fn we_read_the_tokens_and_keys_of_another_library() {
    let written = python(WRITE, &json!({ "rsa": RSA, "ec": EC }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/keys", listener.local_addr().unwrap());
    let body = written["jwks"].clone();
    let routes = axum::Router::new().route("/keys", axum::routing::get(move || async { axum::Json(body) }));
    tokio::spawn(async { axum::serve(listener, routes).await.unwrap() });
    let env = |name: &str| (name == "JWKS_URI").then(|| address.clone());
    let mut reader = Reader::new(&env);
    let config = Config::read(&mut reader, "api-gateway", 3003);
    let keys = config.and_then(|config| Keys::read(&mut reader, &config, false));
    let verifier = Verifier::new(reader.finish(keys).ok().unwrap());
    let tokens = written["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), 2);
    for token in tokens {
        let verified = verifier.verify(token.as_str().unwrap(), SystemTime::now()).await.unwrap();
        assert_eq!(verified.auth.permissions, ["orders:place", "orders:read"]);
    }
}
