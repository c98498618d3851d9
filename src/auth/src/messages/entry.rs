//! Coming in, staying in, going out.

use banyan_sdk::{
    Command,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Done;

/// Registers a user who wants to have an account. Whether the address has one already is not told.
#[derive(Clone, Serialize, Deserialize, JsonSchema, Command)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(service = "auth-service", reply = Registered, public)]
pub struct RegisterUser {
    /// The e-mail address, which the user logs in with.
    #[schemars(length(max = 254))]
    pub email: String,
    /// 8 to 128 characters.
    #[schemars(length(max = 1024))]
    pub password: String,
    /// How the user wants to be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub name: Option<String>,
    /// Where the request comes from. The gateway fills it in, whatever the request says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), extend("x-filled-in" = "address"))]
    pub ip_address: Option<String>,
}

/// The user can log in, unless somebody else has that address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Registered {
    /// Always true.
    pub success: bool,
    /// The address as it is kept.
    pub email: String,
}

/// Logs a user in.
#[derive(Clone, Serialize, Deserialize, JsonSchema, Command)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(service = "auth-service", reply = SignedIn, public)]
pub struct AuthenticateUser {
    /// The e-mail address.
    #[schemars(length(max = 254))]
    pub email: String,
    /// The password.
    #[schemars(length(max = 1024))]
    pub password: String,
    /// What the user sits at, for the list of sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub device_info: Option<String>,
    /// Where the request comes from. The gateway fills it in, whatever the request says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), extend("x-filled-in" = "address"))]
    pub ip_address: Option<String>,
}

/// A user who is logged in.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedIn {
    /// Always true.
    pub success: bool,
    /// What requests carry.
    pub access_token: String,
    /// What gets the next access token, once.
    pub refresh_token: String,
    /// How long the access token is good, in seconds.
    pub expires_in: u64,
    /// Who it is.
    pub user: SignedInUser,
}

/// Who is logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedInUser {
    /// Names the user.
    pub id: String,
    /// The e-mail address.
    pub email: String,
    /// What the user is called.
    pub name: Option<String>,
    /// What the user may do, by roles and otherwise.
    pub permissions: Vec<String>,
    /// The user's roles.
    pub roles: Vec<String>,
}

/// Trades a refresh token for new tokens. It is good once: a second use within two seconds is refused, a later one ends
/// the session, because somebody has stolen it.
#[derive(Clone, Serialize, Deserialize, JsonSchema, Command)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(service = "auth-service", reply = Refreshed, public)]
pub struct RefreshToken {
    /// The refresh token.
    #[schemars(length(max = 1024))]
    pub refresh_token: String,
}

/// New tokens.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refreshed {
    /// Always true.
    pub success: bool,
    /// What requests carry.
    pub access_token: String,
    /// What gets the next access token, once.
    pub refresh_token: String,
    /// How long the access token is good, in seconds.
    pub expires_in: u64,
}

/// Ends the session that a refresh token belongs to. One that is not known has ended already.
#[derive(Clone, Serialize, Deserialize, JsonSchema, Command)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(service = "auth-service", reply = Done, permissions = ["auth:revoke-token"])]
pub struct RevokeToken {
    /// The refresh token.
    #[schemars(length(max = 1024))]
    pub token: String,
}

/// Logs a user in whom another provider has authenticated; the caller has verified that provider's token.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Command)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(service = "auth-service", reply = SignedIn, permissions = ["auth:authenticate-external"])]
pub struct AuthenticateExternalUser {
    /// The provider: `google`, `github`.
    #[schemars(length(min = 1, max = 100))]
    pub external_provider: String,
    /// What the provider calls the user.
    #[schemars(length(min = 1, max = 255))]
    pub external_user_id: String,
    /// The e-mail address that the provider tells.
    #[schemars(length(max = 254))]
    pub email: String,
    /// Whether the provider says that it has verified the address.
    #[serde(default)]
    pub email_verified: bool,
    /// What the provider calls the user, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub name: Option<String>,
    /// What else the provider tells; it is not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
}

/// Gets an access token of a user for a developer. Not in production.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Command)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(service = "auth-service", reply = Issued, permissions = ["auth:issue-token"])]
pub struct IssueToken {
    /// The user's id or e-mail address.
    #[schemars(length(max = 254))]
    pub user: String,
}

/// An access token without a session.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Issued {
    /// What requests carry.
    pub access_token: String,
    /// How long it is good, in seconds.
    pub expires_in: u64,
    /// Who it is.
    pub user: SignedInUser,
}
