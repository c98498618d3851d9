//! What handlers cause: stored once, all of it or nothing, and published.

use std::{future::IntoFuture as _, sync::Arc};

use banyan_sdk::{
    Command, Context, Event, Fault, FaultCode, Outcome, Service,
    bus::{Bus, Message, Sending, Target},
    protocol::{Envelope, names},
    schemars::{self, JsonSchema},
    store::{Append, Expected, NewEvent, Once, Outbox, Refusal, Stream, Tx, Until},
    testing::TestService,
};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::support::{Log, envelope, put, soon};

/// Moves money.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = String, public)]
struct Transfer {
    from: String,
    to: String,
    amount: u32,
}

/// Money left an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Event)]
#[event(aggregate = "Account")]
struct Withdrawn {
    id: String,
    amount: u32,
}

/// Money came to an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Event)]
#[event(aggregate = "Account")]
struct Deposited {
    id: String,
    amount: u32,
}

/// An account was looked at.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
struct Noticed {
    by: String,
}

fn transfer(from: &str, to: &str) -> Transfer {
    Transfer { from: from.to_owned(), to: to.to_owned(), amount: 5 }
}

/// Accounts are named by what must be true of them: `new-…` have no events yet.
fn expected(id: &str) -> Expected {
    if id.starts_with("new") { Expected::NoStream } else { Expected::Any }
}

async fn on_transfer(cx: Context<Log>, command: Transfer) -> Result<Outcome<String>, Fault> {
    cx.state.note(&command.from);
    let Transfer { from, to, amount } = command;
    Ok(Outcome::reply(cx.message.id.clone())
        .emit_expecting(expected(&from), Withdrawn { id: from, amount })
        .emit_expecting(expected(&to), Deposited { id: to, amount }))
}

fn bank() -> Service<Log> {
    Service::new("bank", Log::default()).command(on_transfer)
}

async fn types(test: &TestService) -> Vec<String> {
    test.events().await.unwrap().into_iter().map(|it| format!("{} {}", it.event_type, it.stream.aggregate_id)).collect()
}

#[tokio::test]
async fn events_are_stored_and_published_in_their_order() {
    let test = TestService::start(bank()).await.unwrap();
    let id = test.call(transfer("a", "b")).await.unwrap();
    assert_eq!(types(&test).await, ["Withdrawn a", "Deposited b"]);
    let (withdrawn, deposited): (Withdrawn, Deposited) = (test.event().await, test.event().await);
    assert_eq!((withdrawn.amount, deposited.id.as_str()), (5, "b"));
    let stored = test.events().await.unwrap();
    assert!(stored.iter().all(|it| it.service == "bank" && it.causation_id.as_deref() == Some(&id)));
    let order: Vec<_> = test.envelopes().into_iter().filter(|it| it.service_name == "bank").collect();
    let order: Vec<_> = order.iter().filter(|it| !it.message_type.starts_with("Service")).map(|it| &it.id).collect();
    assert_eq!(
        order,
        [&stored[0].id.to_string(), &stored[1].id.to_string()],
        "under the ids that they are stored with"
    );
}

#[tokio::test]
async fn events_of_two_aggregates_stand_or_fall_together() {
    let test = TestService::start(bank()).await.unwrap();
    test.call(transfer("a", "new-b")).await.unwrap();
    let fault = test.call(transfer("c", "new-b")).await.unwrap_err();
    assert_eq!(fault.code, FaultCode::Concurrency);
    assert_eq!(fault.details.unwrap()["aggregateId"], "new-b");
    let fault = test.call(transfer("new-b", "d")).await.unwrap_err();
    assert_eq!(fault.code, FaultCode::Concurrency);
    assert_eq!(types(&test).await, ["Withdrawn a", "Deposited new-b"]);
}

