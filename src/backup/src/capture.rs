//! From a running project to one file.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use archive::{Kind, Manifest, Method, Skipped, Summary, Writer};
use compose::observed::{Observed, State};
use compose::project::Project;
use engine::Engine;
use engine::docker::process::Command;
use engine::progress::{self, Journal, Phase};
use futures_util::future::try_join_all;
use futures_util::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;

use crate::elastic::Cluster;
use crate::error::{Error, Result};
use crate::postgres::definition::DEFINITION;
use crate::postgres::physical::{Log, Mark};
use crate::postgres::{self, FILES, LOG, Moment, Session};
use crate::rabbitmq::{Armed, Node};
use crate::rdb::{self, Forked};
use crate::store::{Store, stores};
use crate::window::Window;

/// What a backup needs to know.
pub struct Order<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// The project.
    pub project: &'a Project,
    /// What there is of it.
    pub observed: &'a Observed,
    /// Where progress is told.
    pub journal: &'a Journal,
    /// Set when it should end.
    pub cancel: &'a CancellationToken,
    /// How the moment is taken.
    pub how: How,
    /// Stores beside those that have a container of their own.
    pub more: Vec<Store>,
    /// PostgreSQL's files instead of dumps: faster, and for the same image only.
    pub physical: bool,
}

/// How the stores are brought to one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// What is no store is frozen while the moments of all stores are taken.
    Window,
    /// Nothing is frozen but the broker, and that only while it is copied.
    Online,
    /// Nothing runs any more: the volumes are copied as they are.
    Stopped,
}

/// What came of it.
pub struct Captured {
    /// The file and what is in it.
    pub summary: Summary,
    /// How long the project stood still.
    pub window: Duration,
}

/// A store that is about to be asked for its moment …
enum Asked<'a> {
    Postgres { server: postgres::Server<'a>, sessions: Vec<Session>, log: Option<Box<Log>> },
    Redis { server: rdb::Server<'a>, folder: String, file: String },
    Rabbitmq { node: Node<'a>, about: (String, String), armed: Box<Armed> },
}

/// … and one that has been.
enum Held<'a> {
    Postgres {
        server: postgres::Server<'a>,
        moments: Vec<Moment>,
        marked: Option<Box<(Log, Mark)>>,
    },
    Redis {
        server: rdb::Server<'a>,
        folder: String,
        file: String,
        forked: Forked,
    },
    /// Written in the window.
    Rabbitmq(archive::Store),
}

/// Writes everything into `writer`; `manifest` says who and when, and is completed here.
pub async fn capture(order: &Order<'_>, mut writer: Writer, mut manifest: Manifest) -> Result<Captured> {
    let mut all = stores(order.project, order.observed);
    all.extend(order.more.iter().cloned());
    let (asked, copied): (Vec<Store>, Vec<Store>) =
        all.into_iter().partition(|s| s.is_asked() && order.how != How::Stopped);
    let (running, stopped): (Vec<Store>, Vec<Store>) =
        asked.into_iter().partition(|s| matches!(s.state, State::Running | State::Paused));
    for store in &stopped {
        let reason = format!("its container is {}", store.state.as_str());
        skip(order, &mut manifest, store, reason);
    }
    let Some(like) = running.first().or(copied.first()).map(|s| s.container.clone()) else {
        return Err(Error::Nothing { project: order.project.name.clone() });
    };
    let prepared = try_join_all(running.iter().map(|store| prepare(order, store))).await?;
    tokio::select! {
        copied = copy_files(order, &running, &prepared, &mut writer) => copied?,
        () = order.cancel.cancelled() => return Err(Error::Interrupted),
    }

    let frozen = if order.how == How::Window { to_freeze(order, &running) } else { Vec::new() };
    let brokers: Vec<String> =
        running.iter().filter(|s| s.kind == Kind::Rabbitmq).map(|s| s.container.clone()).collect();
    let window = Window::open(order.engine, &order.project.name, &like, frozen, &brokers).await?;
    let held = tokio::select! {
        held = hold(order, &running, prepared, &mut writer) => held,
        () = order.cancel.cancelled() => Err(Error::Interrupted),
    };
    let window = window.close().await?;
    let held = held?;

    let rest = async {
        for (store, held) in running.iter().zip(held) {
            manifest.stores.push(write(order, &mut writer, store, held).await?);
        }
        for store in &copied {
            if store.kind != Kind::Elasticsearch || order.how == How::Stopped {
                manifest.stores.push(cold(order, &mut writer, store).await?);
                continue;
            }
            match indices(order, &mut writer, store).await? {
                Ok(entry) => manifest.stores.push(entry),
                Err(reason) => skip(order, &mut manifest, store, reason),
            }
        }
        Ok::<(), Error>(())
    };
    tokio::select! {
        written = rest => written?,
        () = order.cancel.cancelled() => return Err(Error::Interrupted),
    }
    let summary = tokio::task::spawn_blocking(move || writer.finish(manifest)).await.map_err(|_| Error::Lost)??;
    Ok(Captured { summary, window })
}

fn skip(order: &Order<'_>, manifest: &mut Manifest, store: &Store, reason: String) {
    order.journal.tell(progress::Kind::Service, &store.name, Phase::Warned("skipped"), Some(reason.clone()));
    manifest.skipped.push(Skipped { name: store.name.clone(), reason });
}

/// Everything that runs and is no store could change one.
fn to_freeze(order: &Order<'_>, stores: &[Store]) -> Vec<String> {
    let is_store = |name: &str| stores.iter().any(|s| s.container == name);
    let runs = order.observed.containers.iter().filter(|c| c.state == State::Running && !c.is_one_off());
    runs.filter(|c| !is_store(&c.name)).map(|c| c.name.clone()).collect()
}

/// All that takes time and changes nothing.
async fn prepare<'a>(order: &Order<'a>, store: &Store) -> Result<Asked<'a>> {
    let engine = order.engine;
    let (container, service) = (store.container.clone(), store.name.clone());
    Ok(match store.kind {
        Kind::Postgres => {
            let server = postgres::Server::of(engine, &service, &container, store.ready.as_ref()).await?;
            let databases = server.databases().await?;
            let sessions = try_join_all(databases.iter().map(|d| server.open(d))).await?;
            let log = if order.physical { Some(Box::new(server.keep_log().await?)) } else { None };
            Asked::Postgres { server, sessions, log }
        }
        Kind::Redis => {
            let password = store.ready.as_ref().and_then(|r| r.password.clone());
            let server = rdb::Server { engine, container, service, password };
            let (folder, file) = server.file().await?;
            Asked::Redis { server, folder, file }
        }
        _ => {
            let node = Node { engine, container, service };
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let id = format!("{:x}-{:x}", std::process::id(), now.as_nanos());
            let (about, armed) = tokio::try_join!(node.name_and_version(), node.arm(&id))?;
            Asked::Rabbitmq { node, about, armed: Box::new(armed) }
        }
    })
}

