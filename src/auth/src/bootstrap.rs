//! What is there from the beginning: two roles, and the first administrator.
//!
//! Several instances may begin at once: each event is expected to be its stream's first, so one of them does it, and the
//! others find it done.

use banyan_sdk::{Fault, Outcome, store::Expected};

use crate::{
    access::{self, Cx, actor},
    aggregates::Role,
    events::RoleCreated,
    handlers::users::NewUser,
    messages::{FOR_PROGRAMS, PERMISSIONS, Profile},
    tables::Tables,
};

/// The role of administrators: everything that people may do here.
pub const ADMIN: &str = "admin";
/// The role that everybody begins with: logging out.
pub const USER: &str = "user";

/// Makes the roles.
pub async fn roles(cx: Cx) -> Result<Outcome<()>, Fault> {
    let all = PERMISSIONS.iter().map(|(name, _)| *name).filter(|name| !FOR_PROGRAMS.contains(name));
    let roles = [
        (ADMIN, "Manages users, roles and sessions", all.map(str::to_owned).collect()),
        (USER, "Everybody", vec!["auth:revoke-token".to_owned()]),
    ];
    let mut outcome = Outcome::done();
    for (name, description, permissions) in roles {
        if !cx.load::<Role>(name).await?.exists() {
            let (role_name, description) = (name.to_owned(), Some(description.to_owned()));
            let created = RoleCreated { role_name, description, permissions, created_by: actor(&cx) };
            outcome = outcome.emit_expecting(Expected::NoStream, created);
        }
    }
    Ok(outcome)
}

/// Makes the first administrator. Whoever has the address already stays as they are.
pub async fn admin(cx: Cx) -> Result<Outcome<()>, Fault> {
    let Some(admin) = cx.state.admin.clone() else { return Ok(Outcome::done()) };
    if let Some(account) = Tables(cx.store()?).account(&admin.email).await? {
        let user = access::user(&cx, &account.user_id).await?.state;
        if !user.roles.contains(ADMIN) {
            // Perhaps somebody registered with the address first: they must not become an administrator by that.
            tracing::warn!(user = account.user_id, "the user with the address in ADMIN_EMAIL is no administrator");
        }
        return Ok(Outcome::done());
    }
    let hash = cx.state.hasher.hash(admin.password.expose().to_owned(), cx.state.salt()).await?;
    let user = NewUser {
        email: admin.email,
        hash: Some(hash),
        profile: Profile::default(),
        roles: vec![ADMIN.to_owned(), USER.to_owned()],
        verified: true,
        by: actor(&cx),
    };
    Ok(user.create(&cx.state.id("usr"), Outcome::done()))
}