#[tokio::test]
async fn a_guard_holds_wherever_it_stands_among_the_events() {
    async fn late(_: Context<()>, command: Transfer) -> Result<Outcome<String>, Fault> {
        let Transfer { from: id, to, amount } = command;
        let outcome = Outcome::reply(String::new()).emit(Withdrawn { id: id.clone(), amount });
        let outcome = outcome.emit_expecting(Expected::Version(2), Deposited { id: id.clone(), amount });
        Ok(if to == "torn" { outcome.emit_expecting(Expected::NoStream, Deposited { id, amount }) } else { outcome })
    }
    let test = TestService::start(Service::new("bank", ()).command(late)).await.unwrap();
    let fault = test.call(transfer("a", "")).await.unwrap_err();
    assert_eq!(fault.code, FaultCode::Concurrency, "there are no 2 events yet");
    assert_eq!(test.call(transfer("a", "torn")).await.unwrap_err().code, FaultCode::Internal);
    assert!(test.events().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_command_that_is_delivered_again_causes_its_events_once() {
    let test = TestService::start(bank()).await.unwrap();
    let queue = "service.bank.commands.Transfer";
    let body = envelope("twice", "TransferCommand", json!(transfer("a", "b")), json!({}));
    for _ in 0..3 {
        put(&test, queue, &body).await;
    }
    // Handled after them, and told apart from them.
    put(&test, queue, envelope("once", "TransferCommand", json!(transfer("c", "d")), json!({}))).await;
    test.published(|it| (it.message_type == "Deposited" && it.payload.text().contains('d')).then_some(())).await;
    assert!(test.broker().connect().inspect(queue).await.unwrap().unwrap().messages == 0);
    let mut all = types(&test).await;
    all.sort();
    assert_eq!(all, ["Deposited b", "Deposited d", "Withdrawn a", "Withdrawn c"]);
}

#[tokio::test]
async fn a_key_has_a_command_take_effect_once() {
    let test = TestService::start(bank()).await.unwrap();
    let (ann, bob) = (test.user("ann", &[]), test.user("bob", &[]));
    let first = ann.call(transfer("a", "b")).idempotency_key("k").await.unwrap();
    let again = ann.call(transfer("a", "b")).idempotency_key("k").await.unwrap();
    assert_eq!(first, again, "the second call gets the first answer");
    assert_eq!(test.events().await.unwrap().len(), 2);
    let other = bob.call(transfer("a", "b")).idempotency_key("k").await.unwrap();
    assert_ne!(first, other, "another caller's key is another key");
    assert_ne!(ann.call(transfer("a", "b")).idempotency_key("l").await.unwrap(), first);
    assert_eq!(test.events().await.unwrap().len(), 6);
}

/// Creates something, slowly.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = usize, public)]
struct Create {}

#[tokio::test]
async fn calls_with_one_key_at_one_time_get_one_answer() {
    let gate = Arc::new((Semaphore::new(0), Log::default()));
    async fn create(cx: Context<Arc<(Semaphore, Log)>>, _: Create) -> Result<usize, Fault> {
        cx.state.1.note("created");
        cx.state.0.acquire().await.unwrap().forget();
        Ok(cx.state.1.lines().len())
    }
    let test = TestService::start(Service::new("maker", Arc::clone(&gate)).command(create)).await.unwrap();
    let calls = (0..5).map(|_| tokio::spawn(test.call(Create {}).idempotency_key("k").into_future()));
    let calls: Vec<_> = calls.collect();
    gate.1.until(1).await;
    gate.0.add_permits(5);
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), 1);
    }
    assert_eq!(gate.1.lines(), ["created"]);
}

#[tokio::test]
async fn a_key_whose_command_failed_may_be_used_again() {
    async fn create(cx: Context<Log>, _: Create) -> Result<usize, Fault> {
        cx.state.note("try");
        match cx.state.lines().len() {
            1 => Err(Fault::rule("not the first time")),
            2 => panic!("nor the second"),
            tries => Ok(tries),
        }
    }
    let test = TestService::start(Service::new("maker", Log::default()).command(create)).await.unwrap();
    let create = || test.call(Create {}).idempotency_key("k");
    assert_eq!(create().await.unwrap_err().code, FaultCode::BusinessRule);
    assert_eq!(create().await.map_err(|fault| fault.code), Err(FaultCode::Internal));
    assert_eq!(create().await.unwrap(), 3);
    assert_eq!(create().await.unwrap(), 3);
}

