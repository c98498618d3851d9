//! A value that must not be shown.

/// A password or key. It has no `Debug` and no `Display`, so that it cannot reach a log or an answer by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `text` with every copy of the secret taken out.
    pub fn redact(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, "***") }
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn is_taken_out_of_text() {
        let secret = Secret::new("redis123");
        assert_eq!(secret.redact("ERR unknown command 'AUTH' 'redis123'"), "ERR unknown command 'AUTH' '***'");
        assert_eq!(Secret::new("").redact("as it is"), "as it is");
    }
}
