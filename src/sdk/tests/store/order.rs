//! The order of all events under everything that disturbs it: many writers, several processes, rollbacks, kills, and
//! another database that is busy. What readers saw is compared with what is there in the end.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use banyan_sdk::store::{Append, EventStore, Expected, Filter, Position, Recorded, Statement, StoreError, Stream};
use futures_util::future::join_all;
use sqlx::Connection;
use uuid::Uuid;

use crate::{
    database::{Database, event},
    dice::{Dice, long, seed},
};

const WRITERS: usize = 16;

/// What a reader that goes on from the last position it saw got wrong.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    pub missed: usize,
    pub inverted: usize,
    pub doubled: usize,
}

pub fn judge(seen: &[i64], there: &BTreeSet<i64>) -> Verdict {
    let set: BTreeSet<i64> = seen.iter().copied().collect();
    Verdict {
        missed: there.difference(&set).count(),
        inverted: seen.windows(2).filter(|pair| pair[1] < pair[0]).count(),
        doubled: seen.len() - set.len(),
    }
}

/// What writers were told.
#[derive(Default)]
struct Told {
    stored: HashSet<Uuid>,
    /// Of those, the ones whose append had a companion.
    companied: HashSet<Uuid>,
    refused: HashSet<Uuid>,
    unknown: usize,
    conflicts: usize,
    interrupted: usize,
}

async fn write(store: EventStore, writer: usize, mut dice: Dice, end: Instant, told: Arc<Mutex<Told>>) {
    while Instant::now() < end {
        let stream = Stream::new("Counter", format!("s{}", dice.below(40)));
        let expected = match dice.below(4) {
            0 => Expected::Version(dice.below(50)),
            _ => Expected::Any,
        };
        let events: Vec<_> = (0..=dice.below(3)).map(event).collect();
        let ids: Vec<Uuid> = events.iter().map(|event| event.id).collect();
        let mut append = Append::new(format!("service{}", writer % 2), stream, expected, events);
        let kind = dice.below(6);
        if kind < 2 {
            append = append.with(Statement::new("insert into beside values ($1)").bind(ids[0]));
        }
        if kind == 0 {
            append = append.with(Statement::new("select 1 / 0"));
        }
        let answer = store.append(append).await;
        let mut told = told.lock().unwrap();
        match answer {
            Ok(_) => {
                assert_ne!(kind, 0, "a companion that fails undoes its append");
                told.stored.extend(&ids);
                if kind == 1 {
                    told.companied.insert(ids[0]);
                }
            }
            Err(StoreError::UnknownOutcome { .. }) => told.unknown += 1,
            Err(error) => {
                told.conflicts += usize::from(matches!(error, StoreError::Conflict { .. }));
                told.interrupted += usize::from(matches!(error, StoreError::Interrupted(_)));
                let known = matches!(
                    error,
                    StoreError::Conflict { .. } | StoreError::Interrupted(_) | StoreError::Companion { .. }
                );
                assert!(known, "{error:?}");
                told.refused.extend(&ids);
            }
        }
    }
}

/// Each on its own connection, as a sequence is used: the number is taken long before the commit.
async fn write_naively(database: &Database, mut dice: Dice, end: Instant) {
    let mut connection = database.connect().await;
    while Instant::now() < end {
        let wait = format!("{}", dice.below(8_u32) as f64 / 1_000.0);
        let mut transaction = connection.begin().await.unwrap();
        sqlx::query("insert into naive default values").execute(&mut *transaction).await.unwrap();
        sqlx::query("select pg_sleep($1::text::double precision)").bind(wait).execute(&mut *transaction).await.unwrap();
        if dice.once_in(50) {
            transaction.rollback().await.unwrap();
        } else {
            transaction.commit().await.unwrap();
        }
    }
}

/// Follows the events until all of them are stored and read.
async fn follow(store: EventStore, filter: Filter, done: Arc<AtomicBool>) -> Vec<i64> {
    let mut head = store.subscribe();
    let (mut seen, mut after) = (Vec::new(), Position::START);
    loop {
        let last_turn = done.load(Ordering::SeqCst);
        let end = store.head().await.unwrap();
        while after < end {
            let page = store.read(after, 37, &filter).await.unwrap();
            seen.extend(page.events.iter().map(|event| event.position.0));
            after = page.read_to;
        }
        if last_turn {
            return seen;
        }
        let _ = tokio::time::timeout(Duration::from_millis(50), head.wait_for(|head| *head > after)).await;
    }
}

async fn follow_naively(database: &Database, done: Arc<AtomicBool>) -> Vec<i64> {
    let mut connection = database.connect().await;
    let mut seen = Vec::new();
    loop {
        let last_turn = done.load(Ordering::SeqCst);
        let after: i64 = seen.last().copied().unwrap_or(0);
        let rows: Vec<i64> = sqlx::query_scalar("select pos from naive where pos > $1 order by pos")
            .bind(after)
            .fetch_all(&mut connection)
            .await
            .unwrap();
        seen.extend(rows);
        if last_turn {
            return seen;
        }
        tokio::task::yield_now().await;
    }
}

