//! PostgreSQL: the cluster around the restored databases.

use engine::docker::process::Command;
use engine::progress::{self, Phase};

use super::{Target, Work};
use crate::error::{Error, Result};
use crate::postgres::definition::{self, DEFINITION, Database, Definition, identifier};
use crate::postgres::{Server, member};

/// The server is told to answer in codes, which are the same in every language: there is such a role already.
const DUPLICATE: &str = "42710";

impl Work<'_> {
    /// What the file says of the server; nothing, when it says nothing.
    pub(super) async fn definition(&self, target: &Target) -> Result<Definition> {
        let name = format!("{}/{DEFINITION}", target.archived.name);
        let Some(size) = self.archive.manifest().member(&name).map(|member| member.size) else {
            return Ok(Definition::default());
        };
        let hostile = |why: String| Error::Hostile { member: name.clone(), why };
        if size > definition::LIMIT {
            return Err(hostile("it is longer than any".to_owned()));
        }
        let (mut member, mut text) = (self.archive.member(&name)?, Vec::new());
        while let Some(bytes) = member.chunk().await? {
            text.extend_from_slice(&bytes);
        }
        serde_json::from_slice(&text).map_err(|e| hostile(e.to_string()))
    }

    /// What restoring the roles said that is no matter of roles that are there already.
    pub(super) fn role_trouble(&self, target: &Target, errors: &str) -> Result<()> {
        let code = |line: &str| line.split_once("ERROR:").map(|(_, code)| code.trim().to_owned());
        match errors.lines().filter_map(code).find(|code| code != DUPLICATE) {
            None => Ok(()),
            Some(code) => {
                let doing = format!("restore the roles of {}", target.store.name);
                Err(Error::Program { doing, code: 0, output: format!("SQLSTATE {code}") })
            }
        }
    }

    /// The database of each dump in the file.
    pub(super) fn databases(&self, target: &Target, definition: &Definition) -> Vec<(String, Database)> {
        let archived = &target.archived;
        let known = definition.databases.iter().cloned().map(|d| (member(&archived.name, &d.name), d));
        let mut all: Vec<(String, Database)> = known.filter(|(name, _)| archived.members.contains(name)).collect();
        for name in &archived.members {
            // of an older banyan, which said nothing of them
            if let Some(database) = crate::postgres::database_of(name).filter(|_| !all.iter().any(|(n, _)| n == name)) {
                all.push((name.clone(), Database { name: database, ..Database::default() }));
            }
        }
        all
    }

    /// Makes a database anew: the image may have put something of its own into it.
    pub(super) async fn create(&self, target: &Target, server: &Server<'_>, database: &Database) -> Result<()> {
        let name = identifier(&database.name);
        server.sql("template1", &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE);")).await?;
        if database.encoding.is_empty() {
            server.sql("template1", &format!("CREATE DATABASE {name} TEMPLATE template0;")).await?;
            return Ok(());
        }
        if let Err(unknown) = server.sql("template1", &database.create()).await {
            // another image may not know how that one sorted
            if server.sql("template1", &database.create_plain()).await.is_err() {
                return Err(unknown);
            }
            let locale = database.locale.as_deref().unwrap_or(&database.collate);
            let note = format!("{} sorts by bytes now: this image does not know {locale}", database.name);
            self.remark(target, note);
        }
        Ok(())
    }

    /// The settings of the server's own files, as far as they are not the machine's.
    pub(super) async fn settings(&self, target: &Target, server: &Server<'_>, wanted: &Definition) -> Result<()> {
        if !wanted.tablespaces.is_empty() {
            self.remark(
                target,
                format!("what was in tablespace {} is in the usual one", wanted.tablespaces.join(", ")),
            );
        }
        let present = server.definition().await?;
        for statement in definition::alterations(&wanted.settings, &present.settings) {
            // a server of another version may have given it up
            if server.sql("template1", &statement).await.is_err() {
                self.remark(target, format!("cannot {}", statement.trim_end_matches(';')));
            }
        }
        let (Some(access), Some(own)) = (&wanted.access, &present.access) else { return Ok(()) };
        if access != own {
            self.write_access(server, access).await?;
            let check = "SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL;";
            if server.sql("template1", check).await?.first().map(String::as_str) != Some("0") {
                self.write_access(server, own).await?;
                self.remark(
                    target,
                    "pg_hba.conf is the image's: this server does not understand the old one".to_owned(),
                );
            }
        }
        Ok(())
    }

    async fn write_access(&self, server: &Server<'_>, text: &str) -> Result<()> {
        let command = Command::shell("cat > \"$PGDATA/pg_hba.conf\"").user("0");
        let (_, ended) = self.engine.run(&server.container, &command, text.as_bytes()).await?;
        server.ended_well(ended, || "write pg_hba.conf".to_owned())
    }

    fn remark(&self, target: &Target, note: String) {
        self.journal.tell(progress::Kind::Service, &target.store.name, Phase::Reached("restoring"), Some(note));
    }
}
