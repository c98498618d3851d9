//! What all messages have in common: a struct with named fields, a name on the wire, a description.

use proc_macro2::TokenStream;
use syn::{Data, DeriveInput, Field, Fields, Ident, LitStr};

use crate::attributes::{Mistakes, documentation};
use crate::check;

/// A struct that is to become a message.
pub struct Message {
    /// The struct as it was written.
    pub input: DeriveInput,
    /// What it is called in messages to the author: `command`, `query`, `event`.
    pub word: &'static str,
    /// The ending of its names on the wire; none for events.
    pub suffix: &'static str,
}

impl Message {
    /// Reads the struct; what cannot be a message is refused here.
    pub fn parse(input: TokenStream, word: &'static str, suffix: &'static str) -> syn::Result<Self> {
        let input: DeriveInput = syn::parse2(input)?;
        let mut mistakes = Mistakes::default();
        let an = if word == "event" { "an" } else { "a" };
        if !matches!(&input.data, Data::Struct(it) if matches!(it.fields, Fields::Named(_))) {
            let name = &input.ident;
            let message = format!(
                "{an} {word} is a struct with named fields, since its payload is a JSON object; without any, write \
                 `struct {name} {{}}`"
            );
            mistakes.add(name.span(), message);
        }
        if let Some(parameter) = input.generics.params.first() {
            let span = syn::spanned::Spanned::span(parameter);
            let message = format!("{an} {word} cannot be generic: it has one name and one schema; own its fields");
            mistakes.add(span, message);
        }
        mistakes.finish()?;
        Ok(Self { input, word, suffix })
    }

    /// The fields of the struct.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        match &self.input.data {
            Data::Struct(it) => Some(it.fields.iter()),
            _ => None,
        }
        .into_iter()
        .flatten()
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&Ident> {
        self.fields().filter_map(|it| it.ident.as_ref()).find(|it| it.to_string().trim_start_matches("r#") == name)
    }

    /// The names of the fields, for messages to the author.
    pub fn field_names(&self) -> Vec<String> {
        self.fields().filter_map(|it| it.ident.as_ref()).map(|it| it.to_string().replace("r#", "")).collect()
    }

    /// What the message is called on the wire.
    pub fn message_type(&self, name: Option<&LitStr>, mistakes: &mut Mistakes) -> String {
        let (given, span) = match name {
            Some(name) => (name.value(), name.span()),
            None => (self.input.ident.to_string().replace("r#", ""), self.input.ident.span()),
        };
        let full = if given.contains('.') { given } else { self.with_suffix(&given) };
        check::message_type(&full, span, mistakes);
        full
    }

    fn with_suffix(&self, name: &str) -> String {
        if self.suffix.is_empty() {
            return match name.strip_suffix("Event") {
                Some(rest) if !rest.is_empty() => rest.to_owned(),
                _ => name.to_owned(),
            };
        }
        let complete = name != self.suffix && name.ends_with(self.suffix);
        if complete { name.to_owned() } else { format!("{name}{}", self.suffix) }
    }

    /// What the message does: as it is said, as the doc comment says, or its name in words.
    pub fn description(&self, given: Option<&LitStr>, mistakes: &mut Mistakes) -> String {
        if let Some(given) = given {
            if given.value().trim().is_empty() {
                mistakes.add(given.span(), "`description` is empty; say what it does, or leave it out");
            }
            return given.value();
        }
        documentation(&self.input.attrs).unwrap_or_else(|| in_words(&self.input.ident.to_string()))
    }
}

/// `CreateUser2FA` in words: `create user2 fa`.
fn in_words(name: &str) -> String {
    let letters: Vec<char> = name.replace("r#", "").chars().collect();
    let mut words = String::new();
    for (i, letter) in letters.iter().enumerate() {
        let after_small = i > 0 && !letters[i - 1].is_uppercase();
        let before_small = i > 0 && letters.get(i + 1).is_some_and(|it| it.is_lowercase());
        if letter.is_uppercase() && (after_small || before_small) {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}
