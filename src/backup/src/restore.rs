//! From a file to a running project: prepared and proved beside the present data, then swapped, all or nothing.

use std::time::Duration;

use archive::Archive;
use compose::observed::{Container, Observed, State};
use compose::project::Project;
use engine::Engine;
use engine::progress::{self, Journal, Phase};
use engine::wait::Wait;
use futures_util::future::{join_all, try_join_all};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::fault;
use crate::files::{self, Files, State as Swap};
use crate::live::{self, AtLeast};
use crate::marker::Marker;
use crate::prepare::{Target, Work};
use crate::store::Store;
use crate::window::workers;

/// What a restore needs to know.
pub struct Order<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// The project.
    pub project: &'a Project,
    /// What there is of it.
    pub observed: &'a Observed,
    /// Where progress is told.
    pub journal: &'a Journal,
    /// Set when it should end; heard until the swap begins.
    pub cancel: &'a CancellationToken,
    /// The longest wait for a store.
    pub limit: Duration,
}

/// What came of a restore that was done.
#[derive(Debug, Default)]
pub struct Restored {
    /// Stores that held what the file holds, and were left alone.
    pub unchanged: Vec<String>,
    /// Containers that ran before and could not be started again, each with the reason.
    pub not_started: Vec<String>,
    /// Why the old data could not be deleted; whoever comes next does it.
    pub left: Option<Error>,
}

/// Puts the archived data of all targets into place, or of none.
pub async fn restore(order: &Order<'_>, archive: &Archive, targets: &[Target]) -> Result<Restored> {
    let all = targets.iter().map(|t| &t.store).collect::<Vec<_>>();
    let marker = Marker::make(order.engine, &order.project.name, targets, &concerned(order.observed, &all)).await?;
    let mut files = Vec::new();
    let prepared = tokio::select! {
        prepared = prepare(order, archive, targets, &mut files) => prepared,
        () = order.cancel.cancelled() => Err(Error::Interrupted),
    };
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(why) => {
            return Err(match give_up(order, files, marker).await {
                Ok(()) => why,
                Err(stuck) => Error::HalfWay { why: Box::new(why), stuck: Box::new(stuck) },
            });
        }
    };
    let (anew, same) = apart(targets, &files, prepared);
    let stores: Vec<&Store> = anew.iter().map(|it| it.store).collect();
    let ran = concerned(order.observed, &stores);
    if let Err(why) = swap(order, &anew, &same, &ran, &files[0]).await {
        // the word may have been written, and only its answer be lost
        match files[0].state().await {
            Ok(Swap::Done) => {}
            _ => return Err(go_back(order, &stores, &ran, files, marker, why).await),
        }
    }
    // what those have sent who were stopped, their farewells
    let emptied = try_join_all(same.iter().map(|target| live::let_go(order.engine, target))).await;
    let left = match emptied.and_then(|_| fault::at("finish")) {
        Ok(()) => end(order.engine, files, marker).await.err(),
        failed => failed.err(),
    };
    let is_store = |name: &String| stores.iter().any(|store| store.container == *name);
    let dependents: Vec<String> = ran.into_iter().filter(|name| !is_store(name)).collect();
    let not_started = start(order, &dependents).await;
    let ends = stores.iter().map(|store| (&store.name, "restored"));
    for (name, end) in ends.chain(same.iter().map(|target| (&target.store.name, "unchanged"))) {
        order.journal.tell(progress::Kind::Service, name, Phase::Done(end), None);
    }
    let unchanged = same.iter().map(|target| target.store.name.clone()).collect();
    Ok(Restored { unchanged, not_started, left })
}

/// A store whose new data is there.
struct Anew<'a> {
    store: &'a Store,
    files: Files,
    least: AtLeast,
}

/// The stores that get new data, and those that hold it already.
fn apart<'a>(
    targets: &'a [Target],
    files: &[Files],
    prepared: Vec<Option<AtLeast>>,
) -> (Vec<Anew<'a>>, Vec<&'a Target>) {
    let (mut anew, mut same) = (Vec::new(), Vec::new());
    for ((target, files), prepared) in targets.iter().zip(files).zip(prepared) {
        match prepared {
            Some(least) => anew.push(Anew { store: &target.store, files: files.clone(), least }),
            None => same.push(target),
        }
    }
    (anew, same)
}

