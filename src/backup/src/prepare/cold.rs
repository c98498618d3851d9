//! A copy of the volume: a server that can be asked is started on it.

use std::collections::BTreeMap;

use archive::Kind;

use super::{Target, Work};
use crate::error::Result;
use crate::files::Files;
use crate::live::{self, AtLeast};
use crate::postgres;
use crate::scratch::{Scratch, Settings};
use crate::store::Store;

impl Work<'_> {
    pub(super) async fn cold(&self, target: &Target, files: &Files) -> Result<AtLeast> {
        let store = &target.store;
        self.unpack(target, files, "volume.tar").await?;
        match target.archived.kind {
            Kind::Postgres => self.cold_postgres(store).await,
            Kind::Redis => self.cold_redis(store, files).await,
            Kind::Rabbitmq => self.cold_rabbitmq(store, files).await,
            _ => Ok(AtLeast::default()),
        }
    }

    async fn cold_postgres(&self, store: &Store) -> Result<AtLeast> {
        let live = postgres::Server::of(self.engine, &store.name, &store.container, store.ready.as_ref()).await?;
        let env = BTreeMap::from([("PGDATA".to_owned(), self.data_folder(store).await?)]);
        let command = Some(["postgres", "-c", "listen_addresses=127.0.0.1"].map(str::to_owned).to_vec());
        let settings = Settings { env, command, ..Settings::default() };
        let scratch = Scratch::start(self.engine, self.project, store, settings).await?;
        scratch.until(&live.command(&["psql", "-qAtXw", "-d", "template1", "-c", "SELECT 1"])).await?;
        let server = postgres::Server { container: scratch.name.clone(), ..live };
        let tables = live::tables(&server).await?;
        scratch.stop().await?;
        Ok(AtLeast::of_tables(&tables))
    }
}
