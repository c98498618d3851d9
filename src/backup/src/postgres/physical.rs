//! PostgreSQL, as files: a base copy, and the log from there to the moment of the backup.
//!
//! `pg_basebackup` copies the files while everything runs, before the window opens. In the window a restore point is
//! written into the log; the log up to it goes into the file afterwards. A server that is started on the two replays the
//! log to exactly that point. No archive is needed: a temporary slot keeps the log meanwhile, and is gone with its session.

use engine::docker::process::Command;

use super::session::Session;
use super::{Moment, Server};
use crate::error::{Error, Result};

/// How often the moments of the databases and the restore point are taken anew because something was committed between.
const TRIES: usize = 10;

/// The log, kept from here on.
pub struct Log {
    session: Session,
    slot: String,
    folder: String,
}

/// The moment, as a place in the log.
pub struct Mark {
    /// The place: `0/16B3748`.
    pub place: String,
    /// False when the moments of the databases may be others: somebody outside of the window never stopped writing.
    pub exact: bool,
    /// The files that lead there, by name.
    pub segments: Vec<String>,
}

impl Server<'_> {
    /// Keeps the log from here on, if this server's settings allow a copy of its files.
    pub async fn keep_log(&self) -> Result<Log> {
        let mut session = self.open("postgres").await?;
        let slot = format!("banyan_{}", std::process::id());
        let keep = format!("SELECT pg_create_physical_replication_slot('{slot}', true, true); SHOW data_directory;");
        let lines = session.ask(&keep).await?;
        let [_, folder] = lines.as_slice() else {
            let doing = format!("keep the log of {}", self.service);
            return Err(Error::Answer { doing, answer: lines.join(" ") });
        };
        Ok(Log { folder: folder.clone(), session, slot })
    }

    /// The command that writes the files to standard output, as a tar archive.
    pub fn copy_files(&self) -> Command {
        let args = ["pg_basebackup", "-D", "-", "-Ft", "-X", "none", "-c", "fast", "--no-manifest", "--no-password"];
        self.command(&args)
    }
}

impl Log {
    /// Marks the moment in the log, and takes it in the databases. To be called in the window.
    pub async fn mark(&mut self, mut moments: Vec<Moment>) -> Result<(Mark, Vec<Moment>)> {
        let mut exact = false;
        let mut place = String::new();
        for _ in 0..TRIES {
            let before = self.word("SELECT pg_current_snapshot();").await?;
            for moment in &mut moments {
                moment.renew().await?;
            }
            place = self.word("SELECT pg_create_restore_point('banyan');").await?;
            exact = before == self.word("SELECT pg_current_snapshot();").await?;
            if exact {
                break;
            }
        }
        // the file that holds the mark is whole, and never changes again
        let wanted = format!(
            "SELECT pg_switch_wal() IS NULL;
             SELECT f.name FROM pg_ls_waldir() f, pg_replication_slots s
             WHERE s.slot_name = '{}' AND (f.name LIKE '%.history'
                 OR f.name ~ '^[0-9A-F]{{24}}$' AND f.name BETWEEN pg_walfile_name(s.restart_lsn) AND pg_walfile_name('{place}'))
             ORDER BY f.name;",
            self.slot
        );
        let segments = self.session.ask(&wanted).await?.split_off(1);
        Ok((Mark { place, exact, segments }, moments))
    }

    /// The command that writes those files of the log to standard output, as a tar archive.
    pub fn copy(&self, server: &Server<'_>, mark: &Mark) -> Command {
        let folder = format!("{}/pg_wal", self.folder);
        let args = ["tar", "-cf", "-", "-C", &folder].into_iter().map(str::to_owned);
        // the server's files are nobody else's
        server.command_of(args.chain(mark.segments.iter().cloned())).user("0")
    }

    async fn word(&mut self, statement: &str) -> Result<String> {
        let lines = self.session.ask(statement).await?;
        lines.into_iter().next().ok_or_else(|| Error::Answer { doing: statement.to_owned(), answer: String::new() })
    }
}

/// What a server is told so that it goes on to the mark, and there comes up as usual.
pub fn settings(place: &str) -> [String; 4] {
    [
        // all there is to replay is in its folder
        "restore_command=false".to_owned(),
        format!("recovery_target_lsn={place}"),
        "recovery_target_inclusive=on".to_owned(),
        "recovery_target_action=promote".to_owned(),
    ]
}