/// Takes an address that nobody else may have.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = (), public)]
struct Register {
    email: String,
}

#[tokio::test]
async fn what_goes_with_the_events_decides_with_them() {
    fn refuse<'a>(_: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async { Err(Fault::conflict("this address belongs to somebody").into()) })
    }
    async fn register(cx: Context<()>, command: Register) -> Result<Outcome<()>, Fault> {
        let email = command.email;
        let unique = Once { scope: "emails".to_owned(), key: email.clone() };
        Ok(match email.as_str() {
            "nothing" => Outcome::done().with(unique),
            "refused" => Outcome::done().emit(Noticed { by: email }).with(refuse),
            _ => Outcome::done().emit(Noticed { by: cx.message.id.clone() }).with(unique),
        })
    }
    let test = TestService::start(Service::new("people", ()).command(register)).await.unwrap();
    let register = |email: &str| test.call(Register { email: email.to_owned() });
    register("a@b").await.unwrap();
    assert_eq!(register("a@b").await.unwrap_err().code, FaultCode::ResourceConflict);
    register("c@d").await.unwrap();
    let fault = register("refused").await.unwrap_err();
    assert_eq!(fault.to_string(), Fault::conflict("this address belongs to somebody").to_string());
    assert_eq!(register("nothing").await.unwrap_err().code, FaultCode::Internal, "it would have been left out");
    let stored = test.events().await.unwrap();
    assert_eq!(stored.len(), 2);
    assert!(stored.iter().all(|it| it.stream.aggregate_type == "people"), "events of no aggregate have a stream");
}

/// Sends an event as another service would, possibly a second time under the same id.
async fn send(test: &TestService, id: &str, event: &impl Event, event_type: &str) {
    let body = envelope(id, event_type, json!(event), json!({ "deadline": "2020-01-01T00:00:00.000Z" }));
    let target = Target::event(names::event_key(&crate::support::service("other-service"), event_type));
    let message = Message::durable(id, body.to_string());
    test.broker().connect().send(&target, message, Sending::confirmed(soon()).optional()).await.unwrap();
}

#[tokio::test]
async fn each_handler_of_an_event_handles_it_once_and_has_events_of_its_own() {
    async fn by_name(cx: Context<Arc<Log>>, _: Deposited) -> Result<Outcome<()>, Fault> {
        cx.state.note("name");
        Ok(Outcome::done().emit(Noticed { by: "name".to_owned() }))
    }
    let log = Arc::new(Log::default());
    let notice = |by: &'static str| {
        move |cx: Context<Arc<Log>>, _: Deposited| async move {
            cx.state.note(by);
            Ok::<_, Fault>(Outcome::done().emit(Noticed { by: by.to_owned() }))
        }
    };
    let service = Service::new("ears", Arc::clone(&log)).event(by_name).event(notice("one")).event(notice("two"));
    let test = TestService::start(service).await.unwrap();
    let deposited = Deposited { id: "a".to_owned(), amount: 1 };
    for id in ["m1", "m1", "m2", "m1"] {
        send(&test, id, &deposited, "Deposited").await;
    }
    let mut heard = log.until(6).await;
    send(&test, "m3", &deposited, "Deposited").await;
    heard.extend(log.until(9).await.into_iter().skip(6));
    for by in ["name", "one", "two"] {
        assert_eq!(heard.iter().filter(|it| *it == by).count(), 3, "{by} in {heard:?}");
    }
    let all = |it: &Envelope| it.message_type == "Noticed" && it.metadata.causation_id.as_deref() == Some("m3");
    test.published(|it| (all(it) && it.payload.text().contains("two")).then_some(())).await;
    assert_eq!(log.lines().len(), 9);
    let mut noticed: Vec<_> = test.events().await.unwrap().iter().map(|it| it.data.as_str().to_owned()).collect();
    noticed.sort();
    noticed.dedup_by_key(|it| it.clone());
    assert_eq!(noticed.len(), 3);
    assert_eq!(test.events().await.unwrap().len(), 9);
}

