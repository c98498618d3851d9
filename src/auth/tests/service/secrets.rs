//! No secret is where it should not be: in a log, an event, an error, or the database.

use std::{collections::BTreeSet, fs::File, time::Duration};

use auth::messages::{AuthenticateExternalUser, CreateUser, IssueToken, Profile, RefreshToken, RevokeToken};
use banyan_sdk::protocol::Kind;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row};

use super::stage::{Instance, PASSWORD, SECRET, Stage, admin, published};

/// What each event may say; an event that says more says it to everybody.
const FIELDS: [(&str, &[&str]); 9] = [
    ("UserCreated", &["userId", "email", "profile", "roles", "emailVerified", "createdBy"]),
    ("UserUpdated", &["userId", "updatedFields", "profile", "isActive", "emailVerified", "updatedBy"]),
    ("SessionCreated", &["sessionId", "userId", "method", "deviceInfo", "ipAddress", "createdAt", "expiresAt"]),
    ("SessionRefreshed", &["sessionId", "userId", "expiresAt"]),
    ("SessionRevoked", &["sessionId", "userId", "reason", "revokedBy", "revokedAt"]),
    ("ExternalIdentityLinked", &["userId", "provider", "linkedBy"]),
    ("RoleCreated", &["roleName", "description", "permissions", "createdBy"]),
    ("TokenIssued", &["userId", "issuedTo"]),
    ("AccountLocked", &["email", "ipAddress", "seconds"]),
];

/// Everything in the database, as text, by its table.
async fn dump(stage: &Stage) -> Vec<(String, String)> {
    let mut database = stage.database().await;
    let sql = "select table_name::text from information_schema.tables where table_schema = 'public'";
    let tables: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut database).await.unwrap();
    let mut all = Vec::new();
    for table in tables {
        let rows = sqlx::query(AssertSqlSafe(format!("select t::text from {table} t"))).fetch_all(&mut database).await;
        all.extend(rows.unwrap().iter().map(|row| (table.clone(), row.get(0))));
    }
    all
}

