//! Reading JSON bodies more strictly than serde_json does: each key once, no NUL, not too deep.

use std::fmt;

use banyan_sdk::protocol::{Fault, FaultCode, limits};
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::flaws::{Flaws, Way};

/// How deep a payload may be nested, so that the message around it is still allowed.
const DEPTH: usize = limits::DEPTH - 2;

/// Reads one JSON value. What is wrong with a field of it is added to `flaws`.
///
/// # Errors
/// A fault when it is no JSON.
pub(crate) fn read(body: &[u8], flaws: &mut Flaws) -> Result<Value, Fault> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = Reading { way: Way::Root, flaws }.deserialize(&mut json);
    value.and_then(|value| json.end().map(|()| value)).map_err(|error| {
        let text = error.to_string();
        let problem = text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem);
        let place = format!("line {}, column {}", error.line(), error.column());
        Fault::new(FaultCode::MessageUnreadable, format!("the body is not JSON: {place}: {problem}"))
    })
}

struct Reading<'a> {
    way: Way<'a>,
    flaws: &'a mut Flaws,
}

impl Reading<'_> {
    fn text(self, text: &str) {
        if text.contains('\0') {
            self.flaws.add(self.way.text(), "contains the character NUL");
        }
    }

    fn nested<E: de::Error>(&self) -> Result<(), E> {
        if self.way.depth() < DEPTH { Ok(()) } else { Err(E::custom(format!("nested more than {DEPTH} levels deep"))) }
    }
}

impl<'de> DeserializeSeed<'de> for Reading<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        self.text(value);
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        self.text(&value);
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.nested()?;
        let mut array = Vec::new();
        let Self { way, flaws } = self;
        while let Some(item) = items.next_element_seed(Reading { way: Way::Item(&way, array.len()), flaws })? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        self.nested()?;
        let mut object = Map::new();
        let Self { way, flaws } = self;
        while let Some(name) = fields.next_key::<String>()? {
            let here = Way::Field(&way, &name);
            if name.contains('\0') {
                flaws.add(way.text(), "has a field whose name contains the character NUL");
            }
            if object.contains_key(&name) {
                flaws.add(here.text(), "appears twice");
            }
            let value = fields.next_value_seed(Reading { way: here, flaws })?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read_text(text: &str) -> Result<(Value, Flaws), Fault> {
        let mut flaws = Flaws::default();
        read(text.as_bytes(), &mut flaws).map(|value| (value, flaws))
    }

    #[test]
    fn json_is_read_as_it_is() {
        let text = r#" {"a":[1,-2,1.5,1e3,true,null,"\u00e4\n"],"b":{}, "c":18446744073709551615} "#;
        let (value, flaws) = read_text(text).unwrap();
        assert_eq!(value, serde_json::from_str::<Value>(text).unwrap());
        assert!(flaws.is_empty());
    }

    #[test]
    fn every_bad_field_is_named() {
        let text = r#"{"a":1,"b":{"c":[{"d":1,"d":2},"x\u0000"]},"a":2,"\u0000":1}"#;
        let (_, flaws) = read_text(text).unwrap();
        assert_eq!(flaws.fields(), ["b.c[0].d", "b.c[1]", "a", ""]);
    }

    #[test]
    fn what_is_no_json_is_refused_without_repeating_it() {
        for text in ["", "{", "secret", "{\"a\":1}x", "{a:1}", "[1,]", "NaN", "1e999", "\"\u{1}\"", "'a'"] {
            let fault = read_text(text).map(|_| ()).unwrap_err();
            assert_eq!(fault.code, FaultCode::MessageUnreadable, "{text}");
            assert!(fault.message.starts_with("the body is not JSON: line 1, column "), "{fault}");
            assert!(!fault.message.contains("secret"), "{fault}");
        }
        assert!(read(b"\"\xff\"", &mut Flaws::default()).is_err());
    }

    #[test]
    fn depth_has_a_limit() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read_text(&nested(DEPTH)).is_ok());
        assert!(read_text(&nested(DEPTH + 1)).is_err());
        assert!(read_text(&nested(100_000)).is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics(text in any::<Vec<u8>>()) {
            let _ = read(&text, &mut Flaws::default());
        }

        #[test]
        fn nothing_panics_that_looks_like_json(text in r#"[\[\]{}:,"\\a0. -]{0,40}"#) {
            let ours = read_text(&text).is_ok();
            prop_assert_eq!(ours, serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
        }
    }

    #[test]
    fn the_fault_names_all_and_tells_the_first() {
        let (_, flaws) = read_text(r#"{"a":1,"a":2,"b":"\u0000"}"#).unwrap();
        let fault = flaws.into_fault();
        assert_eq!(fault.to_string(), "ValidationError: `a` appears twice");
        assert_eq!(*fault.details.unwrap(), json!({ "a": "appears twice", "b": "contains the character NUL" }));
    }
}
