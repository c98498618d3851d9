//! RabbitMQ: its folder, and a node that comes back from it.

use engine::docker::process::Command;

use super::{Target, Work};
use crate::error::{Error, Result};
use crate::files::Files;
use crate::live::AtLeast;
use crate::rabbitmq::Node;
use crate::scratch::{Scratch, Settings};
use crate::store::Store;

impl Work<'_> {
    pub(super) async fn rabbitmq(&self, target: &Target, files: &Files) -> Result<AtLeast> {
        let store = &target.store;
        self.unpack(target, files, "data.tar").await?;
        let (scratch, node) = self.node(store, files).await?;
        let found = node.counts_when_up().await?;
        let missing = target.archived.counts.keys().find(|queue| !found.contains_key(*queue));
        if let Some(queue) = missing {
            let difference = format!("queue {queue} is not there");
            return Err(Error::Different { store: store.name.clone(), difference });
        }
        let env = self.engine.inspect(&store.container).await?.env;
        if let (Some(user), Some(password)) = (env.get("RABBITMQ_DEFAULT_USER"), env.get("RABBITMQ_DEFAULT_PASS")) {
            // the services log in with what the project says now
            node.ensure_login(user, password).await?;
        }
        scratch.stop().await?;
        Ok(AtLeast::of_queues(found.keys()))
    }

    /// The same for a volume as it was.
    pub(super) async fn cold_rabbitmq(&self, store: &Store, files: &Files) -> Result<AtLeast> {
        let (scratch, node) = self.node(store, files).await?;
        let found = node.counts_when_up().await?;
        scratch.stop().await?;
        Ok(AtLeast::of_queues(found.keys()))
    }

    /// A node on the new data. The queues' logs hold the path of their folder, so it is found there by links.
    async fn node<'s>(&'s self, store: &Store, files: &Files) -> Result<(Scratch<'s>, Node<'s>)> {
        let linked = files.folders(&store.new_folder()).await?;
        let settings = Settings { linked, aside: true, ..Settings::default() };
        let scratch = Scratch::start(self.engine, self.project, store, settings).await?;
        scratch.until(&Command::new(["rabbitmqctl", "-q", "await_startup"])).await?;
        let node = Node { engine: self.engine, container: scratch.name.clone(), service: store.name.clone() };
        Ok((scratch, node))
    }
}
