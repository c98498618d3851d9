//! A server on data that is being prepared: the store's own image and settings, on a folder of its volume. It has no
//! network, so nobody can reach it, and what it finds in the data (a shovel, a replica's master) reaches nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::Engine;
use engine::docker::helpers::Helper;
use engine::docker::process::Command;

use crate::error::{Error, Result};
use crate::store::Store;
use crate::window::labels;

/// How long it may take to answer: it may have to read everything first.
const LIMIT: Duration = Duration::from_secs(900);
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(50);
/// Where a volume is mounted that must not be found in its usual place.
pub const ASIDE: &str = "/banyan-volume";
/// Lines of its log that an error shows.
const LINES: u64 = 15;

/// The running server.
pub struct Scratch<'a> {
    engine: &'a Engine,
    /// Its container.
    pub name: String,
    store: String,
}

/// How it differs from the store's own container.
#[derive(Default)]
pub struct Settings {
    /// Variables.
    pub env: BTreeMap<String, String>,
    /// Its command line; `None`: the image's own.
    pub command: Option<Vec<String>>,
    /// The volume is mounted at [`ASIDE`], so that the server cannot find the store's present data, whatever it does.
    pub aside: bool,
    /// Folders of the new data that have to be found where the store's own are.
    pub linked: Vec<String>,
}

impl<'a> Scratch<'a> {
    /// Makes it and starts it.
    pub async fn start(engine: &'a Engine, project: &str, store: &Store, settings: Settings) -> Result<Self> {
        let name = format!("{project}-banyan-{}-server", store.name);
        let path = if settings.aside { ASIDE.to_owned() } else { store.path.clone() };
        let helper = Helper {
            name: name.clone(),
            labels: labels(project, "server"),
            env: settings.env,
            entrypoint: None,
            command: settings.command,
            volumes: vec![(store.volume.clone(), path)],
        };
        engine.create_helper(&store.container, &helper).await?;
        for folder in &settings.linked {
            engine.link(&name, &format!("{}/{folder}", store.path), &format!("{ASIDE}/.banyan-new/{folder}")).await?;
        }
        engine.start_container(&name).await?;
        Ok(Self { engine, name, store: store.name.clone() })
    }

    /// Until `check` ends with 0 in it.
    pub async fn until(&self, check: &Command) -> Result<()> {
        let wait = async {
            loop {
                let detail = self.engine.inspect(&self.name).await?;
                if !detail.running {
                    return Err(self.not_ready(format!("it ended with {}", detail.exit_code)).await);
                }
                // a container that ends meanwhile is seen in the next round
                if let Ok((_, ended)) = self.engine.run(&self.name, check, b"").await
                    && ended.code == 0
                {
                    return Ok(());
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        match tokio::time::timeout(LIMIT, wait).await {
            Ok(ready) => ready,
            Err(_) => Err(self.not_ready(format!("no answer within {} s", LIMIT.as_secs())).await),
        }
    }

    async fn not_ready(&self, why: String) -> Error {
        let log = self.engine.last_lines(&self.name, LINES).await;
        Error::NotReady { store: self.store.clone(), why: format!("{why}; {}", log.join("; ")) }
    }

    /// Stops it in good order, so that all is written, and removes it.
    pub async fn stop(self) -> Result<()> {
        self.engine.stop_helper(&self.name).await?;
        let code = self.engine.inspect(&self.name).await?.exit_code;
        if !matches!(code, 0 | 143) {
            return Err(self.not_ready(format!("it ended with {code} when it was asked to stop")).await);
        }
        Ok(self.engine.remove_helper(&self.name).await?)
    }
}
