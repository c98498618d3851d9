//! Whether a backup can be restored, found out by restoring it where it harms nobody.
//!
//! Every store is prepared as for a restore, but in a volume made for it: by the store's image, with the store's
//! settings, proved by its server. Then all of it is removed.

use archive::Archive;
use compose::observed::Observed;
use compose::project::Volume;
use engine::Engine;
use engine::progress::{self, Phase};

use crate::error::{Error, Result};
use crate::files::Files;
use crate::prepare::{Target, Work};
use crate::restore::{Order, remove_servers};
use crate::store::Store;
use crate::window::{is_work, labels, workers};

/// The kind of work.
const PART: &str = "proof";

/// Restores everything beside the project, compares, and removes it.
pub async fn prove(order: &Order<'_>, archive: &Archive, targets: &[Target]) -> Result<()> {
    let work = Work { engine: order.engine, project: &order.project.name, journal: order.journal, archive };
    for target in targets {
        let volume = format!("{}-banyan-{}-proof", order.project.name, target.store.name);
        let store = Store { volume: volume.clone(), ..target.store.clone() };
        let aside = Target { store, archived: target.archived.clone() };
        let proved = tokio::select! {
            proved = one(order, &work, &aside) => proved,
            () = order.cancel.cancelled() => Err(Error::Interrupted),
        };
        remove_servers(order.engine, &order.project.name).await?;
        order.engine.remove_helper(&container(order, &aside.store)).await?;
        order.engine.remove_volume(&volume).await?;
        proved?;
        order.journal.tell(progress::Kind::Service, &target.store.name, Phase::Done("proved"), None);
    }
    Ok(())
}

async fn one(order: &Order<'_>, work: &Work<'_>, target: &Target) -> Result<()> {
    let (engine, project) = (order.engine, &order.project.name);
    let volume = Volume { name: target.store.volume.clone(), driver: "local".to_owned(), ..Volume::default() };
    engine.create_volume(&volume, labels(project, PART)).await?;
    let files = Files::make(engine, project, &target.store, PART, container(order, &target.store)).await?;
    files.begin().await?;
    work.prepare(target, &files).await.map(|_| ())
}

fn container(order: &Order<'_>, store: &Store) -> String {
    format!("{}-banyan-{}-proof", order.project.name, store.name)
}

/// Removes what a killed proof left.
pub(crate) async fn recover(engine: &Engine, project: &str, observed: &Observed) -> Result<()> {
    for worker in workers(project, observed, PART) {
        engine.remove_helper(&worker.name).await?;
    }
    for (name, _) in observed.volumes.iter().filter(|(_, volume)| is_work(project, &volume.labels, PART)) {
        engine.remove_volume(name).await?;
    }
    Ok(())
}