/// The files of databases, of some time before the moment: their logs will lead there.
async fn copy_files(order: &Order<'_>, stores: &[Store], asked: &[Asked<'_>], writer: &mut Writer) -> Result<()> {
    for (store, asked) in stores.iter().zip(asked) {
        if let Asked::Postgres { server, log: Some(_), .. } = asked {
            run(order, store, server, writer, &format!("{}/{FILES}", store.name), &server.copy_files()).await?;
        }
    }
    Ok(())
}

/// What has to happen in the window: the moments of all stores, and the copy of the queues.
async fn hold<'a>(
    order: &Order<'_>,
    stores: &[Store],
    asked: Vec<Asked<'a>>,
    writer: &mut Writer,
) -> Result<Vec<Held<'a>>> {
    let mut brokers = Vec::new();
    let mut others = Vec::new();
    for (index, asked) in asked.into_iter().enumerate() {
        match asked {
            Asked::Rabbitmq { node, about, armed } => brokers.push((index, node, about, armed)),
            other => others.push((index, other)),
        }
    }
    let moments = try_join_all(others.into_iter().map(|(index, asked)| async move {
        let held = match asked {
            Asked::Postgres { server, sessions, log } => {
                let mut moments = try_join_all(sessions.into_iter().map(Session::hold)).await?;
                let mut marked = None;
                if let Some(mut log) = log {
                    let mark;
                    (mark, moments) = log.mark(moments).await?;
                    marked = Some(Box::new((*log, mark)));
                }
                Held::Postgres { server, moments, marked }
            }
            Asked::Redis { server, folder, file } => {
                let forked = server.fork().await?;
                Held::Redis { server, folder, file, forked }
            }
            Asked::Rabbitmq { .. } => unreachable!("put aside above"),
        };
        Ok::<_, Error>((index, held))
    }));
    let copies = async {
        let mut copies = Vec::new();
        for (index, node, about, armed) in brokers {
            let entry = copy_queues(order, &stores[index], &node, about, *armed, writer).await?;
            copies.push((index, Held::Rabbitmq(entry)));
        }
        Ok(copies)
    };
    let (mut held, copies) = tokio::try_join!(moments, copies)?;
    held.extend(copies);
    held.sort_by_key(|(index, _)| *index);
    Ok(held.into_iter().map(|(_, held)| held).collect())
}

