//! Roles and permissions, for administrators.

use std::collections::BTreeSet;

use banyan_sdk::{Fault, Outcome, protocol::permission::is_permission};

use crate::{
    access::{self, Cx, actor, is_role_name},
    aggregates,
    events::{PermissionGranted, PermissionRemoved, RoleAssigned, RoleCreated, RolePermissionsUpdated, RoleRemoved},
    messages::{
        AssignPermission, AssignRole, CreateRole, PermissionChanged, RemovePermission, RemoveRole, Role, RoleChanged,
        UpdateRolePermissions,
    },
    state::invalid,
};

/// The permissions in order, each once.
fn checked(permissions: Vec<String>) -> Result<Vec<String>, Fault> {
    if permissions.iter().any(|it| !is_permission(it)) {
        return Err(invalid("permissions", "each must be `resource:action`: lower-case letters, digits, hyphens"));
    }
    let each: BTreeSet<_> = permissions.into_iter().collect();
    Ok(each.into_iter().collect())
}

/// Creates a role.
pub async fn create(cx: Cx, command: CreateRole) -> Result<Outcome<Role>, Fault> {
    let CreateRole { role_name, description, permissions } = command;
    if !is_role_name(&role_name) {
        return Err(invalid("roleName", "must be lower-case letters, digits and hyphens, a letter first"));
    }
    let permissions = checked(permissions)?;
    let role = cx.load::<aggregates::Role>(&role_name).await?;
    if role.exists() {
        return Err(Fault::conflict("there is such a role"));
    }
    let reply = Role {
        success: true,
        role_name: role_name.clone(),
        description: description.clone(),
        permissions: permissions.clone(),
    };
    let event = RoleCreated { role_name, description, permissions, created_by: actor(&cx) };
    Ok(role.emit(Outcome::reply(reply), event))
}

/// Says anew what a role may do.
pub async fn update(cx: Cx, command: UpdateRolePermissions) -> Result<Outcome<Role>, Fault> {
    let UpdateRolePermissions { role_name, permissions } = command;
    let permissions = checked(permissions)?;
    let role = cx.load::<aggregates::Role>(&role_name).await?.existing()?;
    let outcome = Outcome::reply(Role {
        success: true,
        role_name: role_name.clone(),
        description: role.state.description.clone(),
        permissions: permissions.clone(),
    });
    if role.state.permissions.iter().eq(&permissions) {
        return Ok(outcome);
    }
    Ok(role.emit(outcome, RolePermissionsUpdated { role_name, permissions, updated_by: actor(&cx) }))
}

/// Gives a user a role.
pub async fn assign(cx: Cx, command: AssignRole) -> Result<Outcome<RoleChanged>, Fault> {
    let AssignRole { user_id, role_name } = command;
    let user = access::user(&cx, &user_id).await?;
    cx.load::<aggregates::Role>(&role_name).await?.existing()?;
    let outcome = role_changed(&user_id, &role_name);
    if user.state.roles.contains(&role_name) {
        return Ok(outcome);
    }
    Ok(user.emit(outcome, RoleAssigned { user_id, role_name, assigned_by: actor(&cx) }))
}

/// Takes a role from a user.
pub async fn remove(cx: Cx, command: RemoveRole) -> Result<Outcome<RoleChanged>, Fault> {
    let RemoveRole { user_id, role_name } = command;
    let user = access::user(&cx, &user_id).await?;
    let outcome = role_changed(&user_id, &role_name);
    if !user.state.roles.contains(&role_name) {
        return Ok(outcome);
    }
    Ok(user.emit(outcome, RoleRemoved { user_id, role_name, removed_by: actor(&cx) }))
}

fn role_changed(user_id: &str, role_name: &str) -> Outcome<RoleChanged> {
    Outcome::reply(RoleChanged { success: true, user_id: user_id.to_owned(), role_name: role_name.to_owned() })
}

/// Gives a user a permission.
pub async fn grant(cx: Cx, command: AssignPermission) -> Result<Outcome<PermissionChanged>, Fault> {
    let AssignPermission { user_id, permission } = command;
    if !is_permission(&permission) {
        return Err(invalid("permission", "must be `resource:action`: lower-case letters, digits, hyphens"));
    }
    let user = access::user(&cx, &user_id).await?;
    let outcome = permission_changed(&user_id, &permission);
    if user.state.permissions.contains(&permission) {
        return Ok(outcome);
    }
    Ok(user.emit(outcome, PermissionGranted { user_id, permission, granted_by: actor(&cx) }))
}

/// Takes a permission from a user.
pub async fn withdraw(cx: Cx, command: RemovePermission) -> Result<Outcome<PermissionChanged>, Fault> {
    let RemovePermission { user_id, permission } = command;
    let user = access::user(&cx, &user_id).await?;
    let outcome = permission_changed(&user_id, &permission);
    if !user.state.permissions.contains(&permission) {
        return Ok(outcome);
    }
    Ok(user.emit(outcome, PermissionRemoved { user_id, permission, removed_by: actor(&cx) }))
}

fn permission_changed(user_id: &str, permission: &str) -> Outcome<PermissionChanged> {
    let (user_id, permission) = (user_id.to_owned(), permission.to_owned());
    Outcome::reply(PermissionChanged { success: true, user_id, permission })
}
