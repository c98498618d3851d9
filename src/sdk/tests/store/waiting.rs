//! Transactions that stay open, here and elsewhere: nothing is skipped, and whoever is in the way is named.

use std::time::{Duration, Instant};

use banyan_sdk::{
    projection::{ReadModel, Runner},
    store::{EventStore, Expected, Filter, Options, Position, StoreError},
};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use crate::{
    database::{Database, append},
    order::{Verdict, judge},
};

async fn open_transaction(login: PgConnectOptions) -> (PgConnection, i32) {
    let mut connection = PgConnection::connect_with(&login.application_name("forgotten")).await.unwrap();
    sqlx::raw_sql("begin; create table forgotten (id int); insert into forgotten values (1)")
        .execute(&mut connection)
        .await
        .unwrap();
    let pid = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut connection).await.unwrap();
    (connection, pid)
}

#[tokio::test(flavor = "multi_thread")]
async fn long_transactions_stop_nothing_and_are_named() {
    let (database, elsewhere) = (Database::new().await, Database::new().await);
    let store = database.store().await;
    let (here, here_pid) = open_transaction(database.login()).await;
    let (there, there_pid) = open_transaction(elsewhere.login()).await;
    let model = ReadModel::new("all").copy("Counted", [("n", "n")]);
    let runner = Runner::new(store.clone(), model);
    for n in 1..=50 {
        store.append(append(&format!("s{n}"), Expected::NoStream, 1)).await.unwrap();
        runner.catch_up().await.unwrap();
        assert_eq!(runner.position().await.unwrap(), Position(n));
    }
    let holders = store.holders(Duration::ZERO).await.unwrap();
    for (pid, login) in [(here_pid, database.login()), (there_pid, elsewhere.login())] {
        let holder = holders.iter().find(|holder| holder.pid == pid).expect("it must be named");
        assert_eq!((holder.application.as_str(), holder.state.as_str()), ("forgotten", "idle in transaction"));
        assert_eq!(Some(holder.database.as_str()), login.get_database());
        assert!(holder.open_for > Duration::ZERO && holder.blocks.is_empty(), "{holder:?}");
    }
    assert!(!store.holders(Duration::from_secs(3_600)).await.unwrap().iter().any(|holder| holder.pid == here_pid));
    drop((here, there));
    store.close().await;
}

/// The planted bug: a reader who goes on from the last number of a sequence, beside a reader of events.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_transaction_hides_nothing_but_from_whoever_reads_by_a_sequence() {
    let database = Database::new().await;
    let store = database.store().await;
    let (mut long, mut other) = (database.connect().await, database.connect().await);
    sqlx::raw_sql("create table naive (pos bigserial primary key)").execute(&mut other).await.unwrap();
    sqlx::raw_sql("begin; insert into naive default values").execute(&mut long).await.unwrap();
    let (mut seen, mut seen_naively, mut after) = (Vec::new(), Vec::new(), Position::START);
    for committed in [false, true] {
        if committed {
            sqlx::raw_sql("commit").execute(&mut long).await.unwrap();
        }
        sqlx::raw_sql("insert into naive default values").execute(&mut other).await.unwrap();
        store.append(append("a", Expected::Any, 2)).await.unwrap();
        let page = store.read(after, 100, &Filter::default()).await.unwrap();
        seen.extend(page.events.iter().map(|event| event.position.0));
        after = page.read_to;
        let last = seen_naively.last().copied().unwrap_or(0_i64);
        let sql = "select pos from naive where pos > $1 order by pos";
        seen_naively.extend(sqlx::query_scalar::<_, i64>(sql).bind(last).fetch_all(&mut other).await.unwrap());
    }
    let (verdict, naive) = (judge(&seen, &(1..=4).collect()), judge(&seen_naively, &(1..=3).collect()));
    println!("beside a long transaction: {verdict:?}, by a sequence {naive:?}");
    assert_eq!((verdict, naive.missed), (Verdict::default(), 1));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_blocks_appends_is_named_and_they_are_answered() {
    let database = Database::new().await;
    let store = database.store().await;
    let mut blocker = database.connect().await;
    sqlx::raw_sql("begin; lock table events in share mode").execute(&mut blocker).await.unwrap();
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut blocker).await.unwrap();
    let began = Instant::now();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.append(append("a", Expected::NoStream, 1)).await }
    });
    let holder = loop {
        let holders = store.holders(Duration::from_secs(3_600)).await.unwrap();
        if let Some(holder) = holders.into_iter().find(|holder| holder.pid == pid && !holder.blocks.is_empty()) {
            break holder;
        }
        assert!(!waiting.is_finished());
    };
    assert_eq!(holder.blocks.len(), 1, "{holder:?}");
    // The writer gives up by itself, and says so.
    let answer = waiting.await.unwrap();
    assert!(matches!(answer, Err(StoreError::TooSlow { .. })), "{answer:?}");
    assert!(began.elapsed() < Duration::from_secs(20));
    sqlx::raw_sql("rollback").execute(&mut blocker).await.unwrap();
    assert_eq!(store.append(append("a", Expected::NoStream, 1)).await.unwrap().first_position, Position(1));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_at_once_make_the_tables_once() {
    let database = Database::new().await;
    let start = |_| EventStore::connect_with(database.login(), Options::default());
    let stores = futures_util::future::join_all((0..6).map(start)).await;
    for store in &stores {
        store.as_ref().unwrap().append(append("a", Expected::Any, 1)).await.unwrap();
    }
    assert_eq!(stores[0].as_ref().unwrap().head().await.unwrap(), Position(6));
    assert_eq!(database.number("select count(*) from banyan_migrations").await, 7);

    let mut connection = database.connect().await;
    sqlx::raw_sql("insert into banyan_migrations values (99, 'from the future')")
        .execute(&mut connection)
        .await
        .unwrap();
    let refused = EventStore::connect_with(database.login(), Options::default()).await.err().unwrap();
    assert!(matches!(refused, StoreError::SchemaTooNew { found: 99, known: 7 }), "{refused:?}");
    for store in stores {
        store.unwrap().close().await;
    }
}
