//! What can be looked up.

use std::collections::{BTreeMap, BTreeSet};

use banyan_sdk::{
    Fault,
    projection::{Direction, Document, List},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    access::{self, Cx},
    messages::{
        GetRole, GetUser, GetUserPermissions, GetUserRoles, ListAvailablePermissions, ListRoles, ListSessions,
        ListUsers, PERMISSIONS, Permission, RoleView, SessionView, UserPage, UserView,
    },
    models,
};

const PAGE_SIZE: u32 = 20;

fn read<T: DeserializeOwned>(document: &Document) -> Result<T, Fault> {
    document.data.read().map_err(|error| Fault::internal(error.to_string()))
}

/// Finds a user.
pub async fn get_user(cx: Cx, query: GetUser) -> Result<UserView, Fault> {
    let found = cx.view(models::USERS)?.find(&query.user_id).await?;
    read(&found.ok_or_else(|| Fault::not_found("there is no such user"))?)
}

/// Lists users.
pub async fn list_users(cx: Cx, query: ListUsers) -> Result<UserPage, Fault> {
    let (page, page_size) = (query.page.unwrap_or(1).max(1), query.page_size.unwrap_or(PAGE_SIZE));
    let filter = serde_json::to_value(&query.filter).map_err(|error| Fault::internal(error.to_string()))?;
    let Value::Object(mut filter) = filter else { return Err(Fault::internal("a filter is an object")) };
    if let Some(Value::String(email)) = filter.get_mut("email") {
        *email = crate::state::spelled(email);
    }
    let list = List {
        filter,
        offset: (page - 1).saturating_mul(page_size),
        // one more tells whether there are more
        limit: Some(page_size + 1),
        ..List::default()
    };
    let found = cx.view(models::USERS)?.list(&list).await?;
    let has_more = found.len() > page_size as usize;
    let items = found.iter().take(page_size as usize).map(read).collect::<Result<_, _>>()?;
    Ok(UserPage { items, page, page_size, has_more })
}

/// What a user may do.
pub async fn user_permissions(cx: Cx, query: GetUserPermissions) -> Result<Vec<String>, Fault> {
    let user = access::user(&cx, &query.user_id).await?.state;
    Ok(access::permissions(&cx, &user).await?.into_iter().collect())
}

/// The roles of a user.
pub async fn user_roles(cx: Cx, query: GetUserRoles) -> Result<Vec<String>, Fault> {
    Ok(access::user(&cx, &query.user_id).await?.state.roles.into_iter().collect())
}

/// Finds a role.
pub async fn get_role(cx: Cx, query: GetRole) -> Result<RoleView, Fault> {
    let found = cx.view(models::ROLES)?.find(&query.role_name).await?;
    read(&found.ok_or_else(|| Fault::not_found("there is no such role"))?)
}

/// All roles.
pub async fn list_roles(cx: Cx, _: ListRoles) -> Result<Vec<RoleView>, Fault> {
    cx.view(models::ROLES)?.list(&List::default()).await?.iter().map(read).collect()
}

/// The permissions that are known here.
pub async fn available_permissions(cx: Cx, _: ListAvailablePermissions) -> Result<Vec<Permission>, Fault> {
    let described: BTreeMap<&str, &str> = PERMISSIONS.into_iter().collect();
    let mut names: BTreeSet<String> = described.keys().map(|name| (*name).to_owned()).collect();
    for role in list_roles(cx, ListRoles {}).await? {
        names.extend(role.permissions);
    }
    let permission = |name: String| {
        let (resource, action) = name.split_once(':').unwrap_or((&name, ""));
        let description = described.get(name.as_str()).map(|it| (*it).to_owned());
        Permission { resource: resource.to_owned(), action: action.to_owned(), description, name }
    };
    Ok(names.into_iter().map(permission).collect())
}

/// The sessions of a user.
pub async fn list_sessions(cx: Cx, query: ListSessions) -> Result<Vec<SessionView>, Fault> {
    let filter = Map::from_iter([("userId".to_owned(), query.user_id.into())]);
    let order_by = Some(("createdAt".to_owned(), Direction::Descending));
    let list = List { filter, order_by, limit: Some(100), ..List::default() };
    cx.view(models::SESSIONS)?.list(&list).await?.iter().map(read).collect()
}
