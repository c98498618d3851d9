//! Why a request was refused or failed, as its caller sees it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use crate::limits::TooLarge;
use crate::{Payload, ReadError, Timestamp};

/// The refusal or failure that a caller gets instead of an answer.
///
/// It holds nothing that callers must not see: causes and stacks are logged where they happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{code}: {message}")]
pub struct Fault {
    /// What went wrong, for programs.
    pub code: FaultCode,
    /// What went wrong, for people.
    pub message: String,
    /// More, for programs: the fields that do not fit, the permissions that are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<Value>>,
    /// The request that it belongs to; filled in when it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// When it happened; filled in when it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
}

/// The error body, as it stands where the answer's payload would be.
#[derive(Serialize)]
struct Body<'a> {
    error: &'a Fault,
}

impl Fault {
    /// A fault without details.
    #[must_use]
    pub fn new(code: FaultCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: None, correlation_id: None, timestamp: None }
    }

    /// The input is not what the contract says.
    #[must_use]
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(FaultCode::Validation, message)
    }

    /// There is nothing of that name or id.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(FaultCode::NotFound, message)
    }

    /// The caller is not known.
    #[must_use]
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(FaultCode::Unauthorized, message)
    }

    /// The caller may not do that.
    #[must_use]
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(FaultCode::Forbidden, message)
    }

    /// The request is well formed, but a rule of the business forbids it.
    #[must_use]
    pub fn rule(message: impl Into<String>) -> Self {
        Self::new(FaultCode::BusinessRule, message)
    }

    /// Something else was changed or made first.
    #[must_use]
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(FaultCode::ResourceConflict, message)
    }

    /// Something that is needed cannot be reached right now.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(FaultCode::ServiceUnavailable, message)
    }

    /// The service is at fault, and the caller learns no more than that.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(FaultCode::Internal, message)
    }

    /// The same fault with details; `null` is none.
    #[must_use]
    pub fn with_details(self, details: impl Into<Value>) -> Self {
        Self { details: Some(details.into()).filter(|it| !it.is_null()).map(Box::new), ..self }
    }

    /// The same fault, marked with the request that it belongs to and the time, unless it was marked before.
    #[must_use]
    pub fn stamped(mut self, correlation_id: &str, now: Timestamp) -> Self {
        self.correlation_id.get_or_insert_with(|| correlation_id.to_owned());
        self.timestamp.get_or_insert(now);
        self
    }

    /// The payload of the answer: `{"error": …}`.
    #[must_use]
    pub fn to_payload(&self) -> Payload {
        Payload::of(&Body { error: self }).expect("every field has a JSON form and every key is text")
    }
}

/// A payload that does not fit is a validation fault, an envelope that does not is an unreadable message.
impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        let message = error.to_string();
        let ReadError::Field { path, problem } = error else { return Self::new(FaultCode::MessageUnreadable, message) };
        let is_payload = path.strip_prefix("payload").is_some_and(|it| it.is_empty() || it.starts_with(['.', '[']));
        let code = if is_payload { FaultCode::Validation } else { FaultCode::MessageUnreadable };
        Self::new(code, message).with_details(json!({ path: problem }))
    }
}

impl From<TooLarge> for Fault {
    fn from(error: TooLarge) -> Self {
        let details = json!({ "size": error.size, "limit": error.limit });
        Self::new(FaultCode::MessageTooLarge, error.to_string()).with_details(details)
    }
}

/// What a fault means for a caller; several codes mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    /// The request is malformed.
    Invalid,
    /// The caller is not known.
    Unauthenticated,
    /// The caller may not do that.
    Denied,
    /// There is no such thing.
    NotFound,
    /// Somebody else was first.
    Conflict,
    /// A rule of the business forbids it.
    Rule,
    /// The message is too large.
    TooLarge,
    /// The caller asks too often.
    RateLimited,
    /// There was no answer in time.
    Timeout,
    /// Something that is needed cannot be reached right now.
    Unavailable,
    /// The service is at fault.
    Internal,
}

macro_rules! codes {
    ($($(#[$doc:meta])+ $variant:ident = $text:literal, $category:ident;)+) => {
        /// What went wrong, for programs. Codes that are not known here are kept as they are.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum FaultCode {
            $($(#[$doc])+ $variant,)+
            /// A code that this version does not know.
            Other(String),
        }

        impl FaultCode {
            /// Every code that is known by name.
            pub const KNOWN: &[Self] = &[$(Self::$variant),+];

            /// The code as it is written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(text) => text,
                }
            }

            /// What the code means for a caller; a code that is not known is an internal error.
            #[must_use]
            pub const fn category(&self) -> Category {
                match self {
                    $(Self::$variant => Category::$category,)+
                    Self::Other(_) => Category::Internal,
                }
            }
        }

        impl From<&str> for FaultCode {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    other => Self::Other(other.to_owned()),
                }
            }
        }
    };
}

