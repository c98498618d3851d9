//! Registering, logging in, staying logged in, logging out.

use banyan_sdk::{Fault, Outcome};

use super::{
    limits::{self, Attempt},
    users::{NewUser, accepted},
};
use crate::{
    access::{self, Cx, Entrance, actor, auth, revoked, sign_in, signed_in_user},
    bootstrap::USER,
    events::{RegistrationRepeated, SessionRefreshed, TokenIssued},
    messages::{
        AuthenticateUser, Done, IssueToken, Issued, Profile, RefreshToken, Refreshed, RegisterUser, Registered,
        RevokeToken, SignedIn,
    },
    state::{address, spelled, token_hash},
    tables::{self, Tables, TokenState},
};

/// What every failed log-in says.
fn wrong() -> Fault {
    Fault::unauthorized("the e-mail address or the password is wrong")
}

/// The same answer, after the same time, whether the address is free or not.
pub async fn register(cx: Cx, command: RegisterUser) -> Result<Outcome<Registered>, Fault> {
    let RegisterUser { email, password, name, ip_address } = command;
    let email = address(&email)?;
    accepted(&password, &[&email, name.as_deref().unwrap_or_default()])?;
    let tables = Tables(cx.store()?);
    limits::registration(&tables, ip_address.as_deref()).await?;
    let hash = cx.state.hasher.hash(password, cx.state.salt()).await?;
    let outcome = Outcome::reply(Registered { success: true, email: email.clone() });
    if tables.account(&email).await?.is_some() {
        return Ok(outcome.emit(RegistrationRepeated { email }));
    }
    let user = NewUser {
        email,
        hash: Some(hash),
        profile: Profile { display_name: name, ..Profile::default() },
        roles: vec![USER.to_owned()],
        verified: false,
        by: actor(&cx),
    };
    Ok(user.create(&cx.state.id("usr"), outcome))
}

/// The same answer, after the same time, whatever it is that is wrong.
pub async fn authenticate(cx: Cx, command: AuthenticateUser) -> Result<Outcome<SignedIn>, Fault> {
    let AuthenticateUser { email, password, device_info, ip_address } = command;
    let email = spelled(&email);
    let attempt = Attempt::new(&email, ip_address.as_deref())?;
    let tables = Tables(cx.store()?);
    attempt.check(&tables).await?;
    let account = tables.account(&email).await?;
    let hash = account.as_ref().and_then(|it| it.hash.clone());
    let right = cx.state.hasher.verify(password, hash).await?;
    let Some(account) = account.filter(|_| right) else {
        attempt.failed(&cx, &tables).await?;
        return Err(wrong());
    };
    let user = access::user(&cx, &account.user_id).await?.state;
    if !user.active {
        attempt.failed(&cx, &tables).await?;
        return Err(wrong());
    }
    attempt.succeeded(&tables).await?;
    let entrance = Entrance { method: "password".to_owned(), device_info, ip_address };
    sign_in(&cx, &account.user_id, &user, entrance).await
}

/// New tokens for a refresh token, once.
pub async fn refresh(cx: Cx, command: RefreshToken) -> Result<Outcome<Refreshed>, Fault> {
    let hash = token_hash(&command.refresh_token);
    let token = Tables(cx.store()?).token(&hash).await?.ok_or_else(tables::refused)?;
    match token.state {
        TokenState::Good => {}
        TokenState::JustUsed | TokenState::Over => return Err(tables::refused()),
        TokenState::Used => {
            // Either the thief comes late, or the owner does: who of them it is cannot be told.
            let event = revoked(&cx, &token.session_id, &token.user_id, "token reuse");
            // Recorded at once, although the message that caused it is refused.
            cx.commit(Outcome::done().emit(event).with(tables::end_session(&token.session_id))).await?;
            tracing::warn!(session = token.session_id, "a refresh token was used again: its session is ended");
            return Err(tables::refused());
        }
    }
    let user = access::user(&cx, &token.user_id).await.map_err(|_| tables::refused())?.state;
    if !user.active {
        return Err(tables::refused());
    }
    let state = &cx.state;
    let auth = auth(&cx, &token.user_id, &user).await?;
    let (refresh_token, next) = state.refresh_token();
    let reply = Refreshed {
        success: true,
        access_token: state.signer.sign(&auth, state.now())?,
        refresh_token,
        expires_in: state.signer.lifetime().as_secs(),
    };
    let expires_at = state.moment().plus(state.session);
    let (session_id, user_id) = (token.session_id.clone(), token.user_id);
    Ok(Outcome::reply(reply)
        .emit(SessionRefreshed { session_id, user_id, expires_at })
        .with(tables::use_token(&hash))
        .with(tables::prolong_session(&token.session_id, state.session.as_secs_f64()))
        .with(tables::keep_token(&next, &token.session_id)))
}

/// Whoever has a refresh token may end its session.
pub async fn revoke(cx: Cx, command: RevokeToken) -> Result<Outcome<Done>, Fault> {
    let token = Tables(cx.store()?).token(&token_hash(&command.token)).await?;
    let Some(token) = token.filter(|token| token.state != TokenState::Over) else {
        return Ok(Outcome::reply(Done::YES));
    };
    let event = revoked(&cx, &token.session_id, &token.user_id, "logout");
    Ok(Outcome::reply(Done::YES).emit(event).with(tables::end_session(&token.session_id)))
}

/// A token of somebody else, for a developer.
pub async fn issue(cx: Cx, command: IssueToken) -> Result<Outcome<Issued>, Fault> {
    if !cx.state.development {
        return Err(Fault::forbidden("tokens of others are issued in development only"));
    }
    let account = Tables(cx.store()?).account(&spelled(&command.user)).await?;
    let id = account.map_or(command.user, |account| account.user_id);
    let user = access::user(&cx, &id).await?.state;
    if !user.active {
        return Err(Fault::rule("the user is switched off"));
    }
    let auth = auth(&cx, &id, &user).await?;
    let reply = Issued {
        access_token: cx.state.signer.sign(&auth, cx.state.now())?,
        expires_in: cx.state.signer.lifetime().as_secs(),
        user: signed_in_user(&auth),
    };
    Ok(Outcome::reply(reply).emit(TokenIssued { user_id: id, issued_to: actor(&cx) }))
}
