//! E2: the appends of E1 through other event stores, on the same server.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::{
    Options, Report, Result,
    append::CALLERS,
    database::{self, Database, Server},
    load, packages,
    part::{Load, Part},
    pgbench::DATA,
    report::Level,
};

/// How many callers the others get; the fastest number counts.
const TRIED: [usize; 3] = [8, 32, CALLERS];

/// The files of message-db's `install.sh`, in its order, without the role and its privileges. pgcrypto is left out as
/// well: the one function that it is wanted for has been PostgreSQL's own since version 13.
const MESSAGE_DB: [&str; 18] = [
    "schema/message-store",
    "tables/messages",
    "types/message",
    "functions/message-store-version",
    "functions/hash-64",
    "functions/acquire-lock",
    "functions/category",
    "functions/is-category",
    "functions/id",
    "functions/cardinal-id",
    "functions/stream-version",
    "functions/write-message",
    "functions/get-stream-messages",
    "functions/get-category-messages",
    "functions/get-last-stream-message",
    "indexes/messages-id",
    "indexes/messages-stream",
    "indexes/messages-category",
];

/// Another event store with a database of its own.
struct Peer {
    name: &'static str,
    level: Level,
    /// Before the database: a program does not like it when that goes first.
    way: Way,
    database: Database,
    /// Where its events are.
    table: &'static str,
    rates: Vec<f64>,
    appended: u64,
}

/// How it is called.
enum Way {
    /// Through a program in its own language.
    Program(Part),
    /// Through its SQL.
    Sql,
}

pub async fn measure(options: &Options, server: &Server, report: &mut Report) -> Result<()> {
    let folder = options.peers.clone().unwrap_or_else(|| std::env::temp_dir().join("banyan-bench-store"));
    let mut peers = Vec::new();
    let emmett = emmett(&folder, server).await;
    let eventsourcing = eventsourcing(&folder, server).await;
    let message_db = message_db(&folder, server).await;
    for (name, peer) in [("Emmett", emmett), ("eventsourcing", eventsourcing), ("message-db", message_db)] {
        match peer {
            Ok(peer) => peers.push(peer),
            Err(why) => report.absent(name, why),
        }
    }
    let database = server.database().await?;
    let store = database::store(&database.url).await?;
    load::run(&store, CALLERS, Duration::from_millis(300), None, |_, _| {}).await?;
    let mut ours = Vec::new();
    for _ in 0..options.rounds {
        let load = load::run(&store, CALLERS, options.time, None, |_, _| {}).await?;
        report.load("E2", load.times.len() as u64, load.errors);
        ours.push(load.rate());
        for peer in &mut peers {
            let mut best = 0.0_f64;
            for callers in TRIED {
                let load = peer.load(callers, options.time).await?;
                report.load(&format!("E2, {}", peer.name), load.calls, load.errors);
                peer.appended += load.calls;
                best = best.max(load.rate());
            }
            peer.rates.push(best);
        }
    }
    store.close().await;
    for peer in &peers {
        let stored = peer.database.number(&format!("select count(*) from {}", peer.table)).await?;
        if stored != peer.appended as i64 {
            report.invalid(format!("E2: {} says that it has {} events and has {stored}", peer.name, peer.appended));
        }
        let what = format!("E2 events by {CALLERS} callers, against {}", peer.name);
        report.ratio(what, "/s", &ours, &peer.rates, peer.level);
    }
    report.condition(
        "E2",
        format!(
            "one event each with the version expected, streams of {} events; the others with as many of {TRIED:?} callers \
             as they are fastest with, and a connection for each: Emmett (npm) with its pool, in one process; \
             eventsourcing (PyPI) by its recorder alone, in threads of one process; message-db (npm) by its SQL function, \
             prepared, from this process",
            load::LENGTH
        ),
    );
    Ok(())
}

impl Peer {
    async fn load(&mut self, callers: usize, time: Duration) -> Result<Load> {
        match &mut self.way {
            // It answers when the load is over, and nothing else is to be done meanwhile.
            Way::Program(part) => Ok(tokio::task::block_in_place(|| part.load(callers, time))?),
            Way::Sql => write_messages(&self.database, callers, time).await,
        }
    }
}

