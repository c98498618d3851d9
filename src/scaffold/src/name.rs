//! What a service may be called, and the identifiers that its name gives.

use serde::Serialize;

/// Longer names would make lines that no formatter leaves as they are.
pub const LONGEST: usize = 30;

/// Names that cargo or the compiler take for something else.
const RESERVED: [&str; 20] = [
    "alloc",
    "banyan",
    "banyan-protocol",
    "banyan-sdk",
    "build",
    "core",
    "deps",
    "examples",
    "incremental",
    "proc-macro",
    "scaffold",
    "sdk-macros",
    "serde",
    "serde-json",
    "service",
    "std",
    "test",
    "tests",
    "tokio",
    "workspace",
];
/// Words that are no names in Rust.
const KEYWORDS: [&str; 51] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true",
    "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Why a name is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoName {
    /// It is empty.
    #[error("it is empty")]
    Empty,
    /// It is too long.
    #[error("it has {0} characters, and {LONGEST} are the most")]
    TooLong(usize),
    /// It has a character that it must not have.
    #[error("it has `{0}` in it: lower-case letters, digits and hyphens are possible")]
    Character(char),
    /// It begins with a digit or hyphen.
    #[error("it does not begin with a letter")]
    Beginning,
    /// It has a hyphen at its end, or two in a row.
    #[error("it has a hyphen at its end, or two in a row")]
    Hyphens,
    /// It means something else to the compiler.
    #[error("the word has a meaning of its own for Rust or cargo")]
    Reserved,
}

/// A name in all of its forms. Every identifier of a template has something before or after it, so that none can be a
/// keyword or the name of something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Name {
    /// As it was given: `order-service`.
    pub name: String,
    /// Without `-service`: `order`.
    pub kebab: String,
    /// `order`, `order_item`.
    pub snake: String,
    /// `Order`, `OrderItem`.
    pub pascal: String,
    /// For sentences: `order`, `order item`.
    pub words: String,
    /// Of variables: `ORDER_SERVICE`.
    pub screaming: String,
}

impl Name {
    /// Checks a name.
    ///
    /// # Errors
    /// Says the first thing that is wrong.
    pub fn new(name: &str) -> Result<Self, NoName> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let reserved = RESERVED.contains(&name) || KEYWORDS.contains(&name);
        match name.chars().find(|c| !allowed(*c)) {
            _ if name.is_empty() => return Err(NoName::Empty),
            Some(c) => return Err(NoName::Character(c)),
            None if name.len() > LONGEST => return Err(NoName::TooLong(name.len())),
            None if !name.starts_with(|c: char| c.is_ascii_lowercase()) => return Err(NoName::Beginning),
            None if name.ends_with('-') || name.contains("--") => return Err(NoName::Hyphens),
            None if reserved => return Err(NoName::Reserved),
            None => {}
        }
        let kebab = name.strip_suffix("-service").unwrap_or(name).to_owned();
        let capital = |word: &str| {
            let (first, rest) = word.split_at(1);
            first.to_ascii_uppercase() + rest
        };
        Ok(Self {
            name: name.to_owned(),
            snake: kebab.replace('-', "_"),
            pascal: kebab.split('-').map(capital).collect(),
            words: kebab.replace('-', " "),
            screaming: name.replace('-', "_").to_ascii_uppercase(),
            kebab,
        })
    }
}

/// The name that was probably meant: `OrderService` and `order_service` are `order-service`.
#[must_use]
pub fn suggestion(name: &str) -> Option<String> {
    let mut meant = String::new();
    for c in name.trim().chars() {
        let boundary = !meant.is_empty() && !meant.ends_with('-');
        match c {
            'A'..='Z' if boundary => meant.extend(['-', c.to_ascii_lowercase()]),
            'a'..='z' | 'A'..='Z' | '0'..='9' => meant.push(c.to_ascii_lowercase()),
            _ if boundary => meant.push('-'),
            _ => {}
        }
    }
    let meant: String = meant.trim_end_matches('-').chars().take(LONGEST).collect();
    let meant = meant.trim_matches(|c: char| c == '-' || c.is_ascii_digit());
    [meant.to_owned(), format!("{meant}-service")].into_iter().find(|it| it != name && Name::new(it).is_ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_in_all_its_forms() {
        let name = Name::new("order-item2-service").unwrap();
        let forms = [&name.kebab, &name.snake, &name.pascal, &name.words, &name.screaming];
        assert_eq!(forms, ["order-item2", "order_item2", "OrderItem2", "order item2", "ORDER_ITEM2_SERVICE"]);
        assert_eq!(Name::new("orders").unwrap().pascal, "Orders");
    }

    #[test]
    fn what_is_wrong_with_a_name_is_said() {
        let wrong = |name: &str| Name::new(name).unwrap_err();
        assert_eq!(wrong(""), NoName::Empty);
        assert_eq!(wrong("Order"), NoName::Character('O'));
        assert_eq!(wrong("../x"), NoName::Character('.'));
        assert_eq!(wrong("größe"), NoName::Character('ö'));
        assert_eq!(wrong(&"a".repeat(31)), NoName::TooLong(31));
        assert_eq!((wrong("1a"), wrong("-a")), (NoName::Beginning, NoName::Beginning));
        assert_eq!((wrong("a-"), wrong("a--b")), (NoName::Hyphens, NoName::Hyphens));
        assert_eq!(
            (wrong("type"), wrong("service"), wrong("tokio")),
            (NoName::Reserved, NoName::Reserved, NoName::Reserved)
        );
        for fine in ["a", "type-service", "a-1", &"a".repeat(30)] {
            assert!(Name::new(fine).is_ok(), "{fine}");
        }
    }

    #[test]
    fn the_name_that_was_meant() {
        for (given, meant) in [
            ("OrderService", Some("order-service")),
            ("order_service", Some("order-service")),
            ("order service!", Some("order-service")),
            ("type", Some("type-service")),
            ("1st", Some("st")),
            ("-", None),
            ("", None),
        ] {
            assert_eq!(suggestion(given).as_deref(), meant, "{given}");
        }
    }

    fn is_identifier(text: &str) -> bool {
        let letters = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        letters && !text.starts_with(|c: char| c.is_ascii_digit()) && !KEYWORDS.contains(&text)
    }

    proptest! {
        #[test]
        fn every_legal_name_gives_identifiers(text in "[a-z][a-z0-9]{0,6}(-[a-z0-9]{1,6}){0,4}") {
            if let Ok(name) = Name::new(&text) {
                for identifier in [
                    format!("create_{}", name.snake), format!("{}_state", name.snake), format!("{}Created", name.pascal),
                    format!("Get{}", name.pascal), format!("{}_PORT", name.screaming),
                ] {
                    prop_assert!(is_identifier(&identifier), "{text}: {identifier}");
                }
            }
        }

        #[test]
        fn no_text_makes_it_panic_and_what_is_suggested_is_legal(text in ".{0,60}") {
            let _ = Name::new(&text);
            if let Some(meant) = suggestion(&text) {
                prop_assert!(Name::new(&meant).is_ok(), "{text}: {meant}");
                prop_assert_ne!(meant, text);
            }
        }
    }
}
