//! What clients say over WebSocket, and what they are told: bytes ↔ values.

use axum::extract::ws::Utf8Bytes;
use banyan_sdk::protocol::{Category, Fault, Timestamp, names};
use serde_json::{Map, Value, json};

use super::filters::Filters;

/// The longest id of an event that is looked for, in bytes.
const LONGEST_ID: usize = 200;
/// The longest list of permissions in a message of development mode.
const MOST_PERMISSIONS: usize = 200;

/// What a client says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Incoming {
    /// Asks for events.
    Subscribe {
        /// As the client calls it.
        event_type: String,
        /// Which of them.
        filters: Filters,
        /// The last one that the client knows.
        last_event_id: Option<String>,
    },
    /// Does not want them any more.
    Unsubscribe {
        /// As the client called it.
        event_type: String,
    },
    /// Asks whether somebody is there.
    Ping {
        /// Comes back as it is.
        timestamp: Option<Value>,
    },
    /// Answers such a question.
    Pong,
    /// Says who it is.
    Auth(Proof),
}

/// Who a client says that it is.
#[derive(Clone, PartialEq)]
pub(super) enum Proof {
    /// An access token.
    Token(String),
    /// Whoever it likes: in development mode.
    Claim {
        /// The user's id.
        user_id: String,
        /// What the user may do.
        permissions: Vec<String>,
    },
}

/// Tokens are not for logs.
impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Token(_) => f.write_str("Token"),
            Self::Claim { user_id, .. } => f.debug_tuple("Claim").field(user_id).finish(),
        }
    }
}

/// Why a message is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Malformed {
    /// For programs.
    pub code: &'static str,
    /// For people.
    pub problem: String,
}

impl Malformed {
    fn message(problem: impl Into<String>) -> Self {
        Self { code: "INVALID_MESSAGE", problem: problem.into() }
    }
}

impl Incoming {
    /// Reads a message.
    ///
    /// # Errors
    /// [`Malformed`] says what is wrong with it.
    pub(super) fn read(text: &[u8]) -> Result<Self, Malformed> {
        let Ok(Value::Object(mut message)) = serde_json::from_slice(text) else {
            return Err(Malformed { code: "INVALID_JSON", problem: "a message is a JSON object".to_owned() });
        };
        let kind = match message.remove("type") {
            Some(Value::String(kind)) => kind,
            _ => return Err(Malformed::message("`type` is missing")),
        };
        match kind.as_str() {
            "subscribe" => Ok(Self::Subscribe {
                event_type: event_type(&mut message)?,
                filters: filters(message.remove("filters"))?,
                last_event_id: last_event_id(message.remove("lastEventId"))?,
            }),
            "unsubscribe" => Ok(Self::Unsubscribe { event_type: event_type(&mut message)? }),
            "ping" => Ok(Self::Ping { timestamp: timestamp(message.remove("timestamp"))? }),
            "pong" => Ok(Self::Pong),
            "auth" => proof(&mut message).map(Self::Auth),
            _ => Err(Malformed {
                code: "UNKNOWN_TYPE",
                problem: "`type` is none of subscribe, unsubscribe, ping, pong and auth".to_owned(),
            }),
        }
    }
}

fn event_type(message: &mut Map<String, Value>) -> Result<String, Malformed> {
    match message.remove("eventType").or_else(|| message.remove("event")) {
        Some(Value::String(name)) if names::is_message_type(&name) => Ok(name),
        Some(_) => Err(Malformed::message("`eventType` is not the name of an event")),
        None => Err(Malformed::message("`eventType` is missing")),
    }
}

fn filters(given: Option<Value>) -> Result<Filters, Malformed> {
    match given {
        None | Some(Value::Null) => Ok(Filters::default()),
        Some(Value::Object(filters)) => Filters::of_json(filters).map_err(Malformed::message),
        Some(_) => Err(Malformed::message("`filters` is not an object")),
    }
}

fn last_event_id(given: Option<Value>) -> Result<Option<String>, Malformed> {
    match given {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) if id.len() <= LONGEST_ID => Ok(Some(id)),
        Some(_) => Err(Malformed::message("`lastEventId` is not the id of an event")),
    }
}

fn timestamp(given: Option<Value>) -> Result<Option<Value>, Malformed> {
    match given {
        Some(Value::Object(_) | Value::Array(_)) => Err(Malformed::message("`timestamp` is not a time")),
        given => Ok(given),
    }
}

