//! Users and roles as their events tell.

use std::collections::BTreeSet;

use banyan_sdk::{Aggregate, Event, store::Recorded};
use serde_json::Error;

use crate::{
    events::{
        PermissionGranted, PermissionRemoved, RoleAssigned, RoleCreated, RolePermissionsUpdated, RoleRemoved,
        UserCreated, UserDeleted, UserUpdated,
    },
    messages::{Profile, UserView},
};

/// A user. Sessions and passwords are not its business.
#[derive(Debug, Clone, Default)]
pub struct User {
    /// The address, as it is kept.
    pub email: String,
    /// What is known of the user.
    pub profile: Profile,
    /// The user's roles.
    pub roles: BTreeSet<String>,
    /// What the user may do beside what the roles may.
    pub permissions: BTreeSet<String>,
    /// Whether the user can log in.
    pub active: bool,
    /// Whether the address is known to be the user's.
    pub verified: bool,
    /// Whether there is no such user any more.
    pub deleted: bool,
}

impl User {
    /// As administrators see it.
    pub fn view(&self, id: &str) -> UserView {
        UserView {
            id: id.to_owned(),
            email: self.email.clone(),
            profile: self.profile.clone(),
            roles: self.roles.iter().cloned().collect(),
            direct_permissions: self.permissions.iter().cloned().collect(),
            is_active: self.active,
            email_verified: self.verified,
            last_login: None,
            created_at: None,
        }
    }
}

impl Aggregate for User {
    const TYPE: &'static str = "User";

    fn apply(&mut self, event: &Recorded) -> Result<(), Error> {
        match event.event_type.as_str() {
            UserCreated::EVENT_TYPE => {
                let created: UserCreated = event.data.read()?;
                (self.email, self.profile, self.active) = (created.email, created.profile, true);
                self.verified = created.email_verified;
                self.roles = created.roles.into_iter().collect();
            }
            UserUpdated::EVENT_TYPE => {
                let updated: UserUpdated = event.data.read()?;
                self.profile = updated.profile.unwrap_or_else(|| std::mem::take(&mut self.profile));
                self.active = updated.is_active.unwrap_or(self.active);
                self.verified = updated.email_verified.unwrap_or(self.verified);
            }
            UserDeleted::EVENT_TYPE => *self = Self { deleted: true, ..Self::default() },
            RoleAssigned::EVENT_TYPE => {
                self.roles.insert(event.data.read::<RoleAssigned>()?.role_name);
            }
            RoleRemoved::EVENT_TYPE => {
                self.roles.remove(&event.data.read::<RoleRemoved>()?.role_name);
            }
            PermissionGranted::EVENT_TYPE => {
                self.permissions.insert(event.data.read::<PermissionGranted>()?.permission);
            }
            PermissionRemoved::EVENT_TYPE => {
                self.permissions.remove(&event.data.read::<PermissionRemoved>()?.permission);
            }
            _ => {}
        }
        Ok(())
    }
}

/// A role.
#[derive(Debug, Clone, Default)]
pub struct Role {
    /// What it is for.
    pub description: Option<String>,
    /// What it may do.
    pub permissions: BTreeSet<String>,
}

impl Aggregate for Role {
    const TYPE: &'static str = "Role";

    fn apply(&mut self, event: &Recorded) -> Result<(), Error> {
        match event.event_type.as_str() {
            RoleCreated::EVENT_TYPE => {
                let created: RoleCreated = event.data.read()?;
                (self.description, self.permissions) = (created.description, created.permissions.into_iter().collect());
            }
            RolePermissionsUpdated::EVENT_TYPE => {
                self.permissions = event.data.read::<RolePermissionsUpdated>()?.permissions.into_iter().collect();
            }
            _ => {}
        }
        Ok(())
    }
}
