//! Messages as a service writes them, with the names of this crate and `serde` alone.

#![allow(clippy::unwrap_used)]

use banyan_sdk::protocol::Request as _;
use banyan_sdk::protocol::names::{self, ServiceName};
use banyan_sdk::schemars::{self, JsonSchema};
use banyan_sdk::{Command, Event, Query};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct User {
    id: u64,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = User, permissions = ["users:create"])]
struct CreateUser {
    email: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Query)]
#[query(reply = Option<User>, cache(key = "user:{id}", invalidate_on = [UserCreated]))]
struct GetUser {
    id: u64,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Event)]
#[event(aggregate = "User")]
struct UserCreated {
    id: u64,
}

#[test]
fn a_service_writes_its_messages_with_this_crate_alone() {
    let service = ServiceName::new("user-service").unwrap();
    let contract = CreateUser::contract(&service);
    assert_eq!(
        names::command_queue(&service, &contract.message_type),
        "service.user-service.commands.CreateUser",
        "the struct's name leads to the queue"
    );
    assert_eq!(contract.required_permissions, ["users:create"]);
    assert_eq!(contract.output_schema["title"], "User");
    assert_eq!(GetUser { id: 7 }.cache_key().as_deref(), Some("user:7"));
    assert_eq!(GetUser::CACHE.unwrap().invalidate_on, [UserCreated::EVENT_TYPE]);
    assert_eq!(UserCreated { id: 7 }.aggregate_id().as_deref(), Some("7"));
}
