//! One file per wire type: what is read from it and written again is the same, to the last field and in its order.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use banyan_protocol::contract::Validation;
use banyan_protocol::dead_letter::{self, Attempt};
use banyan_protocol::discovery::{
    HealthCheckRequest, HealthCheckResponse, ServiceContractsChanged, ServiceContractsRefused,
    ServiceContractsRegistered, ServiceDeregistered, ServiceHealthChanged,
};
use banyan_protocol::{
    Auth, Contract, Envelope, Fault, FaultCode, Metadata, Payload, Reply, Retry, Routing, Timestamp, contract,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

#[track_caller]
fn golden(name: &str) -> String {
    std::fs::read_to_string(folder().join(format!("{name}.json"))).unwrap()
}

/// The text of a file without the white space that is there for people; the order of fields stays.
#[track_caller]
fn compact(name: &str) -> String {
    serde_json::from_str::<Value>(&golden(name)).unwrap().to_string()
}

#[track_caller]
fn there_and_back<T: DeserializeOwned + Serialize>(name: &str) {
    let value: T = serde_json::from_str(&golden(name)).unwrap();
    assert_eq!(serde_json::to_string(&value).unwrap(), compact(name), "{name}");
}

type Test = fn(&str);

/// Every file, by the test of its type. The trace context is read as a part of the full envelope.
const TYPES: &[(&str, Test)] = &[
    ("auth", there_and_back::<Auth>),
    ("contract", there_and_back::<Contract>),
    ("contract-smallest", there_and_back::<Contract>),
    ("envelope-full", envelope),
    ("envelope-smallest", envelope),
    ("fault", there_and_back::<Fault>),
    ("health-check-request", there_and_back::<HealthCheckRequest>),
    ("health-check-response", there_and_back::<HealthCheckResponse>),
    ("metadata", there_and_back::<Metadata>),
    ("reply", envelope),
    ("reply-fault", envelope),
    ("retry", there_and_back::<Retry>),
    ("retry-history", there_and_back::<Vec<Attempt>>),
    ("routing", there_and_back::<Routing>),
    ("service-contracts-changed", there_and_back::<ServiceContractsChanged>),
    ("service-contracts-refused", there_and_back::<ServiceContractsRefused>),
    ("service-contracts-registered", there_and_back::<ServiceContractsRegistered>),
    ("service-deregistered", there_and_back::<ServiceDeregistered>),
    ("service-health-changed", there_and_back::<ServiceHealthChanged>),
    ("trace-context", trace_context),
    ("validation", there_and_back::<Validation>),
];

#[track_caller]
fn envelope(name: &str) {
    // payloads are carried as they are, with their white space: so the compact text goes in
    let text = compact(name);
    let envelope = Envelope::read(text.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(envelope.write()).unwrap(), text, "{name}");
    assert!(Envelope::read(golden(name).as_bytes()).is_ok(), "{name}");
}

#[track_caller]
fn trace_context(name: &str) {
    let envelope = Envelope::read(golden("envelope-full").as_bytes()).unwrap();
    let context = serde_json::to_string(&envelope.trace_context.unwrap()).unwrap();
    assert_eq!(context, compact(name));
}

#[test]
fn every_wire_type_goes_there_and_back() {
    for (name, test) in TYPES {
        test(name);
    }
    let entries = std::fs::read_dir(folder()).unwrap();
    let mut files: Vec<String> = entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let mut known: Vec<String> = TYPES.iter().map(|(name, _)| format!("{name}.json")).collect();
    known.sort();
    assert_eq!(files, known, "a file that no test reads, or the other way round");
}

/// The files hold every field that there is: a new one must be added there, or this fails.
#[test]
fn the_files_leave_no_field_out() {
    fn fields(value: &impl Serialize) -> Vec<String> {
        let text = serde_json::to_value(value).unwrap();
        text.as_object().unwrap().keys().cloned().collect()
    }
    let Metadata { auth, retry, routing, idempotency_key, deadline, causation_id, rest } =
        serde_json::from_str(&golden("metadata")).unwrap();
    assert!(auth.is_some() && retry.is_some() && routing.is_some());
    assert!(idempotency_key.is_some() && deadline.is_some() && causation_id.is_some());
    assert_eq!(fields(&rest), ["source", "cacheHint"]);

    let Auth { user_id, permissions, email, name, roles, correlation_id } = auth.unwrap();
    assert!(!user_id.is_empty() && !permissions.is_empty() && !roles.is_empty());
    assert!(email.is_some() && name.is_some() && correlation_id.is_some());

    let Retry { attempt_count, max_attempts, first_attempt, current_attempt, last_error, backoff_delay } =
        retry.unwrap();
    assert!(attempt_count == 2 && max_attempts == 3 && first_attempt.is_some() && current_attempt.is_some());
    assert!(last_error.is_some() && backoff_delay.is_some());

    let Routing { priority, timeout, routing_key, exchange, queue } = routing.unwrap();
    assert!(priority.is_some() && timeout.is_some());
    assert!(routing_key.is_some() && exchange.is_some() && queue.is_some());

    let Fault { code, message, details, correlation_id, timestamp } = serde_json::from_str(&golden("fault")).unwrap();
    assert!(code == FaultCode::Validation && !message.is_empty());
    assert!(details.is_some() && correlation_id.is_some() && timestamp.is_some());
}

#[test]
fn the_checksum_in_the_registration_is_the_one_of_its_contracts() {
    let registered: ServiceContractsRegistered = serde_json::from_str(&golden("service-contracts-registered")).unwrap();
    assert_eq!(registered.checksum.as_deref(), Some(contract::checksum(&registered.contracts).as_str()));
    assert_eq!(contract::validate(&registered.contracts).errors, []);

    let intact = |text: String| ServiceContractsRegistered::is_intact(&serde_json::from_str(&text).unwrap());
    let text = golden("service-contracts-registered");
    assert!(intact(text.clone()));
    assert!(!intact(text.replace("makes a user", "makes two users")));
    assert!(!intact(text.replace("\"isPublic\"", "\"ofTomorrow\"")), "fields that are not known count as well");
    assert!(intact(text.replace("\"checksum\"", "\"other\"")), "without a checksum there is nothing to compare");
}

#[test]
fn other_forms_of_discovery_are_read() {
    let text = golden("service-deregistered").replace("\"2030-01-01T00:00:00.000Z\"", "1893456000000");
    let gone: ServiceDeregistered = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&gone).unwrap(), compact("service-deregistered"));
    let words = json!({ "serviceName": "s", "status": "healthy", "timestamp": 1, "responseTime": 2,
                        "dependencies": { "database": "healthy" } });
    let answer: HealthCheckResponse = serde_json::from_value(words).unwrap();
    assert_eq!(serde_json::to_value(&answer).unwrap()["dependencies"], json!({ "database": { "status": "healthy" } }));
}

