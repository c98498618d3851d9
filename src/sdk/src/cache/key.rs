//! The names that things have in Redis.

use sha2::{Digest, Sha256};

/// What is longer, in bytes, is replaced by its hash.
const LONGEST: usize = 128;

/// The names that belong to one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keys {
    /// The value itself.
    pub(super) entry: String,
    /// Who loads it.
    pub(super) lock: String,
    /// The stamps that it depends on: of everything, of its type, of its tags.
    pub(super) tags: Vec<String>,
}

impl Keys {
    pub(super) fn new(service: &str, kind: &str, key: &str, tags: &[String]) -> Self {
        let place = format!("{service}:{}:{}", escaped(&short(kind)), short(key));
        let own = tags.iter().map(|it| tag(service, it));
        Self {
            entry: format!("cache:{place}"),
            lock: format!("cache-lock:{place}"),
            tags: [all(service), self::kind(service, kind)].into_iter().chain(own).collect(),
        }
    }
}

/// The stamp of everything that a service keeps.
pub(super) fn all(service: &str) -> String {
    format!("cache-tag:{service}:all")
}

/// The stamp of all values of one type.
pub(super) fn kind(service: &str, kind: &str) -> String {
    format!("cache-tag:{service}:type/{}", short(kind))
}

/// The stamp of all values with one tag.
pub(super) fn tag(service: &str, tag: &str) -> String {
    format!("cache-tag:{service}:tag/{}", short(tag))
}

fn short(text: &str) -> String {
    if text.len() <= LONGEST && !text.chars().any(char::is_control) {
        return text.to_owned();
    }
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Without the character that separates a type from a key.
fn escaped(kind: &str) -> String {
    kind.replace('%', "%25").replace(':', "%3A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_readable_and_bounded() {
        let keys = Keys::new("user-service", "GetUserQuery", "u1", &["user:u1".to_owned()]);
        assert_eq!(keys.entry, "cache:user-service:GetUserQuery:u1");
        assert_eq!(keys.lock, "cache-lock:user-service:GetUserQuery:u1");
        let tags = ["all", "type/GetUserQuery", "tag/user:u1"].map(|tag| format!("cache-tag:user-service:{tag}"));
        assert_eq!(keys.tags, tags);

        let long = Keys::new("s", "k", &"x".repeat(129), &[]).entry;
        assert_eq!(long.len(), "cache:s:k:".len() + 64);
        assert_ne!(long, Keys::new("s", "k", &"x".repeat(130), &[]).entry);
        assert_eq!(short("abc\n").len(), 64);
    }

    #[test]
    fn different_values_have_different_names() {
        assert_ne!(Keys::new("s", "a", "b:c", &[]), Keys::new("s", "a:b", "c", &[]));
        assert_ne!(tag("s", "all"), all("s"));
        assert_ne!(tag("s", "type/a"), kind("s", "a"));
    }
}
