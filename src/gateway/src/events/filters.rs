//! Which events of a kind somebody wants: fields of the payload that must have certain values.

use serde_json::{Map, Value};

/// More filters than this are refused, since each is looked at for each event.
pub(super) const MOST: usize = 20;
/// The longest name or text value of a filter, in bytes.
pub(super) const LONGEST: usize = 200;

/// Fields, by the way to them (`address.city`), and the values that they must have, all of them. Empty lets all through.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Filters(Vec<(Box<str>, Wanted)>);

#[derive(Debug, Clone, PartialEq)]
enum Wanted {
    /// Exactly this.
    Value(Value),
    /// This, as text is written in an address, where a number has no other form.
    Text(Box<str>),
}

impl Filters {
    /// Filters with values that have types.
    ///
    /// # Errors
    /// What is wrong with them, in words.
    pub(crate) fn of_json(filters: Map<String, Value>) -> Result<Self, String> {
        let wanted = filters.into_iter().map(|(name, value)| {
            if matches!(value, Value::Array(_) | Value::Object(_)) {
                return Err(format!("the filter `{}` is not a text, number, boolean or null", shown(&name)));
            }
            Ok((name, Wanted::Value(value)))
        });
        Self::checked(wanted.collect::<Result<_, _>>()?)
    }

    /// Filters with values that are all text, as in a query string.
    ///
    /// # Errors
    /// What is wrong with them, in words.
    pub(crate) fn of_text(filters: impl IntoIterator<Item = (String, String)>) -> Result<Self, String> {
        Self::checked(filters.into_iter().map(|(name, text)| (name, Wanted::Text(text.into()))).collect())
    }

    fn checked(filters: Vec<(String, Wanted)>) -> Result<Self, String> {
        if filters.len() > MOST {
            return Err(format!("more than {MOST} filters"));
        }
        for (name, wanted) in &filters {
            if name.is_empty() || name.len() > LONGEST || name.split('.').any(str::is_empty) {
                let rule = format!("words between dots, at most {LONGEST} bytes");
                return Err(format!("the filter `{}` is not the name of a field: {rule}", shown(name)));
            }
            let length = match wanted {
                Wanted::Text(text) => text.len(),
                Wanted::Value(value) => value.as_str().map_or(0, str::len),
            };
            if length > LONGEST {
                return Err(format!("the value of the filter `{name}` is longer than {LONGEST} bytes"));
            }
        }
        Ok(Self(filters.into_iter().map(|(name, wanted)| (name.into(), wanted)).collect()))
    }

    /// Whether everything is let through.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a payload has all the values.
    pub(crate) fn match_payload(&self, payload: &Value) -> bool {
        self.0.iter().all(|(name, wanted)| {
            let found = name.split('.').try_fold(payload, |value, word| value.get(word));
            found.is_some_and(|found| wanted.is(found))
        })
    }
}

impl Wanted {
    fn is(&self, found: &Value) -> bool {
        match (self, found) {
            // 1 and 1.0 are the same number
            (Self::Value(Value::Number(wanted)), Value::Number(found)) => {
                wanted == found || wanted.as_f64().is_some_and(|wanted| Some(wanted) == found.as_f64())
            }
            (Self::Value(wanted), found) => wanted == found,
            (Self::Text(wanted), Value::String(found)) => **wanted == **found,
            (Self::Text(wanted), Value::Number(found)) => {
                **wanted == *found.to_string() || wanted.parse().is_ok_and(|wanted: f64| Some(wanted) == found.as_f64())
            }
            (Self::Text(wanted), Value::Bool(found)) => wanted.parse() == Ok(*found),
            (Self::Text(wanted), Value::Null) => **wanted == *"null",
            (Self::Text(_), Value::Array(_) | Value::Object(_)) => false,
        }
    }
}

/// The beginning of what somebody sent.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn json_filters(filters: &Value) -> Result<Filters, String> {
        Filters::of_json(filters.as_object().unwrap().clone())
    }

    fn text_filters(name: &str, text: &str) -> Filters {
        Filters::of_text([(name.to_owned(), text.to_owned())]).unwrap()
    }

    #[test]
    fn all_fields_must_have_their_values() {
        let payload = json!({ "status": "open", "n": 5, "user": { "id": "7", "admin": true, "a.b": 1 }, "gone": null });
        for right in [
            json!({}),
            json!({ "status": "open" }),
            json!({ "status": "open", "n": 5.0 }),
            json!({ "user.id": "7", "user.admin": true, "gone": null }),
        ] {
            assert!(json_filters(&right).unwrap().match_payload(&payload), "{right}");
        }
        for wrong in [
            json!({ "status": "Open" }),
            json!({ "status": "open", "n": 6 }),
            json!({ "n": "5" }),
            json!({ "user.id": 7 }),
            json!({ "user.name": null }),
            json!({ "status.x": "open" }),
            json!({ "user.a.b": 1 }),
        ] {
            assert!(!json_filters(&wrong).unwrap().match_payload(&payload), "{wrong}");
        }
        assert!(!json_filters(&json!({ "a": 1 })).unwrap().match_payload(&json!([1])));
    }

    #[test]
    fn text_stands_for_any_kind_of_value() {
        let payload = json!({ "n": 5, "s": "5", "b": false, "z": null, "f": 0.5, "o": {}, "big": u64::MAX });
        let pairs = [
            ("n", "5"),
            ("n", "5.0"),
            ("s", "5"),
            ("b", "false"),
            ("z", "null"),
            ("f", "0.50"),
            ("big", "18446744073709551615"),
        ];
        for (name, text) in pairs {
            assert!(text_filters(name, text).match_payload(&payload), "{name}={text}");
        }
        for (name, text) in [("n", "five"), ("n", ""), ("s", "5.0"), ("b", "no"), ("o", "{}"), ("x", "null")] {
            assert!(!text_filters(name, text).match_payload(&payload), "{name}={text}");
        }
    }

    #[test]
    fn what_is_refused_is_said() {
        let many: Map<String, Value> = (0..=MOST).map(|n| (n.to_string(), json!(n))).collect();
        assert_eq!(Filters::of_json(many).unwrap_err(), "more than 20 filters");
        for (filters, word) in [
            (json!({ "a": [] }), "`a` is not a text"),
            (json!({ "": 1 }), "not the name of a field"),
            (json!({ "a..b": 1 }), "not the name of a field"),
            (json!({ "x".repeat(LONGEST + 1): 1 }), "not the name of a field"),
            (json!({ "a": "x".repeat(LONGEST + 1) }), "longer than 200"),
        ] {
            let told = json_filters(&filters).unwrap_err();
            assert!(told.contains(word), "{told}");
        }
    }
}
