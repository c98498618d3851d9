//! From start to stop: mistakes at start-up, what discovery hears, health questions, and how a service ends.

use std::{collections::BTreeSet, future::IntoFuture as _, sync::Arc, time::Duration};

use banyan_sdk::{
    Client, Command, Context, Error, Event, Fault, FaultCode, Flow, Outcome, Published, Query, Service,
    bus::memory::{MemoryBroker, SystemClock},
    ids,
    protocol::{
        Kind, Payload, Request, contract,
        discovery::{
            HealthCheckRequest, HealthCheckResponse, HealthStatus, ServiceContractsRegistered, ServiceDeregistered,
        },
    },
    schemars::{self, JsonSchema},
    testing::TestService,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::support::{Log, PATIENCE, service};

/// Does something.
#[derive(Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = (), permissions = ["things:do"])]
struct DoIt {}

/// The same in other letters.
#[derive(Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = (), name = "DOIT")]
struct DoItLoudly {}

/// Needs what is no permission; the derive would not have it.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Odd {}

impl Request for Odd {
    type Reply = ();
    const KIND: Kind = Kind::Command;
    const MESSAGE_TYPE: &'static str = "OddCommand";
    const SERVICE: Option<&'static str> = None;
    const PERMISSIONS: &'static [&'static str] = &["Everything"];
    const PUBLIC: bool = false;
    const DESCRIPTION: &'static str = "needs what is no permission";
    const VERSION: &'static str = "1.0.0";
    const IDEMPOTENT: bool = false;
}

impl Command for Odd {}

/// Asks something.
#[derive(Serialize, Deserialize, JsonSchema, Query)]
#[query(reply = u32, public)]
struct Ask {}

/// Something was done.
#[derive(Clone, Serialize, Deserialize, JsonSchema, Event)]
#[event(service = "worker")]
struct Done {
    number: u32,
}

async fn do_it(_: Context<()>, _: DoIt) -> Result<(), Fault> {
    Ok(())
}
async fn do_it_too(_: Context<()>, _: DoIt) -> Result<(), Fault> {
    Ok(())
}
async fn do_it_loudly(_: Context<()>, _: DoItLoudly) -> Result<(), Fault> {
    Ok(())
}
async fn ask(_: Context<()>, _: Ask) -> Result<u32, Fault> {
    Ok(1)
}

