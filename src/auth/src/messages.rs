//! What auth can be asked, and what it answers: its contracts.

mod entry;
mod roles;
mod sessions;
mod users;

pub use entry::{
    AuthenticateExternalUser, AuthenticateUser, IssueToken, Issued, RefreshToken, Refreshed, RegisterUser, Registered,
    RevokeToken, SignedIn, SignedInUser,
};
pub use roles::{
    AssignPermission, AssignRole, CreateRole, GetRole, GetUserPermissions, GetUserRoles, ListAvailablePermissions,
    ListRoles, Permission, PermissionChanged, RemovePermission, RemoveRole, Role, RoleChanged, RoleView,
    UpdateRolePermissions,
};
pub use sessions::{
    CreateSession, ListSessions, RefreshSession, RevokeAllUserSessions, RevokeSession, Revoked, Session, SessionView,
};
pub use users::{
    CreateUser, Created, DeleteUser, GetUser, ListUsers, Profile, UpdateUser, Updated, UserFilter, UserPage, UserView,
};

use banyan_sdk::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};

/// It is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Done {
    /// Always true; a refusal is an error.
    pub success: bool,
}

impl Done {
    /// It is done.
    pub const YES: Self = Self { success: true };
}

/// Every permission that auth's own contracts need and that people may be given, with what it is for.
pub const PERMISSIONS: [(&str, &str); 13] = [
    ("auth:create-user", "Create users"),
    ("auth:update-user", "Change users' profiles, and switch users off and on"),
    ("auth:delete-user", "Delete users"),
    ("auth:view-users", "See users"),
    ("auth:manage-roles", "Create roles, and say what they may do"),
    ("auth:assign-roles", "Give users roles, and take them away"),
    ("auth:view-roles", "See roles"),
    ("auth:assign-permissions", "Give users permissions, and take them away"),
    ("auth:view-permissions", "See what users may do"),
    ("auth:manage-sessions", "See sessions, begin and end them"),
    ("auth:revoke-token", "End a session with its refresh token: log out"),
    ("auth:authenticate-external", "Log users in whom another provider has authenticated: for services"),
    ("auth:issue-token", "Get anybody's access token: for development"),
];

/// Those of them that only services and tools need.
pub const FOR_PROGRAMS: [&str; 2] = ["auth:authenticate-external", "auth:issue-token"];
