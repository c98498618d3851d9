//! F8, F13 and F14, as the service's surroundings see them: what `/health` and `/metrics` say while the broker takes no
//! messages or has another queue than it should, while a transaction is in the way, and while the database can only be read; and that all of it is over by
//! itself.

use std::time::Duration;

use banyan_sdk::{
    FaultCode,
    bus::{
        Bus, Queue, Topology,
        rabbit::{RabbitBus, RabbitOptions},
    },
    config::Endpoint,
    protocol::names::{self, ServiceName},
    store::{Append, EventStore, Expected, NewEvent, Options, Stream},
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use crate::{
    World,
    broker::Broker,
    history::Tally,
    proxy::{Fault, Proxy},
    service::PlaceOrder,
    stage::{Instance, Stage},
    until,
};

/// Waits for a status of `/health` with these words in its body; how long it took.
async fn health(instance: &Instance, status: u16, words: &[&str]) -> Duration {
    let began = std::time::Instant::now();
    let what = format!("/health is {status} and says {words:?}");
    until(&what, async || {
        let (found, body) = instance.get("/health").await?;
        (found == status && words.iter().all(|word| body.contains(word))).then_some(())
    })
    .await;
    began.elapsed()
}

async fn metric(instance: &Instance, name: &str) -> Option<f64> {
    let (_, text) = instance.get("/metrics").await?;
    text.lines().find(|line| line.starts_with(&format!("{name}{{")))?.rsplit_once(' ')?.1.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_takes_no_messages_is_told_on_health() {
    let (broker, stage) = (Broker::start().await, Stage::set().await);
    broker.block().await;
    // It says hello, and the broker stops it.
    let instance = Instance::start_with(&stage, &[("RABBITMQ_URL", &broker.url())]);
    let told = health(&instance, 503, &["takes no messages", "\"rabbitmq\""]).await;
    broker.unblock().await;
    let over = health(&instance, 200, &["\"status\":\"healthy\""]).await;
    println!("blocked: told after {told:?}; over after {over:?}");
}

async fn delete(broker: &Broker, queue: &str) {
    let name = format!("rabbit_misc:r(<<\"/\">>, queue, <<\"{queue}\">>)");
    let delete = "rabbit_amqqueue:delete(Queue, false, false, <<\"test\">>)";
    broker.evaluate(&format!("{{ok, Queue}} = rabbit_amqqueue:lookup({name}), {delete}")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_somebody_made_otherwise_is_named() {
    let (broker, stage) = (Broker::start().await, Stage::set().await);
    let proxy = Proxy::start(format!("127.0.0.1:{}", broker.port)).await;
    let instance = Instance::start_with(&stage, &[("RABBITMQ_URL", &proxy.url())]);
    instance.ready().await;
    let queue = names::query_queue(&ServiceName::new(stage.name.as_str()).unwrap(), "GetOrderQuery");
    proxy.set(Fault::Reset);
    delete(&broker, &queue).await;
    let endpoint = Endpoint::parse(&broker.url(), &["amqp"], 5672).unwrap();
    let somebody = RabbitBus::new(RabbitOptions::new(endpoint, "somebody"));
    somebody.declare(&Topology::default().queue(Queue::work(&queue))).await.unwrap();
    proxy.set(Fault::None);
    let named = format!("cannot declare `{queue}`");
    let told = health(&instance, 200, &["\"status\":\"degraded\"", &named, "\"rabbitmq\""]).await;
    // The service makes it anew as soon as it can.
    delete(&broker, &queue).await;
    let over = health(&instance, 200, &["\"status\":\"healthy\""]).await;
    println!("made otherwise: told after {told:?}; over after {over:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_is_in_the_way_is_named() {
    let stage = Stage::set().await;
    let instance = Instance::start(&stage);
    instance.ready().await;
    let mut blocker = stage.login().connect().await.unwrap();
    sqlx::raw_sql("begin; lock table events in share mode").execute(&mut blocker).await.unwrap();
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut blocker).await.unwrap();
    let store = EventStore::connect_with(stage.login(), Options::default()).await.unwrap();
    let append = |number: i64| {
        let event = NewEvent::new("Numbered", serde_json::json!(number).into());
        Append::new("other", Stream::new("Number", number.to_string()), Expected::NoStream, vec![event])
    };
    let waiting = tokio::spawn({
        let (store, append) = (store.clone(), append(1));
        async move { store.append(append).await }
    });
    // Other tests have transactions on this server as well, though none that is open for as long.
    let named = async || metric(&instance, "db_blocking_pid").await.map(|it| it == f64::from(pid));
    until("it is named", async || named().await?.then_some(())).await;
    assert!(metric(&instance, "db_blocking_seconds").await.unwrap() >= 0.0);
    sqlx::raw_sql("rollback").execute(&mut blocker).await.unwrap();
    let mut wanted = Vec::new();
    if waiting.await.unwrap().is_ok() {
        wanted.push(1);
    }
    for number in 2..=20 {
        store.append(append(number)).await.unwrap();
        wanted.push(number);
    }
    until("it is out of the way", async || (!named().await?).then_some(())).await;
    let stored = crate::stored(&store).await;
    let numbers = stored.iter().filter(|it| it.event_type == "Numbered").map(|it| it.data.read().unwrap());
    let tally = Tally::of(wanted, numbers);
    println!("process {pid} named; appends around it: {tally}");
    tally.clean();
    store.close().await;
}

/// Whether the database may be written to; sessions that are there already are ended, so that all hear of it.
async fn read_only(stage: &Stage, admin: &mut PgConnection, on: bool) {
    let (database, setting) = (stage.database(), if on { "on" } else { "off" });
    let set = format!("alter database {database} set default_transaction_read_only = {setting}");
    sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut *admin).await.unwrap();
    sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1")
        .bind(database)
        .execute(&mut *admin)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_can_only_be_read_degrades_and_is_recovered_from() {
    let stage = Stage::set().await;
    let instance = Instance::start(&stage);
    instance.ready().await;
    let world = World::new(&stage);
    let order = async |number: i64| {
        world.call(PlaceOrder { article: format!("book {number}"), price: 5 }, None).await.map(|_| number)
    };
    let mut placed = vec![order(1).await.unwrap()];
    let mut admin = stage.login().database("postgres").connect().await.unwrap();
    read_only(&stage, &mut admin, true).await;
    // The first ones may find the sessions gone.
    let fault = until("a refusal", async || {
        let fault = order(2).await.err()?;
        fault.message.contains("read-only").then_some(fault)
    })
    .await;
    assert_eq!(fault.code, FaultCode::EventStore);
    let told = health(&instance, 200, &["\"status\":\"degraded\"", "read-only"]).await;
    read_only(&stage, &mut admin, false).await;
    // Nobody orders anything: it finds out by itself.
    let over = health(&instance, 200, &["\"status\":\"healthy\""]).await;
    println!("read-only: told after {told:?}, over after {over:?}");
    placed.push(until("an order", async || order(3).await.ok()).await);
    let store = EventStore::connect_with(stage.login(), Options::default()).await.unwrap();
    let stored = crate::stored(&store).await;
    let number = |article: &str| article.trim_start_matches("book ").parse::<i64>().unwrap();
    let articles = stored.iter().filter(|it| it.event_type == "OrderPlaced").map(|it| {
        let data: serde_json::Value = it.data.read().unwrap();
        number(data["article"].as_str().unwrap())
    });
    let tally = Tally::of(placed, articles);
    println!("orders around it: {tally}");
    tally.clean();
    store.close().await;
    admin.close().await.unwrap();
}