async fn copy_queues(
    order: &Order<'_>,
    store: &Store,
    node: &Node<'_>,
    (name, version): (String, String),
    armed: Armed,
    writer: &mut Writer,
) -> Result<archive::Store> {
    let counts = armed.fire(node).await?;
    order.engine.pause_container(&store.container).await?;
    let member = format!("{}/data.tar", store.name);
    let tar = order.engine.download(&store.container, &format!("{}/.", store.path));
    let copied = pour(order, store, writer, &member, tar).await;
    order.engine.unpause_container(&store.container).await?;
    copied?;
    let mut entry = entry(store, Method::Physical, vec![member]);
    entry.counts = counts;
    entry.server_version = version;
    entry.facts.insert("node".to_owned(), name);
    Ok(entry)
}

/// Writes what was held.
async fn write(order: &Order<'_>, writer: &mut Writer, store: &Store, held: Held<'_>) -> Result<archive::Store> {
    let began = Instant::now();
    let entry = match held {
        Held::Rabbitmq(entry) => entry,
        Held::Redis { server, folder, file, forked } => {
            let exact = server.saved(&forked).await?;
            let member = format!("{}/dump.tar", store.name);
            let tar = order.engine.download(&store.container, &format!("{folder}/{file}"));
            pour(order, store, writer, &member, tar).await?;
            let mut entry = entry(store, Method::Physical, vec![member]);
            if let Some(keys) = forked.keys.filter(|_| exact) {
                entry.counts.insert("keys".to_owned(), keys);
            }
            entry.facts.insert("file".to_owned(), file);
            entry.server_version = server.version().await?;
            entry
        }
        Held::Postgres { server, mut moments, marked: Some(marked) } => {
            let (log, mark) = *marked;
            let members = [FILES, LOG].map(|name| format!("{}/{name}", store.name)).to_vec();
            run(order, store, &server, writer, &members[1], &log.copy(&server, &mark)).await?;
            let mut entry = entry(store, Method::Physical, members);
            if mark.exact {
                let facts = try_join_all(moments.iter_mut().map(Moment::facts)).await?;
                let facts = postgres::merged(facts);
                (entry.counts, entry.digests) = (facts.counts, facts.digests);
            }
            entry.facts.insert("lsn".to_owned(), mark.place);
            entry.server_version = server.version().await?;
            entry
        }
        Held::Postgres { server, mut moments, marked: None } => {
            let mut members = Vec::new();
            let databases: Vec<String> = moments.iter().map(|m| m.database.clone()).collect();
            let globals = format!("{}/globals.sql", store.name);
            run(order, store, &server, writer, &globals, &server.dump_globals()).await?;
            members.push(globals);
            let settings = format!("{}/settings.sql", store.name);
            let text = server.database_settings(&databases).await?;
            let whole = futures_util::stream::iter([Ok(bytes::Bytes::from(text))]);
            pour(order, store, writer, &settings, whole).await?;
            members.push(settings);
            let definition = format!("{}/{DEFINITION}", store.name);
            let text = serde_json::json!(server.definition().await?).to_string();
            let whole = futures_util::stream::iter([Ok(bytes::Bytes::from(text))]);
            pour(order, store, writer, &definition, whole).await?;
            members.push(definition);
            let mut facts = Vec::new();
            for moment in &mut moments {
                let member = postgres::member(&store.name, &moment.database);
                let dump = server.dump(moment);
                // the counts come from the same snapshot, on the other core
                let (dumped, counted) =
                    tokio::join!(run(order, store, &server, writer, &member, &dump), moment.facts());
                dumped?;
                facts.push(counted?);
                members.push(member);
            }
            let mut entry = entry(store, Method::Logical, members);
            let facts = postgres::merged(facts);
            (entry.counts, entry.digests) = (facts.counts, facts.digests);
            entry.server_version = server.version().await?;
            entry
        }
    };
    let note = format!("in {:.1} s", began.elapsed().as_secs_f64());
    order.journal.tell(progress::Kind::Service, &store.name, Phase::Done("backed up"), Some(note));
    Ok(entry)
}