/// After a swap that failed: the old data comes back, and what ran runs again, whatever else fails.
async fn go_back(
    order: &Order<'_>,
    stores: &[&Store],
    ran: &[String],
    files: Vec<Files>,
    marker: Marker,
    why: Error,
) -> Error {
    // also those that had not run before
    let containers = stores.iter().map(|store| store.container.clone());
    let stopped = stop(order.engine, &containers.chain(ran.iter().cloned()).collect::<Vec<_>>()).await;
    let back = match stopped {
        Ok(()) => give_up(order, files, marker).await,
        failed => failed,
    };
    // half-way, whoever comes next starts them
    if let Err(stuck) = back {
        return Error::HalfWay { why: Box::new(why), stuck: Box::new(stuck) };
    }
    start(order, ran).await;
    Error::PutBack { why: Box::new(why) }
}

/// The running containers that have to stop: the stores, whoever else uses their volumes, and what depends on those;
/// dependents first.
pub(crate) fn concerned(observed: &Observed, stores: &[&Store]) -> Vec<String> {
    let uses = |c: &Container| c.volumes.iter().any(|v| stores.iter().any(|s| s.volume == v.name));
    let services = stores.iter().map(|s| s.service.clone());
    let users = observed.containers.iter().filter(|c| uses(c)).map(|c| c.service().to_owned());
    with_dependents(observed, services.chain(users).collect())
}

/// The running containers of these services, and of all that depend on them, dependents first.
pub(crate) fn with_dependents(observed: &Observed, mut services: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    services.retain(|service| seen.insert(service.clone()));
    loop {
        let depends = |c: &&Container| {
            !services.iter().any(|s| s == c.service()) && c.depends_on().iter().any(|d| services.contains(d))
        };
        let Some(next) = observed.containers.iter().find(depends) else { break };
        services.push(next.service().to_owned());
    }
    let runs = |c: &&Container| matches!(c.state, State::Running | State::Paused | State::Restarting);
    let mut names = Vec::new();
    for service in services.iter().rev() {
        names
            .extend(observed.containers.iter().filter(|c| c.service() == service).filter(runs).map(|c| c.name.clone()));
    }
    names
}

/// Makes all of it, and proves it; what has to be found in the live servers then. `None` for a store that holds what
/// the file holds already.
async fn prepare(
    order: &Order<'_>,
    archive: &Archive,
    targets: &[Target],
    files: &mut Vec<Files>,
) -> Result<Vec<Option<AtLeast>>> {
    let starting = targets.iter().map(|target| Files::start(order.engine, &order.project.name, &target.store));
    for started in join_all(starting).await {
        files.push(started?);
    }
    // of a restore whose marker somebody has deleted
    let states = try_join_all(files.iter().map(Files::state)).await?;
    match states.contains(&Swap::Done) {
        true => try_join_all(files.iter().map(Files::finish)).await?,
        false => try_join_all(files.iter().map(Files::undo)).await?,
    };
    try_join_all(files.iter().map(Files::begin)).await?;
    // most engines keep all volumes on one disk
    let needed = targets.iter().map(|t| t.archived.size).sum();
    if let Some(free) = files[0].room().await?.filter(|free| *free < needed) {
        return Err(Error::NoRoom { store: targets[0].store.name.clone(), needed, free });
    }
    let work = Work { engine: order.engine, project: &order.project.name, journal: order.journal, archive };
    try_join_all(targets.iter().zip(files.iter()).map(|(target, files)| async {
        match live::holds(order.engine, target).await {
            true => Ok(None),
            false => work.prepare(target, files).await.map(Some),
        }
    }))
    .await
}

