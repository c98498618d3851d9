//! The answer to a command or query, in an envelope or bare.

use std::fmt;

use serde::de::{self, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer as _};

use crate::read::{self, ReadError};
use crate::{Envelope, Fault, Payload};

/// The answer to a command or query.
///
/// A payload whose only field is `error`, an object, is a fault; so no answer may have that form.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    body: Body,
    fault: Option<Fault>,
}

#[derive(Debug, Clone, PartialEq)]
enum Body {
    Enveloped(Box<Envelope>),
    Bare(Payload),
}

impl Reply {
    /// Reads an answer. JSON that is no envelope (it lacks `correlationId`, `messageType` or `payload`) is a bare payload.
    ///
    /// # Errors
    /// [`ReadError`] when it is no JSON, when it is an envelope with a wrong field, or when its error body lacks
    /// `code` or `message`.
    pub fn read(body: &[u8]) -> Result<Self, ReadError> {
        let body = match Envelope::read(body) {
            Ok(envelope) => Body::Enveloped(Box::new(envelope)),
            Err(ReadError::Field { .. }) if !means_to_be_an_envelope(body) => Body::Bare(read::bytes(body)?),
            Err(error) => return Err(error),
        };
        let (payload, root) = match &body {
            Body::Enveloped(envelope) => (&envelope.payload, "payload.error"),
            Body::Bare(payload) => (payload, "error"),
        };
        let fault = error_body(payload.text()).map(|error| read::text(error.get(), root)).transpose()?;
        Ok(Self { body, fault })
    }

    /// The envelope, unless the answer came without one.
    #[must_use]
    pub fn envelope(&self) -> Option<&Envelope> {
        match &self.body {
            Body::Enveloped(envelope) => Some(envelope),
            Body::Bare(_) => None,
        }
    }

    /// The payload, or why there is none.
    ///
    /// # Errors
    /// The [`Fault`] that the handler, or the platform in front of it, answered with.
    pub fn into_outcome(self) -> Result<Payload, Fault> {
        match (self.fault, self.body) {
            (Some(fault), _) => Err(fault),
            (None, Body::Enveloped(envelope)) => Ok(envelope.payload),
            (None, Body::Bare(payload)) => Ok(payload),
        }
    }
}

fn means_to_be_an_envelope(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Marks {
        #[serde(rename = "correlationId")]
        _correlation_id: IgnoredAny,
        #[serde(rename = "messageType")]
        _message_type: IgnoredAny,
        #[serde(rename = "payload")]
        _payload: IgnoredAny,
    }
    match serde_json::from_slice::<Marks>(body) {
        Ok(_) => true,
        // all three are there, and one of them twice
        Err(error) => error.to_string().starts_with("duplicate field"),
    }
}

/// The object under `error` when that is the only field.
fn error_body(payload: &str) -> Option<Box<serde_json::value::RawValue>> {
    struct Only;
    impl<'de> Visitor<'de> for Only {
        type Value = Box<serde_json::value::RawValue>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object with the one field `error`")
        }

        // an answer is given up at its first field, so that large ones cost nothing
        fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
            let unexpected = || de::Error::custom("not an error body");
            if fields.next_key::<String>()?.as_deref() != Some("error") {
                return Err(unexpected());
            }
            let error: Self::Value = fields.next_value()?;
            match fields.next_key::<IgnoredAny>()? {
                None if error.get().starts_with('{') => Ok(error),
                _ => Err(unexpected()),
            }
        }
    }
    serde_json::Deserializer::from_str(payload).deserialize_map(Only).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FaultCode;

    const HEAD: &str = r#""id":"m","correlationId":"c","timestamp":"2030-01-01T00:00:00.000Z","serviceName":"s","messageType":"GetXQueryResponse""#;

    fn enveloped(payload: &str) -> String {
        format!("{{{HEAD},\"payload\":{payload}}}")
    }

    #[test]
    fn answers_come_in_an_envelope_or_bare() {
        let reply = Reply::read(enveloped(r#"{"a":1}"#).as_bytes()).unwrap();
        assert_eq!(reply.envelope().unwrap().correlation_id, "c");
        assert_eq!(reply.into_outcome().unwrap().text(), r#"{"a":1}"#);
        for bare in [r#"{"a":1}"#, "[1]", "null", "5", r#""text""#, r#"{"payload":1,"messageType":"x"}"#] {
            let reply = Reply::read(bare.as_bytes()).unwrap();
            assert_eq!(reply.envelope(), None);
            assert_eq!(reply.into_outcome().unwrap().text(), bare);
        }
    }

    #[test]
    fn an_error_body_is_a_fault() {
        let body = r#"{"error":{"code":"NotFoundError","message":"no user 5","stack":"at …","extra":1}}"#;
        for text in [body.to_owned(), enveloped(body)] {
            let fault = Reply::read(text.as_bytes()).unwrap().into_outcome().unwrap_err();
            assert_eq!((fault.code, fault.message.as_str()), (FaultCode::NotFound, "no user 5"));
        }
        let unknown = Reply::read(br#"{"error":{"code":"OUR_OWN","message":""}}"#).unwrap();
        assert_eq!(unknown.into_outcome().unwrap_err().code, FaultCode::Other("OUR_OWN".to_owned()));
    }

    #[test]
    fn an_answer_that_mentions_an_error_is_an_answer() {
        let answers = [
            r#"{"error":null}"#,
            r#"{"error":"text"}"#,
            r#"{"error":{"code":"X","message":"x"},"id":1}"#,
            r#"{"id":1,"error":{"code":"X","message":"x"}}"#,
        ];
        for text in answers {
            assert_eq!(Reply::read(text.as_bytes()).unwrap().into_outcome().unwrap().text(), text);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let told = |text: &str| Reply::read(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(told(&enveloped(r#"{"error":{"code":"X"}}"#)), "`payload.error.message`: is missing");
        assert_eq!(told(r#"{"error":{"code":5,"message":""}}"#), "`error.code`: expected a string, found a number");
        assert_eq!(
            told(&enveloped("1").replace("2030-01-01T", "soon")),
            "`timestamp`: not an RFC 3339 time",
            "it means to be an envelope"
        );
        assert!(told("nonsense").starts_with("not JSON: line 1"));
        assert!(told("{} {}").starts_with("not JSON: line 1"));
    }
}