#[tokio::test]
async fn services_on_one_store_do_not_take_each_others_events_for_their_own() {
    async fn notice(cx: Context<()>, _: Deposited) -> Result<Outcome<()>, Fault> {
        Ok(Outcome::done().emit(Noticed { by: cx.service().to_string() }))
    }
    let test = TestService::start(Service::new("first", ()).event(notice)).await.unwrap();
    let platform = banyan_sdk::Platform::new(test.broker().connect()).with_store(test.store().clone());
    let _second = Service::new("second", ()).event(notice).start(platform).await.unwrap();
    send(&test, "m1", &Deposited { id: "a".to_owned(), amount: 1 }, "Deposited").await;
    for service in ["first", "second"] {
        test.published(|it| (it.message_type == "Noticed" && it.service_name == service).then_some(())).await;
    }
    assert_eq!(test.events().await.unwrap().len(), 2);
}

#[tokio::test]
async fn events_of_one_name_reach_the_handler_of_their_publisher() {
    /// The same name, from elsewhere.
    #[derive(Serialize, Deserialize, JsonSchema, Event)]
    #[event(name = "Deposited", service = "other-service")]
    struct DepositedElsewhere {
        amount: u32,
    }
    /// The same name, from a bank.
    #[derive(Serialize, Deserialize, JsonSchema, Event)]
    #[event(name = "Deposited", service = "bank")]
    struct DepositedInBank {
        iban: String,
    }
    let elsewhere = |cx: Context<Arc<Log>>, event: DepositedElsewhere| async move {
        cx.state.note(format!("elsewhere {}", event.amount));
        Ok::<_, Fault>(())
    };
    let in_bank = |cx: Context<Arc<Log>>, event: DepositedInBank| async move {
        cx.state.note(format!("bank {}", event.iban));
        Ok::<_, Fault>(())
    };
    let log = Arc::new(Log::default());
    let service = Service::new("ears", Arc::clone(&log)).event(in_bank).event(elsewhere);
    let test = TestService::start(service).await.unwrap();
    send(&test, "m1", &DepositedElsewhere { amount: 3 }, "Deposited").await;
    test.publish(&DepositedInBank { iban: "X".to_owned() }).await.unwrap();
    let mut heard = log.until(2).await;
    heard.sort();
    assert_eq!(heard, ["bank X", "elsewhere 3"]);
}

#[tokio::test]
async fn what_cannot_be_published_is_not_stored() {
    async fn notice(_: Context<()>, command: Register) -> Result<Outcome<()>, Fault> {
        let size = command.email.parse().map_err(|_| Fault::validation("a number"))?;
        Ok(Outcome::done().emit(Noticed { by: "x".repeat(size) }))
    }
    let test = TestService::start(Service::new("people", ()).command(notice)).await.unwrap();
    let register = |size: usize| test.call(Register { email: size.to_string() });
    assert_eq!(register(10 * 1024 * 1024 - 100).await.unwrap_err().code, FaultCode::MessageTooLarge);
    assert!(test.events().await.unwrap().is_empty());
    register(9_000_000).await.unwrap();
    let noticed: Noticed = test.event().await;
    assert_eq!(noticed.by.len(), 9_000_000);
}

