//! Commands as they are run and as they are shown: the same thing.

use std::fmt;

/// A command with its arguments. Its `Display` can be pasted into a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shell(pub Vec<String>);

impl Shell {
    /// From words.
    pub fn new<const N: usize>(words: [&str; N]) -> Self {
        Self(words.map(str::to_owned).to_vec())
    }

    /// The same through sudo.
    pub fn with_sudo(mut self) -> Self {
        self.0.insert(0, "sudo".to_owned());
        self
    }
}

impl fmt::Display for Shell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, word) in self.0.iter().enumerate() {
            let space = if i == 0 { "" } else { " " };
            write!(f, "{space}{}", quote(word))?;
        }
        Ok(())
    }
}

/// One word for the shell, in quotes when it needs them.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}
