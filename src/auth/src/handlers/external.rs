//! Logging in by another provider.

use banyan_sdk::{Fault, Outcome};

use super::users::NewUser;
use crate::{
    access::{self, Cx, Entrance, actor, end_sessions, sign_in},
    aggregates::User,
    bootstrap::USER,
    events::{ExternalIdentityLinked, UserUpdated},
    messages::{AuthenticateExternalUser, Profile, SignedIn},
    state::address,
    tables::{self, Tables},
};

/// A known identity logs in; a new one is linked to the user with its address, if the provider has verified that; where
/// there is no such user, one is created.
pub async fn authenticate(cx: Cx, command: AuthenticateExternalUser) -> Result<Outcome<SignedIn>, Fault> {
    let AuthenticateExternalUser { external_provider: provider, external_user_id: external_id, .. } = &command;
    let email = address(&command.email)?;
    let entrance = Entrance { method: provider.clone(), ..Entrance::default() };
    let tables = Tables(cx.store()?);
    if let Some(id) = tables.identity(provider, external_id).await? {
        let user = active(&cx, &id).await?;
        return sign_in(&cx, &id, &user.state, entrance).await;
    }
    let Some(account) = tables.account(&email).await? else {
        return register(&cx, command, email, entrance).await;
    };
    if !command.email_verified {
        let refusal = "the e-mail address belongs to an account, and the provider does not say that it is verified";
        return Err(Fault::rule(refusal));
    }
    let id = account.user_id;
    let user = active(&cx, &id).await?;
    let mut outcome = sign_in(&cx, &id, &user.state, entrance).await?;
    let linked = ExternalIdentityLinked { user_id: id.clone(), provider: provider.clone(), linked_by: actor(&cx) };
    outcome = user.emit(outcome, linked).with(tables::link(provider.clone(), external_id.clone(), id.clone()));
    if !user.state.verified {
        // Whoever registered with this address never showed that it is theirs: what they know must not open it now.
        outcome = user.emit(outcome, verified(&cx, &id)).with(tables::forget_hash(&id));
        outcome = end_sessions(&cx, &tables.sessions(&id).await?, &id, "address verified by another", outcome);
    }
    Ok(outcome)
}

async fn active(cx: &Cx, id: &str) -> Result<banyan_sdk::Loaded<User>, Fault> {
    let user = access::user(cx, id).await?;
    if user.state.active { Ok(user) } else { Err(Fault::forbidden("the user is switched off")) }
}

async fn register(
    cx: &Cx,
    command: AuthenticateExternalUser,
    email: String,
    entrance: Entrance,
) -> Result<Outcome<SignedIn>, Fault> {
    let id = cx.state.id("usr");
    let profile = Profile { display_name: command.name, ..Profile::default() };
    let roles = vec![USER.to_owned()];
    let user = User {
        email: email.clone(),
        profile: profile.clone(),
        roles: roles.iter().cloned().collect(),
        active: true,
        ..User::default()
    };
    let outcome = sign_in(cx, &id, &user, entrance).await?;
    let by = actor(cx);
    let new = NewUser { email, hash: None, profile, roles, verified: command.email_verified, by: by.clone() };
    let provider = command.external_provider;
    let linked = ExternalIdentityLinked { user_id: id.clone(), provider: provider.clone(), linked_by: by };
    Ok(new.create(&id, outcome).emit(linked).with(tables::link(provider, command.external_user_id, id)))
}

fn verified(cx: &Cx, id: &str) -> UserUpdated {
    UserUpdated {
        user_id: id.to_owned(),
        updated_fields: vec!["emailVerified".to_owned()],
        profile: None,
        is_active: None,
        email_verified: Some(true),
        updated_by: actor(cx),
    }
}
