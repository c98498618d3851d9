//! From a running project to one file.

mod cold;
mod elastic;
mod out;
mod postgres;
mod rabbitmq;
mod rdb;

use std::time::{Duration, Instant};

use archive::{Consistency, Kind, Manifest, Method, Skipped, Summary, Writer};
use compose::observed::{Observed, State};
use compose::project::Project;
use engine::Engine;
use engine::progress::{self, Journal, Phase};
use futures_util::future::{join_all, try_join_all};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::store::{Store, out_of_reach, stores};
use crate::window::Window;
use out::{Out, heard};

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
    /// The longest time for which anything may stand still.
    pub longest: Duration,
    /// Stores beside those that have a container of their own.
    pub more: Vec<Store>,
    /// Stores that are left out, by name.
    pub without: Vec<String>,
    /// True when a store that cannot be backed up leaves nothing to be done: else it is skipped.
    pub whole: bool,
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
    /// Stores that run and could not be backed up: they are among the skipped ones.
    pub failed: Vec<String>,
}

/// The stores that are about to be asked for their moment …
#[derive(Default)]
struct Asked<'a> {
    databases: Vec<(Store, postgres::Asked<'a>)>,
    caches: Vec<(Store, rdb::Asked<'a>)>,
    brokers: Vec<(Store, rabbitmq::Asked<'a>)>,
}

/// … and those that have been.
#[derive(Default)]
struct Held<'a> {
    databases: Vec<(Store, postgres::Held<'a>)>,
    caches: Vec<(Store, rdb::Held<'a>)>,
    /// Written in the window.
    brokers: Vec<archive::Store>,
}

/// Writes everything into `writer`; `manifest` says who and when, and is completed here.
pub async fn capture(order: &Order<'_>, writer: Writer, mut manifest: Manifest) -> Result<Captured> {
    let mut all = stores(order.project, order.observed);
    all.extend(order.more.iter().cloned());
    if order.how != How::Stopped {
        let unseen = out_of_reach(order.project, order.observed, &all);
        unseen.into_iter().for_each(|s| skip(order, &mut manifest, &s.name, s.reason));
    }
    all.retain(|s| !order.without.contains(&s.name));
    // of what must be whole, a store that does not run, or never for long, is copied as it is
    let rests = |s: &Store| order.whole && !matches!(s.state, State::Running | State::Paused);
    let (asked, copied): (Vec<Store>, Vec<Store>) =
        all.into_iter().partition(|s| s.is_asked() && order.how != How::Stopped && !rests(s));
    let (running, stopped): (Vec<Store>, Vec<Store>) = asked.into_iter().partition(|s| s.state == State::Running);
    for store in &stopped {
        skip(order, &mut manifest, &store.name, format!("its container is {}", store.state.as_str()));
    }
    if running.is_empty() && copied.is_empty() {
        return Err(Error::Nothing { project: order.project.name.clone() });
    }

    let mut failed = Vec::new();
    let mut asked = Asked::default();
    let prepared = heard(order.cancel, join_all(running.iter().map(|store| prepare(order, store)))).await?;
    for (store, prepared) in running.iter().zip(prepared) {
        match prepared.map_err(|error| error.of(&store.name)) {
            Ok(ready) => asked.extend(ready),
            Err(error @ Error::Store { .. }) if !order.whole && (running.len() > 1 || !copied.is_empty()) => {
                skip(order, &mut manifest, &store.name, error.to_string());
                failed.push(store.name.clone());
            }
            Err(error) => return Err(error),
        }
    }
    let Some(like) = asked.stores().chain(&copied).next().map(|s| s.container.clone()) else {
        return Err(Error::Nothing { project: order.project.name.clone() });
    };
    let mut out = Out::new(order, writer, &copied);
    for (store, server) in &asked.databases {
        server.files(&mut out, store).await.map_err(|e| e.of(&store.name))?;
    }

    let (held, window) = in_window(order, &like, asked, &mut out).await?;
    let began = Instant::now();
    manifest.stores.extend(held.brokers);
    let kept = try_join_all(held.caches.into_iter().map(|(store, held)| async move {
        let kept = held.keep(order).await.map_err(|e| e.of(&store.name))?;
        Ok::<_, Error>((store, kept))
    }));
    let written = async {
        for (store, held) in held.databases {
            manifest.stores.push(held.write(&mut out, &store).await.map_err(|e| e.of(&store.name))?);
            out.backed_up(&store, began);
        }
        Ok::<_, Error>(())
    };
    let (kept, ()) = tokio::try_join!(kept, written)?;
    for (store, kept) in kept {
        if !kept.exact && order.how == How::Window {
            manifest.consistency = Consistency::PerStore;
            let note = "it saved once more before its file could be read, so its data is of a later moment".to_owned();
            order.journal.tell(progress::Kind::Service, &store.name, Phase::Warned("later"), Some(note));
        }
        manifest.stores.push(kept.write(&mut out, &store).await.map_err(|e| e.of(&store.name))?);
        out.backed_up(&store, began);
    }
    for store in &copied {
        if store.kind == Kind::Elasticsearch && order.how != How::Stopped {
            match elastic::write(&mut out, store).await.map_err(|e| e.of(&store.name)) {
                Ok(Ok(entry)) => {
                    manifest.stores.push(entry);
                    out.backed_up(store, began);
                }
                Ok(Err(reason)) => skip(order, &mut manifest, &store.name, reason),
                Err(error) => return Err(error),
            }
        } else {
            manifest.stores.push(cold::write(&mut out, store).await.map_err(|e| e.of(&store.name))?);
            out.backed_up(store, began);
        }
    }
    let writer = out.writer;
    let summary = tokio::task::spawn_blocking(move || writer.finish(manifest)).await.map_err(|_| Error::Lost)??;
    Ok(Captured { summary, window, failed })
}

fn skip(order: &Order<'_>, manifest: &mut Manifest, name: &str, reason: String) {
    order.journal.tell(progress::Kind::Service, name, Phase::Warned("skipped"), Some(reason.clone()));
    manifest.skipped.push(Skipped { name: name.to_owned(), reason });
}

/// Everything that runs and is no store could change one.
fn to_freeze(order: &Order<'_>, asked: &Asked<'_>) -> Vec<String> {
    let is_store = |name: &str| asked.stores().any(|s| s.container == name);
    let runs = order.observed.containers.iter().filter(|c| c.state == State::Running && !c.is_one_off());
    runs.filter(|c| !is_store(&c.name)).map(|c| c.name.clone()).collect()
}

/// All that takes time and changes nothing.
async fn prepare<'a>(order: &Order<'a>, store: &Store) -> Result<Asked<'a>> {
    let mut asked = Asked::default();
    match store.kind {
        Kind::Postgres => asked.databases.push((store.clone(), postgres::Asked::of(order, store).await?)),
        Kind::Redis => asked.caches.push((store.clone(), rdb::Asked::of(order, store).await?)),
        _ => asked.brokers.push((store.clone(), rabbitmq::Asked::of(order, store).await?)),
    }
    Ok(asked)
}

/// Freezes, takes the moments of all stores and the copy of the queues, and thaws: whatever happens, and not before the
/// last request that freezes something has come to its end.
async fn in_window<'a>(
    order: &Order<'_>,
    like: &str,
    asked: Asked<'a>,
    out: &mut Out<'_>,
) -> Result<(Held<'a>, Duration)> {
    if asked.stores().next().is_none() {
        return Ok((Held::default(), Duration::ZERO));
    }
    let frozen = if order.how == How::Window { to_freeze(order, &asked) } else { Vec::new() };
    let brokers: Vec<String> = asked.brokers.iter().map(|(s, _)| s.container.clone()).collect();
    let window = Window::open(order.engine, &order.project.name, like, frozen, &brokers).await?;
    let end = order.cancel.child_token();
    let (held, late) = {
        let mut held = std::pin::pin!(hold(order, asked, out, &end));
        tokio::select! {
            held = &mut held => (held, false),
            () = tokio::time::sleep(order.longest) => {
                end.cancel();
                (held.await, true)
            }
        }
    };
    let window = window.close().await?;
    match held {
        Err(Error::Interrupted) if late && !order.cancel.is_cancelled() => {
            Err(Error::TooLong { limit: order.longest, copied: out.done() })
        }
        held => Ok((held?, window)),
    }
}

