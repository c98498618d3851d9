//! RabbitMQ: its folder, and a node that comes back from it.

use engine::docker::process::Command;
use engine::progress::{self, Phase};

use super::{Target, Work};
use crate::error::{Error, Result};
use crate::files::Files;
use crate::live::AtLeast;
use crate::rabbitmq::{self, Node};
use crate::scratch::{Scratch, Settings};
use crate::store::Store;

impl Work<'_> {
    pub(super) async fn rabbitmq(&self, target: &Target, files: &Files) -> Result<AtLeast> {
        let store = &target.store;
        self.unpack(target, files, "data.tar").await?;
        let (scratch, node) = self.node(store, files).await?;
        let found = node.counts_when_up().await?;
        let expected = rabbitmq::queues(&target.archived).unwrap_or_default();
        let expired = node.expired().await?;
        if let Some(difference) = rabbitmq::lost(&expected, &found, expired) {
            return Err(Error::Different { store: store.name.clone(), difference });
        }
        if let Some(expired) = expired.filter(|expired| *expired > 0) {
            let note = format!("{expired} messages have expired since");
            self.journal.tell(progress::Kind::Service, &store.name, Phase::Reached("checked"), Some(note));
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
