//! What the derives make of a struct. This file stands in for `banyan_sdk`, which re-exports the same names.

#![allow(clippy::unwrap_used)]

extern crate self as banyan_sdk;
pub use banyan_protocol as protocol;

use banyan_protocol::names::ServiceName;
use banyan_protocol::schemars::JsonSchema;
use banyan_protocol::{Cache, Command, Event, Kind, Query, Request, contract, names};
use sdk_macros::{Command, Event, Query};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct User {
    id: u64,
    name: String,
}

/// Makes a user,
/// who can log in at once.
///
/// More about it.
#[derive(Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = User, permissions = ["users:create", "users:write"], service = "user-service", version = "1.2.0")]
#[command(idempotent)]
struct CreateUser {
    name: String,
}

#[derive(Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = (), public, name = "Wake", description = "wakes the service up")]
struct PingCommand {}

#[derive(Serialize, Deserialize, JsonSchema, Query)]
#[query(
    reply = Vec<User>,
    cache(
        ttl = 60,
        key = "users:{org}:{type}",
        tags = ["org:{org}", "all"],
        invalidate_on = [UserCreatedEvent, "UserDeleted"],
        stale_while_revalidate = 30,
    )
)]
struct ListHTTPUsers {
    org: String,
    r#type: u8,
}

#[derive(Serialize, Deserialize, JsonSchema, Query)]
#[query(reply = Option<User>, cache)]
struct GetUserQuery {
    id: u64,
}

#[derive(Serialize, Deserialize, JsonSchema, Event)]
#[event(service = "user-service", aggregate = "User", id = "user_id", version = 2, permissions = ["users:read"])]
struct UserCreatedEvent {
    user_id: u64,
}

#[derive(Serialize, Deserialize, JsonSchema, Event)]
#[event(public)]
struct Woken {}

#[test]
fn a_command_has_the_name_and_words_of_its_struct() {
    assert_eq!(CreateUser::KIND, Kind::Command);
    assert_eq!(CreateUser::MESSAGE_TYPE, "CreateUserCommand");
    assert_eq!(CreateUser::SERVICE, Some("user-service"));
    assert_eq!(CreateUser::PERMISSIONS, ["users:create", "users:write"]);
    assert_eq!(CreateUser::DESCRIPTION, "Makes a user, who can log in at once.");
    assert_eq!(CreateUser::VERSION, "1.2.0");
    const { assert!(CreateUser::IDEMPOTENT && !CreateUser::PUBLIC) };
    assert_eq!(PingCommand::MESSAGE_TYPE, "WakeCommand");
    assert_eq!(PingCommand::DESCRIPTION, "wakes the service up");
    assert_eq!(PingCommand::VERSION, "1.0.0");
    const { assert!(PingCommand::PUBLIC && !PingCommand::IDEMPOTENT) };
    fn is_command<C: Command>() {}
    is_command::<PingCommand>();
}

#[test]
fn a_query_says_how_its_answers_are_kept() {
    assert_eq!(ListHTTPUsers::MESSAGE_TYPE, "ListHTTPUsersQuery");
    assert_eq!(ListHTTPUsers::DESCRIPTION, "list http users");
    let kept = Cache { ttl: 60, stale_while_revalidate: 30, invalidate_on: &["UserCreated", "UserDeleted"] };
    assert_eq!(ListHTTPUsers::CACHE, Some(kept));
    let query = ListHTTPUsers { org: "a:b%".to_owned(), r#type: 3 };
    assert_eq!(query.cache_key().unwrap(), "users:a%3Ab%25:3", "a value cannot pretend to be two");
    assert_eq!(query.cache_tags(), ["org:a%3Ab%25", "all"]);

    assert_eq!(GetUserQuery::MESSAGE_TYPE, "GetUserQuery");
    assert_eq!(GetUserQuery::CACHE, Some(Cache { ttl: 300, stale_while_revalidate: 0, invalidate_on: &[] }));
    let query = GetUserQuery { id: 1 };
    assert_eq!((query.cache_key(), query.cache_tags()), (None, vec![]));
    const { assert!(GetUserQuery::IDEMPOTENT) };
}

#[test]
fn an_event_knows_what_it_happened_to() {
    assert_eq!(UserCreatedEvent::EVENT_TYPE, "UserCreated");
    assert_eq!((UserCreatedEvent::AGGREGATE, UserCreatedEvent::VERSION), (Some("User"), 2));
    assert_eq!(UserCreatedEvent { user_id: 7 }.aggregate_id().unwrap(), "7");
    assert_eq!((Woken::EVENT_TYPE, Woken::AGGREGATE, Woken::VERSION, Woken::SERVICE), ("Woken", None, 1, None));
    assert_eq!(Woken {}.aggregate_id(), None);
    let service = ServiceName::new("user-service").unwrap();
    let (created, woken) = (UserCreatedEvent::contract(&service), Woken::contract(&service));
    assert_eq!((created.required_permissions, created.is_public), (vec!["users:read".to_owned()], false));
    assert_eq!((woken.required_permissions, woken.is_public), (vec![], true));
}

#[test]
fn contracts_are_valid_as_they_come() {
    let service = ServiceName::new("user-service").unwrap();
    let contracts = [
        CreateUser::contract(&service),
        PingCommand::contract(&service),
        ListHTTPUsers::contract(&service),
        GetUserQuery::contract(&service),
        UserCreatedEvent::contract(&service),
        Woken::contract(&service),
    ];
    let validation = contract::validate(&contracts);
    assert_eq!((validation.is_valid, validation.errors), (true, vec![]));
    assert_eq!(
        contracts[0].input_schema,
        json!({
            "title": "CreateUser",
            "description": "Makes a user,\nwho can log in at once.\n\nMore about it.",
            "type": "object",
            "properties": { "name": { "type": "string" } },
            "required": ["name"],
        })
    );
    assert_eq!(contracts[2].output_schema["items"], json!({ "$ref": "#/$defs/User" }));
    assert_eq!(contracts[4].version, "2.0.0");
    for (rust, kind) in [("CreateUser", Kind::Command), ("PingCommand", Kind::Command), ("ListHTTPUsers", Kind::Query)]
    {
        let contract = contracts.iter().find(|it| it.input_schema["title"] == rust).unwrap();
        if rust != "PingCommand" {
            assert_eq!(contract.message_type, names::message_type(kind, rust), "the rule of the protocol");
        }
    }
}
