//! Restored data, made beside the present one and proved by the store's own server.

use std::collections::BTreeMap;

use archive::{Archive, Kind, MemberReader, Method};
use bytes::Bytes;
use engine::Engine;
use engine::docker::process::Command;
use engine::progress::{self, Journal, Phase};
use futures_util::stream;

use crate::elastic::{self, Cluster};
use crate::error::{Error, Result};
use crate::files::Files;
use crate::postgres;
use crate::rabbitmq::{self, Node};
use crate::rdb;
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
    pub async fn prepare(&self, target: &Target, files: &Files) -> Result<()> {
        if target.archived.method == Method::ColdCopy {
            return self.cold(target, files).await;
        }
        match target.archived.kind {
            Kind::Postgres if target.archived.method == Method::Physical => self.postgres_files(target, files).await,
            Kind::Postgres => self.postgres(target).await,
            Kind::Redis => self.redis(target, files).await,
            Kind::Rabbitmq => self.rabbitmq(target, files).await,
            Kind::Elasticsearch => self.elasticsearch(target, files).await,
            _ => self.unpack(target, files, "volume.tar").await,
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
        Ok(self.engine.upload(&files.name, folder, tar).await?)
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
        let (mut input, mut output) = (process.input, process.output);
        let write = async {
            while let Some(bytes) = member.chunk().await? {
                told.tell(self.journal, bytes.len() as u64);
                if input.write(&bytes).await.is_err() {
                    // it has ended, and says why
                    break;
                }
            }
            input.close().await;
            Ok::<_, Error>(())
        };
        let read = async {
            while output.next().await?.is_some() {}
            Ok::<_, Error>(())
        };
        let (written, read) = tokio::join!(write, read);
        written?;
        read?;
        let ended = output.end().await?;
        let errors = ended.output.clone();
        server.ended_well(ended, || format!("restore {}", told.member))?;
        Ok(errors)
    }

    async fn postgres(&self, target: &Target) -> Result<()> {
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
        let mut command = vec!["postgres".to_owned()];
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
        let psql = server.command(&["psql", "-qAtX", "-d", "template1"]);
        let errors = self.feed(&server, &psql, &mut globals, &mut told).await?;
        // the superuser is there already
        if let Some(error) = errors.lines().find(|l| l.contains("ERROR") && !l.contains("already exists")) {
            let doing = format!("restore the roles of {}", store.name);
            return Err(Error::Program { doing, code: 0, output: error.to_owned() });
        }
        let mut databases = Vec::new();
        for name in &target.archived.members {
            let Some(database) = postgres::database_of(name) else { continue };
            told.member = format!("database {database}");
            let quoted = format!("\"{}\"", database.replace('"', "\"\""));
            // made anew: the image may have put something of its own into it
            let make =
                format!("DROP DATABASE IF EXISTS {quoted} WITH (FORCE);\nCREATE DATABASE {quoted} TEMPLATE template0;");
            server.sql("template1", &make).await?;
            let restore =
                ["pg_restore", "--exit-on-error", "--single-transaction", "--no-tablespaces", "-d", &database];
            let mut member = self.archive.member(name)?;
            self.feed(&server, &server.command(&restore), &mut member, &mut told).await?;
            databases.push(database);
        }
        told.member = "settings.sql".to_owned();
        let mut settings = self.archive.member(&format!("{}/settings.sql", target.archived.name))?;
        let strict = server.command(&["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-d", "template1"]);
        self.feed(&server, &strict, &mut settings, &mut told).await?;
        self.prove_databases(target, &server, &databases).await?;
        scratch.stop().await
    }

    /// The services can log in with what the project says now, and everything is there.
    async fn prove_databases(
        &self,
        target: &Target,
        server: &postgres::Server<'_>,
        databases: &[String],
    ) -> Result<()> {
        if !server.password.is_empty() {
            let (user, password) = (server.user.replace('"', "\"\""), server.password.replace('\'', "''"));
            server.sql("template1", &format!("ALTER ROLE \"{user}\" PASSWORD '{password}';")).await?;
        }
        let (counts, digests) = (target.archived.counts.clone(), target.archived.digests.clone());
        if counts.is_empty() {
            // nothing was counted, because somebody never stopped writing
            return Ok(());
        }
        let mut facts = Vec::new();
        for database in databases {
            facts.push(server.open(database).await?.hold().await?.facts().await?);
        }
        let difference = (postgres::Facts { counts, digests }).difference(&postgres::merged(facts));
        difference.map_or(Ok(()), |difference| Err(Error::Different { store: target.store.name.clone(), difference }))
    }

    /// Files and the log after them: a server replays it to the moment of the backup.
    async fn postgres_files(&self, target: &Target, files: &Files) -> Result<()> {
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
        self.prove_databases(target, &server, &databases).await?;
        scratch.stop().await
    }

    /// A line of shell in the container of the volume.
    async fn shell(&self, files: &Files, doing: &str, line: &str) -> Result<()> {
        let (_, ended) = self.engine.run(&files.name, &Command::shell(line).user("0"), b"").await?;
        if ended.code == 0 {
            return Ok(());
        }
        let doing = format!("{doing} of {}", files.service);
        Err(Error::Program { doing, code: ended.code, output: ended.output })
    }

    /// A copy of the volume; a server that can be asked is started on it.
    async fn cold(&self, target: &Target, files: &Files) -> Result<()> {
        let store = &target.store;
        self.unpack(target, files, "volume.tar").await?;
        let folder = store.new_folder();
        let (settings, check) = match target.archived.kind {
            Kind::Postgres => {
                let live =
                    postgres::Server::of(self.engine, &store.name, &store.container, store.ready.as_ref()).await?;
                let env = BTreeMap::from([("PGDATA".to_owned(), self.data_folder(store).await?)]);
                let command = ["postgres", "-c", "listen_addresses=127.0.0.1"].map(str::to_owned).to_vec();
                let check = live.command(&["psql", "-qAtXw", "-d", "template1", "-c", "SELECT 1"]);
                (Settings { env, command: Some(command), ..Settings::default() }, check)
            }
            Kind::Redis => {
                let test = Command::new(["test", "-d", &format!("{folder}/appendonlydir")]);
                let appends = self.engine.run(&files.name, &test, b"").await?.1.code == 0;
                let appendonly = if appends { "yes" } else { "no" };
                let command =
                    ["redis-server", "--dir", &folder, "--appendonly", appendonly, "--save", "", "--bind", "127.0.0.1"];
                let command = Some(command.map(str::to_owned).to_vec());
                (
                    Settings { command, ..Settings::default() },
                    Command::shell("redis-cli -h 127.0.0.1 ping | grep -qx PONG"),
                )
            }
            Kind::Rabbitmq => {
                let settings = Settings { network: true, linked: Some("mnesia"), ..Settings::default() };
                (settings, Command::new(["rabbitmqctl", "-q", "await_startup"]))
            }
            _ => return Ok(()),
        };
        let scratch = Scratch::start(self.engine, self.project, store, settings).await?;
        scratch.until(&check).await?;
        scratch.stop().await
    }

    /// PGDATA of the new data.
    async fn data_folder(&self, store: &Store) -> Result<String> {
        let folder = self.engine.inspect(&store.container).await?.env.remove("PGDATA").unwrap_or(store.path.clone());
        let Some(rest) = folder.strip_prefix(&store.path).filter(|r| r.is_empty() || r.starts_with('/')) else {
            return Err(Error::Refused(vec![format!("the data of {} is not in its volume: {folder}", store.name)]));
        };
        Ok(format!("{}{rest}", store.new_folder()))
    }

    async fn redis(&self, target: &Target, files: &Files) -> Result<()> {
        let store = &target.store;
        self.unpack(target, files, "dump.tar").await?;
        let file = target.archived.facts.get("file").cloned().unwrap_or_else(|| "dump.rdb".to_owned());
        let folder = store.new_folder();
        let command = ["redis-server", "--dir", &folder, "--dbfilename", &file, "--appendonly", "no", "--save", ""];
        let command = command.into_iter().chain(["--bind", "127.0.0.1", "--protected-mode", "no"]);
        let command = Some(command.map(str::to_owned).collect());
        let scratch =
            Scratch::start(self.engine, self.project, store, Settings { command, ..Settings::default() }).await?;
        scratch.until(&Command::shell("redis-cli -h 127.0.0.1 ping | grep -qx PONG")).await?;
        let (container, service) = (scratch.name.clone(), store.name.clone());
        let server = rdb::Server { engine: self.engine, container, service, password: None };
        let found = server.loaded().await?;
        if let Some(expected) = target.archived.counts.get("keys").filter(|keys| **keys != found) {
            let difference = format!("{expected} keys expected, {found} found");
            return Err(Error::Different { store: store.name.clone(), difference });
        }
        server.append_only().await?;
        scratch.stop().await
    }

    async fn elasticsearch(&self, target: &Target, files: &Files) -> Result<()> {
        let store = &target.store;
        let (folder, snapshots) = (store.new_folder(), format!("{}/backups", store.new_folder()));
        // the server runs as its own user
        let make = format!("mkdir -p {snapshots} && chown -R --reference={} {folder}", store.path);
        self.shell(files, "make room for the snapshot", &make).await?;
        self.unpack_into(target, files, "snapshot.tar", &snapshots).await?;
        let env = [("path.data", folder), ("path.repo", snapshots.clone())];
        let env = env.map(|(name, value)| (name.to_owned(), value)).into();
        let settings = Settings { env, network: true, ..Settings::default() };
        let scratch = Scratch::start(self.engine, self.project, store, settings).await?;
        let health = "http://127.0.0.1:9200/_cluster/health?wait_for_status=yellow&timeout=1s";
        scratch.until(&Command::new(["curl", "-fsS", "-o", "/dev/null", health])).await?;
        let address = self.engine.inspect(&scratch.name).await?.address;
        let cluster = Cluster::at(&store.name, &address, 9200)?;
        cluster.register(&format!("{snapshots}/banyan")).await?;
        cluster.restore().await?;
        let found = cluster.counts().await?;
        let expected = elastic::indices(&target.archived).unwrap_or_default();
        if let Some(difference) = elastic::difference(&expected, &found) {
            return Err(Error::Different { store: store.name.clone(), difference });
        }
        cluster.forget().await;
        scratch.stop().await
    }

    async fn rabbitmq(&self, target: &Target, files: &Files) -> Result<()> {
        let store = &target.store;
        self.unpack(target, files, "data.tar").await?;
        // the queues' logs hold the path of their folder
        let settings = Settings { network: true, linked: Some("mnesia"), ..Settings::default() };
        let scratch = Scratch::start(self.engine, self.project, store, settings).await?;
        scratch.until(&Command::new(["rabbitmqctl", "-q", "await_startup"])).await?;
        let node = Node { engine: self.engine, container: scratch.name.clone(), service: store.name.clone() };
        let found = node.counts_when_up().await?;
        let expected = rabbitmq::queues(&target.archived).unwrap_or_default();
        let expired = node.expired().await?;
        let difference = rabbitmq::lost(&expected, &found, expired);
        if let Some(difference) = difference {
            return Err(Error::Different { store: store.name.clone(), difference });
        }
        let env = self.engine.inspect(&store.container).await?.env;
        if let (Some(user), Some(password)) = (env.get("RABBITMQ_DEFAULT_USER"), env.get("RABBITMQ_DEFAULT_PASS")) {
            // the services log in with what the project says now
            node.ensure_login(user, password).await?;
        }
        if let Some(expired) = expired.filter(|expired| *expired > 0) {
            let note = format!("{expired} messages have expired since");
            self.journal.tell(progress::Kind::Service, &store.name, Phase::Reached("checked"), Some(note));
        }
        scratch.stop().await
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
