//! What happens to the containers of a project, as it happens.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::query_parameters::EventsOptions;
use futures_util::StreamExt;
use tokio::sync::broadcast;
use tokio_util::task::AbortOnDropHandle;

use super::connect::Engine;

/// Something happened to a container.
#[derive(Debug, Clone)]
pub struct Event {
    /// Name of the container.
    pub container: String,
    /// `start`, `die`, `oom`, `health_status: healthy`, …
    pub action: String,
    /// What the main process of a container that died ended with.
    pub exit_code: Option<i64>,
}

/// A subscription that lives as long as this value.
pub struct Events {
    sender: broadcast::Sender<Event>,
    _task: AbortOnDropHandle<()>,
}

impl Events {
    /// News from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.sender.subscribe()
    }
}

impl Engine {
    /// Listens to the containers of a project; a lost connection is taken up again from where it broke.
    pub fn events(&self, project: &str) -> Events {
        let (sender, _) = broadcast::channel(1024);
        let docker = self.docker.clone();
        let filters = HashMap::from([
            ("type".to_owned(), vec!["container".to_owned()]),
            ("label".to_owned(), vec![format!("{}={project}", compose::observed::COMPOSE_PROJECT)]),
        ]);
        let out = sender.clone();
        let task = tokio::spawn(async move {
            let mut since = seconds_now();
            loop {
                let options =
                    EventsOptions { since: Some(since.to_string()), filters: Some(filters.clone()), until: None };
                let mut stream = docker.events(Some(options));
                while let Some(Ok(event)) = stream.next().await {
                    since = event.time.unwrap_or(since);
                    let mut told = event.actor.and_then(|a| a.attributes).unwrap_or_default();
                    let exit_code = told.get("exitCode").and_then(|code| code.parse().ok());
                    if let (Some(container), Some(action)) = (told.remove("name"), event.action) {
                        let _ = out.send(Event { container, action, exit_code });
                    }
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        Events { sender, _task: AbortOnDropHandle::new(task) }
    }
}

fn seconds_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(0))
}
