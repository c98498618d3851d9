//! Projections and read models.

use std::{sync::Arc, time::Duration};

use banyan_sdk::{
    projection::{Direction, Document, List, Projection, ReadModel, Runner, View},
    store::{Append, EventStore, Expected, Filter, NewEvent, Position, Recorded, Refusal, StoreError, Stream, Tx},
};
use futures_util::future::{BoxFuture, join_all};
use serde_json::{Map, Value, json};
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::database::Database;

suite! {
    a_read_model_is_what_its_events_say,
    lists_are_filtered_ordered_and_cut,
    a_running_projection_keeps_up,
    several_runners_do_the_work_once,
    a_failing_projection_stays_where_it_is,
    events_of_no_interest_are_passed_over,
    a_rebuild_replaces_the_old_one_at_once,
}

async fn happen(store: &EventStore, kind: &str, id: &str, data: Value) -> Position {
    let events = vec![NewEvent::new(kind, data.into())];
    let append = Append::new("tested", Stream::new("User", id), Expected::Any, events);
    store.append(append).await.unwrap().last_position
}

fn users() -> ReadModel {
    ReadModel::new("users")
        .copy("UserCreated", [("id", "id"), ("name", "name"), ("mail", "email")])
        .copy("UserRenamed", [("name", "name")])
        .on("UserRenamed", |user, _| {
            let renamed = user.fields.get("renamed").and_then(Value::as_u64).unwrap_or(0);
            user.set("renamed", renamed + 1);
            Ok(())
        })
        .remove_on("UserDeleted")
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn said(document: &Document) -> Value {
    document.data.read().unwrap()
}

async fn a_read_model_is_what_its_events_say(store: EventStore) {
    happen(&store, "UserCreated", "u1", json!({ "name": "Ada", "email": "a@x" })).await;
    happen(&store, "UserCreated", "u2", json!({ "id": 7, "name": "Bob", "email": "b@x" })).await;
    happen(&store, "Other", "u1", json!({ "name": "not this" })).await;
    happen(&store, "UserRenamed", "u1", json!({ "name": "Ada L." })).await;
    happen(&store, "UserRenamed", "u1", json!({ "name": "Countess" })).await;
    happen(&store, "UserCreated", "u3", json!({ "name": "Cid" })).await;
    happen(&store, "UserDeleted", "u3", json!({})).await;
    // In one batch or event by event: it is the same.
    for batch in [1, 2, 1_000] {
        let runner = Runner::new(store.clone(), users()).with_batch(batch);
        assert!(runner.catch_up().await.unwrap());
        assert_eq!(runner.lag().await.unwrap(), 0);
        runner.rebuild().await.unwrap();
    }
    let view = View::new(store.clone(), "users");
    let all = view.list(&List::default()).await.unwrap();
    let all: Vec<_> = all.iter().map(|it| (it.id.as_str(), said(it), it.version)).collect();
    let ada = json!({ "id": "u1", "name": "Countess", "mail": "a@x", "renamed": 2 });
    assert_eq!(all, [("u1", ada.clone(), 5), ("u2", json!({ "id": 7, "name": "Bob", "mail": "b@x" }), 1)]);
    assert_eq!(said(&view.find("u1").await.unwrap().unwrap()), ada);
    assert_eq!(view.find("u3").await.unwrap(), None);
    happen(&store, "UserDeleted", "u1", json!({})).await;
    happen(&store, "UserCreated", "u1", json!({ "name": "Again" })).await;
    Runner::new(store.clone(), users()).catch_up().await.unwrap();
    let again = view.find("u1").await.unwrap().unwrap();
    assert_eq!((said(&again), again.version), (json!({ "id": "u1", "name": "Again" }), 1));
}

async fn lists_are_filtered_ordered_and_cut(store: EventStore) {
    for (id, age, tags) in
        [("a", json!(30), json!(["x"])), ("b", json!(4), json!([])), ("c", json!(30), json!(["x", "y"]))]
    {
        happen(&store, "Seen", id, json!({ "age": age, "tags": tags })).await;
    }
    happen(&store, "Seen", "d", json!({ "tags": null })).await;
    happen(&store, "Seen", "e", json!({ "age": "old", "tags": { "x": 1, "y": 2 } })).await;
    let model = ReadModel::new("seen").copy("Seen", [("age", "age"), ("tags", "tags")]);
    Runner::new(store.clone(), model).catch_up().await.unwrap();
    let view = View::new(store, "seen");
    let ids = async |list: List| -> String { view.list(&list).await.unwrap().into_iter().map(|it| it.id).collect() };
    let by_age = |direction| List { order_by: Some(("age".to_owned(), direction)), ..List::default() };
    assert_eq!(ids(List::default()).await, "abcde");
    assert_eq!(ids(by_age(Direction::Ascending)).await, "ebacd");
    assert_eq!(ids(by_age(Direction::Descending)).await, "dacbe");
    assert_eq!(ids(List { offset: 1, limit: Some(2), ..by_age(Direction::Ascending) }).await, "ba");
    for (filter, found) in [
        (json!({ "age": 30 }), "ac"),
        (json!({ "age": 30, "tags": ["x"] }), "a"),
        (json!({ "tags": null }), "d"),
        (json!({ "tags": { "x": 1 } }), ""),
        (json!({ "missing": null }), ""),
    ] {
        assert_eq!(ids(List { filter: object(filter.clone()), ..List::default() }).await, found, "{filter}");
    }
    assert_eq!(view.find_by(object(json!({ "age": 30 }))).await.unwrap().unwrap().id, "a");
    assert_eq!(view.find_by(object(json!({ "age": 31 }))).await.unwrap(), None);
    assert_eq!(View::new(view.store().clone(), "nothing").list(&List::default()).await.unwrap(), []);
}

/// Counts into one document.
fn counter() -> ReadModel {
    ReadModel::new("counter").on_by(
        "Counted",
        |_| Some("all".to_owned()),
        |document, event| {
            let count = document.fields.get("count").and_then(Value::as_u64).unwrap_or(0);
            document.set("count", count + 1);
            document.set("last", event.position.0);
            Ok(())
        },
    )
}

async fn until_count(store: &EventStore, name: &str, count: u64) {
    let view = View::new(store.clone(), name);
    let counted = async {
        loop {
            let document = view.find("all").await.unwrap();
            let found = document.map_or(0, |it| said(&it)["count"].as_u64().unwrap());
            assert!(found <= count, "{found} of {count}");
            if found == count {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), counted).await.expect("the projection must catch up");
}

async fn a_running_projection_keeps_up(store: EventStore) {
    let (runner, stop) = (Runner::new(store.clone(), counter()), CancellationToken::new());
    let run = tokio::spawn({
        let (runner, stop) = (runner.clone(), stop.clone());
        async move { runner.run(stop).await }
    });
    for n in 1..=30 {
        happen(&store, "Counted", "a", json!(n)).await;
        if n % 10 == 0 {
            until_count(&store, "counter", n).await;
        }
    }
    stop.cancel();
    run.await.unwrap();
    assert_eq!(runner.lag().await.unwrap(), 0);
    happen(&store, "Counted", "a", json!(0)).await;
    assert_eq!(runner.lag().await.unwrap(), 1);
}

async fn several_runners_do_the_work_once(store: EventStore) {
    let stop = CancellationToken::new();
    let runs: Vec<_> = (0..4)
        .map(|n| {
            let (runner, stop) = (Runner::new(store.clone(), counter()).with_batch(3 + n), stop.clone());
            tokio::spawn(async move { runner.run(stop).await })
        })
        .collect();
    join_all((0..300).map(|n| happen(&store, "Counted", if n % 2 == 0 { "a" } else { "b" }, json!(n)))).await;
    until_count(&store, "counter", 300).await;
    stop.cancel();
    join_all(runs).await;
    let document = View::new(store, "counter").find("all").await.unwrap().unwrap();
    assert_eq!((said(&document), document.version), (json!({ "count": 300, "last": 300 }), 300));
}

async fn a_failing_projection_stays_where_it_is(store: EventStore) {
    let model = || {
        ReadModel::new("picky").on("Counted", |document, event| {
            document.set("last", event.data.read::<Value>()?);
            if event.data.as_str() == "3" { Err("not a three".into()) } else { Ok(()) }
        })
    };
    for n in 1..=5 {
        happen(&store, "Counted", "a", json!(n)).await;
    }
    let runner = Runner::new(store.clone(), model()).with_batch(2);
    let failed = runner.catch_up().await.unwrap_err();
    let StoreError::Failed { source, .. } = &failed else { panic!("{failed:?}") };
    assert_eq!(source.to_string(), "not a three");
    assert_eq!((runner.position().await.unwrap(), runner.lag().await.unwrap()), (Position(2), 3));
    let document = View::new(store.clone(), "picky").find("a").await.unwrap().unwrap();
    assert_eq!((said(&document), document.version), (json!({ "last": 2 }), 2));
}

async fn events_of_no_interest_are_passed_over(store: EventStore) {
    for n in 0..25 {
        happen(&store, if n % 10 == 0 { "Counted" } else { "Noise" }, "a", json!(n)).await;
    }
    let runner = Runner::new(store.clone(), counter()).with_batch(2);
    runner.catch_up().await.unwrap();
    assert_eq!(runner.lag().await.unwrap(), 0);
    happen(&store, "Counted", "a", json!(25)).await;
    runner.catch_up().await.unwrap();
    let document = View::new(store, "counter").find("all").await.unwrap().unwrap();
    assert_eq!(said(&document), json!({ "count": 4, "last": 26 }));
}

/// A read model that waits for a permit before it takes in events of a generation that is being built.
struct Slow {
    model: ReadModel,
    permits: Arc<Semaphore>,
}

impl Projection for Slow {
    fn name(&self) -> &str {
        self.model.name()
    }

    fn filter(&self) -> Filter {
        self.model.filter()
    }

    fn apply<'a>(
        &'a self,
        tx: &'a mut Tx<'_>,
        generation: i32,
        events: &'a [Recorded],
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            if generation > 1 {
                self.permits.acquire().await?.forget();
            }
            self.model.apply(tx, generation, events).await
        })
    }
}

