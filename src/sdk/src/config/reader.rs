//! Reads settings by name and remembers every mistake.

use std::fmt;

use crate::Error;

/// One mistake in the configuration. It never repeats the value, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The variable, with its other names.
    pub name: String,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.what)
    }
}

/// Reads settings through a lookup function. A variable that is empty counts as not set.
pub struct Reader<'a> {
    env: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// Reads from `env`, for instance `&|name| std::env::var(name).ok()`.
    pub fn new(env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { env, problems: Vec::new() }
    }

    /// The text of a variable.
    pub fn value(&self, name: &str) -> Option<String> {
        (self.env)(name).filter(|value| !value.is_empty())
    }

    /// A variable that may be left out; a mistake in it is remembered, and nothing returned.
    pub fn parsed<T>(&mut self, name: &str, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = self.value(name)?;
        let parsed = parse(&value);
        if parsed.is_none() {
            self.report(name, &format!("must be {expected}"));
        }
        parsed
    }

    /// A variable with a default; nothing is returned when it is set and wrong.
    pub fn parsed_or<T>(
        &mut self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
        default: T,
    ) -> Option<T> {
        match self.value(name) {
            None => Some(default),
            Some(_) => self.parsed(name, expected, parse),
        }
    }

    /// A variable that must be set, under the first of `names` that is.
    pub fn required<T>(&mut self, names: &[&str], expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        if let Some(name) = names.iter().find(|name| self.value(name).is_some()) {
            return self.parsed(name, expected, parse);
        }
        let name = match names {
            [first, rest @ ..] if !rest.is_empty() => format!("{first} (or {})", rest.join(", ")),
            _ => names.concat(),
        };
        self.report(&name, &format!("is not set; give {expected}"));
        None
    }

    /// Remembers a mistake.
    pub fn report(&mut self, name: &str, what: &str) {
        self.problems.push(Problem { name: name.to_owned(), what: what.to_owned() });
    }

    /// The settings, unless there was any mistake.
    pub fn finish<T>(self, settings: Option<T>) -> Result<T, Error> {
        match settings {
            Some(settings) if self.problems.is_empty() => Ok(settings),
            _ => Err(Error::Configuration(self.problems)),
        }
    }
}
