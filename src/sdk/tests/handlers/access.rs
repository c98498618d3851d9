//! Who may do what, and what messages must look like: permissions, policies, acting for oneself, validation.

use banyan_sdk::{
    Command, Context, Event, Fault, FaultCode, Query, Service,
    schemars::{self, JsonSchema},
    testing::TestService,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::support::{Log, ask, envelope};

/// Deletes a user.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = String, permissions = ["users:read", "users:delete"])]
struct DeleteUser {
    id: String,
}

/// Anybody who is logged in may ask.
#[derive(Serialize, Deserialize, JsonSchema, Query)]
#[query(reply = String)]
struct WhoAmI {}

/// Anybody may ask.
#[derive(Serialize, Deserialize, JsonSchema, Query)]
#[query(reply = bool, public)]
struct IsKnown {}

async fn delete_user<S>(cx: Context<S>, _: DeleteUser) -> Result<String, Fault> {
    Ok(cx.user()?.user_id.clone())
}

async fn who_am_i(cx: Context<Log>, _: WhoAmI) -> Result<String, Fault> {
    cx.state.note("asked");
    cx.require("users:see-themselves")?;
    Ok(cx.user()?.user_id.clone())
}

async fn is_known(cx: Context<Log>, _: IsKnown) -> Result<bool, Fault> {
    Ok(cx.auth().is_some())
}

#[tokio::test]
async fn permissions_are_checked_before_the_handler() {
    let service = Service::new("users", Log::default()).command(delete_user).query(who_am_i).query(is_known);
    let test = TestService::start(service).await.unwrap();
    let delete = || DeleteUser { id: "u1".to_owned() };
    assert_eq!(test.user("ann", &["users:delete", "users:read"]).call(delete()).await.unwrap(), "ann");
    let fault = test.user("ann", &["users:read"]).call(delete()).await.unwrap_err();
    assert_eq!(fault.code, FaultCode::Authorization);
    assert_eq!(fault.details.unwrap()["missingPermissions"], json!(["users:delete"]));
    let fault = test.user("ann", &["users:*", "*"]).call(delete()).await.unwrap_err();
    assert_eq!(fault.code, FaultCode::Authorization, "nothing stands for anything");
    assert_eq!(test.anonymous().call(delete()).await.unwrap_err().code, FaultCode::Unauthorized);

    assert_eq!(test.anonymous().call(WhoAmI {}).await.unwrap_err().code, FaultCode::Unauthorized);
    assert_eq!(test.user("ann", &[]).call(WhoAmI {}).await.unwrap_err().code, FaultCode::Authorization);
    assert_eq!(test.user("ann", &["users:see-themselves"]).call(WhoAmI {}).await.unwrap(), "ann");
    assert!(!test.anonymous().call(IsKnown {}).await.unwrap());
    assert!(test.user("ann", &[]).call(IsKnown {}).await.unwrap());
}

#[tokio::test]
async fn policies_are_asked_after_the_permissions() {
    async fn not_oneself(cx: Context<()>, command: DeleteUser) -> Result<bool, Fault> {
        Ok(cx.user()?.user_id != command.id)
    }
    async fn not_the_last(_: Context<()>, command: DeleteUser) -> Result<bool, Fault> {
        match command.id.as_str() {
            "last" => Err(Fault::rule("somebody has to stay")),
            "bug" => panic!("a bug in a policy"),
            _ => Ok(true),
        }
    }
    let service = Service::new("users", ())
        .command(delete_user)
        .policy::<DeleteUser, _, _>("not-oneself", not_oneself)
        .policy::<DeleteUser, _, _>("not-the-last", not_the_last);
    let test = TestService::start(service).await.unwrap();
    let ann = test.user("ann", &["users:delete", "users:read"]);
    let code = |id: &str| {
        let call = ann.call(DeleteUser { id: id.to_owned() });
        async move { call.await.map_err(|fault| (fault.code, fault.message)) }
    };
    assert_eq!(code("bob").await.unwrap(), "ann");
    let (refused, message) = code("ann").await.unwrap_err();
    assert_eq!(refused, FaultCode::PolicyViolation);
    assert!(message.contains("not-oneself"), "{message}");
    assert_eq!(code("last").await.unwrap_err(), (FaultCode::BusinessRule, "somebody has to stay".to_owned()));
    assert_eq!(code("bug").await.unwrap_err().0, FaultCode::Internal);
    assert_eq!(code("bob").await.unwrap(), "ann", "the service lives");
    let fault = test.user("ann", &[]).call(DeleteUser { id: "ann".to_owned() }).await.unwrap_err();
    assert_eq!(fault.code, FaultCode::Authorization, "permissions come first");
}

/// Somebody left.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Event)]
#[event(service = "people")]
struct PersonLeft {
    id: String,
}

#[tokio::test]
async fn a_service_acts_for_itself_only_when_it_says_so() {
    async fn on_left(cx: Context<Log>, event: PersonLeft) -> Result<(), Fault> {
        let delete = || DeleteUser { id: event.id.clone() };
        let (asked, own) = (cx.call(delete()).await, cx.on_own_behalf().call(delete()).await);
        cx.state.note(format!("{:?} {own:?}", asked.map_err(|fault| fault.code)));
        Ok(())
    }
    // What a service does for itself comes back to it in events, and in its own name.
    async fn masked(cx: Context<Log>, _: WhoAmI) -> Result<String, Fault> {
        let own = cx.on_own_behalf();
        own.require("users:delete").expect_err("only its calls have permissions");
        cx.call(DeleteUser { id: "x".to_owned() }).await
    }
    let log = std::sync::Arc::new(Log::default());
    let shared = std::sync::Arc::clone(&log);
    let test = TestService::start(Service::new("users", Log::default()).command(delete_user).query(masked).event(
        move |cx: Context<Log>, event: PersonLeft| {
            let log = std::sync::Arc::clone(&shared);
            async move {
                let result = on_left(cx.clone(), event).await;
                log.note(cx.state.lines().join(""));
                result
            }
        },
    ))
    .await
    .unwrap();
    test.publish(&PersonLeft { id: "u1".to_owned() }).await.unwrap();
    assert_eq!(log.until(1).await, [r#"Err(Unauthorized) Ok("service:users")"#]);
    let fault = test.user("service:users", &[]).call(WhoAmI {}).await.unwrap_err();
    assert_eq!(fault.code, FaultCode::Authorization, "a name is no permission");
}

/// Creates a user.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = String, public)]
struct CreateUser {
    #[schemars(length(min = 3))]
    email: String,
    #[schemars(range(min = 18))]
    age: u32,
    addresses: Vec<Address>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Address {
    #[schemars(regex(pattern = r"^\d{5}$"))]
    zip: String,
}

#[tokio::test]
async fn what_does_not_fit_the_schema_is_refused_field_by_field() {
    let create = |cx: Context<Log>, command: CreateUser| async move {
        cx.state.note("created");
        Ok::<_, Fault>(command.email)
    };
    let test = TestService::start(Service::new("users", Log::default()).command(create)).await.unwrap();
    let zips = |zips: &[&str]| zips.iter().map(|zip| Address { zip: (*zip).to_owned() }).collect();
    let good = CreateUser { email: "a@b".to_owned(), age: 18, addresses: zips(&["12345"]) };
    assert_eq!(test.call(good).await.unwrap(), "a@b");

    let secret = "hunter2";
    let bad = CreateUser { email: "a".to_owned(), age: 17, addresses: zips(&["12345", secret]) };
    let fault = test.call(bad).await.unwrap_err();
    assert_eq!(fault.code, FaultCode::Validation);
    let text = serde_json::to_string(&fault).unwrap();
    assert!(!text.contains(secret), "values may be secrets: {text}");
    let details = fault.details.unwrap();
    let mut fields: Vec<_> =
        details["errors"].as_array().unwrap().iter().map(|it| it["field"].as_str().unwrap()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["payload.addresses[1].zip", "payload.age", "payload.email"]);

    let queue = "service.users.commands.CreateUser";
    for (payload, field) in [
        (json!({ "email": "a@b", "addresses": [] }), "payload.age"),
        (json!({ "email": "a@b", "age": "18", "addresses": [] }), "payload.age"),
        (json!({ "email": "a@b", "age": 18, "addresses": [{}] }), "payload.addresses[0].zip"),
        (json!([]), "payload"),
        (json!(null), "payload"),
    ] {
        let answer = ask(&test, queue, envelope("m", "CreateUserCommand", payload, json!({}))).await;
        let error = &answer["payload"]["error"];
        assert_eq!(error["code"], "ValidationError", "{answer}");
        assert_eq!(error["details"]["errors"][0]["field"], field, "{answer}");
        assert!(error["message"].as_str().unwrap().starts_with(&format!("`{field}`: ")), "{answer}");
    }
}
