//! What people try who are not meant to come in, or to come further.

use std::{collections::BTreeMap, time::Duration};

use auth::messages::{
    AuthenticateExternalUser, CreateRole, CreateUser, GetUser, ListUsers, PERMISSIONS, Profile, RefreshToken,
};
use banyan_sdk::{FaultCode, protocol::Kind};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::stage::{PASSWORD, Stage, admin, holder, is_refusal};

/// Every message that is not for everybody, with the permission that it needs.
pub const GUARDED: [(Kind, &str, Option<&str>); 24] = [
    (Kind::Command, "CreateUserCommand", Some("auth:create-user")),
    (Kind::Command, "UpdateUserCommand", Some("auth:update-user")),
    (Kind::Command, "DeleteUserCommand", Some("auth:delete-user")),
    (Kind::Command, "RevokeTokenCommand", Some("auth:revoke-token")),
    (Kind::Command, "AuthenticateExternalUserCommand", Some("auth:authenticate-external")),
    (Kind::Command, "IssueTokenCommand", Some("auth:issue-token")),
    (Kind::Command, "CreateRoleCommand", Some("auth:manage-roles")),
    (Kind::Command, "UpdateRolePermissionsCommand", Some("auth:manage-roles")),
    (Kind::Command, "AssignRoleCommand", Some("auth:assign-roles")),
    (Kind::Command, "RemoveRoleCommand", Some("auth:assign-roles")),
    (Kind::Command, "AssignPermissionCommand", Some("auth:assign-permissions")),
    (Kind::Command, "RemovePermissionCommand", Some("auth:assign-permissions")),
    (Kind::Command, "CreateSessionCommand", Some("auth:manage-sessions")),
    (Kind::Command, "RefreshSessionCommand", None),
    (Kind::Command, "RevokeSessionCommand", Some("auth:manage-sessions")),
    (Kind::Command, "RevokeAllUserSessionsCommand", Some("auth:manage-sessions")),
    (Kind::Query, "GetUserQuery", Some("auth:view-users")),
    (Kind::Query, "ListUsersQuery", Some("auth:view-users")),
    (Kind::Query, "GetUserPermissionsQuery", Some("auth:view-permissions")),
    (Kind::Query, "ListAvailablePermissionsQuery", Some("auth:view-permissions")),
    (Kind::Query, "GetRoleQuery", Some("auth:view-roles")),
    (Kind::Query, "ListRolesQuery", Some("auth:view-roles")),
    (Kind::Query, "GetUserRolesQuery", Some("auth:view-roles")),
    (Kind::Query, "ListSessionsQuery", Some("auth:manage-sessions")),
];

#[tokio::test]
async fn nobody_does_what_they_have_no_permission_for() {
    let (stage, _instance) = Stage::with_instance().await;
    for (kind, message, permission) in GUARDED {
        let refused = stage.send(None, kind, message, &json!({})).await.unwrap_err();
        assert_eq!(refused.code, FaultCode::Unauthorized, "{message} by nobody: {refused}");
        let Some(permission) = permission else { continue };
        // everything but the one; and what looks like it
        let others: Vec<&str> = PERMISSIONS.iter().map(|(name, _)| *name).filter(|name| *name != permission).collect();
        let upper = permission.to_uppercase();
        for held in [&others[..], &["*", "*:*", "auth:*"], &[&*upper], &["admin:all"]] {
            let refused = stage.send(Some(holder("x", held)), kind, message, &json!({})).await.unwrap_err();
            assert_eq!(refused.code, FaultCode::Authorization, "{message} with {held:?}: {refused}");
        }
        let taken = stage.send(Some(holder("x", &[permission])), kind, message, &json!({})).await;
        assert!(taken.as_ref().map_or_else(|fault| !is_refusal(fault), |_| true), "{message}: {taken:?}");
    }
    let escalation = CreateUser {
        email: "eve@example.com".to_owned(),
        password: PASSWORD.to_owned(),
        profile: Profile::default(),
        initial_roles: vec!["admin".to_owned()],
        skip_email_verification: true,
    };
    let refused = stage.call(Some(holder("x", &["auth:create-user"])), escalation).await.unwrap_err();
    assert_eq!(refused.code, FaultCode::Authorization);
    assert!(stage.log_in("eve@example.com", PASSWORD).await.is_err());
}