/// Twice what [`counter`] says, under its name.
fn doubled() -> ReadModel {
    ReadModel::new("counter").on_by(
        "Counted",
        |_| Some("all".to_owned()),
        |document, _| {
            let count = document.fields.get("count").and_then(Value::as_u64).unwrap_or(0);
            document.set("count", count + 2);
            Ok(())
        },
    )
}

async fn forty_counted(store: &EventStore) {
    for n in 0..40 {
        happen(store, "Counted", "a", json!(n)).await;
    }
    Runner::new(store.clone(), counter()).catch_up().await.unwrap();
}

async fn a_rebuild_replaces_the_old_one_at_once(store: EventStore) {
    forty_counted(&store).await;
    let new = Runner::new(store.clone(), doubled()).with_batch(3);
    let rebuild = tokio::spawn({
        let new = new.clone();
        async move { new.rebuild().await }
    });
    let view = View::new(store.clone(), "counter");
    loop {
        let finished = rebuild.is_finished();
        let all = view.list(&List::default()).await.unwrap();
        let [document] = all.try_into().unwrap();
        let count = said(&document)["count"].as_u64().unwrap();
        assert!(count == 80 || (count == 40 && !finished), "{count}");
        if finished {
            break;
        }
        tokio::task::yield_now().await;
    }
    rebuild.await.unwrap().unwrap();
    happen(&store, "Counted", "a", json!(40)).await;
    new.catch_up().await.unwrap();
    assert_eq!(said(&view.find("all").await.unwrap().unwrap()), json!({ "count": 82 }));
    assert_eq!((new.position().await.unwrap(), new.lag().await.unwrap()), (Position(41), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_generation_is_read_and_kept_up_to_date_while_the_new_one_is_built() {
    let database = Database::new().await;
    let store = database.store().await;
    forty_counted(&store).await;
    let old = Runner::new(store.clone(), counter());
    let permits = Arc::new(Semaphore::new(0));
    let new = Runner::new(store.clone(), Slow { model: doubled(), permits: permits.clone() }).with_batch(10);
    let rebuild = tokio::spawn({
        let new = new.clone();
        async move { new.rebuild().await }
    });
    while database.number("select count(*) from projection_rebuilds").await == 0 {}
    let second = new.rebuild().await;
    assert!(matches!(second, Err(StoreError::RebuildUnderWay { .. })), "{second:?}");
    let view = View::new(store.clone(), "counter");
    for step in 0..4 {
        happen(&store, "Counted", "a", json!(40 + step)).await;
        assert!(old.catch_up().await.unwrap());
        assert_eq!(said(&view.find("all").await.unwrap().unwrap())["count"], 41 + step);
        assert_eq!(view.list(&List::default()).await.unwrap().len(), 1);
        permits.add_permits(1);
    }
    permits.add_permits(100);
    rebuild.await.unwrap().unwrap();
    assert_eq!(said(&view.find("all").await.unwrap().unwrap()), json!({ "count": 88 }));
    assert_eq!((new.position().await.unwrap(), new.lag().await.unwrap()), (Position(44), 0));
    store.close().await;
}
