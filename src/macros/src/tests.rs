//! Mistakes of authors, and what they are told.

use proc_macro2::TokenStream;

use crate::{check, event, request};

type Derive = fn(TokenStream) -> syn::Result<TokenStream>;

/// What the author is told, one line per mistake.
#[track_caller]
fn told(derive: Derive, source: &str) -> Vec<String> {
    let error = derive(source.parse().unwrap()).expect_err(source);
    error.into_iter().map(|it| it.to_string()).collect()
}

/// The source text that the first mistake is reported at.
fn place(derive: Derive, source: &str) -> String {
    derive(source.parse().unwrap()).unwrap_err().span().source_text().unwrap_or_default()
}

#[test]
fn what_a_command_must_say() {
    let told = |source| told(request::command, source);
    assert_eq!(
        told("struct CreateUser { name: String }"),
        ["`CreateUser` does not say what it answers with: add `#[command(reply = User)]`, or `reply = ()` for nothing"]
    );
    assert_eq!(
        told("#[command(replay = User)] struct A {}")[0],
        "`command` has no key `replay`; did you mean `reply`?"
    );
    assert_eq!(
        told("#[command(reply = User, cache(ttl = 1))] struct A {}")[0],
        "`command` has no key `cache`; known keys: reply, service, permissions, public, description, version, name, \
         idempotent"
    );
    assert_eq!(told("#[command(reply = User, reply = Other)] struct A {}")[0], "`reply` is given twice; keep one");
    assert_eq!(told("#[command(reply)] struct A {}")[0], "`reply` needs a value: `reply = User`");
    assert_eq!(
        told("#[command(reply = (), public = true)] struct A {}"),
        ["`public` takes no value: write `public`, or leave it out"]
    );
    assert_eq!(
        told("#[command(reply = (), description = \" \")] struct A {}"),
        ["`description` is empty; say what it does, or leave it out"]
    );
    assert_eq!(told("#[command(reply = (), version = \"1\")] struct A {}"), ["`1` is not a version such as `1.0.0`"]);
    assert!(told("#[command(reply = (), service = \"Users\")] struct A {}")[0].starts_with("`Users` is not a service"));
    assert!(told("#[command(reply = (), name = \"a b\")] struct A {}")[0].starts_with("`a bCommand` cannot be the"));
}

#[test]
fn permissions_are_repaired_where_that_is_possible() {
    let told = |source| told(request::command, source);
    assert_eq!(
        told("#[command(reply = (), permissions = [\"a:b\", \"Users.create_all\"])] struct A {}"),
        ["`Users.create_all` is not a permission such as `users:create`: lower-case letters, digits and hyphens on \
          both sides of one colon, each side starting with a letter; did you mean `users:create-all`?"]
    );
    assert!(!told("#[command(reply = (), permissions = [\"users:*\"])] struct A {}")[0].contains("did you mean"));
    assert_eq!(
        told("#[command(reply = (), permissions = \"a:b\")] struct A {}"),
        ["`permissions` needs a list: `permissions = [\"users:create\"]`"]
    );
    assert_eq!(
        told("#[command(reply = (), public, permissions = [\"a:b\"])] struct A {}"),
        ["anonymous callers hold no permissions: leave out either `public` or `permissions`"]
    );
}

#[test]
fn only_structs_with_named_fields_are_messages() {
    for source in ["struct A;", "struct A(u8);", "enum A { B }", "union A { b: u8 }"] {
        assert!(told(request::command, source)[0].starts_with("a command is a struct with named fields"), "{source}");
        assert!(told(event::event, source)[0].starts_with("an event is a struct with named fields"), "{source}");
    }
    assert!(told(request::query, "struct A<'a> { b: &'a str }")[0].starts_with("a query cannot be generic"));
}

