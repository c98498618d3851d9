//! Roles and permissions.

use banyan_sdk::{
    Command, Query,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

/// Creates a role.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Command)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(service = "auth-service", reply = Role, permissions = ["auth:manage-roles"])]
pub struct CreateRole {
    /// Its name: lower-case letters, digits, hyphens, a letter first.
    #[schemars(length(min = 1, max = 100))]
    pub role_name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub description: Option<String>,
    /// What it may do.
    #[schemars(length(max = 1000))]
    pub permissions: Vec<String>,
}

/// Says anew what a role may do. It counts from each user's next token on.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Command)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(service = "auth-service", reply = Role, permissions = ["auth:manage-roles"])]
pub struct UpdateRolePermissions {
    /// The role.
    pub role_name: String,
    /// What it may do, instead of what it could.
    #[schemars(length(max = 1000))]
    pub permissions: Vec<String>,
}

/// The role as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Role {
    /// Always true.
    pub success: bool,
    /// Its name.
    pub role_name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it may do.
    pub permissions: Vec<String>,
}

/// Gives a user a role.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Command)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(service = "auth-service", reply = RoleChanged, permissions = ["auth:assign-roles"])]
pub struct AssignRole {
    /// The user.
    pub user_id: String,
    /// The role.
    pub role_name: String,
}

/// Takes a role from a user.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Command)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(service = "auth-service", reply = RoleChanged, permissions = ["auth:assign-roles"])]
pub struct RemoveRole {
    /// The user.
    pub user_id: String,
    /// The role.
    pub role_name: String,
}

/// The user has the role now, or not any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoleChanged {
    /// Always true.
    pub success: bool,
    /// The user.
    pub user_id: String,
    /// The role.
    pub role_name: String,
}

/// Gives a user a permission beside what the roles may do.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Command)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(service = "auth-service", reply = PermissionChanged, permissions = ["auth:assign-permissions"])]
pub struct AssignPermission {
    /// The user.
    pub user_id: String,
    /// `resource:action`.
    #[schemars(length(max = 200))]
    pub permission: String,
}

/// Takes a permission from a user; what the roles may do stays.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Command)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(service = "auth-service", reply = PermissionChanged, permissions = ["auth:assign-permissions"])]
pub struct RemovePermission {
    /// The user.
    pub user_id: String,
    /// `resource:action`.
    #[schemars(length(max = 200))]
    pub permission: String,
}

/// The user has the permission now, or not any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PermissionChanged {
    /// Always true.
    pub success: bool,
    /// The user.
    pub user_id: String,
    /// The permission.
    pub permission: String,
}

/// Finds a role.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[query(service = "auth-service", reply = RoleView, permissions = ["auth:view-roles"])]
pub struct GetRole {
    /// The role.
    pub role_name: String,
}

/// Lists all roles by their names.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Query)]
#[serde(rename_all = "camelCase")]
#[query(service = "auth-service", reply = Vec<RoleView>, permissions = ["auth:view-roles"])]
pub struct ListRoles {}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoleView {
    /// Its name.
    pub role_name: String,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// What it may do.
    pub permissions: Vec<String>,
}

/// Lists the roles of a user.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[query(service = "auth-service", reply = Vec<String>, permissions = ["auth:view-roles"])]
pub struct GetUserRoles {
    /// The user.
    pub user_id: String,
}

/// Lists what a user may do, by roles and otherwise.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[query(service = "auth-service", reply = Vec<String>, permissions = ["auth:view-permissions"])]
pub struct GetUserPermissions {
    /// The user.
    pub user_id: String,
}

/// Lists the permissions of auth itself and those that some role has.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Query)]
#[serde(rename_all = "camelCase")]
#[query(service = "auth-service", reply = Vec<Permission>, permissions = ["auth:view-permissions"])]
pub struct ListAvailablePermissions {}

/// A permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Permission {
    /// `resource:action`.
    pub name: String,
    /// What it is for, where that is known.
    pub description: Option<String>,
    /// What it is about.
    pub resource: String,
    /// What may be done with that.
    pub action: String,
}
