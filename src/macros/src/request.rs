//! `#[derive(Command)]` and `#[derive(Query)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Ident, LitInt, LitStr, Path, Type, parenthesized};

use crate::attributes::{self, Mistakes};
use crate::message::Message;
use crate::{check, template};

const COMMAND: &[&str] = &["reply", "service", "permissions", "public", "description", "version", "name", "idempotent"];
const QUERY: &[&str] = &["reply", "service", "permissions", "public", "description", "version", "name", "cache"];
const CACHE: &[&str] = &["ttl", "key", "tags", "invalidate_on", "stale_while_revalidate"];

/// What stands in the attribute.
#[derive(Default)]
struct Given {
    reply: Option<Type>,
    service: Option<LitStr>,
    permissions: Vec<LitStr>,
    public: Option<Ident>,
    description: Option<LitStr>,
    version: Option<LitStr>,
    name: Option<LitStr>,
    idempotent: bool,
    cache: Option<Cache>,
}

#[derive(Default)]
struct Cache {
    ttl: Option<LitInt>,
    key: Option<LitStr>,
    tags: Vec<LitStr>,
    invalidate_on: Vec<EventName>,
    stale_while_revalidate: Option<LitInt>,
}

/// An event, as its Rust type or by its name on the wire.
enum EventName {
    Type(Path),
    Name(LitStr),
}

impl Parse for EventName {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitStr) { input.parse().map(Self::Name) } else { input.parse().map(Self::Type) }
    }
}

/// The implementation of a command.
pub fn command(input: TokenStream) -> syn::Result<TokenStream> {
    let message = Message::parse(input, "command", "Command")?;
    let mut mistakes = Mistakes::default();
    let given = read(&message, COMMAND, &mut mistakes);
    let request = request(&message, &given, given.idempotent, &mut mistakes);
    mistakes.finish()?;
    let name = &message.input.ident;
    Ok(quote! {
        #request
        #[automatically_derived]
        impl ::banyan_sdk::protocol::Command for #name {}
    })
}

/// The implementation of a query.
pub fn query(input: TokenStream) -> syn::Result<TokenStream> {
    let message = Message::parse(input, "query", "Query")?;
    let mut mistakes = Mistakes::default();
    let given = read(&message, QUERY, &mut mistakes);
    let request = request(&message, &given, true, &mut mistakes);
    let cache = given.cache.as_ref().map(|it| cache(&message, it, &mut mistakes));
    mistakes.finish()?;
    let name = &message.input.ident;
    Ok(quote! {
        #request
        #[automatically_derived]
        impl ::banyan_sdk::protocol::Query for #name { #cache }
    })
}

fn read(message: &Message, known: &[&str], mistakes: &mut Mistakes) -> Given {
    let mut given = Given::default();
    attributes::read(&message.input.attrs, message.word, known, mistakes, |key, input| {
        match key.to_string().as_str() {
            "reply" => given.reply = Some(attributes::value(key, input, "User")?),
            "service" => given.service = Some(attributes::value(key, input, "\"user-service\"")?),
            "permissions" => given.permissions = attributes::list(key, input, "\"users:create\"")?,
            "description" => given.description = Some(attributes::value(key, input, "\"what it does\"")?),
            "version" => given.version = Some(attributes::value(key, input, "\"1.0.0\"")?),
            "name" => given.name = Some(attributes::value(key, input, "\"CreateUser\"")?),
            "public" => {
                attributes::flag(key, input)?;
                given.public = Some(key.clone());
            }
            "idempotent" => {
                attributes::flag(key, input)?;
                given.idempotent = true;
            }
            _ => given.cache = Some(read_cache(input)?),
        }
        Ok(())
    });
    given
}

fn read_cache(input: ParseStream<'_>) -> syn::Result<Cache> {
    let mut cache = Cache::default();
    if !input.peek(syn::token::Paren) {
        return if input.is_empty() || input.peek(syn::Token![,]) {
            Ok(cache)
        } else {
            Err(syn::Error::new(input.span(), "write `cache`, or `cache(ttl = 60, key = \"user:{id}\")`"))
        };
    }
    let content;
    parenthesized!(content in input);
    attributes::keys(&content, "cache", CACHE, &mut Vec::new(), &mut |key, input| {
        match key.to_string().as_str() {
            "ttl" => cache.ttl = Some(attributes::value(key, input, "60")?),
            "key" => cache.key = Some(attributes::value(key, input, "\"user:{id}\"")?),
            "tags" => cache.tags = attributes::list(key, input, "\"user:{id}\"")?,
            "invalidate_on" => cache.invalidate_on = attributes::list(key, input, "UserRenamed")?,
            _ => cache.stale_while_revalidate = Some(attributes::value(key, input, "30")?),
        }
        Ok(())
    })?;
    Ok(cache)
}

