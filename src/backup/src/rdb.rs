//! Redis: a file of the moment at which the server forked for it.
//!
//! `redis-cli --rdb` would be one command, but servers make those who ask for a replica's copy wait five seconds for
//! company; BGSAVE forks at once, but not inside of a transaction, so the keys are counted before and after it.
//!
//! With the append-only file on, a server reads that at start and no dump. So a dump is never just put into place: a
//! server in a container of its own loads it and writes the append-only file anew. Both lie in the restored folder then,
//! and say the same, whichever the server is set to read.

mod places;

use std::time::Duration;

use engine::Engine;
use engine::docker::process::Command;

use crate::error::{Error, Result};
pub use places::{Places, checked_name};

/// How long a save may take.
const SAVE_LIMIT: Duration = Duration::from_secs(3600);
/// How long another save or rewrite that is under way is waited for inside the window.
const FORK_LIMIT: Duration = Duration::from_secs(10);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// A server that runs in a container.
pub struct Server<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// The container.
    pub container: String,
    /// The service, for messages.
    pub service: String,
    /// Its password, if it has one.
    pub password: Option<String>,
}

/// A file that the server has saved.
pub struct Saved {
    /// True when it is of the fork that was asked for, and of no later one.
    pub of_fork: bool,
    /// Saves up to it, and the time of it.
    marks: (Option<u64>, Option<u64>),
}

/// The server has forked; what the file will hold.
pub struct Forked {
    /// Keys of all databases, if that is certain.
    pub keys: Option<u64>,
    /// Saves before this one.
    saves: u64,
}

impl Server<'_> {
    /// Commands, one a line; the answers, one a line, as `redis-cli` prints them when nobody looks.
    pub async fn ask(&self, commands: &str) -> Result<String> {
        let mut command = Command::new(["redis-cli"]);
        if let Some(password) = &self.password {
            command = command.env("REDISCLI_AUTH", password);
        }
        let (text, ended) = self.engine.run(&self.container, &command, commands.as_bytes()).await?;
        if ended.code == 0 {
            return Ok(text);
        }
        let doing = format!("ask {}", self.service);
        Err(Error::Program { doing, code: ended.code, output: format!("{} {}", ended.output, text.trim()) })
    }

    /// Where the server writes its file: folder and name.
    pub async fn file(&self) -> Result<(String, String)> {
        let answer = self.ask("CONFIG GET dir\nCONFIG GET dbfilename\n").await?;
        match answer.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().as_slice() {
            ["dir", folder, "dbfilename", name] => Ok(((*folder).to_owned(), (*name).to_owned())),
            _ => Err(self.unexpected("read the settings", &answer)),
        }
    }

    /// Version of the server: `7.0.15`.
    pub async fn version(&self) -> Result<String> {
        let answer = self.ask("INFO server\n").await?;
        Ok(field(&answer, "redis_version").unwrap_or_default().to_owned())
    }

    /// Forks. To be called in the window.
    pub async fn fork(&self) -> Result<Forked> {
        let began = tokio::time::Instant::now();
        loop {
            let answer = self.ask("INFO persistence\nINFO keyspace\nBGSAVE\nINFO keyspace\n").await?;
            if let Some((before, after)) = answer.split_once("Background saving started") {
                // not the same, when somebody writes outside of the window
                let keys = Some(keys(before)).filter(|count| *count == keys(after));
                return Ok(Forked { keys, saves: number(before, "rdb_saves").unwrap_or(0) });
            }
            // another save, or a rewrite of the append-only file, is under way
            let busy = answer.contains("already in progress") || answer.contains("Another child process");
            if !busy || began.elapsed() > FORK_LIMIT {
                return Err(self.unexpected("save", &answer));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until the file of that fork is there.
    pub async fn saved(&self, forked: &Forked) -> Result<Saved> {
        let wait = async {
            loop {
                let answer = self.ask("INFO persistence\n").await?;
                if number(&answer, "rdb_bgsave_in_progress") == Some(0) {
                    if field(&answer, "rdb_last_bgsave_status") != Some("ok") {
                        return Err(self.unexpected("save", &answer));
                    }
                    let marks = marks(&answer);
                    // servers before 7 do not count
                    return Ok(Saved { of_fork: marks.0.is_none_or(|saves| saves <= forked.saves + 1), marks });
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::time::timeout(SAVE_LIMIT, wait).await.unwrap_or_else(|_| Err(self.late("save", SAVE_LIMIT)))
    }

    /// True when the server has saved no other file since.
    pub async fn is_latest(&self, saved: &Saved) -> Result<bool> {
        Ok(marks(&self.ask("INFO persistence\n").await?) == saved.marks)
    }

    /// Keys that the server found in the file that it started from, those that had expired by then with them.
    pub async fn loaded(&self) -> Result<u64> {
        let answer = self.ask("INFO persistence\nINFO keyspace\n").await?;
        match (number(&answer, "rdb_last_load_keys_loaded"), number(&answer, "rdb_last_load_keys_expired")) {
            (Some(loaded), Some(expired)) => Ok(loaded + expired),
            // servers before 7 do not tell
            _ => Ok(keys(&answer)),
        }
    }

    /// Writes the append-only file from what is in memory.
    pub async fn append_only(&self) -> Result<()> {
        let answer = self.ask("CONFIG SET appendonly yes\n").await?;
        if !answer.contains("OK") {
            return Err(self.unexpected("write the append-only file", &answer));
        }
        let wait = async {
            loop {
                let answer = self.ask("INFO persistence\n").await?;
                let busy = ["aof_rewrite_in_progress", "aof_rewrite_scheduled"];
                if busy.iter().all(|name| number(&answer, name) == Some(0)) {
                    let well = field(&answer, "aof_last_bgrewrite_status") == Some("ok");
                    return if well { Ok(()) } else { Err(self.unexpected("write the append-only file", &answer)) };
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        let doing = "write the append-only file";
        tokio::time::timeout(SAVE_LIMIT, wait).await.unwrap_or_else(|_| Err(self.late(doing, SAVE_LIMIT)))
    }

    fn unexpected(&self, doing: &str, answer: &str) -> Error {
        let answer = answer.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect();
        Error::Answer { doing: format!("{doing} of {}", self.service), answer }
    }

    fn late(&self, doing: &str, limit: Duration) -> Error {
        Error::TimedOut { doing: format!("{doing} of {}", self.service), seconds: limit.as_secs() }
    }
}

/// What changes with every save.
fn marks(info: &str) -> (Option<u64>, Option<u64>) {
    (number(info, "rdb_saves"), number(info, "rdb_last_save_time"))
}

/// A field of INFO.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|l| l.trim().strip_prefix(name)?.strip_prefix(':'))
}

fn number(info: &str, name: &str) -> Option<u64> {
    field(info, name)?.parse().ok()
}

/// Keys of all databases, of `db0:keys=3,expires=1,avg_ttl=0`.
fn keys(info: &str) -> u64 {
    let counts = info.lines().filter_map(|l| l.trim().strip_prefix("db")?.split_once(":keys=")?.1.split(',').next());
    counts.filter_map(|count| count.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_is_read() {
        let info = "# Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=0\r\ndb9:keys=4,expires=0,avg_ttl=0\r\nrdb_saves:7\r\n";
        assert_eq!(keys(info), 7);
        assert_eq!(number(info, "rdb_saves"), Some(7));
        assert_eq!(field(info, "rdb"), None);
    }
}
