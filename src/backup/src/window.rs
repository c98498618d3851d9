//! The moment in which nothing changes: every container that is no store is frozen, and thawed again.
//!
//! Before the first one is frozen, a container that is never started is made; its labels name those that will be. It is
//! removed after the last one was thawed, so whoever finds it knows that a backup died in the window, and what to thaw.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use compose::observed::{Container, Observed, State};
use engine::Engine;
use engine::docker::helpers::Helper;
use futures_util::future::join_all;

use crate::error::Result;
use crate::owner::{self, LABEL_OWNER};

/// Label of everything that a backup or a restore makes for a while: the project that it works on.
pub const LABEL_WORK: &str = "dev.banyan.work";
/// Label: what kind of work, `window`, `stopped`, `copy`, `files`, `server` or `proof`.
pub const LABEL_PART: &str = "dev.banyan.work.part";
/// Label: the containers that are frozen.
const LABEL_FROZEN: &str = "dev.banyan.work.frozen";

/// Frozen containers.
pub struct Window {
    engine: Engine,
    marker: String,
    frozen: Vec<String>,
    since: Instant,
}

/// The labels of a container that works on a project for a while.
pub fn labels(project: &str, part: &str) -> BTreeMap<String, String> {
    let labels = [(LABEL_WORK, project.to_owned()), (LABEL_PART, part.to_owned()), (LABEL_OWNER, owner::own())];
    labels.map(|(label, value)| (label.to_owned(), value)).into()
}

/// Containers that a backup or a restore of this project made for a while.
pub fn workers<'a>(project: &'a str, observed: &'a Observed, part: &'a str) -> impl Iterator<Item = &'a Container> {
    observed.others.iter().filter(move |c| is_work(project, &c.labels, part))
}

/// True for what was made for such work on this project.
pub fn is_work(project: &str, labels: &BTreeMap<String, String>, part: &str) -> bool {
    labels.get(LABEL_WORK).is_some_and(|p| p == project) && labels.get(LABEL_PART).is_some_and(|p| p == part)
}

impl Window {
    /// Freezes `names`; `also` will be frozen later by whoever holds the window. The marker is made after `like`.
    pub async fn open(engine: &Engine, project: &str, like: &str, names: Vec<String>, also: &[String]) -> Result<Self> {
        let marker = format!("{project}-banyan-window");
        let mut labels = labels(project, "window");
        let all: Vec<String> = names.iter().chain(also).cloned().collect();
        labels.insert(LABEL_FROZEN.to_owned(), all.join(","));
        let helper = Helper { name: marker.clone(), labels, ..Helper::default() };
        engine.create_helper(like, &helper).await?;
        let since = Instant::now();
        let paused = join_all(names.iter().map(|name| engine.pause_container(name))).await;
        let window = Self { engine: engine.clone(), marker, frozen: all, since };
        // one that has ended meanwhile changes nothing any more
        let failed = paused.into_iter().find_map(|p| p.err().filter(|e| !e.is_conflict() && !e.is_not_found()));
        match failed {
            None => Ok(window),
            Some(error) => {
                window.close().await?;
                Err(error.into())
            }
        }
    }

    /// Thaws them; how long they were frozen.
    pub async fn close(self) -> Result<Duration> {
        thaw(&self.engine, &self.frozen).await?;
        let took = self.since.elapsed();
        self.engine.remove_helper(&self.marker).await?;
        Ok(took)
    }
}

/// Thaws what a backup that died in its window left frozen; the names of those.
pub async fn recover(engine: &Engine, project: &str, observed: &Observed) -> Result<Vec<String>> {
    let mut thawed = Vec::new();
    for marker in workers(project, observed, "window") {
        let named = marker.labels.get(LABEL_FROZEN).map_or("", String::as_str);
        let frozen = observed.containers.iter().filter(|c| c.state == State::Paused);
        let left: Vec<String> =
            frozen.filter(|c| named.split(',').any(|n| n == c.name)).map(|c| c.name.clone()).collect();
        thaw(engine, &left).await?;
        engine.remove_helper(&marker.name).await?;
        thawed.extend(left);
    }
    Ok(thawed)
}

async fn thaw(engine: &Engine, names: &[String]) -> Result<()> {
    let thawed = join_all(names.iter().map(|name| engine.unpause_container(name))).await;
    for result in thawed {
        match result {
            // it is not frozen, or not there, or was thawed a moment ago and the engine has not noticed yet
            Err(e) if e.is_conflict() || e.is_not_found() || is_running(&e) => {}
            other => other?,
        }
    }
    Ok(())
}

/// How the engine, and what is below it, say that there is nothing to thaw.
fn is_running(error: &engine::docker::Error) -> bool {
    ["is not paused", "cannot resume a running process"].iter().any(|words| error.message().contains(words))
}
