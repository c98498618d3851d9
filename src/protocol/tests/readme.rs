//! The description for other languages says what the constants say.

#![allow(clippy::unwrap_used)]

use banyan_protocol::names::{self, ServiceName};
use banyan_protocol::{Event, FaultCode, Kind, Priority, dead_letter, discovery, limits, permission};

const README: &str = include_str!("../README.md");

#[track_caller]
fn says(text: &str) {
    assert!(README.contains(text), "README.md does not say: {text}");
}

#[test]
fn the_examples_of_names_are_right() {
    let (users, mail) = (ServiceName::new("user-service").unwrap(), ServiceName::new("email-service").unwrap());
    let command = names::command_queue(&users, "CreateUserCommand");
    for name in [
        names::query_queue(&users, "GetUserQuery"),
        names::event_queue(&mail, "UserCreated"),
        names::listener_queue(&mail, "UserCreated", "x1"),
        names::event_key(&users, "UserCreated"),
        names::reply_queue(&users, "x1"),
        names::dead_letter_queue(&command),
        names::retry_queue(&command, 1),
        names::response_type("GetUserQuery"),
        names::message_type(Kind::Command, "CreateUser"),
        command,
    ] {
        says(&format!("| `{name}` |"));
    }
    assert_eq!(
        names::command_queue(&users, "Users.Commands.CreateUser"),
        names::command_queue(&users, "CreateUserCommand")
    );
    assert!(permission::is_permission("users:create"));
}

#[test]
fn exchanges_headers_and_codes_are_the_ones_of_the_code() {
    for word in [
        names::EVENTS_EXCHANGE,
        names::DEAD_LETTER_EXCHANGE,
        names::EVERY_EVENT,
        names::CONTENT_TYPE,
        names::CONTENT_ENCODING,
        names::GZIP,
        names::HEADER_SERVICE_NAME,
        names::HEADER_MESSAGE_TYPE,
        names::HEADER_TRACE_ID,
        names::HEADER_RETRY_COUNT,
        names::HEADER_COMPRESSION,
        dead_letter::HEADER_HISTORY,
        dead_letter::HEADER_REASON,
        dead_letter::HEADER_QUEUE,
        dead_letter::HEADER_TIME,
        dead_letter::HEADER_REPLAY_COUNT,
        discovery::SERVICE,
    ] {
        says(&format!("`{word}`"));
    }
    for word in ["exhausted", "permanent", "unreadable", "too-large", "expired", "broker"] {
        says(&format!("`{word}`"));
        assert!(!matches!(dead_letter::Reason::from(word), dead_letter::Reason::Other(_)), "{word}");
    }
    for (priority, word) in [(Priority::Low, "low"), (Priority::Normal, "normal"), (Priority::High, "high")] {
        says(&format!("{} {word}", priority.number()));
    }
    let table = README.split("| code | means |").nth(1).unwrap().split("\n\n").next().unwrap();
    let codes: Vec<&str> = table.split('`').skip(1).step_by(2).collect();
    assert_eq!(codes.len(), 16);
    for code in codes {
        assert!(FaultCode::KNOWN.iter().any(|it| it.as_str() == code), "{code}");
    }
}

#[test]
fn numbers_are_the_ones_of_the_code() {
    for (kind, word) in
        [(Kind::Command, "command"), (Kind::Query, "query"), (Kind::Event, "event"), (Kind::Response, "reply")]
    {
        says(&format!("| {word} | {} | {} |", limits::recommended(kind), limits::hard(kind)));
    }
    says(&format!("Do so above {} bytes", limits::COMPRESS_OVER));
    says(&format!("more than\n{} levels deep", limits::DEPTH));
    says(&format!("at most {} characters", limits::CORRELATION_ID));
    says(&format!("1 to {} bytes", limits::ID));
    says(&format!("the first and the {} latest", dead_letter::LONGEST_HISTORY - 1));
}

#[test]
fn every_field_is_described() {
    let files = ["envelope-full", "metadata", "auth", "retry", "routing", "trace-context", "fault", "contract"];
    for file in files {
        let path = format!("{}/tests/golden/{file}.json", env!("CARGO_MANIFEST_DIR"));
        let value: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for field in value.as_object().unwrap().keys().filter(|it| !["source", "cacheHint"].contains(&it.as_str())) {
            assert!(README.contains(&format!("`{field}`")) || README.contains(&format!("\"{field}\"")), "{field}");
        }
    }
    fn registered<E: Event>() {
        says(&format!("| `{}` |", E::EVENT_TYPE));
    }
    registered::<discovery::ServiceContractsRegistered>();
    registered::<discovery::ServiceContractsChanged>();
    registered::<discovery::ServiceContractsRefused>();
    registered::<discovery::ServiceDeregistered>();
    registered::<discovery::HealthCheckRequest>();
    registered::<discovery::HealthCheckResponse>();
    registered::<discovery::ServiceHealthChanged>();
}

#[test]
fn the_example_of_a_fault_is_one() {
    let json = README.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let fault = banyan_protocol::Reply::read(json.as_bytes()).unwrap().into_outcome().unwrap_err();
    assert_eq!(fault.code, FaultCode::NotFound);
}
