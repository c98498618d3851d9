//! What readers must accept, what they must refuse and how they say it, and that no bytes make them panic.

#![allow(clippy::unwrap_used)]

use banyan_protocol::contract::{self, Contract};
use banyan_protocol::{
    Auth, Envelope, Fault, FaultCode, Metadata, Payload, Priority, ReadError, Reply, Retry, Routing, Timestamp,
    TraceContext, canonical, dead_letter, limits, schema,
};
use proptest::prelude::*;
use proptest::{collection::vec, option};
use serde_json::{Map, Value, json};

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |it| it.is_finite().then(|| Value::from(it))),
        any::<String>().prop_map(Value::from),
        key().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((key(), inner), 0..5).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Words that readers know, and others.
fn key() -> impl Strategy<Value = String> {
    let known = [
        "id",
        "correlationId",
        "traceContext",
        "timestamp",
        "serviceName",
        "messageType",
        "payload",
        "metadata",
        "version",
        "error",
        "code",
        "message",
        "auth",
        "userId",
        "permissions",
        "type",
        "properties",
        "$ref",
        "2030-01-01T00:00:00.000Z",
        "contracts",
        "inputSchema",
        "#/type",
        "object",
        "required",
        "deadline",
    ];
    prop_oneof![3 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,8}"]
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    (Timestamp::MIN.millis()..=Timestamp::MAX.millis()).prop_map(Timestamp::from_millis)
}

fn auth() -> impl Strategy<Value = Auth> {
    let text = || any::<String>();
    (text(), vec(text(), 0..4), option::of(text()), option::of(text()), vec(text(), 0..3), option::of(text())).prop_map(
        |(user_id, permissions, email, name, roles, correlation_id)| Auth {
            user_id,
            permissions,
            email,
            name,
            roles,
            correlation_id,
        },
    )
}

fn retry() -> impl Strategy<Value = Retry> {
    (any::<u32>(), any::<u32>(), option::of(timestamp()), option::of(timestamp()), option::of(any::<String>()))
        .prop_map(|(attempt_count, max_attempts, first_attempt, current_attempt, last_error)| Retry {
            attempt_count,
            max_attempts,
            first_attempt,
            current_attempt,
            last_error,
            backoff_delay: Some(u64::from(attempt_count)),
        })
}

fn routing() -> impl Strategy<Value = Routing> {
    let priority = proptest::sample::select(vec![Priority::Low, Priority::Normal, Priority::High]);
    (option::of(priority), option::of(any::<u64>()), option::of(any::<String>()))
        .prop_map(|(priority, timeout, queue)| Routing { priority, timeout, queue, ..Routing::default() })
}

fn metadata() -> impl Strategy<Value = Metadata> {
    let rest = vec(("x-[a-z]{1,6}", json_value()), 0..3);
    let id = option::of("[ -~]{1,40}");
    let deadline = option::of(timestamp());
    (option::of(auth()), option::of(retry()), option::of(routing()), id, deadline, rest).prop_map(
        |(auth, retry, routing, idempotency_key, deadline, rest)| Metadata {
            auth,
            retry,
            routing,
            causation_id: idempotency_key.clone(),
            idempotency_key,
            deadline,
            rest: rest.into_iter().collect::<Map<_, _>>(),
        },
    )
}