/// Everything stops, the new data is put into place, and the stores come up with it and are asked for it.
async fn swap(order: &Order<'_>, anew: &[Anew<'_>], same: &[&Target], ran: &[String], first: &Files) -> Result<()> {
    fault::at("prepared")?;
    stop(order.engine, ran).await?;
    for (number, one) in anew.iter().enumerate() {
        if number > 0 {
            fault::at("second-swap")?;
        }
        one.files.swap().await?;
    }
    fault::at("swapped")?;
    let events = order.engine.events(&order.project.name);
    let started = try_join_all(anew.iter().map(|Anew { store, least, .. }| async {
        order.journal.tell(progress::Kind::Service, &store.name, Phase::Doing("starting"), None);
        order.engine.start_container(&store.container).await?;
        let wait = Wait::new(order.engine, &store.container, events.subscribe(), order.limit);
        let ready = wait.until_ready(order.project.services.get(&store.service)).await;
        ready.map_err(|trouble| Error::NotReady { store: store.name.clone(), why: trouble.summary() })?;
        live::ask(order.engine, store, least).await
    }));
    // those who used it until now may have changed it since
    let unchanged = try_join_all(same.iter().map(|target| async {
        match live::still_holds(order.engine, target).await? {
            true => Ok(()),
            false => Err(Error::Changed { store: target.store.name.clone() }),
        }
    }));
    tokio::try_join!(started, unchanged)?;
    fault::at("proved")?;
    // the word that counts for all
    first.done().await?;
    fault::at("done")
}

pub(crate) async fn stop(engine: &Engine, names: &[String]) -> Result<()> {
    for stopped in join_all(names.iter().map(|name| engine.stop_container(name))).await {
        stopped?;
    }
    Ok(())
}

/// Starts what ran before; those that cannot be started are named, and the others start all the same.
pub(crate) async fn start(order: &Order<'_>, names: &[String]) -> Vec<String> {
    let events = order.engine.events(&order.project.name);
    let started = join_all(names.iter().map(|name| async {
        let container = order.observed.containers.iter().find(|c| c.name == *name);
        let service = container.map_or(name.as_str(), |c| c.service());
        let failed = match order.engine.start_container(name).await {
            Err(error) => Some(error.to_string()),
            Ok(()) => {
                let wait = Wait::new(order.engine, name, events.subscribe(), order.limit);
                wait.until_ready(order.project.services.get(service)).await.err().map(|trouble| trouble.summary())
            }
        };
        let phase = if failed.is_some() { Phase::Failed("failed") } else { Phase::Done("ready") };
        order.journal.tell(progress::Kind::Service, service, phase, failed.clone());
        failed.map(|why| format!("{service}: {why}"))
    }));
    started.await.into_iter().flatten().collect()
}

/// Undoes everything, and removes what it was done with.
async fn give_up(order: &Order<'_>, files: Vec<Files>, marker: Marker) -> Result<()> {
    remove_servers(order.engine, &order.project.name).await?;
    undo(&files).await?;
    // one of them may have come into being while nobody waited for it any more
    let observed = order.engine.observe(&order.project.name).await?;
    for container in workers(&order.project.name, &observed, files::PART) {
        order.engine.remove_helper(&container.name).await?;
    }
    marker.remove(order.engine).await
}

/// The old data is where it was, everywhere.
pub(crate) async fn undo(files: &[Files]) -> Result<()> {
    try_join_all(files.iter().map(Files::undo)).await.map(|_| ())
}

/// Deletes the old data; the one with the word last.
pub(crate) async fn finish(files: &[Files]) -> Result<()> {
    let Some((first, others)) = files.split_first() else { return Ok(()) };
    try_join_all(others.iter().map(Files::finish)).await?;
    first.finish().await
}

async fn end(engine: &Engine, files: Vec<Files>, marker: Marker) -> Result<()> {
    finish(&files).await?;
    fault::at("finished")?;
    remove(engine, files, marker).await
}

async fn remove(engine: &Engine, files: Vec<Files>, marker: Marker) -> Result<()> {
    try_join_all(files.into_iter().map(Files::remove)).await?;
    marker.remove(engine).await
}

pub(crate) async fn remove_servers(engine: &Engine, project: &str) -> Result<()> {
    let observed = engine.observe(project).await?;
    for server in workers(project, &observed, "server") {
        engine.remove_helper(&server.name).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