#[tokio::test]
async fn nobody_gets_more_by_saying_more() {
    let (stage, _instance) = Stage::with_instance().await;
    for (field, value) in [
        ("roles", json!(["admin"])),
        ("initialRoles", json!(["admin"])),
        ("permissions", json!(["auth:manage-roles"])),
        ("directPermissions", json!(["auth:manage-roles"])),
        ("isAdmin", json!(true)),
        ("isActive", json!(true)),
        ("emailVerified", json!(true)),
        ("skipEmailVerification", json!(true)),
        ("userId", json!("the-admin")),
        ("__proto__", json!({ "roles": ["admin"] })),
    ] {
        let body = json!({ "email": "eve@example.com", "password": PASSWORD, field: value });
        let refused = stage.send(None, Kind::Command, "RegisterUserCommand", &body).await.unwrap_err();
        assert_eq!(refused.code, FaultCode::Validation, "{field}: {refused}");
    }
    assert!(stage.log_in("eve@example.com", PASSWORD).await.is_err(), "none of them counted");
    let ann = stage.create("ann@example.com", &["user"]).await;
    for (field, value) in [("roles", json!(["admin"])), ("email", json!("eve@example.com")), ("password", json!("x"))] {
        let body = json!({ "userId": ann, field: value });
        let refused = stage.send(Some(admin()), Kind::Command, "UpdateUserCommand", &body).await.unwrap_err();
        assert_eq!(refused.code, FaultCode::Validation, "{field}: {refused}");
    }
    assert_eq!(stage.log_in("ann@example.com", PASSWORD).await.unwrap().user.roles, ["user"]);
}

#[tokio::test]
async fn what_is_said_never_becomes_part_of_a_statement() {
    let (stage, _instance) = Stage::with_instance().await;
    stage.create("ann@example.com", &["user"]).await;
    let tricks = [
        "' or '1'='1",
        "ann@example.com' --",
        "x'; drop table credentials; --",
        "ann@example.com\\' or 1=1",
        "$1",
        "%",
        "{\"$ne\": null}",
        "\0",
        "\u{202e}ann@example.com",
    ];
    for trick in tricks {
        assert!(stage.log_in(trick, trick).await.is_err(), "{trick:?}");
        assert!(stage.log_in("ann@example.com", trick).await.is_err() && stage.log_in(trick, PASSWORD).await.is_err());
        let refresh = RefreshToken { refresh_token: trick.to_owned() };
        assert!(is_refusal(&stage.call(None, refresh).await.err().unwrap()), "{trick:?}");
        let refused = stage.manage(GetUser { user_id: trick.to_owned() }).await.unwrap_err();
        assert!(matches!(refused.code, FaultCode::NotFound | FaultCode::EventStore), "{trick:?}: {refused}");
        let role = CreateRole { role_name: trick.to_owned(), description: None, permissions: vec![] };
        assert_eq!(stage.manage(role).await.unwrap_err().code, FaultCode::Validation, "{trick:?}");
        let external = AuthenticateExternalUser {
            external_provider: "google".to_owned(),
            external_user_id: trick.to_owned(),
            email: "ann@example.com".to_owned(),
            email_verified: false,
            name: None,
            metadata: None,
        };
        assert!(stage.manage(external).await.is_err(), "{trick:?}");
    }
    // operators of other databases, and types that should be text
    for value in [json!({ "$ne": null }), json!({ "$gt": "" }), json!(["ann@example.com"]), json!(true), Value::Null] {
        for field in ["email", "password"] {
            let mut body = json!({ "email": "ann@example.com", "password": PASSWORD });
            body[field] = value.clone();
            let refused = stage.send(None, Kind::Command, "AuthenticateUserCommand", &body).await.unwrap_err();
            assert_eq!(refused.code, FaultCode::Validation, "{field} {value}: {refused}");
        }
        let body = json!({ "filter": { "email": value } });
        let listed = stage.send(Some(admin()), Kind::Query, "ListUsersQuery", &body).await;
        assert!(value.is_null() || listed.is_err(), "{value}: {listed:?}");
    }
    // one of the tricks was tried five times with her address, and she has the lock of that
    let sql = "select count(*) from credentials";
    let left: i64 = sqlx::query_scalar(sql).fetch_one(&mut stage.database().await).await.unwrap();
    assert_eq!(left, 1);
}

