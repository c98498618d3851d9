//! What a restore will work on: found out without changing anything, and completed once somebody has said yes.

use std::collections::BTreeSet;

use archive::Manifest;
use backup::{Store, Target, expected, guard, service_of, stores};
use compose::Observed;
use compose::observed::State;
use compose::plan::Images;
use engine::Engine;

use super::super::backup::failed;
use super::super::images::supply;
use super::super::up::{foresee, prepare};
use crate::args::{RestoreArgs, UpArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::project::Loaded;

/// Stores with what the file has for them.
pub struct Ready {
    /// The stores.
    pub targets: Vec<Target>,
    /// What there is of the project.
    pub observed: Observed,
    /// Those of the stores that have a volume already, whether or not a container shows it.
    pub held: Vec<String>,
    /// Services that have no container.
    absent: Vec<String>,
}

impl Ready {
    /// Compares the file with the project, its containers and its images.
    pub async fn look(
        context: &Context,
        engine: &Engine,
        loaded: &Loaded,
        manifest: &Manifest,
        args: &RestoreArgs,
        observed: Observed,
    ) -> Result<Self, Failure> {
        let in_file = manifest.stores.iter().map(|s| s.name.as_str());
        let asked = in_file.filter(|name| args.only.is_empty() || args.only.iter().any(|o| o == name));
        let services: BTreeSet<&str> = asked.map(service_of).collect();
        let has_none = |name: &&str| {
            let service = loaded.project.services.get(*name);
            service.is_some_and(|s| observed.of_service(&s.name, &s.container_name).is_empty())
        };
        let absent: Vec<String> = services.into_iter().filter(has_none).map(str::to_owned).collect();
        let supply = supply(context, engine, false, None)?;
        let (images, _) = foresee(&supply, &observed, &loaded.project, &absent).await;
        let targets = targets(engine, loaded, manifest, args, &observed, &images).await?;
        let holds = |t: &&Target| observed.volumes.contains_key(&t.store.volume);
        let held = targets.iter().filter(holds).map(|t| t.store.name.clone()).collect();
        Ok(Self { targets, observed, held, absent })
    }

    /// Fetches what the missing containers are made of, looks once more with that, and makes them; none is started, so
    /// a store that cannot start is no obstacle.
    pub async fn make(
        &mut self,
        context: &Context,
        engine: &Engine,
        loaded: &Loaded,
        manifest: &Manifest,
        args: &RestoreArgs,
    ) -> Result<(), Failure> {
        if self.absent.is_empty() {
            return Ok(());
        }
        let up = UpArgs { no_deps: true, wait_timeout: args.wait_timeout, ..UpArgs::default() };
        let up = UpArgs { services: self.absent.clone(), profile: vec!["*".to_owned()], ..up };
        let prepared = prepare(context, &up, engine, loaded.clone(), (self.absent.clone(), Vec::new())).await?;
        targets(engine, loaded, manifest, args, &self.observed, prepared.images()).await?;
        prepared.create(context, &up, engine).await?;
        self.observed = engine.observe(&loaded.project.name).await?;
        self.targets = targets(engine, loaded, manifest, args, &self.observed, &Images::new()).await?;
        Ok(())
    }

    /// Names of the stores.
    pub fn names(&self) -> Vec<String> {
        self.targets.iter().map(|t| t.store.name.clone()).collect()
    }

    /// True when one of the stores with data runs.
    pub fn some_run(&self) -> bool {
        let held = self.targets.iter().map(|t| &t.store).filter(|s| self.held.contains(&s.name));
        held.into_iter().any(|s| matches!(s.state, State::Running | State::Paused))
    }

    /// The project with nothing but the services whose data will be replaced.
    pub fn concerned(&self, loaded: &Loaded) -> Loaded {
        let mut only = loaded.clone();
        only.project.services.retain(|name, _| self.held.iter().any(|held| service_of(held) == name));
        only
    }
}

async fn targets(
    engine: &Engine,
    loaded: &Loaded,
    manifest: &Manifest,
    args: &RestoreArgs,
    observed: &Observed,
    images: &Images,
) -> Result<Vec<Target>, Failure> {
    let mut here: Vec<Store> = stores(&loaded.project, observed);
    for store in expected(&loaded.project, observed, images) {
        // one that two services share is there already
        if !here.iter().any(|known| known.volume == store.volume) {
            here.push(store);
        }
    }
    guard::versions(engine, &mut here).await.map_err(failed)?;
    let targets = guard::targets(manifest, &here, &args.only).map_err(failed)?;
    guard::look(engine, &loaded.project, observed, &targets).await.map_err(failed)?;
    Ok(targets)
}
