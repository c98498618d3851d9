//! What the service is for.

use auth::messages::{
    AssignPermission, AssignRole, AuthenticateExternalUser, CreateRole, CreateSession, DeleteUser, GetRole, GetUser,
    GetUserPermissions, GetUserRoles, IssueToken, ListAvailablePermissions, ListRoles, ListSessions, ListUsers,
    RefreshSession, RefreshToken, RegisterUser, RemovePermission, RemoveRole, RevokeAllUserSessions, RevokeSession,
    RevokeToken, UpdateRolePermissions, UpdateUser, UserFilter,
};
use banyan_sdk::FaultCode;

use super::stage::{Instance, PASSWORD, Stage, admin, holder, is_refusal, until};

fn refreshing(token: &str) -> RefreshToken {
    RefreshToken { refresh_token: token.to_owned() }
}

#[tokio::test]
async fn somebody_registers_logs_in_stays_and_leaves() {
    let (stage, _instance) = Stage::with_instance().await;
    let register = RegisterUser {
        email: " Ann@Example.com ".to_owned(),
        password: PASSWORD.to_owned(),
        name: Some("Ann".to_owned()),
        ip_address: Some("203.0.113.7".to_owned()),
    };
    assert_eq!(stage.call(None, register).await.unwrap().email, "ann@example.com");

    let ann = stage.log_in("ANN@example.com", PASSWORD).await.unwrap();
    assert_eq!((ann.expires_in, ann.user.name.as_deref()), (300, Some("Ann")));
    assert_eq!((ann.user.roles.join(" "), ann.user.permissions.join(" ")), ("user".into(), "auth:revoke-token".into()));

    let next = stage.call(None, refreshing(&ann.refresh_token)).await.unwrap();
    assert_ne!(next.refresh_token, ann.refresh_token);
    let last = stage.call(None, refreshing(&next.refresh_token)).await.unwrap();

    let user_id = ann.user.id.clone();
    let seen =
        || async { stage.manage(GetUser { user_id: user_id.clone() }).await.is_ok_and(|it| it.last_login.is_some()) };
    until(seen).await;
    let view = stage.manage(GetUser { user_id: user_id.clone() }).await.unwrap();
    assert!(view.is_active && !view.email_verified && view.created_at.is_some() && view.last_login.is_some());
    assert_eq!((view.email.as_str(), view.profile.display_name.as_deref()), ("ann@example.com", Some("Ann")));

    let me = holder(&ann.user.id, &["auth:revoke-token"]);
    stage.call(Some(me), RevokeToken { token: last.refresh_token.clone() }).await.unwrap();
    let refused = stage.call(None, refreshing(&last.refresh_token)).await.err().unwrap();
    assert_eq!(refused.code, FaultCode::Unauthorized);
    let ended = || async {
        let sessions = stage.manage(ListSessions { user_id: user_id.clone() }).await.unwrap();
        sessions.len() == 1 && sessions[0].revoked_at.is_some()
    };
    until(ended).await;
}

#[tokio::test]
async fn administrators_say_what_others_may_do() {
    let (stage, _instance) = Stage::with_instance().await;
    let role_name = "editor".to_owned();
    let permissions = vec!["texts:write".to_owned(), "texts:read".to_owned(), "texts:read".to_owned()];
    let create = CreateRole { role_name: role_name.clone(), description: Some("Writes".to_owned()), permissions };
    assert_eq!(stage.manage(create.clone()).await.unwrap().permissions, ["texts:read", "texts:write"]);
    assert_eq!(stage.manage(create).await.unwrap_err().code, FaultCode::ResourceConflict);
    let bob = stage.create("bob@example.com", &["editor"]).await;
    let permissions = async || stage.log_in("bob@example.com", PASSWORD).await.unwrap().user.permissions;
    assert_eq!(permissions().await, ["texts:read", "texts:write"]);

    let (user_id, permission) = (bob.clone(), "orders:place".to_owned());
    stage.manage(AssignPermission { user_id: user_id.clone(), permission: permission.clone() }).await.unwrap();
    stage.manage(AssignPermission { user_id: user_id.clone(), permission: "texts:read".to_owned() }).await.unwrap();
    stage.manage(AssignRole { user_id: user_id.clone(), role_name: "user".to_owned() }).await.unwrap();
    assert_eq!(permissions().await, ["auth:revoke-token", "orders:place", "texts:read", "texts:write"]);

    let session = stage.log_in("bob@example.com", PASSWORD).await.unwrap();
    let update = UpdateRolePermissions { role_name: role_name.clone(), permissions: vec!["texts:read".to_owned()] };
    stage.manage(update).await.unwrap();
    let token = stage.call(None, refreshing(&session.refresh_token)).await.unwrap().access_token;
    let held = super::tokens::claims(&token).await.permissions;
    assert_eq!(held, ["auth:revoke-token", "orders:place", "texts:read"], "they count from the next token on");

    stage.manage(RemovePermission { user_id: user_id.clone(), permission }).await.unwrap();
    stage.manage(RemoveRole { user_id: user_id.clone(), role_name: role_name.clone() }).await.unwrap();
    assert_eq!(
        stage.manage(GetUserPermissions { user_id: user_id.clone() }).await.unwrap(),
        ["auth:revoke-token", "texts:read"]
    );
    assert_eq!(stage.manage(GetUserRoles { user_id: user_id.clone() }).await.unwrap(), ["user"]);
    let unknown = AssignRole { user_id: user_id.clone(), role_name: "nobody".to_owned() };
    assert_eq!(stage.manage(unknown).await.unwrap_err().code, FaultCode::AggregateNotFound);

    until(|| async { stage.manage(ListRoles {}).await.unwrap().len() == 3 }).await;
    let role = stage.manage(GetRole { role_name }).await.unwrap();
    assert_eq!((role.description.as_deref(), role.permissions.join(" ")), (Some("Writes"), "texts:read".to_owned()));
    let available = stage.manage(ListAvailablePermissions {}).await.unwrap();
    let found = available.iter().find(|it| it.name == "texts:read").unwrap();
    assert_eq!((found.resource.as_str(), found.action.as_str(), &found.description), ("texts", "read", &None));
    assert!(available.iter().any(|it| it.name == "auth:create-user" && it.description.is_some()));
}