prop_compose! {
    fn envelope()(
        id in "\\PC{1,60}",
        correlation_id in "\\PC{0,128}",
        trace in option::of((any::<u128>(), any::<u64>(), any::<u8>())),
        timestamp in timestamp(),
        service_name in any::<String>(),
        message_type in "\\PC{1,30}",
        payload in json_value(),
        metadata in metadata(),
        version in 1..u32::MAX,
    ) -> Envelope {
        Envelope {
            id,
            correlation_id,
            trace_context: trace.and_then(|(trace, span, flags)| TraceContext::new(trace, span, flags)),
            timestamp,
            service_name,
            message_type,
            payload: Payload::of(&payload).unwrap(),
            metadata,
            version,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_written_can_be_read(envelope in envelope()) {
        let body = envelope.write();
        prop_assert_eq!(&Envelope::read(&body).unwrap(), &envelope);
        let reply = Reply::read(&body);
        if let Ok(reply) = reply {
            prop_assert_eq!(reply.envelope(), Some(&envelope));
        }
    }

    #[test]
    fn unknown_fields_are_passed_over(envelope in envelope(), name in "_[a-z]{1,5}", value in json_value()) {
        let mut json = serde_json::to_value(&envelope).unwrap();
        json[&name] = value.clone();
        json["metadata"]["auth"] = json!({ "userId": "u", (&name): value.clone() });
        json["metadata"][&name] = value.clone();
        let read = Envelope::read(json.to_string().as_bytes()).unwrap();
        prop_assert_eq!(&read.metadata.rest[&name], &value, "what is free in the metadata is kept");
        prop_assert_eq!(read.metadata.auth.unwrap().user_id, "u");
    }

    #[test]
    fn a_trace_context_of_any_form_is_no_error(envelope in envelope(), value in json_value()) {
        let mut json = serde_json::to_value(&envelope).unwrap();
        json["traceContext"] = value;
        let read = Envelope::read(json.to_string().as_bytes()).unwrap();
        prop_assert_eq!(read.trace_context, None);
    }

    #[test]
    fn a_required_field_that_is_gone_or_wrong_is_named(envelope in envelope(), which in 0..6usize, wrong in any::<bool>()) {
        let field = ["id", "correlationId", "timestamp", "serviceName", "messageType", "payload"][which];
        let mut json = serde_json::to_value(&envelope).unwrap();
        if wrong && field != "payload" {
            json[field] = json!(["secret"]);
        } else {
            json.as_object_mut().unwrap().remove(field);
        }
        let error = Envelope::read(json.to_string().as_bytes()).unwrap_err();
        let ReadError::Field { path, problem } = error else { panic!("{error}") };
        prop_assert_eq!(path, field);
        prop_assert!(!problem.contains("secret"));
    }

    #[test]
    fn a_fault_goes_there_and_back(code in any::<String>(), message in any::<String>(), details in option::of(json_value())) {
        let mut fault = Fault::new(FaultCode::from(code.as_str()), message);
        // `null` details are none
        fault.details = details.filter(|it| !it.is_null()).map(Box::new);
        prop_assert_eq!(fault.code.as_str(), code);
        let read = Reply::read(fault.to_payload().text().as_bytes()).unwrap().into_outcome().unwrap_err();
        prop_assert_eq!(read, fault);
    }

    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..300)) {
        read_everything(&bytes);
    }

    #[test]
    fn arbitrary_json_is_read_or_refused(value in json_value()) {
        read_everything(value.to_string().as_bytes());
        let _ = schema::check(&value, "schema");
        prop_assert_eq!(canonical::checksum(&value).len(), 64);
    }

    #[test]
    fn a_damaged_envelope_is_read_or_refused(envelope in envelope(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = envelope.write();
        let at = at.index(body.len());
        body[at] = byte;
        read_everything(&body);
        read_everything(&body[..at]);
    }

    #[test]
    fn canonical_text_is_json_with_the_same_meaning(value in json_value()) {
        let text = canonical::text(&value);
        let again: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(canonical::text(&again), text);
    }

    #[test]
    fn times_go_there_and_back(time in timestamp()) {
        prop_assert_eq!(time.to_string().parse(), Ok(time));
    }

    #[test]
    fn any_text_is_a_time_or_is_not(text in "[0-9TtZz:+. -]{0,30}") {
        let _ = text.parse::<Timestamp>();
        let _ = TraceContext::parse(&text, Some(&text));
    }
}

fn read_everything(bytes: &[u8]) {
    let _ = Envelope::read(bytes);
    if let Ok(reply) = Reply::read(bytes) {
        let _ = reply.into_outcome();
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = dead_letter::read_history(text);
        if let Ok(contracts) = serde_json::from_str::<Vec<Contract>>(text) {
            let _ = contract::validate(&contracts);
        }
    }
}

/// An envelope with one field changed.
#[track_caller]
fn told(path: &[&str], value: Value) -> String {
    let mut json = json!({
        "id": "m", "correlationId": "c", "timestamp": "2030-01-01T00:00:00.000Z", "serviceName": "s",
        "messageType": "PingCommand", "payload": {}, "metadata": { "auth": { "userId": "u" } },
    });
    let (last, before) = path.split_last().unwrap();
    before.iter().fold(&mut json, |json, key| &mut json[key])[last] = value;
    Envelope::read(json.to_string().as_bytes()).map(|_| "nothing".to_owned()).unwrap_or_else(|error| error.to_string())
}

#[test]
fn a_mistake_is_named_by_its_place_and_not_by_its_value() {
    let secret = "hunter2, expected \"by\" nobody";
    assert_eq!(told(&["timestamp"], json!("yesterday")), "`timestamp`: not an RFC 3339 time");
    assert_eq!(told(&["timestamp"], json!(1)), "`timestamp`: expected an RFC 3339 time, found a number");
    assert_eq!(told(&["version"], json!(0)), "`version`: versions begin with 1");
    assert_eq!(
        told(&["version"], json!(secret)),
        "`version`: expected a whole number that is not negative, found a string"
    );
    assert_eq!(
        told(&["version"], json!(-1)),
        "`version`: expected a whole number that is not negative, found a number"
    );
    assert_eq!(told(&["id"], json!("")), "`id`: must not be empty");
    assert_eq!(told(&["id"], json!("x".repeat(256))), "`id`: has more than 255 bytes");
    assert_eq!(told(&["correlationId"], json!("ü".repeat(129))), "`correlationId`: has more than 128 characters");
    assert_eq!(told(&["correlationId"], json!("ü".repeat(128))), "nothing");
    assert_eq!(told(&["messageType"], json!("")), "`messageType`: must not be empty");
    assert_eq!(told(&["metadata"], json!(secret)), "`metadata`: expected an object, found a string");
    assert_eq!(told(&["metadata", "auth"], json!(["u", []])), "`metadata.auth`: expected an object, found an array");
    assert_eq!(told(&["metadata", "auth"], json!({})), "`metadata.auth.userId`: is missing");
    assert_eq!(
        told(&["metadata", "auth", "permissions"], json!(["a:b", 5])),
        "`metadata.auth.permissions[1]`: expected a string, found a number"
    );
    assert_eq!(
        told(&["metadata", "routing"], json!({ "priority": secret })),
        "`metadata.routing.priority`: expected one of `low`, `normal`, `high`"
    );
    assert_eq!(told(&["metadata", "deadline"], json!("soon")), "`metadata.deadline`: not an RFC 3339 time");
    assert_eq!(told(&["metadata", "idempotencyKey"], json!("")), "`metadata.idempotencyKey`: must not be empty");
}

#[test]
fn what_is_missing_or_null_where_it_may_be_is_read() {
    for path in
        [["metadata"].as_slice(), &["traceContext"], &["version"], &["metadata", "auth"], &["metadata", "retry"]]
    {
        assert_eq!(told(path, Value::Null), "nothing", "{path:?}");
    }
    assert_eq!(told(&["metadata", "auth", "permissions"], Value::Null), "nothing");
    let bare = br#"{"id":"m","correlationId":"","timestamp":"2030-01-01T00:00:00Z","serviceName":"s","messageType":"X","payload":null}"#;
    let envelope = Envelope::read(bare).unwrap();
    assert_eq!((envelope.version, envelope.metadata), (1, Metadata::default()));
    assert_eq!(envelope.payload, Payload::null());
}

#[test]
fn what_is_no_envelope_is_refused() {
    let told = |bytes: &[u8]| Envelope::read(bytes).unwrap_err().to_string();
    assert_eq!(told(b""), "not JSON: line 1, column 0: EOF while parsing a value");
    assert_eq!(told(b"null"), "`.`: expected an object, found null");
    assert_eq!(told(b"[]"), "`.`: expected an object, found an array");
    assert_eq!(told(b"{"), "not JSON: line 1, column 1: EOF while parsing an object");
    assert_eq!(told(b"{}"), "`id`: is missing");
    assert_eq!(told(br#"{"id":"a","id":"b"}"#), "`.`: duplicate field `id`");
    assert!(told(b"{\"id\":\"\xff\"}").starts_with("not JSON: line 1"));
    assert!(told(b"\x1f\x8b\x08 gzip").starts_with("not JSON: line 1"));
    assert!(told(br#"{"id":"m"} more"#).contains("is missing"));
}

#[test]
fn depth_bombs_are_refused_wherever_they_are() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let body = |payload: &str, metadata: &str| {
        format!(
            r#"{{"id":"m","correlationId":"c","timestamp":"2030-01-01T00:00:00Z","serviceName":"s","messageType":"X","payload":{payload},"metadata":{{"x":{metadata}}}}}"#
        )
    };
    assert!(Envelope::read(body(&nested(limits::DEPTH - 1), &nested(limits::DEPTH - 2)).as_bytes()).is_ok());
    for text in [
        body(&nested(limits::DEPTH), "1"),
        body("1", &nested(limits::DEPTH - 1)),
        body(&nested(1_000_000), "1"),
        "[".repeat(5_000_000),
        "{\"a\":".repeat(1_000_000),
    ] {
        assert_eq!(Envelope::read(text.as_bytes()), Err(ReadError::TooDeep));
        assert_eq!(Reply::read(text.as_bytes()), Err(ReadError::TooDeep));
    }
    let brackets_in_text = format!(r#""{}\"{}""#, "[".repeat(500), "{".repeat(500));
    assert!(Envelope::read(body(&brackets_in_text, "1").as_bytes()).is_ok());
}

#[test]
fn a_payload_says_what_does_not_fit() {
    #[derive(Debug, serde::Deserialize)]
    struct CreateUser {
        #[serde(rename = "tags")]
        _tags: Vec<String>,
    }
    let told = |text: &str| {
        let payload: Payload = serde_json::from_str(text).unwrap();
        payload.read::<CreateUser>().unwrap_err().to_string()
    };
    assert_eq!(told(r#"{"tags":["a",{"secret":1}]}"#), "`payload.tags[1]`: expected a string, found an object");
    assert_eq!(told("{}"), "`payload.tags`: is missing");
    assert_eq!(told("null"), "`payload`: expected an object, found null");
}