#[tokio::test]
async fn what_is_too_large_or_too_deep_is_refused_and_the_service_goes_on() {
    let (stage, _instance) = Stage::with_instance().await;
    let deep = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!({ "a": inner }));
    let large = |bytes: usize| json!({ "email": "ann@example.com", "password": "x".repeat(bytes) });
    let profile = |value: Value| json!({ "email": "a@b.c", "password": PASSWORD, "profile": { "metadata": value } });
    for (what, kind, message, body) in [
        ("a long password", Kind::Command, "AuthenticateUserCommand", large(1025)),
        ("a very long password", Kind::Command, "RegisterUserCommand", large(400_000)),
        ("a message that is too large", Kind::Command, "AuthenticateUserCommand", large(20_000_000)),
        ("a query that is too large", Kind::Query, "GetUserQuery", json!({ "userId": "x".repeat(200_000) })),
        ("deep metadata", Kind::Command, "CreateUserCommand", profile(deep(200))),
        ("a deep body", Kind::Command, "AuthenticateUserCommand", deep(200)),
        (
            "many roles",
            Kind::Command,
            "CreateRoleCommand",
            json!({ "roleName": "x", "permissions": vec!["a:b"; 1001] }),
        ),
    ] {
        let refused = stage.send(Some(admin()), kind, message, &body).await;
        let expected = [FaultCode::Validation, FaultCode::MessageTooLarge, FaultCode::MessageUnreadable];
        assert!(refused.as_ref().is_err_and(|fault| expected.contains(&fault.code)), "{what}: {refused:?}");
    }
    stage.create("ann@example.com", &["user"]).await;
    assert!(stage.log_in("ann@example.com", PASSWORD).await.is_ok());
    assert!(stage.manage(ListUsers::default()).await.is_ok());
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_stolen_ones_end_the_session() {
    let (stage, _instance) = Stage::with_instance().await;
    stage.create("ann@example.com", &["user"]).await;
    let refresh = async |token: &str| stage.call(None, RefreshToken { refresh_token: token.to_owned() }).await;
    let mut words = BTreeMap::new();
    let mut refused = async |why: &'static str, token: &str| {
        let fault = refresh(token).await.err().unwrap();
        words.insert((fault.code.to_string(), fault.message), why);
    };

    let first = stage.log_in("ann@example.com", PASSWORD).await.unwrap();
    let other = stage.log_in("ann@example.com", PASSWORD).await.unwrap();
    let second = refresh(&first.refresh_token).await.unwrap();
    refused("two tabs at once", &first.refresh_token).await;
    let third = refresh(&second.refresh_token).await.expect("an accident ends nothing");

    sleep(Duration::from_millis(2_100)).await;
    refused("a thief who comes late", &first.refresh_token).await;
    refused("of a session that ended", &third.refresh_token).await;
    refused("never seen", &format!("rt_{}", "0".repeat(64))).await;
    refused("an access token", &third.access_token).await;
    refused("nothing", "").await;
    refused("with a space", &format!("{} ", third.refresh_token)).await;
    assert_eq!(words.len(), 1, "all of them sound the same: {words:?}");
    assert!(refresh(&other.refresh_token).await.is_ok(), "other sessions go on");
    let sql =
        "select count(*) from events where event_type = 'SessionRevoked' and event_data->>'reason' = 'token reuse'";
    let revoked: i64 = sqlx::query_scalar(sql).fetch_one(&mut stage.database().await).await.unwrap();
    assert_eq!(revoked, 1);

    // a session whose time is over
    let sql = "update auth_sessions set expires_at = now() where not revoked";
    sqlx::query(sql).execute(&mut stage.database().await).await.unwrap();
    let last = stage.log_in("ann@example.com", PASSWORD).await.unwrap();
    let sql = "update auth_sessions set expires_at = now()";
    sqlx::query(sql).execute(&mut stage.database().await).await.unwrap();
    assert!(refresh(&last.refresh_token).await.is_err());
}
