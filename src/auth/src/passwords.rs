//! Which passwords are accepted.
//!
//! Length counts, not kinds of characters; what attackers try first is refused (NIST SP 800-63B, section 3.1.1). The
//! list is the one that Django ships (BSD licence), as far as it is long enough.

use std::sync::LazyLock;

/// The shortest password, in characters.
pub const SHORTEST: usize = 8;
/// The longest, in characters.
pub const LONGEST: usize = 128;

/// A list word that the rest of a password may be made of has at least as many letters.
const FEWEST_LETTERS: usize = 4;

/// Passwords that many people have, in lower case, sorted.
static COMMON: LazyLock<Vec<&str>> = LazyLock::new(|| include_str!("common_passwords.txt").lines().collect());

/// Why a password is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// It is too short.
    #[error("the password must have at least {SHORTEST} characters")]
    TooShort,
    /// It is too long.
    #[error("the password must have at most {LONGEST} characters")]
    TooLong,
    /// Many people have it.
    #[error("the password is one of the most common ones")]
    Common,
    /// It is made of very few different characters.
    #[error("the password repeats one or two characters")]
    Repeated,
    /// It is what everybody knows of its owner.
    #[error("the password must not be the e-mail address or the name")]
    Personal,
}

/// Whether `password` is good enough for an owner of whom others know `known`: the address, the name.
pub fn check(password: &str, known: &[&str]) -> Result<(), Weakness> {
    let length = password.chars().count();
    if length < SHORTEST {
        return Err(Weakness::TooShort);
    }
    if length > LONGEST {
        return Err(Weakness::TooLong);
    }
    let lower = password.to_lowercase();
    if COMMON.binary_search(&lower.as_str()).is_ok() {
        return Err(Weakness::Common);
    }
    let mut different: Vec<char> = lower.chars().collect();
    different.sort_unstable();
    different.dedup();
    if different.len() < 3 {
        return Err(Weakness::Repeated);
    }
    let names = known.iter().flat_map(|it| [*it, it.split('@').next().unwrap_or_default()]);
    let mut names = names.map(str::to_lowercase).filter(|it| it.chars().count() >= FEWEST_LETTERS);
    // the name itself, or with no more than a few characters around it
    if names.any(|name| lower.contains(&name) && length < name.chars().count() + FEWEST_LETTERS) {
        return Err(Weakness::Personal);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_attackers_try_first_is_refused() {
        let known = ["Ann.Miller@example.com", "Ann Miller"];
        for (password, weakness) in [
            ("", Weakness::TooShort),
            ("Ab1!xyz", Weakness::TooShort),
            ("password", Weakness::Common),
            ("PassWord1", Weakness::Common),
            ("12345678", Weakness::Common),
            ("xxxxxxxxxxxxxxxxxxxxxxxx", Weakness::Repeated),
            ("abababababababab", Weakness::Repeated),
            ("ann.miller", Weakness::Personal),
            ("ann.miller@example.com", Weakness::Personal),
            ("Ann Miller1", Weakness::Personal),
        ] {
            assert_eq!(check(password, &known), Err(weakness), "{password}");
        }
        assert_eq!(check(&"é".repeat(LONGEST + 1), &known), Err(Weakness::TooLong));
    }

    #[test]
    fn length_is_enough_and_any_character_is_a_character() {
        for password in
            ["correct horse battery staple", "kürbis✓suppe", "AdminPassword123!", "ann.miller likes pumpkins"]
        {
            assert_eq!(check(password, &["ann.miller@example.com"]), Ok(()), "{password}");
        }
        assert_eq!(check(&"aé✓".repeat(LONGEST / 3), &[]), Ok(()));
    }

    #[test]
    fn the_list_is_one_to_search() {
        assert!(COMMON.len() > 8_000 && COMMON.is_sorted());
        assert!(COMMON.iter().all(|it| it.chars().count() >= SHORTEST && *it == it.to_lowercase()));
    }
}
