//! Names that GraphQL allows, made of those that contracts have.

use std::collections::HashSet;

/// A field's name: what GraphQL does not allow is dropped and the next letter upper-cased, so `user.email` becomes
/// `userEmail`.
pub(super) fn field(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    let mut up = false;
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            name.push(if up && !name.is_empty() { c.to_ascii_uppercase() } else { c });
            up = false;
        } else {
            up = true;
        }
    }
    started(name)
}

/// The name of a type: the same, beginning with a capital letter.
pub(super) fn pascal(text: &str) -> String {
    first(&field(text), |c| c.to_ascii_uppercase())
}

/// The name of an operation or event: the same, beginning with a small letter.
pub(super) fn camel(text: &str) -> String {
    first(&field(text), |c| c.to_ascii_lowercase())
}

/// A value of an enum: upper case, with `_` for what GraphQL does not allow.
pub(super) fn value(text: &str) -> String {
    let name = text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    started(name.collect())
}

/// The first of `name`, `name2`, `name3`… that is not taken; it is then.
pub(super) fn claim(taken: &mut HashSet<String>, name: String) -> String {
    let free = std::iter::once(name.clone()).chain((2_u32..).map(|n| format!("{name}{n}")));
    let free = free.into_iter().find(|it| !taken.contains(it)).unwrap_or(name);
    taken.insert(free.clone());
    free
}

/// A name may not begin with a digit, and `__` is GraphQL's own.
fn started(name: String) -> String {
    match name.trim_start_matches('_') {
        rest if name.starts_with("__") => format!("_{rest}"),
        _ if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) => format!("_{name}"),
        _ => name,
    }
}

fn first(name: &str, change: impl Fn(char) -> char) -> String {
    let mut chars = name.chars();
    chars.next().map(change).into_iter().chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_allowed_is_rewritten() {
        for (text, expected) in [
            ("email", "email"),
            ("user.email", "userEmail"),
            ("user-id", "userId"),
            ("$.x", "x"),
            ("2nd", "_2nd"),
            ("__typename", "_typename"),
            ("_id", "_id"),
            ("größe", "grE"),
            ("", "_"),
            ("ü", "_"),
        ] {
            assert_eq!(field(text), expected, "{text}");
        }
        assert_eq!(pascal("order-service"), "OrderService");
        assert_eq!(camel("CreateUser"), "createUser");
    }

    #[test]
    fn values_are_upper_case() {
        for (text, expected) in [("admin", "ADMIN"), ("in-progress", "IN_PROGRESS"), ("1st", "_1ST"), ("__x", "_X")] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn a_second_one_gets_a_number() {
        let mut taken = HashSet::new();
        let names: Vec<String> = (0..3).map(|_| claim(&mut taken, "User".to_owned())).collect();
        assert_eq!(names, ["User", "User2", "User3"]);
    }
}
