//! Read models: users, roles and sessions as the queries show them. They follow the events by a few milliseconds.

use banyan_sdk::{
    Event,
    projection::{Fields, ReadModel},
    protocol::Timestamp,
    store::{Recorded, Refusal},
};
use serde_json::{Map, Value, json};

use crate::events::{
    PermissionGranted, PermissionRemoved, RoleAssigned, RoleCreated, RolePermissionsUpdated, RoleRemoved,
    SessionCreated, SessionRefreshed, SessionRevoked, UserCreated, UserDeleted, UserUpdated,
};

/// Users by their ids.
pub const USERS: &str = "user_read_model";
/// Roles by their names.
pub const ROLES: &str = "role_read_model";
/// Sessions by their ids.
pub const SESSIONS: &str = "session_read_model";

/// Users.
pub fn users() -> ReadModel {
    let copied = ["email", "profile", "roles", "emailVerified"].map(|field| (field, field));
    ReadModel::new(USERS)
        .copy(UserCreated::EVENT_TYPE, copied.into_iter().chain([("id", "userId")]))
        .on(UserCreated::EVENT_TYPE, |user, event| {
            user.set("isActive", true);
            user.set("directPermissions", json!([]));
            user.set("createdAt", moment(event));
            Ok(())
        })
        .on(UserUpdated::EVENT_TYPE, |user, event| {
            let mut data: Map<String, Value> = event.data.read()?;
            for field in ["profile", "isActive", "emailVerified"] {
                if let Some(value) = data.remove(field) {
                    user.set(field, value);
                }
            }
            Ok(())
        })
        .remove_on(UserDeleted::EVENT_TYPE)
        .on(RoleAssigned::EVENT_TYPE, |user, event| add(user, "roles", event.data.read::<RoleAssigned>()?.role_name))
        .on(RoleRemoved::EVENT_TYPE, |user, event| remove(user, "roles", &event.data.read::<RoleRemoved>()?.role_name))
        .on(PermissionGranted::EVENT_TYPE, |user, event| {
            add(user, "directPermissions", event.data.read::<PermissionGranted>()?.permission)
        })
        .on(PermissionRemoved::EVENT_TYPE, |user, event| {
            remove(user, "directPermissions", &event.data.read::<PermissionRemoved>()?.permission)
        })
        .on_by(SessionCreated::EVENT_TYPE, user_of, |user, event| {
            // of a user who is gone, nothing is left
            if user.fields.contains_key("id") {
                user.set("lastLogin", moment(event));
            } else {
                user.remove();
            }
            Ok(())
        })
}

/// Roles.
pub fn roles() -> ReadModel {
    let copied = ["roleName", "description", "permissions"].map(|field| (field, field));
    ReadModel::new(ROLES)
        .copy(RoleCreated::EVENT_TYPE, copied)
        .copy(RolePermissionsUpdated::EVENT_TYPE, [("permissions", "permissions")])
}

/// Sessions.
pub fn sessions() -> ReadModel {
    let copied =
        ["sessionId", "userId", "deviceInfo", "ipAddress", "createdAt", "expiresAt"].map(|field| (field, field));
    ReadModel::new(SESSIONS)
        .copy(SessionCreated::EVENT_TYPE, copied)
        .copy(SessionRefreshed::EVENT_TYPE, [("expiresAt", "expiresAt")])
        .copy(SessionRevoked::EVENT_TYPE, [("revokedAt", "revokedAt")])
}

fn user_of(event: &Recorded) -> Option<String> {
    event.data.read::<SessionCreated>().ok().map(|it| it.user_id)
}

fn moment(event: &Recorded) -> String {
    let since = event.occurred_at.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)).to_string()
}

fn list<'a>(fields: &'a mut Fields, field: &str) -> Option<&'a mut Vec<Value>> {
    fields.fields.entry(field).or_insert_with(|| json!([])).as_array_mut()
}

fn add(fields: &mut Fields, field: &str, item: String) -> Result<(), Refusal> {
    if let Some(list) = list(fields, field).filter(|list| !list.iter().any(|it| *it == item)) {
        list.push(item.into());
    }
    Ok(())
}

fn remove(fields: &mut Fields, field: &str, item: &str) -> Result<(), Refusal> {
    if let Some(list) = list(fields, field) {
        list.retain(|it| it != item);
    }
    Ok(())
}
