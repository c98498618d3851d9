//! Users.

use banyan_sdk::{
    Command, Query,
    protocol::Timestamp,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Done;

/// What a user says of themselves.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Profile {
    /// Given name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub first_name: Option<String>,
    /// Family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub last_name: Option<String>,
    /// What the user wants to be called.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub display_name: Option<String>,
    /// Address of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub avatar: Option<String>,
    /// `Europe/Berlin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub timezone: Option<String>,
    /// `de-DE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub locale: Option<String>,
    /// Whatever else the application keeps here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
}

impl Profile {
    /// What the user is called.
    pub fn name(&self) -> Option<String> {
        let full = [&self.first_name, &self.last_name].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ");
        self.display_name.clone().or(Some(full)).filter(|name| !name.is_empty())
    }
}

/// Creates a user for somebody else.
#[derive(Clone, Serialize, Deserialize, JsonSchema, Command)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(service = "auth-service", reply = Created, permissions = ["auth:create-user"])]
pub struct CreateUser {
    /// The e-mail address, which the user logs in with.
    #[schemars(length(max = 254))]
    pub email: String,
    /// 8 to 128 characters.
    #[schemars(length(max = 1024))]
    pub password: String,
    /// What is known of the user.
    #[serde(default)]
    pub profile: Profile,
    /// The roles that the user begins with; whoever names some needs `auth:assign-roles` as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub initial_roles: Vec<String>,
    /// Whether the address counts as verified.
    #[serde(default)]
    pub skip_email_verification: bool,
}

/// The user is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    /// Always true.
    pub success: bool,
    /// Names the user.
    pub user_id: String,
    /// The address as it is kept.
    pub email: String,
}

/// Changes what is known of a user, or switches the user off or on. Whoever is off cannot log in, and has no sessions.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Command)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(service = "auth-service", reply = Updated, permissions = ["auth:update-user"])]
pub struct UpdateUser {
    /// The user.
    pub user_id: String,
    /// Instead of what was known; all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// Whether the user is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
}

/// The user as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Updated {
    /// Always true.
    pub success: bool,
    /// The user.
    pub user: UserView,
}

/// Deletes a user, with password, sessions and links to other providers. The address is free afterwards.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Command)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(service = "auth-service", reply = Done, permissions = ["auth:delete-user"])]
pub struct DeleteUser {
    /// The user.
    pub user_id: String,
    /// Why, for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub reason: Option<String>,
}

/// A user as administrators see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserView {
    /// Names the user.
    pub id: String,
    /// The e-mail address.
    pub email: String,
    /// What is known of the user.
    #[serde(default)]
    pub profile: Profile,
    /// The user's roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// What the user may do beside what the roles may.
    #[serde(default)]
    pub direct_permissions: Vec<String>,
    /// Whether the user can log in.
    pub is_active: bool,
    /// Whether the address is known to be the user's.
    pub email_verified: bool,
    /// When the user logged in last.
    #[serde(default)]
    pub last_login: Option<Timestamp>,
    /// Since when there is such a user.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
}

/// Finds a user.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[query(service = "auth-service", reply = UserView, permissions = ["auth:view-users"])]
pub struct GetUser {
    /// The user.
    pub user_id: String,
}

/// Lists users by their ids.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema, Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[query(service = "auth-service", reply = UserPage, permissions = ["auth:view-users"])]
pub struct ListUsers {
    /// From 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub page: Option<u32>,
    /// 20 when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub page_size: Option<u32>,
    /// Only those who are like this.
    #[serde(default)]
    pub filter: UserFilter,
}

/// What users have to be like.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct UserFilter {
    /// With this address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// On, or off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    /// With an address that is verified, or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
}

/// Some of the users.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserPage {
    /// The users of this page.
    pub items: Vec<UserView>,
    /// Which page it is, from 1.
    pub page: u32,
    /// How many users a page has.
    pub page_size: u32,
    /// Whether there is another one.
    pub has_more: bool,
}
