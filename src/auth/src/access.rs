//! Who somebody is, and what they may do: what tokens are made of.

use std::collections::BTreeSet;

use banyan_sdk::{Context, Fault, FaultCode, Loaded, Outcome, protocol::Auth, store::Statement};

use crate::{
    aggregates::{Role, User},
    events::{SessionCreated, SessionRevoked},
    messages::{SignedIn, SignedInUser},
    state::State,
    tables,
};

/// What handlers here are given.
pub type Cx = Context<State>;

/// Who does it, for the record.
pub fn actor(cx: &Cx) -> String {
    cx.auth().map_or_else(|| "anonymous".to_owned(), |auth| auth.user_id.clone())
}

/// A user who is there.
///
/// # Errors
/// `AGGREGATE_NOT_FOUND`, and the same for one who was deleted.
pub async fn user(cx: &Cx, id: &str) -> Result<Loaded<User>, Fault> {
    let user = cx.load::<User>(id).await?.existing()?;
    let gone = || Fault::new(FaultCode::AggregateNotFound, format!("there is no User {id}"));
    if user.state.deleted { Err(gone()) } else { Ok(user) }
}

/// What a user may do: what the roles may, and what the user may besides.
pub async fn permissions(cx: &Cx, user: &User) -> Result<BTreeSet<String>, Fault> {
    let mut all = user.permissions.clone();
    for role in &user.roles {
        all.extend(cx.load::<Role>(role).await?.state.permissions);
    }
    Ok(all)
}

/// Whom a token of this user speaks for.
pub async fn auth(cx: &Cx, id: &str, user: &User) -> Result<Auth, Fault> {
    Ok(Auth {
        user_id: id.to_owned(),
        permissions: permissions(cx, user).await?.into_iter().collect(),
        email: Some(user.email.clone()),
        name: user.profile.name(),
        roles: user.roles.iter().cloned().collect(),
        correlation_id: None,
    })
}

/// The same, as users see it.
pub fn signed_in_user(auth: &Auth) -> SignedInUser {
    SignedInUser {
        id: auth.user_id.clone(),
        email: auth.email.clone().unwrap_or_default(),
        name: auth.name.clone(),
        permissions: auth.permissions.clone(),
        roles: auth.roles.clone(),
    }
}

/// How a user came in.
#[derive(Default)]
pub struct Entrance {
    /// `password`, or the provider.
    pub method: String,
    /// What the user sits at.
    pub device_info: Option<String>,
    /// Where the user comes from.
    pub ip_address: Option<String>,
}

/// A new session with its tokens.
pub async fn sign_in(cx: &Cx, id: &str, user: &User, entrance: Entrance) -> Result<Outcome<SignedIn>, Fault> {
    let state = &cx.state;
    let auth = auth(cx, id, user).await?;
    let (refresh_token, hash) = state.refresh_token();
    let reply = SignedIn {
        success: true,
        access_token: state.signer.sign(&auth, state.now())?,
        refresh_token,
        expires_in: state.signer.lifetime().as_secs(),
        user: signed_in_user(&auth),
    };
    let (session_id, outcome) = begin_session(state, id, entrance, Outcome::reply(reply));
    Ok(outcome.with(tables::keep_token(&hash, &session_id)))
}

/// An outcome with a new session.
pub fn begin_session<R>(state: &State, id: &str, entrance: Entrance, outcome: Outcome<R>) -> (String, Outcome<R>) {
    let session_id = state.id("ses");
    let now = state.moment();
    let created = SessionCreated {
        session_id: session_id.clone(),
        user_id: id.to_owned(),
        method: entrance.method,
        device_info: entrance.device_info,
        ip_address: entrance.ip_address,
        created_at: now,
        expires_at: now.plus(state.session),
    };
    let rows = tables::begin_session(&session_id, id, state.session.as_secs_f64());
    (session_id, with_all(outcome.emit(created), rows))
}

/// An outcome that also ends these sessions of a user.
pub fn end_sessions<R>(cx: &Cx, sessions: &[String], user_id: &str, reason: &str, outcome: Outcome<R>) -> Outcome<R> {
    sessions.iter().fold(outcome, |outcome, session| {
        outcome.emit(revoked(cx, session, user_id, reason)).with(tables::end_session(session))
    })
}

/// A session was ended.
pub fn revoked(cx: &Cx, session_id: &str, user_id: &str, reason: &str) -> SessionRevoked {
    SessionRevoked {
        session_id: session_id.to_owned(),
        user_id: user_id.to_owned(),
        reason: reason.to_owned(),
        revoked_by: actor(cx),
        revoked_at: cx.state.moment(),
    }
}

/// An outcome with several statements.
pub fn with_all<R>(outcome: Outcome<R>, statements: impl IntoIterator<Item = Statement>) -> Outcome<R> {
    statements.into_iter().fold(outcome, Outcome::with)
}

/// Whether a text is the name of a role: lower-case letters, digits and hyphens, a letter first.
pub fn is_role_name(text: &str) -> bool {
    let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.bytes().all(letters)
}
