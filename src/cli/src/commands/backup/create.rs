//! `banyan backup create`.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use archive::{Consistency, FileName, Manifest, Sealing, Summary, Timestamp, Tool, Writer};
use backup::{CaptureOrder, Captured, How, Store, capture};
use compose::Observed;
use engine::Engine;

use super::{PASSPHRASE, base_name, blocking, failed, folder, kept, plain, recover};
use crate::args::{BackupFormat, CreateArgs, SealArgs};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::lock;
use crate::project::{Loaded, data_folder};
use crate::report::style::{humansize, humantime};

/// Whose backup it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The project, without the instance.
    pub project: String,
    /// The instance, `default` for the one without a name.
    pub instance: String,
}

/// The identity of a loaded project.
pub fn identity(context: &Context, loaded: &Loaded) -> Identity {
    let instance = context.global.instance.as_deref();
    Identity { project: base_name(loaded, instance), instance: instance.unwrap_or("default").to_owned() }
}

pub(super) async fn run(context: &Context, args: CreateArgs) -> Result<u8, Failure> {
    if args.format == BackupFormat::Sql {
        plain::refuse_what_it_cannot(context, &args)?;
    }
    let loaded = context.load(&["*".to_owned()], &[])?;
    let engine = context.engine().await?;
    let _lock = lock::take(&data_folder(&context.env, context.folder())?, &loaded.project.name)?;
    let observed = recover(context, &engine, &loaded.project.name).await?;
    if args.format == BackupFormat::Sql {
        let to = args.to.clone().unwrap_or_else(|| PathBuf::from("-"));
        return plain::dump(context, &engine, &loaded, &observed, &to).await;
    }
    let place = match (&args.to, &args.name) {
        (Some(path), _) if path == Path::new("-") => Place::StandardOutput,
        (Some(path), _) => Place::File(context.folder().join(path)),
        (None, Some(name)) => Place::Named(name.clone()),
        (None, None) => Place::Folder,
    };
    let to_stdout = matches!(place, Place::StandardOutput);
    let how = if args.online { How::Online } else { How::Window };
    let wanted = Wanted {
        place,
        sealing: sealing(context, &args.seal)?,
        how,
        longest: args.longest_pause,
        more: Vec::new(),
        without: Vec::new(),
        whole: false,
        physical: args.physical,
    };
    let (path, captured) = write(context, &engine, &loaded, &observed, wanted).await?;
    context.screen.finish();
    let removed = match args.keep_last {
        Some(keep) => kept::remove_surplus(&identity(context, &loaded), &folder(context)?, false, keep)?,
        None => Vec::new(),
    };
    if !to_stdout {
        report(context, &path, &captured, how, &removed);
    }
    if captured.failed.is_empty() {
        return Ok(0);
    }
    let skipped = captured.summary.manifest.skipped.iter().filter(|s| captured.failed.contains(&s.name));
    let message = format!("not in the backup, though it runs: {}", captured.failed.join(", "));
    Err(Failure::new(Exit::Partial, 51, message).details(skipped.map(|s| s.reason.clone())))
}

/// Where a backup goes.
pub enum Place {
    /// The folder of backups, under a name made of project, instance and time.
    Folder,
    /// The same, as one that undoes something.
    Undo,
    /// The folder of backups, under this name.
    Named(String),
    /// A file.
    File(PathBuf),
    /// Standard output.
    StandardOutput,
}

/// What kind of backup, and where it goes.
pub struct Wanted {
    /// Where it goes.
    pub place: Place,
    /// How it is encrypted.
    pub sealing: Sealing,
    /// How the stores are brought to one moment.
    pub how: How,
    /// The longest time for which anything may stand still.
    pub longest: Duration,
    /// Stores whose containers are gone.
    pub more: Vec<Store>,
    /// Stores that are left out, by name.
    pub without: Vec<String>,
    /// True when a store that cannot be backed up leaves nothing to be done.
    pub whole: bool,
    /// PostgreSQL's files instead of dumps.
    pub physical: bool,
}

impl Wanted {
    /// A backup of what is about to be replaced or deleted.
    pub fn undo(sealing: Sealing, how: How) -> Self {
        Self {
            place: Place::Undo,
            sealing,
            how,
            longest: Duration::from_secs(60),
            more: Vec::new(),
            without: Vec::new(),
            whole: true,
            physical: false,
        }
    }
}

/// Writes a backup; its path and what is in it.
pub async fn write(
    context: &Context,
    engine: &Engine,
    loaded: &Loaded,
    observed: &Observed,
    wanted: Wanted,
) -> Result<(PathBuf, Captured), Failure> {
    written(context, engine, loaded, observed, wanted).await?.map_err(failed)
}

