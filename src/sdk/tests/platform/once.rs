//! F2: the broker is killed while one service publishes what it stored and another one handles it. Each event takes
//! effect once, by the rows of a table; without the claim, the same kills show some of them twice.

use std::{sync::Arc, time::Duration};

use banyan_sdk::{
    Context, Event, Fault, Outcome, Platform, Running, Service,
    bus::rabbit::{RabbitBus, RabbitOptions},
    config::Endpoint,
    schemars::{self, JsonSchema},
    store::{Append, EventStore, Expected, NewEvent, Options, Outbox, Statement, Stream},
};
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, postgres::PgPoolOptions};

use crate::{broker::Broker, dice::long, history::Tally, stage::Stage, until};

/// Longer than a service takes to stop.
const STOP: Duration = Duration::from_secs(20);

/// It has a number.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[event(service = "source")]
struct Numbered {
    number: i64,
}

/// A number was counted.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
struct Counted {
    number: i64,
}

/// The effect is part of what the claim is finished with.
async fn careful(_: Context<Arc<PgPool>>, event: Numbered) -> Result<Outcome<()>, Fault> {
    let effect = Statement::new("insert into effects (number) values ($1)").bind(event.number);
    Ok(Outcome::done().emit(Counted { number: event.number }).with(effect))
}

/// The planted bug: the effect is made at once, and nothing is claimed.
async fn careless(cx: Context<Arc<PgPool>>, event: Numbered) -> Result<(), Fault> {
    let effect = sqlx::query("insert into effects (number) values ($1)").bind(event.number);
    effect.execute(&**cx.state).await.map(drop).map_err(|error| Fault::unavailable(error.to_string()))
}

/// Stores numbered events; the service's outbox does the rest.
async fn append(store: &EventStore, numbers: &[i64]) {
    let appends = numbers.iter().map(|number| {
        let event = NewEvent::new(Numbered::EVENT_TYPE, serde_json::json!({ "number": number }).into());
        store.append(Append::new("source", Stream::new("Number", number.to_string()), Expected::Any, vec![event]))
    });
    futures_util::future::try_join_all(appends).await.unwrap();
}

struct World {
    broker: Broker,
    stage: Stage,
    store: EventStore,
    pool: Arc<PgPool>,
    running: Vec<Running>,
    appended: i64,
}

impl World {
    async fn new(claims: bool) -> Self {
        let (broker, stage) = (Broker::start().await, Stage::set().await);
        let store = EventStore::connect_with(stage.login(), Options::default()).await.unwrap();
        let pool = Arc::new(PgPoolOptions::new().max_connections(8).connect_with(stage.login()).await.unwrap());
        sqlx::query("create table effects (number bigint not null)").execute(&*pool).await.unwrap();
        let bus = |name: &str| {
            let endpoint = Endpoint::parse(&broker.url(), &["amqp"], 5672).unwrap();
            RabbitBus::new(RabbitOptions { silence: Duration::from_secs(3), ..RabbitOptions::new(endpoint, name) })
        };
        let sink = Service::new("sink", Arc::clone(&pool));
        let sink = if claims {
            let own = EventStore::connect_with(stage.login(), Options::default()).await.unwrap();
            sink.event(careful).start(Platform::new(bus("sink")).with_store(own)).await.unwrap()
        } else {
            sink.event(careless).start(Platform::new(bus("sink"))).await.unwrap()
        };
        let source = Platform::new(bus("source")).with_store(store.clone());
        let source = Service::new("source", ()).start(source).await.unwrap();
        broker.remember_queues().await;
        Self { broker, stage, store, pool, running: vec![source, sink], appended: 0 }
    }

    async fn effects(&self) -> i64 {
        sqlx::query_scalar("select count(*) from effects").fetch_one(&*self.pool).await.unwrap()
    }

    /// Stores events and kills the broker in the middle of their publication.
    async fn kill_while_publishing(&mut self, events: i64) {
        let before = self.effects().await;
        let outbox = Outbox::new(self.store.clone(), "source");
        let (broker, pool) = (&self.broker, Arc::clone(&self.pool));
        let killing = async {
            let seen = "select count(*) from effects";
            let effects = async || sqlx::query_scalar::<_, i64>(seen).fetch_one(&*pool).await.unwrap();
            until("some take effect", async || (effects().await > before + events / 10).then_some(())).await;
            broker.kill().await;
            outbox.lag().await.unwrap()
        };
        let numbers = self.appended + 1..=self.appended + events;
        let (store, batches) = (&self.store, numbers.collect::<Vec<_>>());
        let storing = async {
            for batch in batches.chunks(50) {
                append(store, batch).await;
            }
        };
        // It goes on while the broker is dead: nothing of it is published then.
        let ((), waiting) = tokio::join!(storing, killing);
        self.appended += events;
        println!("  killed, with {waiting} of {} events unpublished", self.appended);
        self.broker.restart().await;
    }

    async fn tally(&self) -> Tally {
        let effects: Vec<i64> = sqlx::query_scalar("select number from effects").fetch_all(&*self.pool).await.unwrap();
        Tally::of(1..=self.appended, effects)
    }

    async fn end(self) {
        for running in self.running {
            running.stop(STOP).await;
        }
        self.pool.close().await;
        drop(self.stage);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_takes_effect_once_however_often_the_broker_is_killed() {
    let (kills, events) = if long() { (30, 5_000) } else { (3, 1_500) };
    let mut world = World::new(true).await;
    for _ in 0..kills {
        world.kill_while_publishing(events).await;
    }
    until("all take effect", async || world.tally().await.lost.is_empty().then_some(())).await;
    // What is still under way would be a second time.
    until("the queue is empty", async || {
        let outbox = Outbox::new(world.store.clone(), "source");
        (outbox.lag().await.unwrap() == 0 && world.broker.messages("sink").await == 0).then_some(())
    })
    .await;
    let tally = world.tally().await;
    println!("{} events, the broker killed {kills} times: {tally}", world.appended);
    tally.clean();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_claim_the_same_kills_double_effects() {
    let mut world = World::new(false).await;
    for _ in 0..6 {
        world.kill_while_publishing(1_000).await;
        until("all take effect", async || world.tally().await.lost.is_empty().then_some(())).await;
        if !world.tally().await.doubled.is_empty() {
            break;
        }
    }
    let tally = world.tally().await;
    println!("{} events without a claim: {tally}", world.appended);
    assert!(!tally.doubled.is_empty(), "{tally}");
    world.end().await;
}
