//! `banyan backup`: the data of the platform in one file, and what there is of such files.

mod create;
mod kept;
pub mod plain;
mod schedule;
mod show;
pub mod snapshot;

use std::path::{Path, PathBuf};
use std::time::Duration;

use archive::{Archive, Unsealing};
use backup::RestoreOrder;
use compose::Observed;

use crate::args::{BackupArgs, BackupCommand, OpenArgs};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::project::Loaded;
use crate::report::style::humansize;

pub use create::{Identity, Wanted, identity, sealing, write};
pub use kept::{find, folder};
pub use show::check;

/// The variable that holds the passphrase of backups.
pub const PASSPHRASE: &str = "BANYAN_BACKUP_PASSPHRASE";

/// The variable that says that whoever worked on the project on another machine is at it no more.
const TAKE_OVER: &str = "BANYAN_TAKE_OVER";

/// Carries out one of the sub-commands; without one, writes a backup.
pub async fn run(context: &Context, args: BackupArgs) -> Result<u8, Failure> {
    match args.command.unwrap_or(BackupCommand::Create(args.create)) {
        BackupCommand::Create(args) => create::run(context, args).await,
        BackupCommand::List { open } => kept::list(context, &open),
        BackupCommand::Show { backup } => show::run(context, &backup).await,
        BackupCommand::Verify { backup, restore } => show::verify(context, &backup, restore).await,
        BackupCommand::Schedule { at, keep_last, cron } => schedule::run(context, &at, keep_last, cron),
        BackupCommand::Prune { keep_last, yes } => kept::prune(context, keep_last, yes),
    }
}

/// What opens an encrypted backup, from the options and the environment.
pub fn unsealing(context: &Context, args: &OpenArgs) -> Result<Unsealing, Failure> {
    if let Some(path) = &args.identity {
        let path = context.folder().join(path);
        let text = std::fs::read_to_string(&path).map_err(|e| {
            Failure::new(Exit::Config, 50, format!("cannot read the identities in {}: {e}", path.display()))
        })?;
        return Unsealing::identities(&text).map_err(|e| Failure::new(Exit::Config, 51, e.to_string()));
    }
    let passphrase = context.env.get(PASSPHRASE).filter(|p| !p.is_empty());
    Ok(passphrase.map_or_else(Unsealing::none, |p| Unsealing::passphrase(p.clone())))
}

/// Opens a backup: a path, a name, `latest`, or standard input.
pub async fn open(context: &Context, file: &Path, args: &OpenArgs) -> Result<(PathBuf, Archive), Failure> {
    let unsealing = unsealing(context, args)?;
    let folder = folder(context)?;
    let shown = file.to_owned();
    if file == Path::new("-") {
        std::fs::create_dir_all(&folder).map_err(|e| kept::unusable(&folder, &e))?;
        let read = move || Archive::from_stream(&mut std::io::stdin().lock(), &folder, &unsealing);
        return Ok((shown, blocking(read).await?.map_err(|e| opened(context, &e))?));
    }
    let path = find(context, file)?;
    let from = path.clone();
    let archive = blocking(move || Archive::open(&from, &unsealing)).await?.map_err(|e| opened(context, &e))?;
    Ok((path, archive))
}

/// Work that keeps a thread busy.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Failure::new(Exit::Other, 50, format!("a task ended by itself: {e}")))
}

