//! Elasticsearch: an empty cluster that takes the snapshot in.

use engine::docker::process::Command;

use super::{Target, Work};
use crate::elastic::{self, Cluster};
use crate::error::{Error, Result};
use crate::files::Files;
use crate::live::AtLeast;
use crate::scratch::{Scratch, Settings};

impl Work<'_> {
    pub(super) async fn elasticsearch(&self, target: &Target, files: &Files) -> Result<AtLeast> {
        let store = &target.store;
        let (folder, snapshots) = (store.new_folder(), format!("{}/backups", store.new_folder()));
        files.make_folder(&snapshots).await?;
        self.unpack_into(target, files, "snapshot.tar", &snapshots).await?;
        let env = [("path.data", folder), ("path.repo", snapshots.clone())];
        let env = env.map(|(name, value)| (name.to_owned(), value)).into();
        let scratch = Scratch::start(self.engine, self.project, store, Settings { env, ..Settings::default() }).await?;
        let health = "http://127.0.0.1:9200/_cluster/health?wait_for_status=yellow&timeout=1s";
        scratch.until(&Command::new(["curl", "-fsS", "-o", "/dev/null", health])).await?;
        let cluster = Cluster::within(self.engine, &store.name, &scratch.name);
        cluster.register(&format!("{snapshots}/banyan")).await?;
        cluster.restore().await?;
        let found = cluster.counts().await?;
        let expected = elastic::indices(&target.archived).unwrap_or_default();
        if let Some(difference) = elastic::difference(&expected, &found) {
            return Err(Error::Different { store: store.name.clone(), difference });
        }
        cluster.forget().await;
        scratch.stop().await?;
        Ok(AtLeast(found))
    }
}
