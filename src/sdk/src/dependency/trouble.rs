//! Why a dependency cannot be used, in words that may be shown.

use std::io;

use crate::config::Secret;

const LONGEST_REASON: usize = 300;

/// Why a dependency cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) kind: Kind,
    pub(super) reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It did not answer.
    Unreachable,
    /// It answered with a refusal.
    Refused,
}

impl Trouble {
    pub(super) fn unreachable(reason: impl Into<String>) -> Self {
        Self { kind: Kind::Unreachable, reason: reason.into() }
    }

    pub(super) fn refused(reason: impl Into<String>) -> Self {
        Self { kind: Kind::Refused, reason: reason.into() }
    }

    /// Fit to be shown: one line, not long, without the password.
    pub(super) fn fit_to_show(mut self, password: Option<&Secret>) -> Self {
        if let Some(password) = password {
            self.reason = password.redact(&self.reason);
        }
        self.reason = self.reason.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_REASON).collect();
        self
    }
}

impl From<&io::Error> for Trouble {
    fn from(error: &io::Error) -> Self {
        Self::unreachable(words(error))
    }
}

/// An error of the system, in words for people.
pub(crate) fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
            "connection closed".to_owned()
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_short_single_and_without_the_password() {
        let reason = format!("no\n'hunter2'{}", "x".repeat(1_000));
        let shown = Trouble::refused(reason).fit_to_show(Some(&Secret::new("hunter2")));
        assert!(shown.reason.starts_with("no '***'x"), "{}", shown.reason);
        assert_eq!(shown.reason.chars().count(), LONGEST_REASON);
    }

    #[test]
    fn system_errors_are_said_in_words() {
        let refused = Trouble::from(&io::Error::from_raw_os_error(111));
        assert_eq!(refused, Trouble::unreachable("connection refused"));
    }
}