codes! {
    /// The input is not what the contract says.
    Validation = "ValidationError", Invalid;
    /// There is nothing of that name or id.
    NotFound = "NotFoundError", NotFound;
    /// The caller is not known.
    Unauthorized = "UnauthorizedError", Unauthenticated;
    /// The caller may not do that.
    Forbidden = "ForbiddenError", Denied;
    /// A rule of the business forbids it.
    BusinessRule = "BusinessRuleError", Rule;
    /// There was no answer in time.
    Timeout = "TimeoutError", Timeout;
    /// The service is at fault.
    Internal = "InternalError", Internal;

    /// No service handles this message type.
    HandlerNotFound = "HANDLER_NOT_FOUND", NotFound;
    /// A permission of the contract is missing (layer 1).
    Authorization = "AUTHORIZATION_ERROR", Denied;
    /// A policy refused (layer 2).
    PolicyViolation = "POLICY_VIOLATION", Denied;
    /// A policy needs to know the caller.
    PolicyAuthRequired = "POLICY_AUTH_REQUIRED", Unauthenticated;
    /// A policy found a permission missing.
    PolicyPermissionDenied = "POLICY_PERMISSION_DENIED", Denied;
    /// A contract is not well formed.
    ContractValidation = "CONTRACT_VALIDATION_ERROR", Invalid;
    /// A permission is not well formed.
    PermissionValidation = "PERMISSION_VALIDATION_ERROR", Invalid;
    /// The input is not what the contract says (as other parts of the platform call it).
    ValidationFailed = "VALIDATION_ERROR", Invalid;
    /// The bus failed.
    MessageBus = "MESSAGE_BUS_ERROR", Unavailable;
    /// The caller's circuit breaker is open.
    CircuitBreakerOpen = "CIRCUIT_BREAKER_OPEN", Unavailable;
    /// Every attempt failed.
    RetryExhausted = "RETRY_EXHAUSTED", Unavailable;
    /// The deadline of the request passed before its answer came.
    RequestTimeout = "REQUEST_TIMEOUT", Timeout;
    /// Something that the service did took too long.
    OperationTimeout = "OPERATION_TIMEOUT", Timeout;
    /// The event store failed.
    EventStore = "EVENT_STORE_ERROR", Unavailable;
    /// The aggregate was changed by somebody else in between.
    Concurrency = "AGGREGATE_CONCURRENCY_ERROR", Conflict;
    /// There is no such aggregate.
    AggregateNotFound = "AGGREGATE_NOT_FOUND", NotFound;
    /// Something else was made or changed first.
    ResourceConflict = "RESOURCE_CONFLICT", Conflict;
    /// A rule of the domain forbids it.
    Domain = "DOMAIN_ERROR", Rule;
    /// A service cannot be reached right now.
    ServiceUnavailable = "SERVICE_UNAVAILABLE", Unavailable;
    /// An answer is not what the contract says.
    ContractViolation = "CONTRACT_VIOLATION", Internal;
    /// No such service is registered.
    ServiceNotRegistered = "SERVICE_NOT_REGISTERED", NotFound;
    /// No such contract is registered.
    ContractNotFound = "CONTRACT_NOT_FOUND", NotFound;
    /// The caller asks too often.
    RateLimitExceeded = "RATE_LIMIT_EXCEEDED", RateLimited;
    /// The message is larger than its kind may be.
    MessageTooLarge = "MESSAGE_TOO_LARGE", TooLarge;
    /// A body is not JSON, or not an envelope.
    MessageUnreadable = "MESSAGE_UNREADABLE", Invalid;
    /// Nothing is known about what went wrong.
    Unknown = "UNKNOWN_ERROR", Internal;
}

impl FaultCode {
    /// Whether the same message may succeed later, so that it is worth another attempt.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Concurrency)
            || matches!(self.category(), Category::Timeout | Category::Unavailable | Category::Internal)
    }
}

impl From<String> for FaultCode {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl fmt::Display for FaultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for FaultCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for FaultCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Envelope, Kind, limits};

    #[test]
    fn codes_are_different_and_kept() {
        let mut seen = std::collections::HashSet::new();
        for code in FaultCode::KNOWN {
            assert!(seen.insert(code.as_str()), "{code}");
            assert_eq!(FaultCode::from(code.as_str()), *code);
        }
        assert_eq!(FaultCode::from("OF_TOMORROW").to_string(), "OF_TOMORROW");
        assert_eq!(FaultCode::from("OF_TOMORROW").category(), Category::Internal);
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let transient = [
            FaultCode::Timeout,
            FaultCode::Internal,
            FaultCode::ServiceUnavailable,
            FaultCode::EventStore,
            FaultCode::Concurrency,
            FaultCode::Other("X".to_owned()),
        ];
        let permanent = [
            FaultCode::Validation,
            FaultCode::ResourceConflict,
            FaultCode::NotFound,
            FaultCode::Authorization,
            FaultCode::MessageTooLarge,
            FaultCode::MessageUnreadable,
            FaultCode::BusinessRule,
        ];
        assert!(transient.iter().all(FaultCode::is_transient));
        assert!(!permanent.iter().any(FaultCode::is_transient));
    }

    #[test]
    fn what_cannot_be_read_becomes_a_fault() {
        let payload = Payload::parse(r#"{"payload":1}"#.to_owned()).unwrap();
        let fault = Fault::from(payload.read::<Vec<u8>>().unwrap_err());
        assert_eq!(fault.to_string(), "ValidationError: `payload`: expected an array, found an object");
        assert_eq!(*fault.details.unwrap(), json!({ "payload": "expected an array, found an object" }));
        let fault = Fault::from(Envelope::read(b"{}").unwrap_err());
        assert_eq!(fault.to_string(), "MESSAGE_UNREADABLE: `id`: is missing");
        assert_eq!(Fault::from(Envelope::read(b"x").unwrap_err()).details, None);
        let fault = Fault::from(limits::check(Kind::Query, 1 << 20).unwrap_err());
        assert_eq!(fault.code, FaultCode::MessageTooLarge);
        assert_eq!(*fault.details.unwrap(), json!({ "size": 1_048_576, "limit": 102_400 }));
    }

    #[test]
    fn a_fault_is_marked_once() {
        let (now, later) = (Timestamp::from_millis(1), Timestamp::from_millis(2));
        let fault = Fault::rule("no").with_details(Value::Null).stamped("first", now).stamped("second", later);
        let expected = r#"{"error":{"code":"BusinessRuleError","message":"no","correlationId":"first","timestamp":"1970-01-01T00:00:00.001Z"}}"#;
        assert_eq!(fault.to_payload().text(), expected);
    }
}
