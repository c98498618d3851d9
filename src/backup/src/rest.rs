//! Volumes whose containers are gone: a container that is never started stands in, so that they can be copied.

use archive::Image;
use compose::observed::{LABEL_RECIPE, LABEL_VERSION, Observed, State};
use compose::project::{MountSource, Project, Service};
use engine::Engine;
use engine::docker::helpers::Helper;

use crate::error::Result;
use crate::store::{Store, kind_of_volume, mounts_in_order, name};
use crate::window::{labels, workers};

/// The kind of work.
const PART: &str = "copy";

/// A stand-in for each of these volumes for which there is an image; the names of the others.
pub async fn stand_ins(
    engine: &Engine,
    project: &Project,
    observed: &Observed,
    volumes: &[String],
) -> Result<(Vec<Store>, Vec<String>)> {
    let (mut stores, mut without) = (Vec::new(), Vec::new());
    for volume in volumes {
        let found = project.services.values().find_map(|s| Some((s, place(project, s, volume)?)));
        let image = found.as_ref().and_then(|(service, _)| image(service, observed));
        let (Some((service, (index, path))), Some(image)) = (found, image) else {
            without.push(volume.clone());
            continue;
        };
        let name = name(&service.name, index);
        let container = format!("{}-banyan-{name}-copy", project.name);
        let helper = Helper {
            name: container.clone(),
            labels: labels(&project.name, PART),
            command: Some(vec!["true".to_owned()]),
            volumes: vec![(volume.clone(), path.clone())],
            ..Helper::default()
        };
        engine.create_helper_of(&image.id, &helper).await?;
        let made_by = observed.volumes.get(volume).and_then(|v| v.labels.get(LABEL_VERSION)).cloned();
        stores.push(Store {
            name,
            service: service.name.clone(),
            kind: kind_of_volume(service, index, &path),
            container,
            users: Vec::new(),
            state: State::Created,
            volume: volume.clone(),
            path,
            image: Image { reference: service.image.clone(), digest: None },
            version: made_by.unwrap_or_default(),
            ready: service.extension.ready.clone(),
        });
    }
    Ok((stores, without))
}

/// Which of a service's volumes it is, and where the service mounts it.
fn place(project: &Project, service: &Service, volume: &str) -> Option<(usize, String)> {
    let is_it = |source: &MountSource| matches!(source, MountSource::Volume(key) if project.volumes.get(key).is_some_and(|v| v.name == volume));
    let mut volumes = mounts_in_order(service).into_iter().enumerate();
    volumes.find(|(_, m)| is_it(&m.source)).map(|(i, m)| (i, m.target.trim_end_matches('/').to_owned()))
}

/// The service's image, or the newest that its recipe has made.
fn image<'a>(service: &Service, observed: &'a Observed) -> Option<&'a compose::observed::Image> {
    let of_recipe = |i: &&compose::observed::Image| {
        service.extension.recipe.as_deref().is_some_and(|r| i.label(LABEL_RECIPE) == Some(r))
    };
    observed.image(&service.image).or_else(|| observed.images.iter().filter(of_recipe).max_by_key(|i| i.created))
}

/// Removes the stand-ins.
pub async fn dismiss(engine: &Engine, project: &str) -> Result<()> {
    let observed = engine.observe(project).await?;
    recover(engine, project, &observed).await
}

/// Removes what a killed run left.
pub(crate) async fn recover(engine: &Engine, project: &str, observed: &Observed) -> Result<()> {
    for worker in workers(project, observed, PART) {
        engine.remove_helper(&worker.name).await?;
    }
    Ok(())
}
