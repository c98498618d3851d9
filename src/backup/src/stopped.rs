//! Containers that stand still for a copy of their data, or because a database changes its name: stopped, and started
//! again.
//!
//! As with the window, a container that is never started is made first; its labels name those that will be stopped.
//! Whoever finds it starts them.

use compose::observed::{Observed, State};
use engine::Engine;
use engine::docker::helpers::Helper;
use futures_util::future::join_all;

use crate::error::Result;
use crate::window::{labels, workers};

/// The kind of work.
const PART: &str = "stopped";
/// Label: the containers that are stopped.
const LABEL_STOPPED: &str = "dev.banyan.work.stopped";

/// Stopped containers.
pub struct Stopped {
    engine: Engine,
    marker: String,
    names: Vec<String>,
}

impl Stopped {
    /// Stops `names`. The marker is made after `like`.
    pub async fn stop(engine: &Engine, project: &str, like: &str, names: Vec<String>) -> Result<Self> {
        let marker = format!("{project}-banyan-stopped");
        let mut labels = labels(project, PART);
        labels.insert(LABEL_STOPPED.to_owned(), names.join(","));
        let helper = Helper { name: marker.clone(), labels, ..Helper::default() };
        engine.create_helper(like, &helper).await?;
        let stopped = Self { engine: engine.clone(), marker, names };
        let results = join_all(stopped.names.iter().map(|name| engine.stop_container(name))).await;
        match results.into_iter().find_map(std::result::Result::err) {
            None => Ok(stopped),
            Some(error) => {
                stopped.start().await?;
                Err(error.into())
            }
        }
    }

    /// Starts them again.
    pub async fn start(self) -> Result<()> {
        // in the order in which they depend on each other nothing is lost: they ran, and wait for each other
        let started = join_all(self.names.iter().map(|name| self.engine.start_container(name))).await;
        for result in started {
            result?;
        }
        self.clear().await
    }

    /// Somebody else has started them.
    pub async fn clear(self) -> Result<()> {
        Ok(self.engine.remove_helper(&self.marker).await?)
    }
}

/// Starts what somebody who was killed had stopped: those that are started, and those that cannot be, with the reason.
pub async fn recover(engine: &Engine, project: &str, observed: &Observed) -> Result<(Vec<String>, Vec<String>)> {
    let (mut started, mut failed) = (Vec::new(), Vec::new());
    for marker in workers(project, observed, PART) {
        let named = marker.labels.get(LABEL_STOPPED).map_or("", String::as_str);
        let ended = observed.containers.iter().filter(|c| matches!(c.state, State::Exited | State::Created));
        for container in ended.filter(|c| named.split(',').any(|n| n == c.name)) {
            match engine.start_container(&container.name).await {
                Ok(()) => started.push(container.name.clone()),
                Err(error) => failed.push(format!("{}: {error}", container.name)),
            }
        }
        engine.remove_helper(&marker.name).await?;
    }
    Ok((started, failed))
}
