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
use crate::files::{Files, LABEL_FIRST, LABEL_PATH, LABEL_RAN, LABEL_SERVICE, LABEL_STORE, State as Swap};
use crate::prepare::{Target, Work};
use crate::prove;
use crate::rest;
use crate::stopped;
use crate::window::{self, workers};

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

/// Puts the archived data of all targets into place, or of none.
pub async fn restore(order: &Order<'_>, archive: &Archive, targets: &[Target]) -> Result<()> {
    let stores: Vec<&str> = targets.iter().map(|t| t.store.service.as_str()).collect();
    let ran = concerned(order.observed, &stores);
    let mut files = Vec::new();
    let prepared = tokio::select! {
        prepared = prepare(order, archive, targets, &ran, &mut files) => prepared,
        () = order.cancel.cancelled() => Err(Error::Interrupted),
    };
    if let Err(error) = prepared {
        give_up(order, &files).await?;
        return Err(error);
    }
    if let Err(error) = swap(order, targets, &ran, &files).await {
        stop(order.engine, &ran).await?;
        give_up(order, &files).await?;
        start(order, &ran).await;
        return Err(error);
    }
    finish(&files).await?;
    let dependents: Vec<String> =
        ran.iter().filter(|n| !targets.iter().any(|t| t.store.container == **n)).cloned().collect();
    start(order, &dependents).await;
    for target in targets {
        order.journal.tell(progress::Kind::Service, &target.store.name, Phase::Done("restored"), None);
    }
    Ok(())
}

/// The running containers that have to stop: the stores, and what depends on them; dependents first.
pub(crate) fn concerned(observed: &Observed, stores: &[&str]) -> Vec<String> {
    let mut services: Vec<String> = stores.iter().map(|s| (*s).to_owned()).collect();
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

async fn prepare(
    order: &Order<'_>,
    archive: &Archive,
    targets: &[Target],
    ran: &[String],
    files: &mut Vec<Files>,
) -> Result<()> {
    let first = &targets[0].store.name;
    for target in targets {
        let one = Files::start(order.engine, &order.project.name, &target.store, first, ran).await?;
        files.push(one.clone());
        one.begin().await?;
    }
    let work = Work { engine: order.engine, project: &order.project.name, journal: order.journal, archive };
    try_join_all(targets.iter().zip(files.iter()).map(|(target, files)| work.prepare(target, files))).await?;
    Ok(())
}

/// Everything stops, the new data is put into place, and the stores come up with it.
async fn swap(order: &Order<'_>, targets: &[Target], ran: &[String], files: &[Files]) -> Result<()> {
    stop(order.engine, ran).await?;
    try_join_all(files.iter().map(Files::swap)).await?;
    let events = order.engine.events(&order.project.name);
    try_join_all(targets.iter().map(|target| async {
        let store = &target.store;
        order.journal.tell(progress::Kind::Service, &store.name, Phase::Doing("starting"), None);
        order.engine.start_container(&store.container).await?;
        let wait = Wait::new(order.engine, &store.container, events.subscribe(), order.limit);
        let ready = wait.until_ready(order.project.services.get(&store.service)).await;
        ready.map_err(|trouble| Error::NotReady { store: store.name.clone(), why: trouble.summary() })
    }))
    .await?;
    // the word that counts for all
    files[0].done().await
}

pub(crate) async fn stop(engine: &Engine, names: &[String]) -> Result<()> {
    for stopped in join_all(names.iter().map(|name| engine.stop_container(name))).await {
        stopped?;
    }
    Ok(())
}

/// Starts what ran before; one that cannot be started is named, and no reason to stop.
pub(crate) async fn start(order: &Order<'_>, names: &[String]) {
    let events = order.engine.events(&order.project.name);
    join_all(names.iter().map(|name| async {
        let container = order.observed.containers.iter().find(|c| c.name == *name);
        let service = container.map_or(name.as_str(), |c| c.service());
        let failed = match order.engine.start_container(name).await {
            Err(error) => Some(error.to_string()),
            Ok(()) => {
                let wait = Wait::new(order.engine, name, events.subscribe(), order.limit);
                wait.until_ready(order.project.services.get(service)).await.err().map(|trouble| trouble.summary())
            }
        };
        let (phase, note) =
            if failed.is_some() { (Phase::Failed("failed"), failed) } else { (Phase::Done("ready"), None) };
        order.journal.tell(progress::Kind::Service, service, phase, note);
    }))
    .await;
}

/// Undoes everything.
async fn give_up(order: &Order<'_>, files: &[Files]) -> Result<()> {
    remove_servers(order.engine, &order.project.name).await?;
    try_join_all(files.iter().map(Files::undo)).await?;
    try_join_all(files.iter().cloned().map(Files::remove)).await?;
    Ok(())
}

/// Deletes the old data; the one with the word last.
async fn finish(files: &[Files]) -> Result<()> {
    try_join_all(files[1..].iter().map(Files::finish)).await?;
    files[0].finish().await?;
    try_join_all(files.iter().cloned().map(Files::remove)).await?;
    Ok(())
}

pub(crate) async fn remove_servers(engine: &Engine, project: &str) -> Result<()> {
    let observed = engine.observe(project).await?;
    for server in workers(project, &observed, "server") {
        engine.remove_helper(&server.name).await?;
    }
    Ok(())
}

/// What an interrupted backup or restore left behind, and what was done about it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Containers that were thawed.
    pub thawed: Vec<String>,
    /// Stores whose restore was undone.
    pub undone: Vec<String>,
    /// Stores whose restore was finished.
    pub finished: Vec<String>,
    /// Containers that were started again.
    pub started: Vec<String>,
    /// Containers that ran before and could not be started again, each with the reason.
    pub not_started: Vec<String>,
}