#[tokio::test]
async fn users_come_and_go() {
    let (stage, _instance) = Stage::with_instance().await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(stage.create(&format!("{name}@example.com"), &["user"]).await);
    }
    let session = stage.log_in("a@example.com", PASSWORD).await.unwrap();
    let off = |is_active| UpdateUser { user_id: ids[0].clone(), profile: None, is_active: Some(is_active) };
    assert!(!stage.manage(off(false)).await.unwrap().user.is_active);
    assert_eq!(stage.log_in("a@example.com", PASSWORD).await.err().unwrap().code, FaultCode::Unauthorized);
    assert!(stage.call(None, refreshing(&session.refresh_token)).await.is_err());
    stage.manage(off(true)).await.unwrap();
    assert!(stage.log_in("a@example.com", PASSWORD).await.is_ok());
    assert!(stage.call(None, refreshing(&session.refresh_token)).await.is_err(), "its session ended");

    let page = |page| ListUsers { page: Some(page), page_size: Some(2), filter: UserFilter::default() };
    until(|| async { stage.manage(page(2)).await.unwrap().items.len() == 1 }).await;
    let first = stage.manage(page(1)).await.unwrap();
    assert!(first.has_more && first.items.len() == 2 && !stage.manage(page(2)).await.unwrap().has_more);
    let filter = UserFilter { email: Some("B@example.com".to_owned()), ..UserFilter::default() };
    let found = stage.manage(ListUsers { filter, ..ListUsers::default() }).await.unwrap().items;
    assert_eq!(found.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), [ids[1].as_str()]);

    let session = stage.log_in("b@example.com", PASSWORD).await.unwrap();
    let delete = DeleteUser { user_id: ids[1].clone(), reason: Some("wanted to go".to_owned()) };
    stage.manage(delete.clone()).await.unwrap();
    assert_eq!(stage.manage(delete).await.unwrap_err().code, FaultCode::AggregateNotFound);
    assert!(stage.log_in("b@example.com", PASSWORD).await.is_err());
    assert!(stage.call(None, refreshing(&session.refresh_token)).await.is_err());
    let again = stage.create("b@example.com", &[]).await;
    assert_ne!(again, ids[1], "the address is free, and the new user is another one");
    until(|| async { stage.manage(GetUser { user_id: ids[1].clone() }).await.is_err() }).await;

    let oneself = DeleteUser { user_id: "the-admin".to_owned(), reason: None };
    assert_eq!(stage.manage(oneself).await.unwrap_err().code, FaultCode::AggregateNotFound);
    let me = holder(&ids[2], &["auth:delete-user"]);
    let oneself = DeleteUser { user_id: ids[2].clone(), reason: None };
    assert_eq!(stage.call(Some(me), oneself).await.unwrap_err().code, FaultCode::BusinessRule);
}

fn external(provider: &str, id: &str, email: &str, email_verified: bool) -> AuthenticateExternalUser {
    AuthenticateExternalUser {
        external_provider: provider.to_owned(),
        external_user_id: id.to_owned(),
        email: email.to_owned(),
        email_verified,
        name: Some("Ann".to_owned()),
        metadata: None,
    }
}