async fn emmett(folder: &Path, server: &Server) -> Result<Peer> {
    let files = ["store/peers/package.json", "store/peers/emmett.js", "load.js"];
    let folder = packages::npm(folder.to_owned(), &files)?;
    let database = server.database().await?;
    let mut program = Command::new("node");
    program.current_dir(&folder).args(["emmett.js", &database.url, DATA]);
    let way = Way::Program(Part::start("emmett", program)?);
    let level = Level::at_least(8.0).goal(30.0);
    Ok(Peer { name: "Emmett", level, way, database, table: "emt_messages", rates: Vec::new(), appended: 0 })
}

async fn eventsourcing(folder: &Path, server: &Server) -> Result<Peer> {
    let files = ["store/peers/requirements.txt", "store/peers/recorder.py"];
    let python = packages::pip(folder.to_owned(), &files)?;
    let database = server.database().await?;
    let mut program = Command::new(python);
    program.current_dir(folder).args(["recorder.py", &database.url, DATA]);
    let way = Way::Program(Part::start("eventsourcing", program)?);
    let level = Level::at_least(20.0).goal(70.0);
    Ok(Peer { name: "eventsourcing", level, way, database, table: "stored_events", rates: Vec::new(), appended: 0 })
}

async fn message_db(folder: &Path, server: &Server) -> Result<Peer> {
    let folder: PathBuf = packages::npm(folder.to_owned(), &["store/peers/package.json"])?;
    let source = folder.join("node_modules/@eventide/message-db/database");
    let database = server.database().await?;
    for name in MESSAGE_DB {
        let path = source.join(name).with_extension("sql");
        let sql = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        database.run(&format!("set search_path = message_store, public; {sql}")).await?;
    }
    let level = Level::at_least(8.0).goal(30.0);
    let table = "message_store.messages";
    Ok(Peer { name: "message-db", level, way: Way::Sql, database, table, rates: Vec::new(), appended: 0 })
}

async fn write_messages(database: &Database, callers: usize, time: Duration) -> Result<Load> {
    let mut connections = Vec::new();
    for _ in 0..callers {
        let mut connection = database.connect().await?;
        sqlx::query("set search_path = message_store, public").execute(&mut connection).await?;
        connections.push(connection);
    }
    let began = Instant::now();
    let tasks: Vec<_> = connections.into_iter().map(|it| tokio::spawn(one(it, began + time))).collect();
    let (mut times, mut errors) = (Vec::new(), 0);
    for task in tasks {
        let (more, failed) = task.await?;
        times.extend(more);
        errors += failed;
    }
    Ok(Load::of(times, errors, began.elapsed().as_secs_f64()))
}

async fn one(mut connection: PgConnection, end: Instant) -> (Vec<f64>, u64) {
    let (mut times, mut errors) = (Vec::new(), 0);
    let mut version = i64::from(load::LENGTH);
    let mut stream = String::new();
    while Instant::now() < end {
        if version == i64::from(load::LENGTH) {
            (version, stream) = (0, format!("order-{}", Uuid::from_u128(rand::random())));
        }
        let asked = Instant::now();
        let written: Result<i64, sqlx::Error> =
            sqlx::query_scalar("select write_message($1, $2, $3, $4::jsonb, null, $5)")
                .bind(Uuid::from_u128(rand::random()).to_string())
                .bind(&stream)
                .bind(load::TYPES[version as usize % load::TYPES.len()])
                .bind(DATA)
                .bind(version - 1)
                .fetch_one(&mut connection)
                .await;
        match written {
            Ok(position) if position == version => {
                times.push(asked.elapsed().as_secs_f64() * 1e6);
                version += 1;
            }
            other => {
                if errors == 0 {
                    eprintln!("an append to message-db failed: {other:?}");
                }
                errors += 1;
                version = i64::from(load::LENGTH);
            }
        }
    }
    let _ = connection.close().await;
    (times, errors)
}