fn opened(context: &Context, error: &archive::Error) -> Failure {
    use archive::Error as E;
    let text = error.to_string();
    match error {
        E::Open { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Failure::new(Exit::Usage, 55, text)
            .hint(format!("see which there are: {}", context.pasteable(&["backup", "list"]))),
        E::Open { .. } | E::Spool { .. } | E::Folder { .. } => Failure::new(Exit::Other, 55, text),
        E::Newer { .. } => {
            Failure::new(Exit::Refused, 13, text).hint("restore it with the banyan that made it, or a newer one")
        }
        _ => Failure::new(Exit::Damaged, 1, text),
    }
}

/// What went wrong, with its exit code.
pub fn failed(error: backup::Error) -> Failure {
    use backup::Error as E;
    let text = error.to_string();
    match error {
        E::Engine(error) => error.into(),
        E::Damaged(all) => Failure::new(Exit::Damaged, 2, "the backup is damaged; nothing was changed")
            .details(all.iter().map(ToString::to_string)),
        E::Hostile { .. } => Failure::new(Exit::Damaged, 3, text),
        E::Refused(why) => {
            Failure::new(Exit::Refused, 10, "this backup cannot be restored here; nothing was changed").details(why)
        }
        E::Different { .. } => Failure::new(Exit::Damaged, 4, text),
        E::Interrupted => Failure::new(Exit::Interrupted, 1, "interrupted; nothing was changed"),
        E::Nothing { .. } => Failure::new(Exit::NotRunning, 10, text),
        E::NotReady { .. } => Failure::new(Exit::Start, 10, text),
        // of the same kind as what failed first
        E::PutBack { why } | E::HalfWay { why, .. } => Failure { message: text, ..failed(*why) },
        E::Busy { elsewhere, .. } => Failure::new(Exit::Locked, 2, text).hint(match elsewhere {
            true => format!("if it has ended: {TAKE_OVER}=1, and the same command again"),
            false => "wait until it has ended, then type the same command again".to_owned(),
        }),
        E::TooLong { copied, .. } => Failure::new(Exit::Backup, 6, format!("{text}; nothing was changed"))
            .details([format!("copied by then: {}", humansize(copied))])
            .hint("let it take longer with --longest-pause 2m, or first let the queues run empty"),
        _ => Failure::new(Exit::Backup, 1, text),
    }
}

/// The same for a restore, or the proof that there could be one: what its servers say is said of the file.
pub fn restoring(error: backup::Error) -> Failure {
    use backup::Error as E;
    let text = error.to_string();
    match error {
        E::PutBack { .. } => Failure::new(Exit::Start, 10, text),
        E::HalfWay { .. } => {
            Failure::new(Exit::Partial, 51, text).hint("the next command that changes the project goes on with it")
        }
        E::NotReady { .. } | E::Program { .. } | E::Answer { .. } | E::TimedOut { .. } => {
            Failure::new(Exit::Damaged, 5, format!("cannot restore it: {text}; nothing was changed"))
        }
        E::NoRoom { .. } => Failure::new(Exit::Other, 56, format!("{text}; nothing was changed")),
        E::Engine(error) => {
            let failure = Failure::from(error);
            Failure { message: format!("{}; nothing was changed", failure.message), ..failure }
        }
        other => failed(other),
    }
}

/// What a restore, or the proof that there could be one, needs to know.
pub fn order<'a>(
    context: &'a Context,
    engine: &'a engine::Engine,
    loaded: &'a Loaded,
    observed: &'a Observed,
    limit: Duration,
) -> RestoreOrder<'a> {
    let (project, journal, cancel) = (&loaded.project, &context.journal, &context.cancel);
    RestoreOrder { engine, project, observed, journal, cancel, limit }
}

/// Looks, and ends what a killed backup or restore left.
pub async fn recover(context: &Context, engine: &engine::Engine, name: &str) -> Result<Observed, Failure> {
    let observed = engine.observe(name).await?;
    recovered(context, engine, name, observed).await
}

/// Ends what a killed backup or restore left, says so, and looks again; costs nothing when there is nothing.
pub async fn recovered(
    context: &Context,
    engine: &engine::Engine,
    name: &str,
    observed: Observed,
) -> Result<Observed, Failure> {
    let recovered = match backup::recover(engine, name, &observed).await {
        Err(busy @ backup::Error::Busy { elsewhere: true, .. }) => {
            context.note(&busy.to_string());
            let sure = context.env.get(TAKE_OVER).is_some_and(|v| v == "1")
                || context.ask("Has it ended? Then what it left is brought to its end here.") == Some(true);
            if sure { backup::take_over(engine, name, &observed).await } else { Err(busy) }
        }
        recovered => recovered,
    };
    let recovered = recovered.map_err(failed)?;
    if recovered == backup::Recovered::default() {
        return Ok(observed);
    }
    for (what, names) in [
        ("thawed what an interrupted backup had frozen", recovered.thawed),
        ("undid an interrupted restore", recovered.undone),
        ("finished an interrupted restore", recovered.finished),
        ("started what an interrupted backup or restore had stopped", recovered.started),
        ("cleared up after an interrupted restore", recovered.cleared),
        ("could not start again", recovered.not_started),
    ] {
        if !names.is_empty() {
            context.note(&format!("{what}: {}", names.join(", ")));
        }
    }
    Ok(engine.observe(name).await?)
}

/// Whose data it is: names without the instance.
pub fn base_name(loaded: &Loaded, instance: Option<&str>) -> String {
    let name = loaded.project.name.as_str();
    let suffix = instance.map(|i| format!("-{i}")).unwrap_or_default();
    name.strip_suffix(&suffix).unwrap_or(name).to_owned()
}