fn proof(message: &mut Map<String, Value>) -> Result<Proof, Malformed> {
    if let Some(token) = message.remove("token") {
        return match token {
            Value::String(token) => Ok(Proof::Token(token)),
            _ => Err(Malformed::message("`token` is not a text")),
        };
    }
    let Some(Value::String(user_id)) = message.remove("userId") else {
        return Err(Malformed::message("`token` or `userId` is missing"));
    };
    let permissions = match message.remove("permissions") {
        None | Some(Value::Null) => Some(vec![]),
        // as in the header of development mode
        Some(Value::String(list)) => Some(list.split(',').map(str::trim).map(str::to_owned).collect()),
        Some(Value::Array(list)) => list.iter().map(|it| it.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>(),
        Some(_) => None,
    };
    match permissions {
        Some(permissions) if permissions.len() <= MOST_PERMISSIONS => {
            let permissions = permissions.into_iter().filter(|it| !it.is_empty()).collect();
            Ok(Proof::Claim { user_id, permissions })
        }
        _ => Err(Malformed::message("`permissions` is not a list of texts")),
    }
}

/// What a client is told, beside events.
#[derive(Debug)]
pub(super) enum Outgoing<'a> {
    /// It gets these events.
    Subscribed(&'a str),
    /// It does not get them.
    NotSubscribed(&'a str, &'a Fault),
    /// It does not get them any more.
    Unsubscribed(&'a str),
    /// Events may have been missed; of one kind, or of all.
    Gap(Option<&'a str>),
    /// Somebody is there.
    Pong(Option<Value>, Timestamp),
    /// It is this user now.
    Authenticated(&'a str),
    /// It is not.
    NotAuthenticated(&'a str),
    /// What it said is no message.
    Malformed(&'a Malformed),
}

impl Outgoing<'_> {
    /// The text.
    pub(super) fn write(self) -> Utf8Bytes {
        let message = match self {
            Self::Subscribed(event) => json!({ "type": "subscribe_success", "eventType": event }),
            Self::NotSubscribed(event, fault) => {
                json!({ "type": "subscribe_error", "eventType": event, "error": fault.message, "code": code(fault) })
            }
            Self::Unsubscribed(event) => json!({ "type": "unsubscribe_success", "eventType": event }),
            Self::Gap(Some(event)) => json!({ "type": "gap", "eventType": event }),
            Self::Gap(None) => json!({ "type": "gap" }),
            Self::Pong(None, now) => json!({ "type": "pong", "timestamp": now }),
            Self::Pong(Some(asked), now) => json!({ "type": "pong", "timestamp": now, "pingTimestamp": asked }),
            Self::Authenticated(user) => json!({ "type": "auth_success", "userId": user }),
            Self::NotAuthenticated(error) => json!({ "type": "auth_error", "error": error }),
            Self::Malformed(it) => json!({ "type": "error", "code": it.code, "error": it.problem }),
        };
        message.to_string().into()
    }
}

fn code(fault: &Fault) -> &'static str {
    match fault.code.category() {
        Category::Denied => "PERMISSION_DENIED",
        Category::Unauthenticated => "UNAUTHENTICATED",
        Category::NotFound => "EVENT_NOT_FOUND",
        Category::RateLimited => "TOO_MANY_SUBSCRIPTIONS",
        Category::Unavailable | Category::Timeout => "SERVICE_UNAVAILABLE",
        Category::Invalid | Category::TooLarge => "INVALID_MESSAGE",
        Category::Conflict | Category::Rule | Category::Internal => "INTERNAL_ERROR",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(message: &Value) -> Result<Incoming, Malformed> {
        Incoming::read(message.to_string().as_bytes())
    }

    #[test]
    fn every_message_is_read() {
        let filters = Filters::of_json(Map::from_iter([("user.id".to_owned(), json!("7"))])).unwrap();
        let full = json!({ "type": "subscribe", "eventType": "UserCreated", "filters": { "user.id": "7" }, "lastEventId": "a-1-2" });
        assert_eq!(
            read(&full),
            Ok(Incoming::Subscribe {
                event_type: "UserCreated".to_owned(),
                filters,
                last_event_id: Some("a-1-2".to_owned())
            })
        );
        let short = json!({ "type": "subscribe", "event": "User.Events.UserCreated", "filters": null });
        let event_type = "User.Events.UserCreated".to_owned();
        let plain = Incoming::Subscribe { event_type, filters: Filters::default(), last_event_id: None };
        assert_eq!(read(&short), Ok(plain));
        assert_eq!(
            read(&json!({ "type": "unsubscribe", "eventType": "A" })),
            Ok(Incoming::Unsubscribe { event_type: "A".to_owned() })
        );
        let time = json!("2030-01-01T00:00:00.000Z");
        assert_eq!(read(&json!({ "type": "ping", "timestamp": time })), Ok(Incoming::Ping { timestamp: Some(time) }));
        assert_eq!(read(&json!({ "type": "ping" })), Ok(Incoming::Ping { timestamp: None }));
        assert_eq!(read(&json!({ "type": "pong", "more": 1 })), Ok(Incoming::Pong));
        assert_eq!(read(&json!({ "type": "auth", "token": "t" })), Ok(Incoming::Auth(Proof::Token("t".to_owned()))));
        for permissions in [json!(["a:b", "c:*"]), json!(" a:b, ,c:*,")] {
            let claim = Proof::Claim { user_id: "u".to_owned(), permissions: vec!["a:b".to_owned(), "c:*".to_owned()] };
            let message = json!({ "type": "auth", "userId": "u", "permissions": permissions });
            assert_eq!(read(&message), Ok(Incoming::Auth(claim)));
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (message, code, word) in [
            ("", "INVALID_JSON", "JSON object"),
            ("[]", "INVALID_JSON", "JSON object"),
            ("{\"type\":\"ping\"", "INVALID_JSON", "JSON object"),
            ("\u{feff}{}", "INVALID_JSON", "JSON object"),
            ("{}", "INVALID_MESSAGE", "`type` is missing"),
            (r#"{"type":1}"#, "INVALID_MESSAGE", "`type` is missing"),
            (r#"{"type":"Subscribe"}"#, "UNKNOWN_TYPE", "none of"),
            (r#"{"type":"subscribe"}"#, "INVALID_MESSAGE", "`eventType` is missing"),
            (r#"{"type":"subscribe","eventType":"*"}"#, "INVALID_MESSAGE", "not the name of an event"),
            (r#"{"type":"subscribe","eventType":"a b"}"#, "INVALID_MESSAGE", "not the name of an event"),
            (r#"{"type":"subscribe","eventType":"A","filters":[]}"#, "INVALID_MESSAGE", "not an object"),
            (r#"{"type":"subscribe","eventType":"A","filters":{"a":{}}}"#, "INVALID_MESSAGE", "the filter `a`"),
            (r#"{"type":"subscribe","eventType":"A","lastEventId":1}"#, "INVALID_MESSAGE", "`lastEventId`"),
            (r#"{"type":"unsubscribe","eventType":7}"#, "INVALID_MESSAGE", "not the name of an event"),
            (r#"{"type":"ping","timestamp":{}}"#, "INVALID_MESSAGE", "`timestamp`"),
            (r#"{"type":"auth"}"#, "INVALID_MESSAGE", "`token` or `userId`"),
            (r#"{"type":"auth","token":1}"#, "INVALID_MESSAGE", "`token`"),
            (r#"{"type":"auth","userId":"u","permissions":[1]}"#, "INVALID_MESSAGE", "`permissions`"),
        ] {
            let malformed = Incoming::read(message.as_bytes()).unwrap_err();
            assert_eq!(malformed.code, code, "{message}");
            assert!(malformed.problem.contains(word), "{message}: {}", malformed.problem);
        }
    }

    #[test]
    fn tokens_are_not_shown() {
        let shown = format!("{:?}", Incoming::Auth(Proof::Token("secret".to_owned())));
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn answers_say_what_they_are_about() {
        let denied = Fault::new(banyan_sdk::FaultCode::Authorization, "missing permission: users:read");
        let text = Outgoing::NotSubscribed("UserCreated", &denied).write();
        assert_eq!(
            text.as_str(),
            r#"{"type":"subscribe_error","eventType":"UserCreated","error":"missing permission: users:read","code":"PERMISSION_DENIED"}"#
        );
        let pong = Outgoing::Pong(Some(json!(5)), Timestamp::from_millis(0)).write();
        assert_eq!(pong.as_str(), r#"{"type":"pong","timestamp":"1970-01-01T00:00:00.000Z","pingTimestamp":5}"#);
        assert_eq!(Outgoing::Gap(None).write().as_str(), r#"{"type":"gap"}"#);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Any bytes are a message or are told to be none, and what is told is short.
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Err(malformed) = Incoming::read(&bytes) {
                prop_assert!(malformed.problem.len() < 500);
            }
        }

        /// Messages of the right shape with anything in their fields.
        #[test]
        fn any_fields_are_answered(
            kind in prop_oneof![Just("subscribe"), Just("unsubscribe"), Just("ping"), Just("auth")],
            field in prop_oneof![Just("eventType"), Just("event"), Just("filters"), Just("timestamp"), Just("token"), Just("userId")],
            text in ".{0,300}",
            nested in any::<bool>(),
        ) {
            let value = if nested { json!({ text.clone(): text }) } else { json!(text) };
            match read(&json!({ "type": kind, field: value })) {
                Ok(Incoming::Subscribe { event_type, .. } | Incoming::Unsubscribe { event_type }) => {
                    prop_assert!(names::is_message_type(&event_type));
                }
                Ok(_) => {}
                Err(malformed) => prop_assert!(malformed.problem.len() < 500),
            }
        }
    }
}
