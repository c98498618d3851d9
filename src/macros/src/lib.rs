//! The derives `Command`, `Query` and `Event` of `banyan-sdk`: a struct becomes a message with a contract.
//!
//! ```text
//! /// Makes a user.                                        ── the contract's description
//! #[derive(Serialize, Deserialize, JsonSchema, Command)]
//! #[command(reply = User, permissions = ["users:create"])]
//! struct CreateUser { email: String, name: String }        ── CreateUserCommand
//! ```
//!
//! Every mistake is a compile error at the place of the mistake that says what to write instead.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod attributes;
mod check;
mod event;
mod message;
mod request;
mod suggest;
mod template;

#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Makes a struct a command: `Request` and `Command` of `banyan_sdk::protocol`.
///
/// | key of `#[command(…)]` | means | without it |
/// |---|---|---|
/// | `reply = User` | the answer's type; `()` for nothing | an error |
/// | `permissions = ["users:create"]` | what the caller must hold, all of it | any authenticated caller |
/// | `public` | anonymous callers may send it | they may not |
/// | `service = "user-service"` | who handles it | the service that it is registered with |
/// | `name = "CreateUser"` | what it is called on the wire | the struct's name, ending in `Command` |
/// | `description = "…"` | what it does | the doc comment, or the name in words |
/// | `version = "1.2.0"` | the contract's version | `1.0.0` |
/// | `idempotent` | it may be handled twice without harm | it is retried only with an idempotency key |
#[proc_macro_derive(Command, attributes(command))]
pub fn derive_command(input: TokenStream) -> TokenStream {
    finish(request::command(input.into()))
}

/// Makes a struct a query: `Request` and `Query` of `banyan_sdk::protocol`.
///
/// The keys of `#[query(…)]` are those of `#[command(…)]` without `idempotent`, since a query always is, and `cache`:
///
/// | key of `cache(…)` | means | without it |
/// |---|---|---|
/// | `ttl = 60` | how long an answer is fresh, in seconds | 300 |
/// | `key = "user:{id}"` | what it is kept under, with fields of the struct | the whole payload decides |
/// | `tags = ["user:{id}"]` | what it is about, to be forgotten by tag | no tags |
/// | `invalidate_on = [UserRenamed, "UserDeleted"]` | events (types or names) after which it is forgotten | none |
/// | `stale_while_revalidate = 30` | how much longer it is given while a fresh one is fetched, in seconds | 0 |
#[proc_macro_derive(Query, attributes(query))]
pub fn derive_query(input: TokenStream) -> TokenStream {
    finish(request::query(input.into()))
}

/// Makes a struct an event: `Event` of `banyan_sdk::protocol`.
///
/// | key of `#[event(…)]` | means | without it |
/// |---|---|---|
/// | `aggregate = "User"` | what it happened to | it is part of the story of the message that caused it |
/// | `id = "user_id"` | the field with the aggregate's id | the field `id` |
/// | `version = 2` | the version of its schema | 1 |
/// | `permissions = ["users:read"]` | what somebody outside must hold to be told of it, all of it | any authenticated caller |
/// | `public` | anonymous callers may be told of it | they may not |
/// | `service = "user-service"` | who publishes it | anybody |
/// | `name = "UserCreated"` | what it is called on the wire and in the store | the struct's name without `Event` at its end |
/// | `description = "…"` | what happened | the doc comment, or the name in words |
#[proc_macro_derive(Event, attributes(event))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    finish(event::event(input.into()))
}

fn finish(result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    result.unwrap_or_else(|error| error.to_compile_error()).into()
}
