//! What can be typed about backups.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::duration;

#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BackupArgs {
    #[command(subcommand)]
    pub command: Option<BackupCommand>,
    #[command(flatten)]
    pub create: CreateArgs,
}

#[derive(Debug, Clone, Subcommand)]
pub enum BackupCommand {
    /// Write a backup (what `backup` alone does)
    Create(CreateArgs),
    /// Show the backups that are there
    List {
        #[command(flatten)]
        open: OpenArgs,
    },
    /// Show what is in a backup
    Show {
        #[command(flatten)]
        backup: BackupFile,
    },
    /// Read all of a backup, and check that every byte is right
    Verify {
        #[command(flatten)]
        backup: BackupFile,
        /// Restore it where it harms nobody, and compare
        #[arg(long)]
        restore: bool,
    },
    /// Print what backs the platform up every day: a systemd timer, or a line for cron
    Schedule {
        /// When
        #[arg(long, value_name = "HH:MM", default_value = "02:00")]
        at: String,
        /// Keep so many of the newest
        #[arg(long, value_name = "NUMBER", default_value = "7")]
        keep_last: NonZeroUsize,
        /// A line for cron
        #[arg(long)]
        cron: bool,
    },
    /// Delete old backups of this project, but none that was given a name
    Prune {
        /// Keep so many of the newest
        #[arg(long, value_name = "NUMBER")]
        keep_last: NonZeroUsize,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Debug, Clone, Args)]
pub struct CreateArgs {
    /// Keep it under this name in the folder of backups, until somebody deletes it: `reset --to NAME` goes back to it
    #[arg(long, value_name = "NAME", conflicts_with = "to", value_parser = named)]
    pub name: Option<String>,
    /// The file to write, or `-` for standard output [default: a new one where `backup list` finds it; of SQL text:
    /// standard output]
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
    /// Let everything run: each store is right by itself, but they may be some moments apart
    #[arg(long)]
    pub online: bool,
    /// The longest time for which anything may stand still: then nothing is backed up
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = duration)]
    pub longest_pause: Duration,
    /// Copy PostgreSQL's files instead of dumping it: faster out and back, and only for the same image
    #[arg(long)]
    pub physical: bool,
    /// What is written: all stores, or the database alone as SQL text
    #[arg(long, value_name = "FORMAT", default_value = "banyan")]
    pub format: BackupFormat,
    /// Delete older backups of this project, but so many of the newest
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["to", "name"])]
    pub keep_last: Option<NonZeroUsize>,
    #[command(flatten)]
    pub seal: SealArgs,
}

/// What a backup is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum BackupFormat {
    /// Every store, in one checked file
    #[default]
    Banyan,
    /// The database, as text for psql
    Sql,
}

/// How a backup is encrypted.
#[derive(Debug, Clone, Default, Args)]
pub struct SealArgs {
    /// Encrypt for this age key (`age1…`); again for more [else with BANYAN_BACKUP_PASSPHRASE, if that is set]
    #[arg(long, value_name = "KEY")]
    pub encrypt_to: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub struct BackupFile {
    /// The file, or the name of one that `backup list` shows, or `latest`
    #[arg(id = "backup", value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub open: OpenArgs,
}

/// How an encrypted backup is opened.
#[derive(Debug, Clone, Default, Args)]
pub struct OpenArgs {
    /// File with the age identities that open it [else BANYAN_BACKUP_PASSPHRASE]
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
}

#[derive(Debug, Clone, Default, Args)]
pub struct RestoreArgs {
    /// The file, or the name of one that `backup list` shows, or `latest`; `-` reads standard input
    #[arg(id = "backup", value_name = "FILE", required_unless_present = "from")]
    pub file: Option<PathBuf>,
    /// The same as FILE
    #[arg(long, value_name = "FILE", conflicts_with = "backup")]
    pub from: Option<PathBuf>,
    /// Only this store; again for more
    #[arg(long, value_name = "SERVICE")]
    pub only: Vec<String>,
    /// Into this instance, whichever the backup is of; `default` for the one without a name
    #[arg(long, value_name = "NAME")]
    pub into_instance: Option<String>,
    /// Check whether it could be restored, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Do not back the present data up first
    #[arg(long)]
    pub no_snapshot: bool,
    /// The longest wait for one service
    #[arg(long, value_name = "TIME", default_value = "180s", value_parser = duration)]
    pub wait_timeout: Duration,
    #[command(flatten)]
    pub open: OpenArgs,
}

/// A name of a backup: one part of a path that no other backup is called by itself.
fn named(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if text.is_empty() || text.starts_with(['.', '-']) || !text.chars().all(plain) || text.len() > 100 {
        return Err("write letters, digits, `.`, `_` and `-`".to_owned());
    }
    if text == "latest" || format!("{text}.banyan").parse::<archive::FileName>().is_ok() {
        return Err("backups without a name are called so".to_owned());
    }
    Ok(text.strip_suffix(".banyan").unwrap_or(text).to_owned())
}