/// The same; what went wrong with the stores is told from all else.
pub(super) async fn written(
    context: &Context,
    engine: &Engine,
    loaded: &Loaded,
    observed: &Observed,
    wanted: Wanted,
) -> Result<Result<(PathBuf, Captured), backup::Error>, Failure> {
    let Wanted { place, sealing, how, longest, more, without, whole, physical } = wanted;
    let identity = identity(context, loaded);
    let created = now();
    let kept = folder(context)?;
    std::fs::create_dir_all(&kept).map_err(|e| kept::unusable(&kept, &e))?;
    let undo = matches!(place, Place::Undo);
    let path = match &place {
        Place::Folder | Place::Undo => {
            let name = FileName::new(identity.project.clone(), identity.instance.clone(), created);
            kept.join(FileName { undo, ..name }.to_string())
        }
        Place::Named(name) => kept.join(format!("{name}.banyan")),
        Place::File(path) => path.clone(),
        Place::StandardOutput => PathBuf::from("-"),
    };
    let (to, spool) = (path.clone(), kept.clone());
    let writer = blocking(move || match place {
        Place::StandardOutput => Writer::stream(std::io::stdout(), &spool, &sealing),
        _ => Writer::create(&to, &sealing),
    })
    .await?
    .map_err(|e| Failure::new(Exit::Backup, 2, e.to_string()))?;
    let consistency = if how == How::Online { Consistency::PerStore } else { Consistency::Paused };
    let tool = Tool { name: "banyan".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let hash = config_hash(loaded);
    let manifest = Manifest::new(tool, created, identity.instance.clone(), identity.project.clone(), hash, consistency);
    let order = CaptureOrder {
        engine,
        project: &loaded.project,
        observed,
        journal: &context.journal,
        cancel: &context.cancel,
        how,
        longest,
        more,
        without,
        whole,
        physical,
    };
    let captured = match capture(&order, writer, manifest).await {
        Ok(captured) => captured,
        Err(error) => return Ok(Err(error)),
    };
    if undo {
        for path in kept::remove_surplus(&identity, &kept, true, kept::UNDOS)? {
            context.note(&format!("deleted {}: only the newest {} of its kind are kept", path.display(), kept::UNDOS));
        }
    }
    Ok(Ok((path, captured)))
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// One hash for the configuration of all services.
fn config_hash(loaded: &Loaded) -> String {
    let hashes: Vec<String> =
        loaded.project.services.values().map(|s| format!("{} {}", s.name, s.config_hash)).collect();
    compose::digest::short(&hashes)
}

/// How backups are encrypted, from the options and the environment.
pub fn sealing(context: &Context, args: &SealArgs) -> Result<Sealing, Failure> {
    if !args.encrypt_to.is_empty() {
        return Sealing::recipients(&args.encrypt_to).map_err(|e| Failure::new(Exit::Usage, 50, e.to_string()));
    }
    let passphrase = context.env.get(PASSPHRASE).filter(|p| !p.is_empty());
    Ok(passphrase.map_or_else(Sealing::none, |p| Sealing::passphrase(p.clone())))
}

fn report(context: &Context, path: &Path, captured: &Captured, how: How, removed: &[PathBuf]) {
    let Captured { summary, window, .. } = captured;
    if context.json() {
        context.print_json(&json(path, summary, *window, removed));
        return;
    }
    let mut text = format!("{}  {}\n", path.display(), humansize(summary.size));
    for store in &summary.manifest.stores {
        text.push_str(&format!("  {}: {}\n", store.name, humansize(store.size)));
    }
    for skipped in &summary.manifest.skipped {
        text.push_str(&format!("  {}: skipped, {}\n", skipped.name, skipped.reason));
    }
    for path in removed {
        text.push_str(&format!("deleted {}\n", path.display()));
    }
    context.print(&text);
    let stood = if how == How::Online { "the broker" } else { "everything but the stores" };
    let stood =
        if window.is_zero() { String::new() } else { format!("{stood} stood still for {}; ", humantime(*window)) };
    context.note(&format!("{stood}restore it: {}", context.pasteable(&["restore", &path.display().to_string()])));
}

fn json(path: &Path, summary: &Summary, window: Duration, removed: &[PathBuf]) -> serde_json::Value {
    serde_json::json!({
        "schema_version": 1, "file": path, "size_bytes": summary.size, "digest": summary.digest,
        "window_ms": u64::try_from(window.as_millis()).unwrap_or(u64::MAX), "manifest": summary.manifest, "deleted": removed,
    })
}