/// What has to happen in the window. It comes to its end soon after `end`, and is never dropped before.
async fn hold<'a>(order: &Order<'_>, asked: Asked<'a>, out: &mut Out<'_>, end: &CancellationToken) -> Result<Held<'a>> {
    let Asked { databases, caches, brokers } = asked;
    let moments = async {
        let databases = try_join_all(databases.into_iter().map(|(store, server)| async move {
            let held = server.hold().await.map_err(|e| e.of(&store.name))?;
            Ok::<_, Error>((store, held))
        }));
        let caches = try_join_all(caches.into_iter().map(|(store, server)| async move {
            let held = server.hold().await.map_err(|e| e.of(&store.name))?;
            Ok::<_, Error>((store, held))
        }));
        let both = async { tokio::try_join!(databases, caches) };
        let moments = heard(end, both).await.and_then(|moments| moments);
        if moments.is_err() {
            // no use in copying on
            end.cancel();
        }
        moments
    };
    let copies = async {
        let mut copies = Vec::new();
        for (store, broker) in brokers {
            copies.push(broker.copy(order, out, &store, end).await.map_err(|e| e.of(&store.name))?);
        }
        Ok::<_, Error>(copies)
    };
    match tokio::join!(moments, copies) {
        (Ok((databases, caches)), Ok(brokers)) => Ok(Held { databases, caches, brokers }),
        // the cause, not its consequence
        (Err(Error::Interrupted) | Ok(_), Err(error)) | (Err(error), _) => Err(error),
    }
}

impl<'a> Asked<'a> {
    fn stores(&self) -> impl Iterator<Item = &Store> {
        let databases = self.databases.iter().map(|(s, _)| s);
        databases.chain(self.caches.iter().map(|(s, _)| s)).chain(self.brokers.iter().map(|(s, _)| s))
    }

    fn extend(&mut self, more: Self) {
        self.databases.extend(more.databases);
        self.caches.extend(more.caches);
        self.brokers.extend(more.brokers);
    }
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
