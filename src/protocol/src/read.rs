//! Reading JSON so that a mistake is named by its field and never by its value.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;

use crate::{Timestamp, limits};

/// Why bytes are not the message that was expected. Values of the message are never repeated: they may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The bytes are not JSON, or not UTF-8.
    #[error("not JSON: line {line}, column {column}: {problem}")]
    Syntax {
        /// The line of the mistake, from 1.
        line: usize,
        /// The column of the mistake, in bytes from 1.
        column: usize,
        /// What is wrong there.
        problem: String,
    },
    /// Arrays and objects are nested deeper than [`limits::DEPTH`].
    #[error("nested more than {} levels deep", limits::DEPTH)]
    TooDeep,
    /// A field is missing or not what it must be.
    #[error("`{path}`: {problem}")]
    Field {
        /// The way to the field, such as `metadata.auth.permissions[1]`; `.` is the whole message.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// A value that is written as an object; serde would read its fields from an array as well.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(fields))
            }
        }
        deserializer.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

/// An object, or none when there is `null`.
#[derive(Deserialize)]
#[serde(transparent, bound = "T: Deserialize<'de>")]
pub(crate) struct Optional<T>(#[serde(deserialize_with = "optional_object")] pub(crate) Option<T>);

fn optional_object<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Object<T>>::deserialize(deserializer)?.map(|it| it.0))
}

/// Reads a value from the body of a message.
pub(crate) fn bytes<T: DeserializeOwned>(body: &[u8]) -> Result<T, ReadError> {
    depth(body)?;
    serde_json::from_slice(body).map_err(|error| {
        // only what failed is read a second time, to learn where
        explain::<T, _>(error, &mut serde_json::Deserializer::from_slice(body), "")
    })
}

/// Reads a value from a part of a message that is already known to be JSON; `root` is where the part was.
pub(crate) fn text<T: DeserializeOwned>(json: &str, root: &str) -> Result<T, ReadError> {
    serde_json::from_str(json)
        .map_err(|error| explain::<T, _>(error, &mut serde_json::Deserializer::from_str(json), root))
}

fn explain<'de, T, R>(error: serde_json::Error, again: &mut serde_json::Deserializer<R>, root: &str) -> ReadError
where
    T: Deserialize<'de>,
    R: serde_json::de::Read<'de>,
{
    if error.classify() != Category::Data {
        return syntax(&error);
    }
    match serde_path_to_error::deserialize::<_, T>(again) {
        Ok(_) => syntax(&error),
        Err(located) => {
            let path = located.path().to_string();
            field(root, &path, &without_place(&located.inner().to_string()))
        }
    }
}

pub(crate) fn syntax(error: &serde_json::Error) -> ReadError {
    let problem = without_place(&error.to_string());
    ReadError::Syntax { line: error.line(), column: error.column(), problem }
}

/// What serde_json says, without the place that it appends.
fn without_place(message: &str) -> String {
    message.rsplit_once(" at line ").map_or(message, |(before, _)| before).to_owned()
}

fn field(root: &str, path: &str, message: &str) -> ReadError {
    let join = |a: &str, b: &str| match (a, b) {
        (a, "" | ".") => a.to_owned(),
        ("" | ".", b) => b.to_owned(),
        (a, b) if b.starts_with('[') => format!("{a}{b}"),
        (a, b) => format!("{a}.{b}"),
    };
    let mut path = join(root, path);
    // serde names a missing field in its message and gives the place of the object around it
    let problem = match message.strip_prefix("missing field `").and_then(|m| m.strip_suffix('`')) {
        Some(missing) => {
            path = join(&path, missing);
            "is missing".to_owned()
        }
        None => without_value(message),
    };
    if path.is_empty() {
        ".".clone_into(&mut path);
    }
    ReadError::Field { path, problem }
}

/// serde's messages repeat the value that does not fit, in the words of Rust; what is left is its kind, in those of JSON.
fn without_value(message: &str) -> String {
    let Some((found, expected)) = message.rsplit_once(", expected ") else { return message.to_owned() };
    match found.strip_prefix("invalid type: ").or_else(|| found.strip_prefix("invalid value: ")) {
        Some(found) => {
            let found = found.split(['`', '"']).next().unwrap_or_default().trim();
            format!("expected {}, found {}", in_json(expected), in_json(found))
        }
        None if found.starts_with("unknown ") => format!("expected {expected}"),
        None => message.to_owned(),
    }
}

fn in_json(word: &str) -> &str {
    match word {
        "map" | "a map" => "an object",
        "sequence" | "a sequence" => "an array",
        "string" | "borrowed string" => "a string",
        "boolean" => "a boolean",
        "integer" | "floating point" => "a number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        _ if word.starts_with("struct ") => "an object",
        _ => word,
    }
}

/// Refuses what is nested too deep, before anything recurses into it.
pub(crate) fn depth(body: &[u8]) -> Result<(), ReadError> {
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > limits::DEPTH {
                    return Err(ReadError::TooDeep);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// A value, or its default when there is `null`.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(de: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(de)?.unwrap_or_default())
}

pub(crate) fn id<'de, D: Deserializer<'de>>(de: D) -> Result<String, D::Error> {
    let id = String::deserialize(de)?;
    check_id(&id).map_err(D::Error::custom)?;
    Ok(id)
}

/// An idempotency key, 1 to 255 bytes.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct IdempotencyKey(#[serde(deserialize_with = "id")] pub(crate) String);

fn check_id(id: &str) -> Result<(), &'static str> {
    match id.len() {
        0 => Err("must not be empty"),
        length if length > limits::ID => Err("has more than 255 bytes"),
        _ => Ok(()),
    }
}

pub(crate) fn correlation_id<'de, D: Deserializer<'de>>(de: D) -> Result<String, D::Error> {
    let id = String::deserialize(de)?;
    if id.chars().count() > limits::CORRELATION_ID {
        return Err(D::Error::custom("has more than 128 characters"));
    }
    Ok(id)
}

pub(crate) fn message_type<'de, D: Deserializer<'de>>(de: D) -> Result<String, D::Error> {
    let text = String::deserialize(de)?;
    if text.is_empty() {
        return Err(D::Error::custom("must not be empty"));
    }
    Ok(text)
}

pub(crate) fn version<'de, D: Deserializer<'de>>(de: D) -> Result<u32, D::Error> {
    match Option::<u32>::deserialize(de)? {
        Some(0) => Err(D::Error::custom("versions begin with 1")),
        version => Ok(version.unwrap_or(1)),
    }
}

/// A time as text, or as milliseconds since 1970.
pub(crate) fn time_or_millis<'de, D: Deserializer<'de>>(de: D) -> Result<Timestamp, D::Error> {
    struct Either;
    impl Visitor<'_> for Either {
        type Value = Timestamp;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an RFC 3339 time")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
            text.parse().map_err(E::custom)
        }

        fn visit_i64<E: de::Error>(self, millis: i64) -> Result<Timestamp, E> {
            Ok(Timestamp::from_millis(millis))
        }

        fn visit_u64<E: de::Error>(self, millis: u64) -> Result<Timestamp, E> {
            Ok(Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)))
        }
    }
    de.deserialize_any(Either)
}
