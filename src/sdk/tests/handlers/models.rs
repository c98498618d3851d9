//! Read models of a running service: built anew, and fed with events that were stored in an older form.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use banyan_sdk::{
    Command, Context, Error, Event, Fault, FaultCode, Outcome, Service,
    projection::{List, ReadModel, View},
    schemars::{self, JsonSchema},
    store::{Append, Expected, NewEvent, StoreError, Stream, Upcasters},
    testing::TestService,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::support::PATIENCE;

/// A book was bought.
#[derive(Serialize, Deserialize, JsonSchema, Event)]
#[event(aggregate = "Book", version = 2)]
struct Bought {
    id: String,
    pence: u64,
}

/// Buys a book.
#[derive(Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = (), public)]
struct Buy {
    id: String,
}

/// Builds a read model anew.
#[derive(Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = (), public)]
struct Rebuild {
    name: String,
}

async fn buy(_: Context<()>, command: Buy) -> Result<Outcome<()>, Fault> {
    Ok(Outcome::done().emit(Bought { id: command.id, pence: 250 }))
}

async fn rebuild(cx: Context<()>, command: Rebuild) -> Result<(), Fault> {
    cx.rebuild(&command.name).await
}

/// `form` is what the present version of the program makes of events.
fn books(form: &Arc<AtomicU64>) -> ReadModel {
    let form = Arc::clone(form);
    ReadModel::new("books").copy("Bought", [("pence", "pence")]).on("Bought", move |book, _| {
        book.set("form", form.load(Relaxed));
        Ok(())
    })
}

fn shop(form: &Arc<AtomicU64>) -> Service<()> {
    let pence = |mut old: serde_json::Value| {
        let pounds = old["pounds"].as_u64().unwrap_or(0);
        old["pence"] = json!(pounds * 100);
        old
    };
    let upcasters = Upcasters::default().step("Bought", 1, 2, pence);
    Service::new("shop", ()).command(buy).command(rebuild).projection(books(form)).upcasters(upcasters)
}

/// The field of all books, by their ids, as soon as there are so many.
async fn shown(test: &TestService, many: usize, field: &str) -> Vec<u64> {
    let (view, began) = (View::new(test.store().clone(), "books"), Instant::now());
    loop {
        let all = view.list(&List::default()).await.unwrap();
        if all.len() >= many {
            let value = |it: &banyan_sdk::projection::Document| {
                it.data.read::<serde_json::Value>().unwrap()[field].as_u64().unwrap()
            };
            return all.iter().map(value).collect();
        }
        assert!(began.elapsed() < PATIENCE, "{} of {many}", all.len());
        sleep(std::time::Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_running_services_read_model_is_built_anew() {
    let form = Arc::new(AtomicU64::new(1));
    let test = TestService::start(shop(&form)).await.unwrap();
    for id in ["a", "b", "c"] {
        test.call(Buy { id: id.to_owned() }).await.unwrap();
    }
    assert_eq!(shown(&test, 3, "form").await, [1, 1, 1]);
    form.store(2, Relaxed);
    test.call(Buy { id: "d".to_owned() }).await.unwrap();
    assert_eq!(shown(&test, 4, "form").await, [1, 1, 1, 2], "what is there stays as it was made");
    test.running().rebuild("books").await.unwrap();
    assert_eq!(shown(&test, 4, "form").await, [2, 2, 2, 2]);
    form.store(3, Relaxed);
    test.call(Rebuild { name: "books".to_owned() }).await.unwrap();
    assert_eq!(shown(&test, 4, "form").await, [3, 3, 3, 3], "a handler may say so, too");

    let missing = test.running().rebuild("films").await.unwrap_err();
    assert!(matches!(missing, StoreError::NoSuchProjection { .. }), "{missing}");
    let fault = test.call(Rebuild { name: "films".to_owned() }).await.unwrap_err();
    assert_eq!(fault.code, FaultCode::NotFound);
}

#[tokio::test]
async fn events_in_an_older_form_reach_read_models_in_the_current_one() {
    let test = TestService::start(shop(&Arc::default())).await.unwrap();
    let old = NewEvent::new("Bought", json!({ "id": "old", "pounds": 3 }).into());
    test.store().append(Append::new("shop", Stream::new("Book", "old"), Expected::NoStream, vec![old])).await.unwrap();
    test.call(Buy { id: "new".to_owned() }).await.unwrap();
    assert_eq!(shown(&test, 2, "pence").await, [250, 300], "by their ids: new, old");
}

#[tokio::test]
async fn two_read_models_of_one_name_are_a_mistake() {
    let form = Arc::default();
    let error = TestService::start(shop(&form).projection(books(&form))).await.err().unwrap();
    let Error::Service { mistakes, .. } = &error else { panic!("{error}") };
    assert_eq!(mistakes, &["there are two projections called `books`"]);
}
