//! Sessions.

use banyan_sdk::{Fault, Outcome};

use crate::{
    access::{self, Cx, Entrance, begin_session, end_sessions, revoked},
    events::SessionRefreshed,
    messages::{CreateSession, Done, RefreshSession, RevokeAllUserSessions, RevokeSession, Revoked, Session},
    tables::{self, Tables},
};

const MANAGE: &str = "auth:manage-sessions";

fn missing() -> Fault {
    Fault::not_found("there is no such session")
}

/// Begins a session without tokens.
pub async fn create(cx: Cx, command: CreateSession) -> Result<Outcome<Session>, Fault> {
    let CreateSession { user_id, device_info, ip_address } = command;
    let user = access::user(&cx, &user_id).await?.state;
    if !user.active {
        return Err(Fault::rule("the user is switched off"));
    }
    let entrance = Entrance { method: "service".to_owned(), device_info, ip_address };
    let (session_id, outcome) = begin_session(&cx.state, &user_id, entrance, Outcome::done());
    let expires_at = cx.state.moment().plus(cx.state.session);
    Ok(outcome.map(|()| Session { session_id, expires_at }))
}

/// A policy: users prolong their own sessions. Of others' sessions it is not told whether they are there.
pub async fn own(cx: Cx, command: RefreshSession) -> Result<bool, Fault> {
    let owner = Tables(cx.store()?).session(&command.session_id).await?;
    if owner.as_deref() == Some(cx.user()?.user_id.as_str()) || cx.require(MANAGE).is_ok() {
        return Ok(true);
    }
    Err(missing())
}

/// Lets a session last longer.
pub async fn refresh(cx: Cx, command: RefreshSession) -> Result<Outcome<Session>, Fault> {
    let RefreshSession { session_id } = command;
    let user_id = Tables(cx.store()?).session(&session_id).await?.ok_or_else(missing)?;
    let expires_at = cx.state.moment().plus(cx.state.session);
    let prolong = tables::prolong_session(&session_id, cx.state.session.as_secs_f64());
    let reply = Session { session_id: session_id.clone(), expires_at };
    Ok(Outcome::reply(reply).emit(SessionRefreshed { session_id, user_id, expires_at }).with(prolong))
}

/// Ends a session.
pub async fn revoke(cx: Cx, command: RevokeSession) -> Result<Outcome<Done>, Fault> {
    let RevokeSession { session_id, reason } = command;
    let user_id = Tables(cx.store()?).session(&session_id).await?.ok_or_else(missing)?;
    let event = revoked(&cx, &session_id, &user_id, reason.as_deref().unwrap_or("revoked"));
    Ok(Outcome::reply(Done::YES).emit(event).with(tables::end_session(&session_id)))
}

/// Ends all sessions of a user.
pub async fn revoke_all(cx: Cx, command: RevokeAllUserSessions) -> Result<Outcome<Revoked>, Fault> {
    let RevokeAllUserSessions { user_id, reason } = command;
    let sessions = Tables(cx.store()?).sessions(&user_id).await?;
    let revoked_count = u32::try_from(sessions.len()).unwrap_or(u32::MAX);
    let outcome = Outcome::reply(Revoked { success: true, revoked_count });
    Ok(end_sessions(&cx, &sessions, &user_id, reason.as_deref().unwrap_or("revoked"), outcome))
}