/// What another writer stored, or an older version, may be more than a message can be.
#[tokio::test]
async fn an_event_that_can_never_be_published_is_put_aside_and_the_rest_go_on() {
    let test = TestService::start(bank()).await.unwrap();
    let store = |number: u32, size: usize| {
        let event = NewEvent::new("Swollen", json!({ "number": number, "padding": "x".repeat(size) }).into());
        test.store().append(Append::new("bank", Stream::new("Odd", "o"), Expected::Any, vec![event]))
    };
    for (number, size) in [(1, 0), (2, 11_000_000), (3, 0)] {
        store(number, size).await.unwrap();
    }
    let numbers = |it: &Envelope| it.payload.read::<serde_json::Value>().ok()?["number"].as_u64();
    test.published(|it| (it.message_type == "Swollen" && numbers(it) == Some(3)).then_some(())).await;
    let published: Vec<_> =
        test.envelopes().iter().filter(|it| it.message_type == "Swollen").filter_map(numbers).collect();
    assert_eq!(published, [1, 3]);
    let refused = Outbox::new(test.store().clone(), "bank").refused().await.unwrap();
    let [(position, reason)] = &refused[..] else { panic!("{refused:?}") };
    assert!(position.0 == 2 && reason.contains("too large"), "{refused:?}");
    let counted = format!("outbox_refused_events_total{{service=\"bank\"}} {}", refused.len());
    assert!(test.metrics().text().contains(&counted), "{}", test.metrics().text());
}

/// Handlers have names of their own, so that their order means nothing to what is remembered.
#[tokio::test]
async fn handlers_that_change_places_do_nothing_again() {
    let log = Arc::new(Log::default());
    let notice = |by: &'static str| {
        move |cx: Context<Arc<Log>>, _: Deposited| async move {
            cx.state.note(by);
            Ok::<_, Fault>(())
        }
    };
    let service = || Service::new("ears", Arc::clone(&log));
    let test =
        TestService::start(service().event_as("one", notice("one")).event_as("two", notice("two"))).await.unwrap();
    let deposited = Deposited { id: "a".to_owned(), amount: 1 };
    send(&test, "m1", &deposited, "Deposited").await;
    log.until(2).await;
    let (broker, store) = (test.broker().clone(), test.store().clone());
    assert!(test.stop().await);

    let platform = banyan_sdk::Platform::new(broker.connect()).with_store(store);
    let changed =
        service().event_as("two", notice("two")).event_as("three", notice("three")).event_as("one", notice("one"));
    let running = changed.start(platform).await.unwrap();
    let listener = TestService::start_on(&broker, Service::new("listener", ())).await.unwrap();
    for id in ["m1", "m2"] {
        send(&listener, id, &deposited, "Deposited").await;
    }
    let mut heard = log.until(6).await.split_off(2);
    heard.sort();
    assert_eq!(heard, ["one", "three", "three", "two"]);
    assert!(running.stop(crate::support::PATIENCE).await);
    let twice = service().event_as("one", notice("one")).event_as("one", notice("two"));
    let error = twice.start(banyan_sdk::Platform::in_memory()).await.err().unwrap();
    assert!(error.to_string().contains("`Deposited one` names two handlers"), "{error}");
}

#[tokio::test]
async fn without_a_store_events_are_published() {
    let test = TestService::start(Service::new("listener", ())).await.unwrap();
    let platform = banyan_sdk::Platform::new(test.broker().connect());
    let running = bank().start(platform).await.unwrap();
    test.anonymous().call(transfer("a", "b")).to("bank").await.unwrap();
    let withdrawn: Withdrawn = test.event().await;
    assert_eq!(withdrawn, Withdrawn { id: "a".to_owned(), amount: 5 });
    assert!(running.stop(crate::support::PATIENCE).await);
}

#[tokio::test]
async fn an_aggregate_is_what_its_stream_tells() {
    let test = TestService::start(bank()).await.unwrap();
    for _ in 0..3 {
        test.call(transfer("a", "b")).await.unwrap();
    }
    let stream = Stream::new("Account", "b");
    let versions: Vec<_> =
        test.store().load(&stream, 1, Until::Now).await.unwrap().iter().map(|it| it.version).collect();
    assert_eq!(versions, [1, 2, 3]);
}