#[test]
fn an_answer_is_made_of_its_question() {
    let question =
        Envelope::read(golden("envelope-smallest").replace("PingCommand", "GetUserQuery").as_bytes()).unwrap();
    let now = Timestamp::from_millis(1_893_456_000_000);
    let payload = Payload::of(&json!({ "id": 7 })).unwrap();
    let answer = question.answer("msg_2".to_owned(), "user-service", now, Ok(payload));
    assert_eq!(String::from_utf8(answer.write()).unwrap(), compact("reply"));

    let fault = Fault::validation("`email`: is missing").with_details(json!({ "email": "is missing" }));
    let answer = Envelope { message_type: "CreateUserCommand".to_owned(), ..question }.answer(
        "msg_2".to_owned(),
        "user-service",
        now,
        Err(fault.clone()),
    );
    assert_eq!(String::from_utf8(answer.write()).unwrap(), compact("reply-fault"));
    let read = Reply::read(golden("reply-fault").as_bytes()).unwrap().into_outcome().unwrap_err();
    assert_eq!(read, fault.stamped("cor_1", now));
}

#[test]
fn the_deadline_is_said_or_counted_from_the_time_out() {
    let mut envelope = Envelope::read(golden("envelope-full").as_bytes()).unwrap();
    assert_eq!(envelope.deadline().unwrap().to_string(), "2030-01-01T00:00:30.000Z");
    envelope.metadata.deadline = None;
    assert_eq!(envelope.deadline().unwrap().to_string(), "2030-01-01T00:00:05.000Z");
    envelope.metadata.routing = None;
    assert_eq!(envelope.deadline(), None);
}

#[test]
fn a_payload_is_carried_as_it_is() {
    let text = " {\"a\" : 1.50} ".to_owned();
    assert_eq!(Payload::parse(text.trim().to_owned()).unwrap().into_text(), text.trim());
    assert!(Payload::parse("{} {}".to_owned()).is_err());
    assert!(Payload::parse("[".repeat(1000)).is_err());
}

#[test]
fn a_history_in_a_header_is_the_one_of_the_file() {
    let history = dead_letter::read_history(&golden("retry-history")).unwrap();
    let [first, second] = history.try_into().unwrap();
    assert_eq!(dead_letter::write_history(vec![first], second), compact("retry-history"));
}
