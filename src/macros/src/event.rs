//! `#[derive(Event)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Ident, LitInt, LitStr};

use crate::attributes::{self, Mistakes};
use crate::check;
use crate::message::Message;
use crate::request::option;
use crate::suggest::did_you_mean;

const KEYS: &[&str] = &["service", "aggregate", "id", "version", "name", "description", "permissions", "public"];

#[derive(Default)]
struct Given {
    service: Option<LitStr>,
    aggregate: Option<LitStr>,
    id: Option<FieldName>,
    version: Option<LitInt>,
    name: Option<LitStr>,
    description: Option<LitStr>,
    permissions: Vec<LitStr>,
    public: Option<Ident>,
}

/// A field, as `"user_id"` or `user_id`.
struct FieldName(Ident);

impl Parse for FieldName {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if !input.peek(LitStr) {
            return input.parse().map(Self);
        }
        let text: LitStr = input.parse()?;
        text.parse::<Ident>().map(Self)
    }
}

/// The implementation of an event.
pub fn event(input: TokenStream) -> syn::Result<TokenStream> {
    let message = Message::parse(input, "event", "")?;
    let mut mistakes = Mistakes::default();
    let given = read(&message, &mut mistakes);
    given.service.iter().for_each(|it| check::service(it, &mut mistakes));
    check::access(&given.permissions, given.public.as_ref(), &mut mistakes);
    let event_type = message.message_type(given.name.as_ref(), &mut mistakes);
    let description = message.description(given.description.as_ref(), &mut mistakes);
    let version = version(given.version.as_ref(), &mut mistakes);
    let id = aggregate_id(&message, &given, &mut mistakes);
    mistakes.finish()?;

    let (name, service, aggregate) =
        (&message.input.ident, option(given.service.as_ref()), option(given.aggregate.as_ref()));
    let (permissions, public) = (&given.permissions, given.public.is_some());
    Ok(quote! {
        #[automatically_derived]
        impl ::banyan_sdk::protocol::Event for #name {
            const EVENT_TYPE: &'static str = #event_type;
            const SERVICE: ::core::option::Option<&'static str> = #service;
            const AGGREGATE: ::core::option::Option<&'static str> = #aggregate;
            const VERSION: u32 = #version;
            const DESCRIPTION: &'static str = #description;
            const PERMISSIONS: &'static [&'static str] = &[#(#permissions),*];
            const PUBLIC: bool = #public;

            fn aggregate_id(&self) -> ::core::option::Option<::std::string::String> {
                #id
            }
        }
    })
}

fn read(message: &Message, mistakes: &mut Mistakes) -> Given {
    let mut given = Given::default();
    attributes::read(&message.input.attrs, message.word, KEYS, mistakes, |key, input| {
        match key.to_string().as_str() {
            "service" => given.service = Some(attributes::value(key, input, "\"user-service\"")?),
            "aggregate" => given.aggregate = Some(attributes::value(key, input, "\"User\"")?),
            "id" => given.id = Some(attributes::value(key, input, "\"user_id\"")?),
            "version" => given.version = Some(attributes::value(key, input, "2")?),
            "name" => given.name = Some(attributes::value(key, input, "\"UserCreated\"")?),
            "permissions" => given.permissions = attributes::list(key, input, "\"users:read\"")?,
            "public" => {
                attributes::flag(key, input)?;
                given.public = Some(key.clone());
            }
            _ => given.description = Some(attributes::value(key, input, "\"what happened\"")?),
        }
        Ok(())
    });
    given
}

fn version(given: Option<&LitInt>, mistakes: &mut Mistakes) -> u32 {
    let Some(given) = given else { return 1 };
    given.base10_parse().ok().filter(|it| *it > 0).unwrap_or_else(|| {
        mistakes.add(given.span(), "the version of an event is a whole number from 1");
        1
    })
}

fn aggregate_id(message: &Message, given: &Given, mistakes: &mut Mistakes) -> TokenStream {
    let event = &message.input.ident;
    let Some(aggregate) = &given.aggregate else {
        if let Some(FieldName(id)) = &given.id {
            let what = "`id` says which aggregate it happened to: say also what that is, with `aggregate = \"User\"`";
            mistakes.add(id.span(), what);
        }
        return quote!(::core::option::Option::None);
    };
    if aggregate.value().is_empty() {
        mistakes.add(aggregate.span(), "`aggregate` is empty; write what it happened to, such as `User`");
    }
    let (wanted, span) = match &given.id {
        Some(FieldName(id)) => (id.to_string(), id.span()),
        None => ("id".to_owned(), event.span()),
    };
    let Some(field) = message.field(&wanted) else {
        let names = message.field_names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let hint = match (&given.id, names.as_slice()) {
            (_, []) => "it has no fields".to_owned(),
            (None, names) => format!("say which field names the aggregate, with `id = \"{}\"`", names[0]),
            (Some(_), names) => {
                did_you_mean(&wanted, names).unwrap_or_else(|| format!("its fields: {}", names.join(", ")))
            }
        };
        mistakes.add(span, format!("`{event}` has no field `{wanted}`; {hint}"));
        return TokenStream::new();
    };
    quote!(::core::option::Option::Some(::std::string::ToString::to_string(&self.#field)))
}