#[tokio::test]
async fn another_provider_opens_only_what_is_proved_to_be_the_same_persons() {
    let (stage, _instance) = Stage::with_instance().await;
    let first = stage.manage(external("google", "g1", "ann@example.com", false)).await.unwrap();
    let second = stage.manage(external("google", "g1", "ann@example.com", false)).await.unwrap();
    assert_eq!(first.user, second.user);
    assert!(stage.log_in("ann@example.com", PASSWORD).await.is_err(), "there is no password");
    let other = stage.manage(external("github", "g1", "ann@example.com", false)).await.err().unwrap();
    assert_eq!(other.code, FaultCode::BusinessRule, "{other}");

    // somebody has registered with an address that is not theirs, and waits for its owner
    stage.register("bob@example.com").await;
    let thief = stage.log_in("bob@example.com", PASSWORD).await.unwrap();
    let owner = stage.manage(external("google", "g2", "bob@example.com", true)).await.unwrap();
    assert_eq!(owner.user.id, thief.user.id);
    assert!(stage.log_in("bob@example.com", PASSWORD).await.is_err(), "what the thief knows opens nothing");
    assert!(stage.call(None, refreshing(&thief.refresh_token)).await.is_err());
    assert!(stage.call(None, refreshing(&owner.refresh_token)).await.is_ok());
    let linked = stage.manage(external("github", "h2", "bob@example.com", true)).await.unwrap();
    assert_eq!(linked.user.id, owner.user.id);

    let refused = stage.call(Some(holder("x", &[])), external("google", "g3", "c@example.com", true)).await;
    assert!(is_refusal(&refused.err().unwrap()));
}

#[tokio::test]
async fn sessions_are_begun_prolonged_and_ended() {
    let (stage, _instance) = Stage::with_instance().await;
    let ann = stage.create("ann@example.com", &["user"]).await;
    let create = CreateSession { user_id: ann.clone(), device_info: Some("phone".to_owned()), ip_address: None };
    let session = stage.manage(create).await.unwrap();
    let refresh = || RefreshSession { session_id: session.session_id.clone() };
    assert!(stage.call(Some(holder(&ann, &[])), refresh()).await.unwrap().expires_at >= session.expires_at);
    assert!(stage.manage(refresh()).await.is_ok());
    let strangers = stage.call(Some(holder("usr_2", &[])), refresh()).await.unwrap_err();
    let nobodys =
        stage.call(Some(holder("usr_2", &[])), RefreshSession { session_id: "ses_0".into() }).await.unwrap_err();
    assert_eq!((&strangers.code, &strangers.message), (&nobodys.code, &nobodys.message));
    assert!(is_refusal(&stage.call(None, refresh()).await.unwrap_err()));

    let (one, two) = (stage.log_in("ann@example.com", PASSWORD).await, stage.log_in("ann@example.com", PASSWORD).await);
    stage.manage(RevokeSession { session_id: session.session_id.clone(), reason: None }).await.unwrap();
    assert_eq!(stage.manage(refresh()).await.unwrap_err().code, FaultCode::NotFound);
    let all = RevokeAllUserSessions { user_id: ann, reason: Some("lost phone".to_owned()) };
    assert_eq!(stage.manage(all.clone()).await.unwrap().revoked_count, 2);
    assert_eq!(stage.manage(all).await.unwrap().revoked_count, 0);
    for session in [one, two] {
        assert!(stage.call(None, refreshing(&session.unwrap().refresh_token)).await.is_err());
    }
}

#[tokio::test]
async fn the_first_administrator_is_made_once_however_many_begin() {
    let stage = Stage::set().await;
    let settings = [("ADMIN_EMAIL", "Root@example.com"), ("ADMIN_PASSWORD", "canary bootstrap password")];
    let instances: Vec<_> = (0..3).map(|_| Instance::start(&stage, &settings)).collect();
    for instance in &instances {
        instance.ready().await;
    }
    let root = stage.log_in("root@example.com", "canary bootstrap password").await.unwrap();
    assert_eq!(root.user.roles, ["admin", "user"]);
    assert!(root.user.permissions.contains(&"auth:manage-roles".to_owned()));
    assert!(!root.user.permissions.contains(&"auth:issue-token".to_owned()));
    drop(instances);
    let again = Instance::start(&stage, &[settings[0], ("ADMIN_PASSWORD", "another canary password")]);
    again.ready().await;
    assert!(stage.log_in("root@example.com", "another canary password").await.is_err(), "it is not set anew");
    assert_eq!(stage.log_in("root@example.com", "canary bootstrap password").await.unwrap().user, root.user);
    let sql = "select count(*) from events where event_type in ('UserCreated', 'RoleCreated')";
    let events: i64 = sqlx::query_scalar(sql).fetch_one(&mut stage.database().await).await.unwrap();
    assert_eq!(events, 3, "two roles and one user");
}

#[tokio::test]
async fn developers_get_tokens_and_nobody_does_in_production() {
    let stage = Stage::set().await;
    let mut development = Instance::start(&stage, &[]);
    development.ready().await;
    let ann = stage.create("ann@example.com", &["user"]).await;
    for user in ["ann@example.com".to_owned(), ann.clone()] {
        let issued = stage.manage(IssueToken { user }).await.unwrap();
        assert_eq!(super::tokens::claims(&issued.access_token).await.user_id, ann);
    }
    let plain = holder("x", &["auth:manage-roles"]);
    assert!(is_refusal(&stage.call(Some(plain), IssueToken { user: ann.clone() }).await.err().unwrap()));
    development.kill();
    let production = Instance::start(&stage, &[("NODE_ENV", "production")]);
    production.ready().await;
    let refused = stage.call(Some(admin()), IssueToken { user: ann }).await.err().unwrap();
    assert_eq!(refused.code, FaultCode::Forbidden);
}
