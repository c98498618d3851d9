//! Users, for administrators.

use banyan_sdk::{Fault, Outcome, store::Expected};

use crate::{
    access::{self, Cx, actor, end_sessions, with_all},
    aggregates::{Role, User},
    events::{UserCreated, UserDeleted, UserUpdated},
    messages::{CreateUser, Created, DeleteUser, Done, Profile, UpdateUser, Updated},
    passwords,
    state::{address, invalid},
    tables::{self, Tables},
};

/// A user who comes to be.
pub struct NewUser {
    /// The address, as it is kept.
    pub email: String,
    /// The password's hash, if there is one.
    pub hash: Option<String>,
    /// What is known of the user.
    pub profile: Profile,
    /// The roles that the user begins with.
    pub roles: Vec<String>,
    /// Whether the address is known to be the user's.
    pub verified: bool,
    /// Who does it.
    pub by: String,
}

impl NewUser {
    /// An outcome that creates the user as `id`, unless the address is taken.
    pub fn create<R>(self, id: &str, outcome: Outcome<R>) -> Outcome<R> {
        let Self { email, hash, profile, roles, verified, by } = self;
        let address = tables::take_address(email.clone(), id.to_owned());
        let created =
            UserCreated { user_id: id.to_owned(), email, profile, roles, email_verified: verified, created_by: by };
        let outcome = outcome.emit_expecting(Expected::NoStream, created).with(address);
        with_all(outcome, hash.map(|hash| tables::keep_hash(id, hash)))
    }
}

/// Refuses a password that is not good enough.
pub fn accepted(password: &str, known: &[&str]) -> Result<(), Fault> {
    passwords::check(password, known).map_err(|weakness| invalid("password", &weakness.to_string()))
}

/// Creates a user.
pub async fn create(cx: Cx, command: CreateUser) -> Result<Outcome<Created>, Fault> {
    let email = address(&command.email)?;
    let name = command.profile.name().unwrap_or_default();
    accepted(&command.password, &[&email, &name])?;
    if !command.initial_roles.is_empty() {
        cx.require("auth:assign-roles")?;
    }
    for role in &command.initial_roles {
        cx.load::<Role>(role).await?.existing()?;
    }
    if Tables(cx.store()?).account(&email).await?.is_some() {
        return Err(Fault::conflict("the e-mail address is taken"));
    }
    let id = cx.state.id("usr");
    let user = NewUser {
        email: email.clone(),
        hash: Some(cx.state.hasher.hash(command.password, cx.state.salt()).await?),
        profile: command.profile,
        roles: command.initial_roles,
        verified: command.skip_email_verification,
        by: actor(&cx),
    };
    Ok(user.create(&id, Outcome::reply(Created { success: true, user_id: id.clone(), email })))
}

/// Changes what is known of a user, or switches the user off or on.
pub async fn update(cx: Cx, command: UpdateUser) -> Result<Outcome<Updated>, Fault> {
    let UpdateUser { user_id, profile, is_active } = command;
    let user = access::user(&cx, &user_id).await?;
    let profile = profile.filter(|profile| *profile != user.state.profile);
    let is_active = is_active.filter(|active| *active != user.state.active);
    if is_active == Some(false) {
        not_oneself(&cx, &user_id)?;
    }
    let mut changed = User::clone(&user.state);
    changed.active = is_active.unwrap_or(changed.active);
    changed.profile = profile.clone().unwrap_or(changed.profile);
    let outcome = Outcome::reply(Updated { success: true, user: changed.view(&user_id) });
    let fields = [("profile", profile.is_some()), ("isActive", is_active.is_some())];
    let updated_fields: Vec<_> = fields.iter().filter(|(_, it)| *it).map(|(name, _)| (*name).to_owned()).collect();
    if updated_fields.is_empty() {
        return Ok(outcome);
    }
    let updated_by = actor(&cx);
    let event =
        UserUpdated { user_id: user_id.clone(), updated_fields, profile, is_active, email_verified: None, updated_by };
    let outcome = user.emit(outcome, event);
    if is_active != Some(false) {
        return Ok(outcome);
    }
    let sessions = Tables(cx.store()?).sessions(&user_id).await?;
    Ok(end_sessions(&cx, &sessions, &user_id, "user switched off", outcome))
}

/// Deletes a user.
pub async fn delete(cx: Cx, command: DeleteUser) -> Result<Outcome<Done>, Fault> {
    let DeleteUser { user_id, reason } = command;
    let user = access::user(&cx, &user_id).await?;
    not_oneself(&cx, &user_id)?;
    let sessions = Tables(cx.store()?).sessions(&user_id).await?;
    let event = UserDeleted { user_id: user_id.clone(), reason, deleted_by: actor(&cx) };
    let outcome = user.emit(Outcome::reply(Done::YES), event);
    let outcome = end_sessions(&cx, &sessions, &user_id, "user deleted", outcome);
    Ok(with_all(outcome, tables::forget_user(&user_id)))
}

/// Whoever could do this to themselves could leave nobody who can undo it.
fn not_oneself(cx: &Cx, user_id: &str) -> Result<(), Fault> {
    if cx.user()?.user_id == user_id {
        return Err(Fault::rule("somebody else has to do that to you"));
    }
    Ok(())
}