async fn mistakes(service: Service<()>) -> Vec<String> {
    match TestService::start(service).await.err() {
        Some(Error::Service { mistakes, .. }) => mistakes,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_second_handler_is_a_mistake_that_names_both() {
    let found = mistakes(Service::new("worker", ()).command(do_it).command(do_it_too)).await;
    assert!(found[0].contains("life::do_it ") || found[0].contains("life::do_it and"), "{found:?}");
    assert!(found[0].contains("life::do_it_too") && found[0].contains("DoItCommand"), "{found:?}");
    let found = mistakes(Service::new("worker", ()).command(do_it).command(do_it_loudly)).await;
    assert!(found[0].contains("do_it_loudly"), "one queue in other letters: {found:?}");
}

#[tokio::test]
async fn all_mistakes_are_told_together() {
    let policy = |_: Context<()>, _: Ask| async { Ok(true) };
    let service = Service::new("Not A Name", ()).command(do_it).command(do_it_too);
    let found = mistakes(service.policy("p", policy).prefetch::<Ask>(5)).await;
    assert_eq!(found.len(), 4, "{found:#?}");
    for (mistake, words) in found.iter().zip(["two handlers", "policy `p`", "prefetch", "`Not A Name`"]) {
        assert!(mistake.contains(words), "{mistake} / {words}");
    }
    let error = TestService::start(Service::new("Not A Name", ())).await.err().unwrap();
    assert!(error.to_string().starts_with("cannot run the service `Not A Name`:\n  "), "{error}");
}

#[tokio::test]
async fn a_permission_that_is_none_is_a_mistake() {
    let odd = |_: Context<()>, _: Odd| async { Ok::<_, Fault>(()) };
    let found = mistakes(Service::new("worker", ()).command(odd)).await;
    assert!(found.iter().any(|it| it.contains("ermission")), "{found:?}");
}

#[tokio::test]
async fn discovery_hears_what_a_service_offers_and_when_it_goes() {
    let service = Service::new("worker", ()).version("2.1.0").command(do_it).query(ask).publishes::<Done>();
    let test = TestService::start(service).await.unwrap();
    let sent: Payload =
        test.published(|it| (it.message_type == "ServiceContractsRegistered").then(|| it.payload.clone())).await;
    assert!(ServiceContractsRegistered::is_intact(&sent));
    let registered: ServiceContractsRegistered = sent.read().unwrap();
    assert_eq!((registered.service_name.as_str(), registered.version.as_str()), ("worker", "2.1.0"));
    assert!(registered.service_id.starts_with("worker-v2-"), "{}", registered.service_id);
    let mut offered: Vec<_> = registered.contracts.iter().map(|it| it.message_type.as_str()).collect();
    offered.sort_unstable();
    assert_eq!(offered, ["AskQuery", "DoItCommand", "Done"]);
    assert_eq!(registered.checksum, Some(contract::checksum(&registered.contracts)));
    let command = registered.contracts.iter().find(|it| it.message_type == "DoItCommand").unwrap();
    assert_eq!(command.required_permissions, ["things:do"]);
    assert_eq!(command.target_service.as_str(), "worker");

    let listener = TestService::start_on(&test.broker().clone(), Service::new("listener", ())).await.unwrap();
    assert!(test.stop().await);
    let gone: ServiceDeregistered = listener.event().await;
    assert_eq!((gone.service_id, gone.reason), (registered.service_id, "shutdown".to_owned()));
}

#[tokio::test]
async fn questions_about_its_health_are_answered_by_every_instance() {
    let broker = MemoryBroker::new(SystemClock);
    let listener = TestService::start_on(&broker, Service::new("listener", ())).await.unwrap();
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let question = |service: &str, timestamp| HealthCheckRequest { service_name: service.to_owned(), timestamp };
    listener.publish(&question("worker", now)).await.unwrap();
    let one = TestService::start_on(&broker, Service::new("worker", ())).await.unwrap();
    let other = TestService::start_on(&broker, Service::new("worker", ())).await.unwrap();
    // They listen before they say that they are there.
    let registered = |test: &TestService| {
        let mut there = BTreeSet::new();
        for envelope in test.envelopes().iter().filter(|it| it.message_type == "ServiceContractsRegistered") {
            let it: ServiceContractsRegistered = envelope.payload.read().unwrap();
            there.extend((it.service_name == "worker").then_some(it.service_id));
        }
        there
    };
    let began = std::time::Instant::now();
    while registered(&listener).len() < 2 {
        assert!(began.elapsed() < PATIENCE, "they do not say that they are there");
        tokio::task::yield_now().await;
    }
    listener.publish(&question("another", now)).await.unwrap();
    // Whoever asks may have another clock.
    listener.publish(&question("worker", now - 3_600_000)).await.unwrap();
    let answers = |test: &TestService| -> Vec<(String, HealthCheckResponse)> {
        let all = test.envelopes();
        let answers = all.iter().filter(|it| it.message_type == "HealthCheckResponse");
        answers.map(|it| (it.correlation_id.clone(), it.payload.read().unwrap())).collect()
    };
    while answers(&listener).len() < 2 {
        assert!(began.elapsed() < PATIENCE, "{:?}", answers(&listener));
        tokio::task::yield_now().await;
    }
    let asked = listener.envelopes().iter().rfind(|it| it.message_type == "HealthCheckRequest").unwrap().clone();
    let all = answers(&listener);
    for (correlation_id, answer) in &all {
        assert_eq!((answer.service_name.as_str(), answer.status), ("worker", HealthStatus::Healthy));
        assert!(answer.timestamp >= now);
        assert_eq!(*correlation_id, asked.correlation_id, "it names its question");
    }
    let instances: BTreeSet<_> = all.iter().filter_map(|(_, it)| it.service_id.clone()).collect();
    assert_eq!(instances, registered(&listener));
    assert!(one.stop().await && other.stop().await);
    assert_eq!(answers(&listener).len(), 2, "what was asked before they came and those to others are left alone");
}

#[tokio::test]
async fn whoever_is_taken_for_gone_registers_anew() {
    let test = TestService::start(Service::new("worker", ())).await.unwrap();
    let registered = || test.envelopes().iter().filter(|it| it.message_type == "ServiceContractsRegistered").count();
    let first: ServiceContractsRegistered = test.event().await;
    let gone = |service_id: &str| {
        let reason = "did not answer".to_owned();
        let (service_name, service_id) = ("worker".to_owned(), service_id.to_owned());
        ServiceDeregistered { service_name, service_id, reason, timestamp: first.timestamp }
    };
    let discovery = Client::new(service("service-discovery"), Arc::new(test.broker().connect()));
    let publish = async |event: &ServiceDeregistered| {
        let payload = Payload::of(event).unwrap();
        let (id, event_type) = (ids::event().to_string(), ServiceDeregistered::EVENT_TYPE.to_owned());
        discovery.publish(Published { id, event_type, version: 1, payload }, &Flow::begin(ids::random)).await.unwrap();
    };
    // By itself it would after 1 s and after 3 s.
    publish(&gone("another")).await;
    let began = std::time::Instant::now();
    for expected in [2, 3] {
        publish(&gone(&first.service_id)).await;
        while registered() < expected {
            assert!(began.elapsed() < Duration::from_millis(2_500), "{} times", registered());
            tokio::task::yield_now().await;
        }
    }
}

struct Gate {
    open: Semaphore,
    log: Log,
}

/// Works until it is let go.
#[derive(Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = u32, public)]
struct Work {
    number: u32,
}

async fn work(cx: Context<Arc<Gate>>, command: Work) -> Result<Outcome<u32>, Fault> {
    cx.state.log.note(format!("began {}", command.number));
    cx.state.open.acquire().await.unwrap().forget();
    Ok(Outcome::reply(command.number).emit(Done { number: command.number }))
}

#[tokio::test]
async fn what_was_begun_is_finished_and_published_and_the_rest_is_left_to_others() {
    let gate = Arc::new(Gate { open: Semaphore::new(0), log: Log::default() });
    let service = || Service::new("worker", Arc::clone(&gate)).command(work).prefetch::<Work>(1);
    let test = TestService::start(service()).await.unwrap();
    let listener = TestService::start_on(&test.broker().clone(), Service::new("listener", ())).await.unwrap();
    let call = |number| tokio::spawn(listener.anonymous().call(Work { number }).to("worker").into_future());
    let first = call(1);
    gate.log.until(1).await;
    let second = call(2);
    let stopping = tokio::spawn(test.stop());
    let third = call(3);
    gate.open.add_permits(1);
    assert_eq!(first.await.unwrap().unwrap(), 1, "its answer still arrives");
    assert!(stopping.await.unwrap(), "and it ends in time");
    let done: Done = listener.event().await;
    assert_eq!(done.number, 1);
    assert_eq!(gate.log.lines(), ["began 1"], "nothing new was begun");

    let _next = TestService::start_on(listener.broker(), service()).await.unwrap();
    gate.open.add_permits(2);
    assert_eq!((second.await.unwrap().unwrap(), third.await.unwrap().unwrap()), (2, 3));
}

#[tokio::test]
async fn a_handler_that_never_ends_does_not_keep_a_service_from_stopping() {
    let gate = Arc::new(Gate { open: Semaphore::new(0), log: Log::default() });
    let test = TestService::start(Service::new("listener", ())).await.unwrap();
    let platform = banyan_sdk::Platform::on(test.broker());
    let running = Service::new("worker", Arc::clone(&gate)).command(work).start(platform).await.unwrap();
    let call = tokio::spawn(test.anonymous().call(Work { number: 1 }).to("worker").into_future());
    gate.log.until(1).await;
    let finished = tokio::time::timeout(PATIENCE, running.stop(Duration::from_millis(50))).await.unwrap();
    assert!(!finished, "it says so");
    call.abort();
}

#[tokio::test]
async fn a_service_calls_itself_and_is_told_where_others_are() {
    #[derive(Serialize, Deserialize, JsonSchema, Query)]
    #[query(reply = u32, public)]
    /// Asks another one.
    struct AskOther {}
    async fn ask_other(cx: Context<()>, _: AskOther) -> Result<u32, Fault> {
        assert_eq!(cx.call(DoIt {}).await.unwrap_err().code, FaultCode::HandlerNotFound);
        cx.call(Ask {}).await
    }
    let test = TestService::start(Service::new("worker", ()).query(ask).query(ask_other)).await.unwrap();
    assert_eq!(test.call(AskOther {}).await.unwrap(), 1);
}
