//! PostgreSQL, as SQL sees it: one dump per database, all of one moment.
//!
//! A session per database exports its snapshot in the window and holds it; `pg_dump` and the counts read from that
//! snapshot afterwards, while the server goes on. The dump is logical because it must survive another image: glibc and
//! musl sort text differently, and an index that was built with one order is broken under the other. It is written
//! uncompressed to standard output, so that it needs no room in the container and is compressed only once. For the same
//! image there is a faster way: [`physical`].

pub mod definition;
mod facts;
pub mod physical;
mod session;

use std::collections::BTreeMap;

use compose::project::Ready;
use engine::Engine;
use engine::docker::exec::Ended;
use engine::docker::process::Command;

use crate::error::{Error, Result};
pub use facts::Facts;
pub use session::Session;

/// The member that holds a server's files.
pub const FILES: &str = "files.tar";
/// The member that holds the log after them.
pub const LOG: &str = "log.tar";

/// A server that runs in a container.
#[derive(Clone)]
pub struct Server<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// The container.
    pub container: String,
    /// The service, for messages.
    pub service: String,
    /// The superuser that the server was made with.
    pub user: String,
    /// Its password.
    pub password: String,
}

/// A moment of one database, held until this value is dropped.
pub struct Moment {
    /// The database.
    pub database: String,
    /// The snapshot's name.
    pub snapshot: String,
    session: Session,
}

impl<'a> Server<'a> {
    /// The server of a service, with the login that its variables or the file name.
    pub async fn of(engine: &'a Engine, service: &str, container: &str, ready: Option<&Ready>) -> Result<Self> {
        let env = engine.inspect(container).await?.env;
        let set = |name: &str| env.get(name).filter(|v| !v.is_empty()).cloned();
        let user = set("POSTGRES_USER").or_else(|| ready.and_then(|r| r.user.clone()));
        let password = set("POSTGRES_PASSWORD").or_else(|| ready.and_then(|r| r.password.clone()));
        Ok(Self {
            engine,
            container: container.to_owned(),
            service: service.to_owned(),
            user: user.unwrap_or_else(|| "postgres".to_owned()),
            password: password.unwrap_or_default(),
        })
    }

    /// A program of the server's image, logged in over the socket.
    pub fn command(&self, args: &[&str]) -> Command {
        self.command_of(args.iter().map(|a| (*a).to_owned()))
    }

    fn command_of(&self, args: impl IntoIterator<Item = String>) -> Command {
        let base = Command::new(args).env("PGUSER", &self.user).env("PGPASSWORD", &self.password);
        // the same text on every server
        base.env("PGTZ", "UTC").env("PGDATESTYLE", "ISO").env("PGCLIENTENCODING", "UTF8").env("PGCONNECT_TIMEOUT", "10")
    }

