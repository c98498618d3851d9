//! Tables of a service's own.

use banyan_sdk::store::{EventStore, StoreError};
use sqlx::Row;

use crate::database::Database;

const FIRST: &[(&str, &str)] = &[("fruits", "create table fruits (name text primary key)")];
const BOTH: &[(&str, &str)] = &[FIRST[0], ("pears", "insert into fruits values ('pear')")];
const BROKEN: &[(&str, &str)] =
    &[FIRST[0], BOTH[1], ("broken", "insert into fruits values ('plum'); insert into nowhere values (1)")];

async fn fruits(store: &EventStore) -> Vec<String> {
    let mut connection = store.connection("select fruits").await.unwrap();
    let rows = sqlx::query("select name from fruits order by name").fetch_all(&mut *connection).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_is_taken_once() {
    let database = Database::new().await;
    let store = database.store().await;
    store.migrate("orchard", FIRST).await.unwrap();
    assert_eq!(fruits(&store).await, [""; 0]);
    let all = (0..8).map(|_| store.migrate("orchard", BOTH));
    for done in futures_util::future::join_all(all).await {
        done.unwrap();
    }
    assert_eq!(fruits(&store).await, ["pear"], "by however many at once");
    let failed = store.migrate("orchard", BROKEN).await.unwrap_err();
    assert!(matches!(&failed, StoreError::Migration { name, .. } if name == "broken"), "{failed:?}");
    assert_eq!(fruits(&store).await, ["pear"], "a step is taken as a whole");
    let older = store.migrate("orchard", FIRST).await.unwrap_err();
    assert!(matches!(older, StoreError::SchemaTooNew { found: 2, known: 1 }), "{older:?}");
    store.migrate("another", &[]).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn there_are_none_in_memory() {
    let store = EventStore::in_memory();
    assert!(matches!(store.migrate("orchard", FIRST).await, Err(StoreError::NoSql)));
    assert!(matches!(store.connection("select fruits").await, Err(StoreError::NoSql)));
}