/// Ends what a backup or a restore that was killed left half-way. Nothing is asked of the engine when there is nothing.
pub async fn recover(engine: &Engine, project: &str, observed: &Observed) -> Result<Recovered> {
    let mut recovered = Recovered { thawed: window::recover(engine, project, observed).await?, ..Recovered::default() };
    (recovered.started, recovered.not_started) = stopped::recover(engine, project, observed).await?;
    for server in workers(project, observed, "server") {
        engine.remove_helper(&server.name).await?;
    }
    prove::recover(engine, project, observed).await?;
    rest::recover(engine, project, observed).await?;
    let label = |c: &Container, name: &str| c.labels.get(name).cloned().unwrap_or_default();
    let found: Vec<&Container> = workers(project, observed, "files").collect();
    let Some(any) = found.first() else { return Ok(recovered) };
    let (first, ran) = (label(any, LABEL_FIRST), label(any, LABEL_RAN));
    let mut files = Vec::new();
    for c in &found {
        files.push(Files::found(engine, &c.name, &label(c, LABEL_SERVICE), &label(c, LABEL_PATH)).await?);
    }
    files.sort_by_key(|f| f.service != first);
    let services: Vec<String> = files.iter().map(|f| f.service.clone()).collect();
    let is_done = files[0].service == first && files[0].state().await? == Swap::Done;
    if is_done {
        finish(&files).await?;
        recovered.finished = services;
    } else {
        let stores: Vec<String> = found.iter().map(|c| label(c, LABEL_STORE)).collect();
        let mut swapping = false;
        for one in &files {
            swapping |= one.state().await? == Swap::Swapping;
        }
        if swapping {
            stop(engine, &stores).await?;
        }
        try_join_all(files.iter().map(Files::undo)).await?;
        try_join_all(files.into_iter().map(Files::remove)).await?;
        recovered.undone = services;
    }
    // dependents come first in the list of what has to stop
    for name in ran.split(',').rev().filter(|n| observed.containers.iter().any(|c| c.name == *n)) {
        engine.start_container(name).await?;
    }
    Ok(recovered)
}
