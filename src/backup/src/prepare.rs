//! Restored data, made beside the present one and proved by the store's own server.

mod cluster;
mod cold;
mod elastic;
mod rabbitmq;
mod redis;

use std::collections::BTreeMap;

use archive::{Archive, Kind, MemberReader, Method};
use bytes::Bytes;
use engine::Engine;
use engine::docker::process::Command;
use engine::progress::{self, Journal, Phase};
use futures_util::stream;

use crate::error::{Error, Result};
use crate::files::Files;
use crate::live::{self, AtLeast};
use crate::postgres;
use crate::scratch::{Scratch, Settings};
use crate::store::Store;

/// What the preparation needs to know.
pub struct Work<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// Name of the project.
    pub project: &'a str,
    /// Where progress is told.
    pub journal: &'a Journal,
    /// The file.
    pub archive: &'a Archive,
}

/// A store, and what the file has for it.
pub struct Target {
    /// The store here.
    pub store: Store,
    /// The store there.
    pub archived: archive::Store,
}

impl Work<'_> {
    /// Fills `.banyan-new` of the store's volume, and asks a server on it whether everything is there.
    /// What it found there must be found in the live server, too.
    pub async fn prepare(&self, target: &Target, files: &Files) -> Result<AtLeast> {
        if target.archived.method == Method::ColdCopy {
            return self.cold(target, files).await;
        }
        match target.archived.kind {
            Kind::Postgres if target.archived.method == Method::Physical => self.postgres_files(target, files).await,
            Kind::Postgres => self.postgres(target).await,
            Kind::Redis => self.redis(target, files).await,
            Kind::Rabbitmq => self.rabbitmq(target, files).await,
            Kind::Elasticsearch => self.elasticsearch(target, files).await,
            _ => self.unpack(target, files, "volume.tar").await.map(|()| AtLeast::default()),
        }
    }

    /// A member that is a tar archive goes into the folder of the new data.
    async fn unpack(&self, target: &Target, files: &Files, name: &str) -> Result<()> {
        self.unpack_into(target, files, name, &target.store.new_folder()).await
    }

    async fn unpack_into(&self, target: &Target, files: &Files, name: &str, folder: &str) -> Result<()> {
        let store = &target.store;
        let member = self.archive.member(&format!("{}/{name}", target.archived.name))?;
        let (journal, service, total) = (self.journal.clone(), store.name.clone(), target.archived.size);
        let tar = stream::unfold((member, 0), move |(mut member, done)| {
            let (journal, service) = (journal.clone(), service.clone());
            async move {
                let chunk = member.chunk().await.map_err(std::io::Error::other).transpose()?;
                let done = done + chunk.as_ref().map_or(0, |bytes: &Bytes| bytes.len() as u64);
                journal.tell(progress::Kind::Service, &service, Phase::Bytes("restoring", done, total), None);
                Some((chunk, (member, done)))
            }
        });
        Ok(self.engine.upload(&files.container, folder, tar).await?)
    }

    /// A member goes into a program's standard input; how the program ended is checked.
    async fn feed(
        &self,
        server: &postgres::Server<'_>,
        command: &Command,
        member: &mut MemberReader,
        told: &mut Told<'_>,
    ) -> Result<String> {
        let process = self.engine.start(&server.container, command).await?;
        let next = async || {
            let chunk = member.chunk().await?;
            if let Some(bytes) = &chunk {
                told.tell(self.journal, bytes.len() as u64);
            }
            Ok::<_, Error>(chunk)
        };
        let ended = process.feed(next).await?;
        let errors = ended.output.clone();
        server.ended_well(ended, || format!("restore {}", told.member))?;
        Ok(errors)
    }

    async fn postgres(&self, target: &Target) -> Result<AtLeast> {
        let store = &target.store;
        let live = postgres::Server::of(self.engine, &store.name, &store.container, store.ready.as_ref()).await?;
        let folder = self.data_folder(store).await?;
        let settings = [
            // nothing here has to survive a crash: it is done again then
            "fsync=off",
            "full_page_writes=off",
            "synchronous_commit=off",
            // what is loaded into a table of the same transaction needs no log
            "wal_level=minimal",
            "max_wal_senders=0",
            "archive_mode=off",
            "max_wal_size=8GB",
            "maintenance_work_mem=256MB",
            "autovacuum=off",
            // the server that makes the cluster listens on its socket only: this tells the two apart
            "listen_addresses=127.0.0.1",
        ];
        let mut command = postgres::own_line(&self.engine.inspect(&store.container).await?.command);
        command.extend(settings.iter().flat_map(|s| ["-c".to_owned(), (*s).to_owned()]));
        let env = BTreeMap::from([("PGDATA".to_owned(), folder)]);
        let settings = Settings { env, command: Some(command), ..Settings::default() };
        let scratch = Scratch::start(self.engine, self.project, store, settings).await?;
        let server = postgres::Server { container: scratch.name.clone(), ..live };
        scratch
            .until(&server.command(&["psql", "-qAtXw", "-h", "127.0.0.1", "-d", "template1", "-c", "SELECT 1"]))
            .await?;

        let mut told = Told { store, done: 0, total: target.archived.size, member: "globals.sql".to_owned() };
        let mut globals = self.archive.member(&format!("{}/globals.sql", target.archived.name))?;
        let psql = server.command(&["psql", "-qAtX", "-v", "VERBOSITY=sqlstate", "-d", "template1"]);
        let errors = self.feed(&server, &psql, &mut globals, &mut told).await?;
        self.role_trouble(target, &errors)?;
        let definition = self.definition(target).await?;
        let mut databases = Vec::new();
        for (name, database) in self.databases(target, &definition) {
            told.member = format!("database {}", database.name);
            self.create(target, &server, &database).await?;
            let restore =
                ["pg_restore", "--exit-on-error", "--single-transaction", "--no-tablespaces", "-d", &database.name];
            let mut member = self.archive.member(&name)?;
            self.feed(&server, &server.command(&restore), &mut member, &mut told).await?;
            databases.push(database.name);
        }
        self.settings(target, &server, &definition).await?;
        told.member = "settings.sql".to_owned();
        let mut settings = self.archive.member(&format!("{}/settings.sql", target.archived.name))?;
        let strict = server.command(&["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-d", "template1"]);
        self.feed(&server, &strict, &mut settings, &mut told).await?;
        let least = self.prove_databases(target, &server, &databases).await?;
        scratch.stop().await?;
        Ok(least)
    }

    /// The services can log in with what the project says now, and everything is there.
    async fn prove_databases(
        &self,
        target: &Target,
        server: &postgres::Server<'_>,
        databases: &[String],
    ) -> Result<AtLeast> {
        if !server.password.is_empty() {
            let (user, password) = (server.user.replace('"', "\"\""), server.password.replace('\'', "''"));
            server.sql("template1", &format!("ALTER ROLE \"{user}\" PASSWORD '{password}';")).await?;
        }
        let (counts, digests) = (target.archived.counts.clone(), target.archived.digests.clone());
        if counts.is_empty() {
            // nothing was counted, because somebody never stopped writing
            return Ok(AtLeast::of_tables(&live::tables(server).await?));
        }
        let mut facts = Vec::new();
        for database in databases {
            facts.push(server.open(database).await?.hold().await?.facts().await?);
        }
        let found = postgres::merged(facts);
        match (postgres::Facts { counts, digests }).difference(&found) {
            None => Ok(AtLeast::of_tables(&found.counts)),
            Some(difference) => Err(Error::Different { store: target.store.name.clone(), difference }),
        }
    }

    /// Files and the log after them: a server replays it to the moment of the backup.
    async fn postgres_files(&self, target: &Target, files: &Files) -> Result<AtLeast> {
        let store = &target.store;
        let Some(place) = target.archived.facts.get("lsn").filter(|lsn| is_place(lsn)) else {
            return Err(Error::Refused(vec![format!("{}: no place in its log is named", store.name)]));
        };
        let live = postgres::Server::of(self.engine, &store.name, &store.container, store.ready.as_ref()).await?;
        let folder = self.data_folder(store).await?;
        self.shell(files, "make room for the files", &format!("mkdir -p '{folder}'")).await?;
        self.unpack_into(target, files, postgres::FILES, &folder).await?;
        self.unpack_into(target, files, postgres::LOG, &format!("{folder}/pg_wal")).await?;
        let own = format!(
            "touch '{folder}/recovery.signal'; owner=$(stat -c %u:%g '{folder}/PG_VERSION'); \
             chown \"$owner\" '{folder}' '{folder}/recovery.signal' '{folder}'/pg_wal/*; chmod 700 '{folder}'"
        );
        self.shell(files, "give the files to the server", &own).await?;

        let mut command = vec!["postgres".to_owned()];
        let settings = postgres::physical::settings(place);
        let aside = ["listen_addresses=127.0.0.1", "fsync=off", "autovacuum=off"].map(str::to_owned);
        command.extend(settings.into_iter().chain(aside).flat_map(|s| ["-c".to_owned(), s]));
        let env = BTreeMap::from([("PGDATA".to_owned(), folder)]);
        let settings = Settings { env, command: Some(command), ..Settings::default() };
        let scratch = Scratch::start(self.engine, self.project, store, settings).await?;
        let server = postgres::Server { container: scratch.name.clone(), ..live };
        // it answers while it still replays
        let replayed = "SELECT 1 / (NOT pg_is_in_recovery())::int";
        let check = ["psql", "-qAtXw", "-h", "127.0.0.1", "-d", "template1", "-c", replayed];
        scratch.until(&server.command(&check)).await?;
        let databases = server.databases().await?;
        let least = self.prove_databases(target, &server, &databases).await?;
        scratch.stop().await?;
        Ok(least)
    }

    /// A line of shell in the container of the volume.
    async fn shell(&self, files: &Files, doing: &str, line: &str) -> Result<()> {
        let (_, ended) = self.engine.run(&files.container, &Command::shell(line).user("0"), b"").await?;
        if ended.code == 0 {
            return Ok(());
        }
        let doing = format!("{doing} of {}", files.store);
        Err(Error::Program { doing, code: ended.code, output: ended.output })
    }

    /// PGDATA of the new data.
    async fn data_folder(&self, store: &Store) -> Result<String> {
        let folder = self.engine.inspect(&store.container).await?.env.remove("PGDATA").unwrap_or(store.path.clone());
        let Some(rest) = folder.strip_prefix(&store.path).filter(|r| r.is_empty() || r.starts_with('/')) else {
            return Err(Error::Refused(vec![format!("the data of {} is not in its volume: {folder}", store.name)]));
        };
        Ok(format!("{}{rest}", store.new_folder()))
    }
}

/// `0/16B3748`
fn is_place(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.len() <= 8 && part.bytes().all(|b| b.is_ascii_hexdigit());
    text.split_once('/').is_some_and(|(high, low)| digits(high) && digits(low))
}

/// How much of a store's data went in.
struct Told<'a> {
    store: &'a Store,
    done: u64,
    total: u64,
    member: String,
}

impl Told<'_> {
    fn tell(&mut self, journal: &Journal, bytes: u64) {
        self.done += bytes;
        let phase = Phase::Bytes("restoring", self.done, self.total);
        journal.tell(progress::Kind::Service, &self.store.name, phase, None);
    }
}