/// The standard output of a program becomes a member.
async fn run(
    order: &Order<'_>,
    store: &Store,
    server: &postgres::Server<'_>,
    writer: &mut Writer,
    member: &str,
    command: &Command,
) -> Result<()> {
    let process = order.engine.start(&store.container, command).await?;
    process.input.close().await;
    let mut output = process.output;
    let mut to = writer.member(member)?;
    let mut done = 0;
    while let Some(bytes) = output.next().await? {
        to.push(&bytes).await?;
        done += bytes.len() as u64;
        tell(order, store, done);
    }
    server.ended_well(output.end().await?, || format!("write {member}"))?;
    to.finish()?;
    Ok(())
}

/// A stream becomes a member.
async fn pour<S>(order: &Order<'_>, store: &Store, writer: &mut Writer, member: &str, from: S) -> Result<()>
where
    S: Stream<Item = std::result::Result<bytes::Bytes, engine::docker::Error>>,
{
    let mut from = std::pin::pin!(from);
    let mut to = writer.member(member)?;
    let mut done = 0;
    while let Some(bytes) = from.next().await {
        let bytes = bytes?;
        to.push(&bytes).await?;
        done += bytes.len() as u64;
        tell(order, store, done);
    }
    to.finish()?;
    Ok(())
}

fn tell(order: &Order<'_>, store: &Store, done: u64) {
    order.journal.tell(progress::Kind::Service, &store.name, Phase::Bytes("backing up", done, 0), None);
}

/// A snapshot of the indices, or why there can be none.
async fn indices(
    order: &Order<'_>,
    writer: &mut Writer,
    store: &Store,
) -> Result<std::result::Result<archive::Store, String>> {
    if store.state != State::Running {
        return Ok(Err(format!("its container is {}", store.state.as_str())));
    }
    let detail = order.engine.inspect(&store.container).await?;
    let Some(folder) = detail.env.get("path.repo").filter(|f| f.starts_with(&store.path)) else {
        return Ok(Err("path.repo names no folder of its volume, so it takes no snapshots".to_owned()));
    };
    let service = order.project.services.get(&store.service);
    let Some(probe) = service.and_then(|s| engine::wait::probe(order.engine, s, &detail)) else {
        return Ok(Err("its port cannot be reached from here".to_owned()));
    };
    let cluster = Cluster::at(&store.name, &probe.host, probe.port)?;
    let location = format!("{folder}/banyan");
    // of a run that was killed
    cluster.forget().await;
    let member = format!("{}/snapshot.tar", store.name);
    let taken = async {
        cluster.register(&location).await?;
        cluster.snapshot().await?;
        let counts = cluster.counts().await?;
        let tar = order.engine.download(&store.container, &location);
        pour(order, store, writer, &member, tar).await?;
        Ok::<_, Error>(counts)
    };
    let taken = taken.await;
    cluster.forget().await;
    let mut entry = entry(store, Method::SnapshotApi, vec![member]);
    entry.counts = taken?;
    entry.server_version = cluster.version().await?;
    order.journal.tell(progress::Kind::Service, &store.name, Phase::Done("backed up"), None);
    Ok(Ok(entry))
}

/// Stop, copy, and start only what ran.
async fn cold(order: &Order<'_>, writer: &mut Writer, store: &Store) -> Result<archive::Store> {
    let ran = matches!(store.state, State::Running | State::Restarting);
    if ran {
        order.engine.stop_container(&store.container).await?;
    }
    let member = format!("{}/volume.tar", store.name);
    let tar = order.engine.download(&store.container, &format!("{}/.", store.path));
    let copied = pour(order, store, writer, &member, tar).await;
    if ran {
        order.engine.start_container(&store.container).await?;
    }
    copied?;
    order.journal.tell(progress::Kind::Service, &store.name, Phase::Done("backed up"), None);
    Ok(entry(store, Method::ColdCopy, vec![member]))
}

fn entry(store: &Store, method: Method, members: Vec<String>) -> archive::Store {
    archive::Store {
        name: store.name.clone(),
        kind: store.kind,
        method,
        server_version: store.version.clone(),
        image: store.image.clone(),
        members,
        size: 0,
        counts: Default::default(),
        digests: Default::default(),
        facts: Default::default(),
    }
}