#[tokio::test]
async fn no_secret_is_where_it_should_not_be() {
    let stage = Stage::set().await;
    let events = published(&stage).await;
    let folder = tempfile::tempdir().unwrap();
    let (path, private) = (folder.path().join("log"), include_str!("../../../sdk/tests/keys/ec.pem"));
    let settings = [
        ("LOG_LEVEL", "trace"),
        ("ADMIN_EMAIL", "root@example.com"),
        ("ADMIN_PASSWORD", "canary bootstrap password"),
        ("JWT_PRIVATE_KEY", private),
    ];
    let instance = Instance::start_logged(&stage, &settings, File::create(&path).unwrap());
    instance.ready().await;
    let mut secrets = vec![
        SECRET.to_owned(),
        PASSWORD.to_owned(),
        "canary bootstrap password".to_owned(),
        "canary wrong password".to_owned(),
        private.lines().nth(1).unwrap().to_owned(),
    ];
    let mut told = Vec::new();

    let root = stage.log_in("root@example.com", "canary bootstrap password").await.unwrap();
    stage.register("ann@example.com").await;
    let ann = stage.log_in("ann@example.com", PASSWORD).await.unwrap();
    let refreshing = |token: &str| RefreshToken { refresh_token: token.to_owned() };
    let next = stage.call(None, refreshing(&ann.refresh_token)).await.unwrap();
    told.push(stage.call(None, refreshing(&ann.refresh_token)).await.err().unwrap());
    for _ in 0..6 {
        told.push(stage.log_in("bob@example.com", "canary wrong password").await.err().unwrap());
    }
    let create = CreateUser {
        email: "ann@example.com".to_owned(),
        password: PASSWORD.to_owned(),
        profile: Profile::default(),
        initial_roles: vec![],
        skip_email_verification: false,
    };
    told.push(stage.manage(create).await.unwrap_err());
    // wherever a password may stand by mistake
    for body in [
        json!({ "email": PASSWORD, "password": PASSWORD, "extra": PASSWORD }),
        json!({ "email": { "password": PASSWORD }, "password": [PASSWORD] }),
        json!({ "email": PASSWORD, "password": PASSWORD, "ipAddress": PASSWORD }),
        json!(PASSWORD),
        json!([PASSWORD]),
    ] {
        for message in ["AuthenticateUserCommand", "RegisterUserCommand", "CreateUserCommand"] {
            told.push(stage.send(Some(admin()), Kind::Command, message, &body).await.unwrap_err());
        }
    }
    // an answer under an idempotency key would be kept
    let body = json!({ "email": "ann@example.com", "password": PASSWORD });
    let kept = stage.send_with_key(None, "AuthenticateUserCommand", &body, "canary-key").await.unwrap();
    let external = AuthenticateExternalUser {
        external_provider: "google".to_owned(),
        external_user_id: "g1".to_owned(),
        email: "carl@example.com".to_owned(),
        email_verified: true,
        name: None,
        metadata: Some(serde_json::Map::from_iter([("idToken".to_owned(), "canary id token".into())])),
    };
    let carl = stage.manage(external).await.unwrap();
    secrets.push("canary id token".to_owned());
    let issued = stage.manage(IssueToken { user: "ann@example.com".to_owned() }).await.unwrap();
    stage.manage(RevokeToken { token: next.refresh_token.clone() }).await.unwrap();

    secrets.extend([root.access_token, root.refresh_token, ann.access_token, ann.refresh_token, next.access_token]);
    secrets.extend([next.refresh_token, carl.access_token, carl.refresh_token, issued.access_token]);
    secrets.extend(["accessToken", "refreshToken"].map(|field| kept[field].as_str().unwrap().to_owned()));
    let mut database = stage.database().await;
    let hashes: Vec<String> =
        sqlx::query_scalar("select hash from credentials").fetch_all(&mut database).await.unwrap();
    assert_eq!(hashes.len(), 2);

    let last = |all: &Vec<Value>| all.iter().filter(|it| it["messageType"] == "SessionRevoked").count() == 1;
    tokio::time::timeout(Duration::from_secs(20), events.clone().wait_for(last)).await.unwrap().unwrap();
    let log = std::fs::read_to_string(&path).unwrap();
    assert!(log.lines().count() > 20 && log.contains("\"trace\"") | log.contains("\"debug\""), "there is a log");
    let published: Vec<String> = events.borrow().iter().map(Value::to_string).collect();
    let faults: Vec<String> = told.iter().map(|it| serde_json::to_string(it).unwrap()).collect();
    let rows = dump(&stage).await;
    assert!(rows.iter().any(|(table, _)| table == "handled_messages") || !rows.is_empty());
    for secret in secrets.iter().chain(&hashes) {
        let everywhere =
            [("log", vec![&log]), ("events", published.iter().collect()), ("errors", faults.iter().collect())];
        for (place, texts) in everywhere {
            let found = texts.iter().find(|text| text.contains(secret.as_str()));
            assert!(found.is_none(), "{secret} in {place}: {}", found.unwrap());
        }
        let found = rows.iter().find(|(table, text)| {
            text.contains(secret.as_str()) && !(table == "credentials" && hashes.contains(secret))
        });
        assert!(found.is_none(), "{secret} in the database: {found:?}");
    }

    for event in events.borrow().iter() {
        let name = event["messageType"].as_str().unwrap();
        if ["ServiceContractsRegistered", "HealthCheckResponse"].contains(&name) {
            continue;
        }
        let Some((_, allowed)) = FIELDS.iter().find(|(known, _)| *known == name) else { panic!("{name} is new") };
        let fields: BTreeSet<&str> = event["payload"].as_object().unwrap().keys().map(String::as_str).collect();
        assert!(fields.iter().all(|field| allowed.contains(field)), "{name} says {fields:?}");
    }
}
