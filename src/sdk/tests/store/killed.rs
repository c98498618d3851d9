//! A process that is killed between the effect of a projection and its position: each event counts once.
//!
//! The process is this executable, started for one test with a database to work in. It stops between the two, says so,
//! and waits to be killed.

use std::{
    collections::BTreeMap,
    future::pending,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use banyan_sdk::{
    projection::{Projection, Runner},
    store::{Append, EventStore, Expected, Filter, NewEvent, Position, Recorded, Refusal, Statement, Stream, Tx},
};
use futures_util::future::BoxFuture;
use serde_json::json;
use sqlx::{AssertSqlSafe, Row};

use crate::{database::Database, dice::long};

const BATCH: usize = 20;
const PARKED: &str = "stands between effect and position";
const KINDS: [&str; 3] = ["Placed", "Paid", "Shipped"];

/// Counts events by type, in a table where counting twice shows.
struct Totals {
    batches: AtomicU32,
    /// At which batch it stops, from 1; 0 for never.
    park: u32,
}

fn effect(events: &[Recorded]) -> Vec<Statement> {
    let mut counts = BTreeMap::<&str, i64>::new();
    for event in events {
        *counts.entry(&event.event_type).or_default() += 1;
    }
    let sql =
        "insert into totals values ($1, $2) on conflict (kind) do update set count = totals.count + excluded.count";
    counts.into_iter().map(|(kind, count)| Statement::new(sql).bind(kind).bind(count)).collect()
}

impl Totals {
    async fn park(&self) {
        if self.batches.fetch_add(1, Ordering::SeqCst) + 1 == self.park {
            println!("\n{PARKED}");
            std::io::stdout().flush().unwrap();
            pending::<()>().await;
        }
    }
}

impl Projection for Totals {
    fn name(&self) -> &str {
        "totals"
    }

    fn filter(&self) -> Filter {
        Filter::types(KINDS)
    }

    fn apply<'a>(
        &'a self,
        tx: &'a mut Tx<'_>,
        _generation: i32,
        events: &'a [Recorded],
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            for statement in effect(events) {
                tx.execute(&statement).await?;
            }
            self.park().await;
            Ok(())
        })
    }
}

async fn run_right(store: &EventStore, park: u32) {
    let runner = Runner::new(store.clone(), Totals { batches: AtomicU32::new(0), park }).with_batch(BATCH);
    // The server may not have noticed yet that the one before was killed.
    while !runner.catch_up().await.unwrap() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The planted bug: the position is moved in a transaction of its own.
async fn run_wrong(store: &EventStore, database: &Database, park: u32) {
    let totals = Totals { batches: AtomicU32::new(0), park };
    let mut connection = database.connect().await;
    loop {
        let after = sqlx::query_scalar("select position from wrong_position").fetch_one(&mut connection).await.unwrap();
        let page = store.read(Position(after), BATCH, &totals.filter()).await.unwrap();
        if page.read_to == Position(after) {
            return;
        }
        let sql = "insert into totals select t, count(*) from unnest($1::text[]) t group by t
            on conflict (kind) do update set count = totals.count + excluded.count";
        let kinds: Vec<&str> = page.events.iter().map(|event| event.event_type.as_str()).collect();
        sqlx::query(sql).bind(kinds).execute(&mut connection).await.unwrap();
        totals.park().await;
        sqlx::query("update wrong_position set position = $1")
            .bind(page.read_to.0)
            .execute(&mut connection)
            .await
            .unwrap();
    }
}

async fn prepared(events: usize) -> (Database, EventStore) {
    let database = Database::new().await;
    let store = database.store().await;
    let sql = "create table totals (kind text primary key, count bigint not null);
        create table wrong_position as select 0::bigint as position";
    sqlx::raw_sql(sql).execute(&mut database.connect().await).await.unwrap();
    for n in 0..events.div_ceil(100) {
        let events = (0..100).map(|m| NewEvent::new(KINDS[(n + m * m) % 3], json!({}).into())).collect();
        let stream = Stream::new("Order", n.to_string());
        store.append(Append::new("orders", stream, Expected::NoStream, events)).await.unwrap();
    }
    (database, store)
}

async fn totals(database: &Database, sql: &'static str) -> BTreeMap<String, i64> {
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut database.connect().await).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// What the projection says, and what the events say.
async fn both(database: &Database) -> (BTreeMap<String, i64>, BTreeMap<String, i64>) {
    let said = totals(database, "select kind, count from totals").await;
    (said, totals(database, "select event_type, count(*) from events group by 1").await)
}

/// Runs the projection in a process that is killed at its batch `park`.
fn killed(database: &Database, how: &str, park: u32) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::a_projection_that_runs_to_its_end_counts_each_event_once", "--nocapture"])
        .env("BANYAN_TEST_KILLED", format!("{} {how} {park}", database.name()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let parked = lines.map_while(Result::ok).any(|line| line.contains(PARKED));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(parked, "the process must get to its batch {park}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_that_runs_to_its_end_counts_each_event_once() {
    if let Ok(orders) = std::env::var("BANYAN_TEST_KILLED") {
        let [name, how, park] = orders.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let database = Database::existing(name);
        let store = database.store().await;
        match how {
            "right" => run_right(&store, park.parse().unwrap()).await,
            _ => run_wrong(&store, &database, park.parse().unwrap()).await,
        }
        panic!("the process was to be killed before its end");
    }
    for how in ["right", "wrong"] {
        let (database, store) = prepared(300).await;
        match how {
            "right" => run_right(&store, 0).await,
            _ => run_wrong(&store, &database, 0).await,
        }
        let (said, there) = both(&database).await;
        assert_eq!(said, there, "{how}");
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_between_effect_and_position_leave_the_count_right() {
    let kills = if long() { 200 } else { 10 };
    let (database, store) = prepared(kills * 2 * BATCH).await;
    for kill in 0..kills {
        killed(&database, "right", 1 + kill as u32 % 3);
    }
    run_right(&store, 0).await;
    let (said, there) = both(&database).await;
    println!("{kills} kills: {said:?}, recounted {there:?}");
    assert_eq!(said, there);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_kills_show_a_position_that_is_moved_apart_from_the_effect() {
    let (database, store) = prepared(300).await;
    for kill in 0..3 {
        killed(&database, "wrong", 1 + kill % 2);
    }
    run_wrong(&store, &database, 0).await;
    let (said, there) = both(&database).await;
    println!("3 kills: {said:?}, recounted {there:?}");
    assert_eq!(said.values().sum::<i64>() - there.values().sum::<i64>(), 3 * BATCH as i64);
    store.close().await;
}