async fn kill_writers(database: &Database, done: Arc<AtomicBool>, kills: Arc<AtomicU64>) {
    let mut connection = database.connect().await;
    while !done.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(120)).await;
        let killed = sqlx::query(
            "select pg_terminate_backend(pid) from pg_stat_activity
                where datname = current_database() and application_name = 'banyan event writer' and state <> 'idle'
                limit 1",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        kills.fetch_add(killed.len() as u64, Ordering::SeqCst);
    }
}

async fn everything(store: &EventStore) -> Vec<Recorded> {
    let (mut all, end) = (Vec::new(), store.head().await.unwrap());
    while (all.len() as i64) < end.0 {
        let page = store.read(Position(all.len() as i64), 5_000, &Filter::default()).await.unwrap();
        assert!(!page.events.is_empty(), "there is a gap behind {}", all.len());
        all.extend(page.events);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_every_event_once_and_in_order_whatever_happens() {
    let (database, elsewhere) = (Arc::new(Database::new().await), Database::new().await);
    let stores = [database.store().await, database.store().await];
    let mut setup = database.connect().await;
    sqlx::raw_sql("create table beside (id uuid); create table naive (pos bigserial primary key)")
        .execute(&mut setup)
        .await
        .unwrap();
    let mut busy = elsewhere.connect().await;
    sqlx::raw_sql("begin; create table busy (id int); insert into busy values (1)").execute(&mut busy).await.unwrap();

    let end = Instant::now() + Duration::from_secs(if long() { 120 } else { 6 });
    let (done, kills, told) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)), Arc::default());
    let spawn = |filter: Filter, store: usize| tokio::spawn(follow(stores[store].clone(), filter, done.clone()));
    let all = spawn(Filter::default(), 1);
    let some = spawn(Filter::service("service1"), 0);
    let naive = {
        let (database, done) = (database.clone(), done.clone());
        tokio::spawn(async move { follow_naively(&database, done).await })
    };
    let killer = {
        let (database, done, kills) = (database.clone(), done.clone(), kills.clone());
        tokio::spawn(async move { kill_writers(&database, done, kills).await })
    };
    let mut dice = Dice::of(seed());
    let naive_writers = (0..6).map(|_| {
        let (database, dice) = (database.clone(), dice.for_another());
        tokio::spawn(async move { write_naively(&database, dice, end).await })
    });
    let naive_writers: Vec<_> = naive_writers.collect();
    let writers = (0..WRITERS).map(|writer| {
        let store = stores[writer % 2].clone();
        tokio::spawn(write(store, writer + 1, dice.for_another(), end, Arc::clone(&told)))
    });
    for writer in join_all(writers).await.into_iter().chain(join_all(naive_writers).await) {
        writer.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    killer.await.unwrap();

    let events = everything(&stores[0]).await;
    let positions: BTreeSet<i64> = events.iter().map(|event| event.position.0).collect();
    let of_service = events.iter().filter(|event| event.service == "service1").map(|event| event.position.0).collect();
    let verdict = judge(&all.await.unwrap(), &positions);
    let filtered = judge(&some.await.unwrap(), &of_service);
    let naive_there = sqlx::query_scalar::<_, i64>("select pos from naive").fetch_all(&mut setup).await.unwrap();
    let naive = judge(&naive.await.unwrap(), &naive_there.iter().copied().collect());
    let told: Told = Arc::try_unwrap(told).ok().unwrap().into_inner().unwrap();
    println!(
        "{} events, {} kills, {} conflicts, {} interrupted, {} unknown; {verdict:?}, filtered {filtered:?}; \
         naive reader of {}: {naive:?}",
        events.len(),
        kills.load(Ordering::SeqCst),
        told.conflicts,
        told.interrupted,
        told.unknown,
        naive_there.len()
    );
    assert_eq!((verdict, filtered), (Verdict::default(), Verdict::default()));
    assert!(naive.missed > 0, "a test that the naive reader passes proves nothing");
    assert!(kills.load(Ordering::SeqCst) > 5 && told.interrupted > 0, "nothing was disturbed");

    let mut versions = BTreeMap::<&str, u32>::new();
    for event in &events {
        let version = versions.entry(&event.stream.aggregate_id).or_default();
        *version += 1;
        assert_eq!(event.version, *version, "{event:?}");
    }
    let ids: HashSet<Uuid> = events.iter().map(|event| event.id).collect();
    assert_eq!(told.stored.difference(&ids).count(), 0, "acknowledged and lost");
    assert_eq!(told.refused.intersection(&ids).count(), 0, "refused and stored");
    let beside: Vec<Uuid> = sqlx::query_scalar("select id from beside").fetch_all(&mut setup).await.unwrap();
    assert_eq!(beside.len(), beside.iter().collect::<HashSet<_>>().len(), "a companion ran twice");
    assert!(beside.iter().all(|id| ids.contains(id)), "a companion without its append");
    assert_eq!(told.companied.difference(&beside.into_iter().collect()).count(), 0, "an append without its companion");
    for store in stores {
        store.close().await;
    }
}