    /// Runs statements; lines of standard output, columns divided by tabs.
    pub async fn sql(&self, database: &str, statements: &str) -> Result<Vec<String>> {
        let args = ["psql", "-qAtX", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d", database];
        let (text, ended) = self.engine.run(&self.container, &self.command(&args), statements.as_bytes()).await?;
        self.ended_well(ended, || format!("query database {database}"))?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// The databases that hold data.
    pub async fn databases(&self) -> Result<Vec<String>> {
        self.sql(
            "postgres",
            "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname;",
        )
        .await
    }

    /// About how many bytes a dump of these databases has; or their files.
    pub async fn size(&self, databases: &[String], files: bool) -> Result<u64> {
        let mut size = 0;
        for database in databases {
            let lines = self.sql(database, if files { FILES_SIZE } else { TABLES_SIZE }).await?;
            size += lines.first().and_then(|l| l.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(size)
    }

    /// Version of the server: `16.4`.
    pub async fn version(&self) -> Result<String> {
        let lines = self.sql("postgres", "SHOW server_version;").await?;
        Ok(lines.first().and_then(|l| l.split_whitespace().next()).unwrap_or_default().to_owned())
    }

    /// Opens a session that will hold a moment of this database.
    pub async fn open(&self, database: &str) -> Result<Session> {
        Session::open(self, database).await
    }

    /// An error that says what was being done when a program did not end with 0.
    pub fn ended_well(&self, ended: Ended, doing: impl FnOnce() -> String) -> Result<()> {
        if ended.code == 0 {
            return Ok(());
        }
        let doing = format!("{} of {}", doing(), self.service);
        Err(Error::Program { doing, code: ended.code, output: ended.output })
    }

    /// The command that writes the dump of a moment to standard output.
    pub fn dump(&self, moment: &Moment) -> Command {
        let snapshot = format!("--snapshot={}", moment.snapshot);
        self.command(&["pg_dump", "-Fc", "-Z0", &snapshot, "-d", &moment.database])
    }

    /// The command that writes roles, their passwords and memberships, to standard output.
    pub fn dump_globals(&self) -> Command {
        self.command(&["pg_dumpall", "--globals-only", "--no-tablespaces"])
    }

    /// Settings, rights and comments of the databases themselves, which no dump of one holds.
    pub async fn database_settings(&self, databases: &[String]) -> Result<String> {
        let mut text = String::new();
        for database in databases {
            let lines = self.sql(database, SETTINGS).await?;
            lines.iter().for_each(|line| text.push_str(&format!("{line}\n")));
        }
        Ok(text)
    }
}

const FILES_SIZE: &str = "SELECT pg_database_size(current_database());";
const TABLES_SIZE: &str = "SELECT coalesce(sum(pg_table_size(oid)), 0)::bigint FROM pg_class \
    WHERE relkind IN ('r', 'm') AND oid >= 16384;";

/// Statements that give another database of the same name the same owner, settings and rights.
const SETTINGS: &str = r"
SELECT format('ALTER DATABASE %I OWNER TO %I;', datname, pg_get_userbyid(datdba))
FROM pg_database WHERE datname = current_database();
SELECT format('ALTER DATABASE %I SET %s = %s;', current_database(), split_part(c, '=', 1),
    CASE WHEN split_part(c, '=', 1) IN ('search_path', 'DateStyle', 'temp_tablespaces', 'session_preload_libraries')
         THEN substr(c, strpos(c, '=') + 1) ELSE quote_literal(substr(c, strpos(c, '=') + 1)) END)
FROM pg_db_role_setting s, unnest(setconfig) c
WHERE setrole = 0 AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database());
SELECT format('ALTER ROLE %I IN DATABASE %I SET %s = %s;', pg_get_userbyid(setrole), current_database(),
    split_part(c, '=', 1),
    CASE WHEN split_part(c, '=', 1) IN ('search_path', 'DateStyle', 'temp_tablespaces', 'session_preload_libraries')
         THEN substr(c, strpos(c, '=') + 1) ELSE quote_literal(substr(c, strpos(c, '=') + 1)) END)
FROM pg_db_role_setting s, unnest(setconfig) c
WHERE setrole <> 0 AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database());
SELECT format('ALTER DATABASE %I CONNECTION LIMIT %s;', datname, datconnlimit)
FROM pg_database WHERE datname = current_database() AND datconnlimit <> -1;
SELECT format('COMMENT ON DATABASE %I IS %L;', datname, shobj_description(oid, 'pg_database'))
FROM pg_database WHERE datname = current_database() AND shobj_description(oid, 'pg_database') IS NOT NULL;
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC;', datname) FROM pg_database
WHERE datname = current_database() AND datacl IS NOT NULL;
SELECT format('GRANT %s ON DATABASE %I TO %s%s;', privilege_type, datname,
    CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
    CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_database, aclexplode(datacl) WHERE datname = current_database();
";

impl Moment {
    /// What is in it: rows of every table, and the digest of the event tables.
    pub async fn facts(&mut self) -> Result<Facts> {
        facts::of(&mut self.session, &self.database).await
    }

    /// A later moment instead.
    pub async fn renew(&mut self) -> Result<()> {
        self.session.ask("ROLLBACK;").await?;
        self.snapshot = self.session.export().await?;
        Ok(())
    }
}

impl Session {
    /// Holds the present moment of its database.
    pub async fn hold(mut self) -> Result<Moment> {
        let snapshot = self.export().await?;
        Ok(Moment { database: self.database.clone(), snapshot, session: self })
    }

    async fn export(&mut self) -> Result<String> {
        let lines = self.ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT pg_export_snapshot();").await?;
        let [snapshot] = lines.as_slice() else {
            let doing = format!("hold a moment of database {}", self.database);
            return Err(Error::Answer { doing, answer: lines.join(" ") });
        };
        Ok(snapshot.clone())
    }
}

/// The command line of a container as far as options can be added to it. One that names a file of settings which is not
/// in the volume would not find it.
pub fn own_line(command: &[String]) -> Vec<String> {
    let first = command.first().map_or("", String::as_str);
    let is_server = first.rsplit('/').next() == Some("postgres") || first.starts_with('-');
    if !is_server || command.iter().any(|word| word.contains("config_file=")) {
        return vec!["postgres".to_owned()];
    }
    let name = first.starts_with('-').then(|| "postgres".to_owned());
    name.into_iter().chain(command.iter().cloned()).collect()
}

/// The longest name that goes into a member's.
const NAME_MOST: usize = 60;

/// The member of a database's dump. Its name goes into the member's: letters and digits as they are, the rest as `_xx`; a
/// long one is cut, and told from others by its hash.
pub fn member(service: &str, database: &str) -> String {
    let mut name = String::new();
    for byte in database.bytes() {
        if byte.is_ascii_alphanumeric() { name.push(byte.into()) } else { name.push_str(&format!("_{byte:02x}")) }
    }
    if name.len() > NAME_MOST {
        name = format!("-{}-{}", &name[..20], compose::digest::short(&database));
    }
    format!("{service}/db-{name}.dump")
}

/// The database of such a member; `None` for one with a long name.
pub fn database_of(member: &str) -> Option<String> {
    let name = member.split_once("/db-")?.1.strip_suffix(".dump").filter(|name| !name.starts_with('-'))?;
    let mut parts = name.split('_');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

/// Facts of several databases as the manifest keeps them.
pub fn merged(all: Vec<Facts>) -> Facts {
    let mut merged = Facts { counts: BTreeMap::new(), digests: BTreeMap::new() };
    for facts in all {
        merged.counts.extend(facts.counts);
        merged.digests.extend(facts.digests);
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_database_has_a_member_and_comes_back_from_it() {
        for name in ["eventstore", "a_b", "Größe 2", "x/../y", "_"] {
            let member = member("postgres", name);
            assert!(member.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/".contains(&b)), "{member}");
            assert_eq!(member.matches('/').count(), 1, "{member}");
            assert_eq!(database_of(&member).as_deref(), Some(name));
        }
        assert_eq!(database_of("postgres/globals.sql"), None);
        let long = ["ä".repeat(31), "ä".repeat(30) + "b"].map(|name| member("postgres", &name));
        assert!(long[0].len() <= 90 && long[0] != long[1], "{long:?}");
        assert_eq!(database_of(&long[0]), None);
    }

    #[test]
    fn options_are_added_to_what_takes_options() {
        let line = |words: &[&str]| own_line(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()).join(" ");
        assert_eq!(line(&["postgres", "-c", "fsync=off"]), "postgres -c fsync=off");
        assert_eq!(line(&["-c", "fsync=off"]), "postgres -c fsync=off");
        assert_eq!(line(&["postgres", "-c", "config_file=/etc/p.conf"]), "postgres");
        assert_eq!(line(&["sh", "-c", "exec postgres"]), "postgres");
    }
}
