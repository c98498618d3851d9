//! Who may send what: permissions, and the check in front of every handler (layer 1).

use serde_json::json;

use crate::{Auth, Fault, FaultCode};

/// Whether a text is a permission: `resource:action`, each of lower-case letters, digits and hyphens, starting with a
/// letter.
#[must_use]
pub fn is_permission(text: &str) -> bool {
    let word = |word: &str| {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        word.starts_with(|c: char| c.is_ascii_lowercase()) && word.bytes().all(allowed)
    };
    text.split_once(':').is_some_and(|(resource, action)| word(resource) && word(action))
}

/// The permissions that a caller holds.
#[derive(Debug, Clone, Copy)]
pub struct Permissions<'a> {
    held: &'a [String],
    wildcards: bool,
}

impl<'a> Permissions<'a> {
    /// Permissions that match exactly, as those of a token do.
    #[must_use]
    pub const fn exact(held: &'a [String]) -> Self {
        Self { held, wildcards: false }
    }

    /// Permissions in which `*` stands for anything: `users:*`, `*:read`, `*:*`, `*`. For the headers of development
    /// mode and nothing else.
    #[must_use]
    pub const fn with_wildcards(held: &'a [String]) -> Self {
        Self { held, wildcards: true }
    }

    /// Whether all that is required is held; true when nothing is.
    #[must_use]
    pub fn allows<S: AsRef<str>>(&self, required: &[S]) -> bool {
        required.iter().all(|it| self.holds(it.as_ref()))
    }

    /// What is required and not held, in the order of the contract.
    #[must_use]
    pub fn missing<'r, S: AsRef<str>>(&self, required: &'r [S]) -> Vec<&'r str> {
        required.iter().map(AsRef::as_ref).filter(|it| !self.holds(it)).collect()
    }

    fn holds(&self, required: &str) -> bool {
        self.held.iter().any(|held| held == required || self.wildcards && covers(held, required))
    }
}

fn covers(pattern: &str, required: &str) -> bool {
    let part = |pattern: &str, text: &str| pattern == "*" || pattern == text;
    match (pattern.split_once(':'), required.split_once(':')) {
        (Some((resource, action)), Some((of, to))) => part(resource, of) && part(action, to),
        (None, _) => pattern == "*",
        _ => false,
    }
}

/// The check in front of a handler: public contracts take everybody, others an authenticated caller who holds all that
/// is required.
///
/// # Errors
/// `UnauthorizedError` for a caller who is not known; `AUTHORIZATION_ERROR` for one who lacks permissions, with the
/// required and the missing ones as details.
pub fn admit<S: AsRef<str>>(is_public: bool, required: &[S], caller: Option<&Auth>) -> Result<(), Fault> {
    if is_public {
        return Ok(());
    }
    let Some(caller) = caller else { return Err(Fault::unauthorized("authentication is required")) };
    let missing = Permissions::exact(&caller.permissions).missing(required);
    if missing.is_empty() {
        return Ok(());
    }
    let required: Vec<&str> = required.iter().map(AsRef::as_ref).collect();
    let message = format!("missing permission: {}", missing.join(", "));
    let details = json!({ "requiredPermissions": required, "missingPermissions": missing });
    Err(Fault::new(FaultCode::Authorization, message).with_details(details))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(permissions: &[&str]) -> Vec<String> {
        permissions.iter().map(|it| (*it).to_owned()).collect()
    }

    #[test]
    fn the_pattern_is_strict() {
        for right in ["users:create", "a:b", "order-items:read-all", "s3:get2"] {
            assert!(is_permission(right), "{right}");
        }
        for wrong in ["", ":", "users", "users:", ":read", "users.create", "Users:read", "users:*", "*", "3s:get"] {
            assert!(!is_permission(wrong), "{wrong}");
        }
        for wrong in ["a:b:c", "users :read", "users:re_ad", "-a:b", "a:-b", "ü:b", "a:b\n"] {
            assert!(!is_permission(wrong), "{wrong}");
        }
    }

    #[test]
    fn all_of_them_are_needed() {
        let held = held(&["users:read", "users:create"]);
        let permissions = Permissions::exact(&held);
        assert!(permissions.allows::<&str>(&[]));
        assert!(permissions.allows(&["users:create", "users:read"]));
        assert!(!permissions.allows(&["users:create", "users:delete"]));
        assert_eq!(permissions.missing(&["x:a", "users:read", "x:b"]), ["x:a", "x:b"]);
    }

    #[test]
    fn wildcards_work_only_where_they_are_asked_for() {
        for (pattern, matches, other) in [
            ("users:*", "users:read", "orders:read"),
            ("*:read", "users:read", "users:write"),
            ("*:*", "users:read", "users"),
            ("*", "users:read", ""),
        ] {
            let held = held(&[pattern]);
            assert!(Permissions::with_wildcards(&held).allows(&[matches]), "{pattern}");
            assert!(!Permissions::exact(&held).allows(&[matches]), "{pattern}");
            assert_eq!(Permissions::with_wildcards(&held).allows(&[other]), pattern == "*", "{pattern} {other}");
        }
    }

    #[test]
    fn who_is_let_in() {
        let nobody: [&str; 0] = [];
        let caller = Auth { permissions: held(&["users:read"]), ..Auth::default() };
        let code = |result: Result<(), Fault>| result.map_err(|fault| fault.code);
        assert_eq!(code(admit(true, &nobody, None)), Ok(()));
        assert_eq!(code(admit(false, &nobody, None)), Err(FaultCode::Unauthorized));
        assert_eq!(code(admit(false, &nobody, Some(&caller))), Ok(()));
        assert_eq!(code(admit(false, &["users:read"], Some(&caller))), Ok(()));
        let fault = admit(false, &["users:read", "users:create"], Some(&caller)).unwrap_err();
        assert_eq!(fault.code, FaultCode::Authorization);
        assert_eq!(fault.message, "missing permission: users:create");
        assert_eq!(fault.details.unwrap()["missingPermissions"], json!(["users:create"]));
    }
}
