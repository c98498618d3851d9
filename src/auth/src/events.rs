//! What happens in auth: the record of who did what to whom, and what other services hear of it.
//!
//! Their fields are all that leaves this service. Hashes of passwords and of refresh tokens are not among them: those are
//! in tables of their own (`tables.rs`), which are written together with the events. The permissions are for people who want
//! to be told of them; they are those of the queries that show the same.

use banyan_sdk::{
    Event, Service,
    protocol::Timestamp,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

use crate::messages::Profile;

/// A user came to be.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[serde(rename_all = "camelCase")]
#[event(service = "auth-service", aggregate = "User", id = "user_id", permissions = ["auth:view-users"])]
pub struct UserCreated {
    /// The user.
    pub user_id: String,
    /// The e-mail address.
    pub email: String,
    /// What is known of the user.
    pub profile: Profile,
    /// The roles that the user begins with.
    pub roles: Vec<String>,
    /// Whether the address is known to be the user's.
    pub email_verified: bool,
    /// Who did it: the user, somebody else, a service.
    pub created_by: String,
}

/// Something about a user changed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[serde(rename_all = "camelCase")]
#[event(service = "auth-service", aggregate = "User", id = "user_id", permissions = ["auth:view-users"])]
pub struct UserUpdated {
    /// The user.
    pub user_id: String,
    /// What changed: `profile`, `isActive`, `emailVerified`.
    pub updated_fields: Vec<String>,
    /// What is known of the user now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// Whether the user can log in now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    /// Whether the address is known to be the user's now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
    /// Who did it.
    pub updated_by: String,
}

/// A user is gone.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[serde(rename_all = "camelCase")]
#[event(service = "auth-service", aggregate = "User", id = "user_id", permissions = ["auth:view-users"])]
pub struct UserDeleted {
    /// The user.
    pub user_id: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who did it.
    pub deleted_by: String,
}

/// A user has a role.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[serde(rename_all = "camelCase")]
#[event(service = "auth-service", aggregate = "User", id = "user_id", permissions = ["auth:view-roles"])]
pub struct RoleAssigned {
    /// The user.
    pub user_id: String,
    /// The role.
    pub role_name: String,
    /// Who did it.
    pub assigned_by: String,
}

/// A user has a role no more.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[serde(rename_all = "camelCase")]
#[event(service = "auth-service", aggregate = "User", id = "user_id", permissions = ["auth:view-roles"])]
pub struct RoleRemoved {
    /// The user.
    pub user_id: String,
    /// The role.
    pub role_name: String,
    /// Who did it.
    pub removed_by: String,
}

/// A user has a permission.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[serde(rename_all = "camelCase")]
#[event(service = "auth-service", aggregate = "User", id = "user_id", permissions = ["auth:view-permissions"])]
pub struct PermissionGranted {
    /// The user.
    pub user_id: String,
    /// The permission.
    pub permission: String,
    /// Who did it.
    pub granted_by: String,
}

/// A user has a permission no more.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[serde(rename_all = "camelCase")]
#[event(service = "auth-service", aggregate = "User", id = "user_id", permissions = ["auth:view-permissions"])]
pub struct PermissionRemoved {
    /// The user.
    pub user_id: String,
    /// The permission.
    pub permission: String,
    /// Who did it.
    pub removed_by: String,
}

/// A user can log in by another provider.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[serde(rename_all = "camelCase")]
#[event(service = "auth-service", aggregate = "User", id = "user_id", permissions = ["auth:view-users"])]
pub struct ExternalIdentityLinked {
    /// The user.
    pub user_id: String,
    /// The provider.
    pub provider: String,
    /// Who did it.
    pub linked_by: String,
}

/// A token of a user was given to a developer.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[serde(rename_all = "camelCase")]
#[event(service = "auth-service", aggregate = "User", id = "user_id", permissions = ["auth:manage-sessions"])]
pub struct TokenIssued {
    /// The user.
    pub user_id: String,
    /// Who has it.
    pub issued_to: String,
}

/// A role came to be.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[serde(rename_all = "camelCase")]
#[event(service = "auth-service", aggregate = "Role", id = "role_name", permissions = ["auth:view-roles"])]
pub struct RoleCreated {
    /// The role.
    pub role_name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it may do.
    pub permissions: Vec<String>,
    /// Who did it.
    pub created_by: String,
}

/// A role may do something else.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[serde(rename_all = "camelCase")]
#[event(service = "auth-service", aggregate = "Role", id = "role_name", permissions = ["auth:view-roles"])]
pub struct RolePermissionsUpdated {
    /// The role.
    pub role_name: String,
    /// What it may do now.
    pub permissions: Vec<String>,
    /// Who did it.
    pub updated_by: String,
}

/// A user is logged in.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[serde(rename_all = "camelCase")]
#[event(service = "auth-service", aggregate = "Session", id = "session_id", permissions = ["auth:manage-sessions"])]
pub struct SessionCreated {
    /// The session.
    pub session_id: String,
    /// The user.
    pub user_id: String,
    /// `password`, the provider, or `service`.
    pub method: String,
    /// What the user sits at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_info: Option<String>,
    /// Where the user comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// A session got new tokens, or more time.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[serde(rename_all = "camelCase")]
#[event(service = "auth-service", aggregate = "Session", id = "session_id", permissions = ["auth:manage-sessions"])]
pub struct SessionRefreshed {
    /// The session.
    pub session_id: String,
    /// The user.
    pub user_id: String,
    /// When it ends by itself now.
    pub expires_at: Timestamp,
}

/// A session was ended.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[serde(rename_all = "camelCase")]
#[event(service = "auth-service", aggregate = "Session", id = "session_id", permissions = ["auth:manage-sessions"])]
pub struct SessionRevoked {
    /// The session.
    pub session_id: String,
    /// The user.
    pub user_id: String,
    /// `logout`, `token reuse`, `user deleted`, or what somebody said.
    pub reason: String,
    /// Who did it.
    pub revoked_by: String,
    /// When.
    pub revoked_at: Timestamp,
}

/// Nobody can log in with an address for a while: somebody tried too often. Whether it belongs to a user is not said.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[serde(rename_all = "camelCase")]
#[event(service = "auth-service", permissions = ["auth:view-users"])]
pub struct AccountLocked {
    /// The e-mail address.
    pub email: String,
    /// Where the last attempt came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    /// How long, in seconds.
    pub seconds: u32,
}

/// Somebody wanted to register with an address that has an account; its owner may want to know.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[serde(rename_all = "camelCase")]
#[event(service = "auth-service", permissions = ["auth:view-users"])]
pub struct RegistrationRepeated {
    /// The e-mail address.
    pub email: String,
}

/// `service`, which publishes all of them.
pub(crate) fn published<S: Send + Sync + 'static>(service: Service<S>) -> Service<S> {
    service
        .publishes::<UserCreated>()
        .publishes::<UserUpdated>()
        .publishes::<UserDeleted>()
        .publishes::<RoleAssigned>()
        .publishes::<RoleRemoved>()
        .publishes::<PermissionGranted>()
        .publishes::<PermissionRemoved>()
        .publishes::<ExternalIdentityLinked>()
        .publishes::<TokenIssued>()
        .publishes::<RoleCreated>()
        .publishes::<RolePermissionsUpdated>()
        .publishes::<SessionCreated>()
        .publishes::<SessionRefreshed>()
        .publishes::<SessionRevoked>()
        .publishes::<AccountLocked>()
        .publishes::<RegistrationRepeated>()
}
