//! The event store: one suite for both of its forms, and what only a real database can show.
//!
//! `BANYAN_TEST_POSTGRES_BIN` is the folder of PostgreSQL's programs, for servers that tests kill or fill up; as root
//! they run as `nobody`. `BANYAN_TEST_LONG=1` asks for the full counts.
//!
//! `BANYAN_TEST_DATABASE_URL` names a PostgreSQL server whose user may create databases, such as
//! `postgresql://postgres@127.0.0.1:5432/postgres`. Each test makes a database of its own and drops it.

#![allow(clippy::unwrap_used)]

/// Each test for both forms of the store.
macro_rules! suite {
    ($($test:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(banyan_sdk::store::EventStore::in_memory()).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let database = crate::database::Database::new().await;
                let store = database.store().await;
                super::$test(store.clone()).await;
                store.close().await;
            })+
        }
    };
}

mod broken;
mod database;
mod derived;
#[path = "../dice/mod.rs"]
mod dice;
mod handled;
mod killed;
mod order;
mod own_tables;
mod proxy;
mod published;
mod server;
mod suite;
mod waiting;
