//! The word that a restore is at work: a volume without content, whose labels say all that is needed to end it.
//!
//! It is made before anything else is, and removed after everything else. Containers would be found as well, but
//! `docker system prune` takes those that do not run; and a store must not be started on data that is half swapped.

use compose::observed::{Labelled, Observed};
use compose::project::Volume;
use engine::Engine;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::prepare::Target;
use crate::window::{is_work, labels};

/// The kind of work.
const PART: &str = "restore";
/// Label: where the stores keep their data, the one first whose word counts for all.
const LABEL_PLACES: &str = "dev.banyan.work.places";
/// Label: the containers to start again at the end, in the order in which they stop.
const LABEL_RAN: &str = "dev.banyan.work.ran";

/// Where a store keeps its data, and what can look into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The store.
    pub store: String,
    /// Its container.
    pub container: String,
    /// The image of the container.
    pub image: String,
    /// The volume.
    pub volume: String,
    /// Where it is mounted.
    pub path: String,
}

/// A restore that is at work, or was interrupted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// The name of its volume.
    name: String,
    /// Its stores.
    pub places: Vec<Place>,
    /// The containers that ran.
    pub ran: Vec<String>,
}

impl Marker {
    /// Makes the volume.
    pub async fn make(engine: &Engine, project: &str, targets: &[Target], ran: &[String]) -> Result<Self> {
        let mut labels = labels(project, PART);
        let places = targets.iter().map(|target| {
            let store = &target.store;
            Place {
                store: store.name.clone(),
                container: store.container.clone(),
                image: store.image.digest.clone().unwrap_or_else(|| store.image.reference.clone()),
                volume: store.volume.clone(),
                path: store.path.clone(),
            }
        });
        let name = format!("{project}-banyan-restore");
        let marker = Self { name, places: places.collect(), ran: ran.to_vec() };
        labels.insert(LABEL_PLACES.to_owned(), serde_json::json!(marker.places).to_string());
        labels.insert(LABEL_RAN.to_owned(), ran.join(","));
        let volume = Volume { name: marker.name.clone(), driver: "local".to_owned(), ..Volume::default() };
        engine.create_volume(&volume, labels).await?;
        Ok(marker)
    }

    /// The one of a restore that did not come to its end.
    pub fn of(project: &str, observed: &Observed) -> Result<Option<Self>> {
        let is_it = |(_, volume): &(&String, &Labelled)| is_work(project, &volume.labels, PART);
        let Some((name, volume)) = observed.volumes.iter().find(is_it) else { return Ok(None) };
        let label = |name: &str| volume.labels.get(name).cloned().unwrap_or_default();
        let places = label(LABEL_PLACES);
        let doing = || "read what an interrupted restore was about".to_owned();
        let places = serde_json::from_str(&places).map_err(|_| Error::Answer { doing: doing(), answer: places })?;
        let ran = label(LABEL_RAN);
        let ran = ran.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Ok(Some(Self { name: name.clone(), places, ran }))
    }

    /// Removes the volume.
    pub async fn remove(self, engine: &Engine) -> Result<()> {
        Ok(engine.remove_volume(&self.name).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_going_on_is_read_from_labels() {
        let place = Place {
            store: "redis".to_owned(),
            container: "p-redis".to_owned(),
            image: "sha256:1".to_owned(),
            volume: "p_data".to_owned(),
            path: "/data".to_owned(),
        };
        let mut labels = labels("p", PART);
        labels.insert(LABEL_PLACES.to_owned(), serde_json::json!([place]).to_string());
        labels.insert(LABEL_RAN.to_owned(), "p-user,p-redis".to_owned());
        let mut observed = Observed::default();
        assert_eq!(Marker::of("p", &observed).unwrap(), None);
        observed.volumes.insert("p-banyan-restore".to_owned(), Labelled { labels });
        let marker = Marker::of("p", &observed).unwrap().unwrap();
        assert_eq!((marker.places, marker.ran), (vec![place], vec!["p-user".to_owned(), "p-redis".to_owned()]));
        assert_eq!(Marker::of("another", &observed).unwrap(), None);
    }
}
