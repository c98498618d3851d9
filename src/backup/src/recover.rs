//! What a backup or a restore left half-way, brought to an end by whoever comes next.

use compose::observed::Observed;
use engine::Engine;
use futures_util::future::join_all;

use crate::error::{Error, Result};
use crate::files::{self, Files, State};
use crate::marker::{Marker, Place};
use crate::owner::{self, LABEL_OWNER, Life};
use crate::prove;
use crate::rest;
use crate::restore::{finish, remove_servers, stop, undo};
use crate::stopped;
use crate::window::{self, LABEL_WORK, workers};

/// What an interrupted backup or restore left behind, and what was done about it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Containers that were thawed.
    pub thawed: Vec<String>,
    /// Stores whose restore was undone.
    pub undone: Vec<String>,
    /// Stores whose restore was finished.
    pub finished: Vec<String>,
    /// Stores whose restore had changed nothing yet, or had come to its end: only its tools were left.
    pub cleared: Vec<String>,
    /// Containers that were started again.
    pub started: Vec<String>,
    /// Containers that ran before and could not be started again, each with the reason.
    pub not_started: Vec<String>,
}

/// Ends what a backup or a restore that was killed left half-way. Nothing is asked of the engine when there is nothing;
/// nothing is done while the one who left it is still at work.
pub async fn recover(engine: &Engine, project: &str, observed: &Observed) -> Result<Recovered> {
    let works = |labels: &std::collections::BTreeMap<String, String>| {
        labels.get(LABEL_WORK).filter(|p| *p == project).and_then(|_| labels.get(LABEL_OWNER)).cloned()
    };
    let containers = observed.others.iter().filter_map(|c| works(&c.labels));
    let owners = containers.chain(observed.volumes.values().filter_map(|v| works(&v.labels)));
    for owner in owners {
        let project = project.to_owned();
        match owner::life(&owner) {
            Life::Ended => {}
            Life::Here(owner) => return Err(Error::Busy { project, owner, elsewhere: false }),
            Life::Elsewhere(owner) => return Err(Error::Busy { project, owner, elsewhere: true }),
        }
    }
    take_over(engine, project, observed).await
}

/// The same, whoever left it: somebody has made sure that it is at work no more.
pub async fn take_over(engine: &Engine, project: &str, observed: &Observed) -> Result<Recovered> {
    let mut recovered = Recovered { thawed: window::recover(engine, project, observed).await?, ..Recovered::default() };
    (recovered.started, recovered.not_started) = stopped::recover(engine, project, observed).await?;
    for server in workers(project, observed, "server") {
        engine.remove_helper(&server.name).await?;
    }
    prove::recover(engine, project, observed).await?;
    rest::recover(engine, project, observed).await?;
    if let Some(marker) = Marker::of(project, observed)? {
        end(engine, project, observed, marker, &mut recovered).await?;
    }
    for container in workers(project, observed, files::PART) {
        engine.remove_helper(&container.name).await?;
    }
    Ok(recovered)
}

/// Ends a restore: forwards when it was done, else backwards.
async fn end(
    engine: &Engine,
    project: &str,
    observed: &Observed,
    marker: Marker,
    recovered: &mut Recovered,
) -> Result<()> {
    remove_servers(engine, project).await?;
    let mut all = Vec::new();
    for place in &marker.places {
        // a volume that is gone took its state along
        if observed.volumes.contains_key(&place.volume) {
            all.push(Files::again(engine, project, place, &image(observed, place)?).await?);
        }
    }
    let stores: Vec<String> = all.iter().map(|f| f.store.clone()).collect();
    let mut states = Vec::new();
    for one in &all {
        states.push(one.state().await?);
    }
    if states.contains(&State::Done) {
        finish(&all).await?;
        recovered.finished = stores;
    } else if states.iter().all(|state| *state == State::None) {
        recovered.cleared = stores;
    } else {
        if states.contains(&State::Swapping) {
            let containers = marker.places.iter().map(|p| p.container.clone());
            let there = containers.filter(|name| observed.containers.iter().any(|c| c.name == *name));
            stop(engine, &there.collect::<Vec<_>>()).await?;
        }
        undo(&all).await?;
        recovered.undone = stores;
    }
    for one in all {
        one.remove().await?;
    }
    // those that depend on others come first in the list
    let ran = marker.ran.iter().rev().filter(|name| observed.containers.iter().any(|c| c.name == **name));
    let started = join_all(ran.map(|name| async move { (name, engine.start_container(name).await) })).await;
    let failed = started.into_iter().filter_map(|(name, started)| Some(format!("{name}: {}", started.err()?)));
    recovered.not_started.extend(failed);
    marker.remove(engine).await
}

/// An image that has a shell to look into the volume with: that of the store's container, or what there is of the
/// project.
fn image(observed: &Observed, place: &Place) -> Result<String> {
    let is_there = |id: &str| observed.image(id).map(|image| image.id.clone());
    let of_container = observed.containers.iter().find(|c| c.name == place.container);
    is_there(&place.image)
        .or_else(|| is_there(&of_container?.image_id))
        .or_else(|| observed.containers.iter().find_map(|c| is_there(&c.image_id)))
        .ok_or_else(|| Error::Stuck {
            store: place.store.clone(),
            why: format!("image {} is gone, with which its volume {} is looked into", place.image, place.volume),
        })
}
