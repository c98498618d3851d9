//! Sessions: what a user is logged in by, from one place.

use banyan_sdk::{
    Command, Query,
    protocol::Timestamp,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

use super::Done;

/// Begins a session without tokens, for services that keep their users logged in by other means.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Command)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(service = "auth-service", reply = Session, permissions = ["auth:manage-sessions"])]
pub struct CreateSession {
    /// Whose.
    pub user_id: String,
    /// What the user sits at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub device_info: Option<String>,
    /// Where the user comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), extend("x-filled-in" = "address"))]
    pub ip_address: Option<String>,
}

/// Lets a session last as long as a new one. Users may do so with their own, others need `auth:manage-sessions`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Command)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(service = "auth-service", reply = Session)]
pub struct RefreshSession {
    /// The session.
    pub session_id: String,
}

/// A session, and how long it lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Names the session.
    pub session_id: String,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// Ends a session. Its access token is good for the few minutes that are left of it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Command)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(service = "auth-service", reply = Done, permissions = ["auth:manage-sessions"])]
pub struct RevokeSession {
    /// The session.
    pub session_id: String,
    /// Why, for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub reason: Option<String>,
}

/// Ends all sessions of a user.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Command)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(service = "auth-service", reply = Revoked, permissions = ["auth:manage-sessions"])]
pub struct RevokeAllUserSessions {
    /// The user.
    pub user_id: String,
    /// Why, for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub reason: Option<String>,
}

/// How many sessions ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revoked {
    /// Always true.
    pub success: bool,
    /// How many.
    pub revoked_count: u32,
}

/// Lists the sessions of a user, the newest first.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[query(service = "auth-service", reply = Vec<SessionView>, permissions = ["auth:manage-sessions"])]
pub struct ListSessions {
    /// The user.
    pub user_id: String,
}

/// A session as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// Names the session.
    pub session_id: String,
    /// Whose it is.
    pub user_id: String,
    /// What the user sits at.
    #[serde(default)]
    pub device_info: Option<String>,
    /// Where the user comes from.
    #[serde(default)]
    pub ip_address: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was ended.
    #[serde(default)]
    pub revoked_at: Option<Timestamp>,
}
