//! Who asks: the caller of a message, as the gateway found out.

use serde::{Deserialize, Serialize};

/// The caller on whose behalf a message travels. The gateway fills it in; services carry it on unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Auth {
    /// The user's id.
    pub user_id: String,
    /// What the user may do; none when the list is missing.
    #[serde(default, deserialize_with = "crate::read::or_default")]
    pub permissions: Vec<String>,
    /// The user's e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The user's roles, for policies; permissions decide.
    #[serde(default, deserialize_with = "crate::read::or_default", skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The correlation id of the request that was authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
}