fn request(message: &Message, given: &Given, idempotent: bool, mistakes: &mut Mistakes) -> TokenStream {
    let (name, word) = (&message.input.ident, message.word);
    if given.reply.is_none() {
        let message = format!(
            "`{name}` does not say what it answers with: add `#[{word}(reply = User)]`, or `reply = ()` for nothing"
        );
        mistakes.add(name.span(), message);
    }
    check::access(&given.permissions, given.public.as_ref(), mistakes);
    given.service.iter().for_each(|it| check::service(it, mistakes));
    given.version.iter().for_each(|it| check::version(it, mistakes));
    let message_type = message.message_type(given.name.as_ref(), mistakes);
    let description = message.description(given.description.as_ref(), mistakes);

    let (reply, permissions, public) = (&given.reply, &given.permissions, given.public.is_some());
    let service = option(given.service.as_ref());
    let version = given.version.as_ref().map_or_else(|| "1.0.0".to_owned(), LitStr::value);
    let kind = Ident::new(message.suffix, proc_macro2::Span::call_site());
    quote! {
        #[automatically_derived]
        impl ::banyan_sdk::protocol::Request for #name {
            type Reply = #reply;
            const KIND: ::banyan_sdk::protocol::Kind = ::banyan_sdk::protocol::Kind::#kind;
            const MESSAGE_TYPE: &'static str = #message_type;
            const SERVICE: ::core::option::Option<&'static str> = #service;
            const PERMISSIONS: &'static [&'static str] = &[#(#permissions),*];
            const PUBLIC: bool = #public;
            const DESCRIPTION: &'static str = #description;
            const VERSION: &'static str = #version;
            const IDEMPOTENT: bool = #idempotent;
        }
    }
}

fn cache(message: &Message, given: &Cache, mistakes: &mut Mistakes) -> TokenStream {
    let ttl = seconds(given.ttl.as_ref(), 1, mistakes);
    let ttl = ttl.map_or_else(|| quote!(::banyan_sdk::protocol::Cache::DEFAULT_TTL), |it| quote!(#it));
    let stale = seconds(given.stale_while_revalidate.as_ref(), 0, mistakes).unwrap_or(0);
    let events: Vec<TokenStream> = given
        .invalidate_on
        .iter()
        .map(|event| match event {
            EventName::Type(path) => quote!(<#path as ::banyan_sdk::protocol::Event>::EVENT_TYPE),
            EventName::Name(name) => {
                check::message_type(&name.value(), name.span(), mistakes);
                quote!(#name)
            }
        })
        .collect();
    let key = given.key.as_ref().and_then(|it| template::expression(it, message, mistakes)).map(|key| {
        quote! {
            fn cache_key(&self) -> ::core::option::Option<::std::string::String> {
                ::core::option::Option::Some(#key)
            }
        }
    });
    let tags: Vec<TokenStream> =
        given.tags.iter().filter_map(|it| template::expression(it, message, mistakes)).collect();
    let tags = (!tags.is_empty()).then(|| {
        quote! {
            fn cache_tags(&self) -> ::std::vec::Vec<::std::string::String> {
                ::std::vec![#(#tags),*]
            }
        }
    });
    quote! {
        const CACHE: ::core::option::Option<::banyan_sdk::protocol::Cache> =
            ::core::option::Option::Some(::banyan_sdk::protocol::Cache {
                ttl: #ttl,
                stale_while_revalidate: #stale,
                invalidate_on: &[#(#events),*],
            });
        #key
        #tags
    }
}

fn seconds(given: Option<&LitInt>, least: u32, mistakes: &mut Mistakes) -> Option<u32> {
    let given = given?;
    let seconds = given.base10_parse::<u32>().ok().filter(|it| *it >= least);
    if seconds.is_none() {
        mistakes.add(given.span(), format!("a whole number of seconds is needed, at least {least}"));
    }
    seconds
}

/// `Some("…")` or `None`.
pub fn option(text: Option<&LitStr>) -> TokenStream {
    text.map_or_else(|| quote!(::core::option::Option::None), |it| quote!(::core::option::Option::Some(#it)))
}