#[test]
fn mistakes_are_told_together_and_in_their_place() {
    let source = "#[command(permissions = [\"x\", \"y\"], version = \"z\")] struct A {}";
    assert_eq!(told(request::command, source).len(), 4);
    assert_eq!(place(request::command, "#[command(reply = (), permissions = [\"x\"])] struct A {}"), "\"x\"");
    assert_eq!(place(request::command, "#[command(reply = (), pubic)] struct A {}"), "pubic");
    assert_eq!(place(request::command, "struct Lonely {}"), "Lonely");
    assert_eq!(place(event::event, "#[event(aggregate = \"A\", id = \"ie\")] struct A { id: u8 }"), "\"ie\"");
}

#[test]
fn what_a_query_may_say_about_its_cache() {
    let told = |cache: &str| {
        told(request::query, &format!("#[query(reply = User, cache{cache})] struct GetUser {{ user_id: u64 }}"))
    };
    assert_eq!(told("(tll = 5)"), ["`cache` has no key `tll`; did you mean `ttl`?"]);
    assert_eq!(told("(ttl = 0)"), ["a whole number of seconds is needed, at least 1"]);
    assert_eq!(told("(ttl = \"5\")"), ["`ttl` needs a value: `ttl = 60`"]);
    assert_eq!(told("(key = \"user:{id}\")"), ["`GetUser` has no field `id`; its fields: user_id"]);
    assert_eq!(told("(key = \"user:{user_ad}\")"), ["`GetUser` has no field `user_ad`; did you mean `user_id`?"]);
    assert_eq!(told("(key = \"user:{user_id\")"), ["a brace without its partner; fields are written `{id}`"]);
    assert_eq!(told("(tags = [\"\"])"), ["this is empty; write something such as `user:{id}`"]);
    assert_eq!(
        told("(invalidate_on = UserRenamed)"),
        ["`invalidate_on` needs a list: `invalidate_on = [UserRenamed]`"]
    );
    assert_eq!(told(" = 5"), ["write `cache`, or `cache(ttl = 60, key = \"user:{id}\")`"]);
}

#[test]
fn what_an_event_must_say() {
    let told = |source| told(event::event, source);
    assert_eq!(
        told("#[event(aggregate = \"User\")] struct A { user_id: u64 }"),
        ["`A` has no field `id`; say which field names the aggregate, with `id = \"user_id\"`"]
    );
    assert_eq!(
        told("#[event(aggregate = \"User\", id = \"user\")] struct A { user_id: u64 }"),
        ["`A` has no field `user`; did you mean `user_id`?"]
    );
    assert_eq!(
        told("#[event(id = \"user_id\")] struct A { user_id: u64 }"),
        ["`id` says which aggregate it happened to: say also what that is, with `aggregate = \"User\"`"]
    );
    assert_eq!(told("#[event(version = 0)] struct A {}"), ["the version of an event is a whole number from 1"]);
    assert_eq!(
        told("#[event(agregate = \"User\")] struct A {}"),
        ["`event` has no key `agregate`; did you mean `aggregate`?"]
    );
    assert_eq!(
        told("#[event(public, permissions = [\"users:read\"])] struct A {}"),
        ["anonymous callers hold no permissions: leave out either `public` or `permissions`"]
    );
    assert!(told("#[event(permissions = [\"Users.read\"])] struct A {}")[0].contains("did you mean `users:read`?"));
}

#[test]
fn the_rules_are_those_of_the_protocol() {
    use banyan_protocol::{names, permission};
    let letters = ["a", "Z", "3", "-", "_", ".", ":", "*", " ", "ä", ""];
    for a in letters {
        for b in letters {
            for c in letters {
                for text in [format!("{a}{b}{c}"), format!("x{a}:y{b}{c}")] {
                    assert_eq!(check::is_permission(&text), permission::is_permission(&text), "{text}");
                    assert_eq!(check::is_service(&text), names::is_service_name(&text), "{text}");
                    assert_eq!(check::is_message_type(&text), names::is_message_type(&text), "{text}");
                }
            }
        }
    }
    for length in [62, 63, 64, 99, 100, 101] {
        let text = "a".repeat(length);
        assert_eq!(check::is_service(&text), names::is_service_name(&text), "{length}");
        assert_eq!(check::is_message_type(&text), names::is_message_type(&text), "{length}");
    }
}
