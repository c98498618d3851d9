//! What names, permissions and versions may look like. The same rules are in `banyan-protocol`, which a derive cannot
//! use without making every build wait for it; a test compares them.

use syn::{Ident, LitStr};

use crate::attributes::Mistakes;

/// Notes a permission that is not `resource:action`.
fn permission(text: &LitStr, mistakes: &mut Mistakes) {
    let value = text.value();
    if is_permission(&value) {
        return;
    }
    let repaired = value.to_ascii_lowercase().replace(['.', '/'], ":").replace(['_', ' '], "-");
    let hint = if is_permission(&repaired) { format!("; did you mean `{repaired}`?") } else { String::new() };
    let rule = "lower-case letters, digits and hyphens on both sides of one colon, each side starting with a letter";
    mistakes.add(text.span(), format!("`{value}` is not a permission such as `users:create`: {rule}{hint}"));
}

/// Notes permissions that are none, or that a public message cannot need.
pub fn access(permissions: &[LitStr], public: Option<&Ident>, mistakes: &mut Mistakes) {
    if let (Some(public), false) = (public, permissions.is_empty()) {
        let both = "anonymous callers hold no permissions: leave out either `public` or `permissions`";
        mistakes.add(public.span(), both);
    }
    permissions.iter().for_each(|it| permission(it, mistakes));
}

/// Notes a text that cannot name a service.
pub fn service(text: &LitStr, mistakes: &mut Mistakes) {
    if !is_service(&text.value()) {
        let rule = "lower-case letters, digits and hyphens, starting with a letter, at most 63";
        mistakes.add(text.span(), format!("`{}` is not a service name such as `user-service`: {rule}", text.value()));
    }
}

/// Notes a text that cannot be a message type.
pub fn message_type(text: &str, span: proc_macro2::Span, mistakes: &mut Mistakes) {
    if !is_message_type(text) {
        let rule = "letters, digits, `_`, `-` and `.`, at most 100";
        mistakes
            .add(span, format!("`{text}` cannot be the name of a message: {rule}; give another with `name = \"…\"`"));
    }
}

/// Notes a text that is no semantic version.
pub fn version(text: &LitStr, mistakes: &mut Mistakes) {
    if !is_version(&text.value()) {
        mistakes.add(text.span(), format!("`{}` is not a version such as `1.0.0`", text.value()));
    }
}

pub fn is_permission(text: &str) -> bool {
    let word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    text.split_once(':').is_some_and(|(resource, action)| word(resource) && word(action))
}

pub fn is_service(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.ends_with('-')
}

pub fn is_message_type(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    (1..=100).contains(&text.len()) && text.bytes().all(allowed) && !text.ends_with('.')
}

/// Three numbers and nothing else: a derive needs no pre-releases.
pub fn is_version(text: &str) -> bool {
    let number = |part: &str| {
        part == "0" || (!part.is_empty() && !part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit()))
    };
    text.split('.').count() == 3 && text.split('.').all(number)
}
