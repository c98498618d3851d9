//! Cache keys and tags with fields in them: `user:{id}`.

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::LitStr;

use crate::attributes::Mistakes;
use crate::message::Message;
use crate::suggest::did_you_mean;

/// An expression that makes the text from `self`; none when there is a mistake in it.
pub fn expression(template: &LitStr, message: &Message, mistakes: &mut Mistakes) -> Option<TokenStream> {
    let (text, span) = (template.value(), template.span());
    if text.is_empty() {
        mistakes.add(span, "this is empty; write something such as `user:{id}`");
        return None;
    }
    let (mut format, mut values) = (String::new(), Vec::new());
    let mut rest = text.as_str();
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        format.push_str(before);
        let closed = from.strip_prefix('{').and_then(|it| it.split_once('}'));
        let Some((name, after)) = closed else {
            mistakes.add(span, "a brace without its partner; fields are written `{id}`");
            return None;
        };
        let Some(field) = message.field(name) else {
            let names = message.field_names();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let hint = did_you_mean(name, &names).unwrap_or_else(|| match names.as_slice() {
                [] => "it has none".to_owned(),
                names => format!("its fields: {}", names.join(", ")),
            });
            mistakes.add(span, format!("`{}` has no field `{name}`; {hint}", message.input.ident));
            return None;
        };
        format.push_str("{}");
        values.push(quote_spanned!(span=> ::banyan_sdk::protocol::cache_key_part(&self.#field)));
        rest = after;
    }
    format.push_str(rest);
    // every brace of the template is gone, so the only ones left are the places of the values
    let format = LitStr::new(&format, span);
    Some(quote_spanned!(span=> ::std::format!(#format #(, #values)*)))
}
