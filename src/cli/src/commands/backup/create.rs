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
    let loaded = context.load(&["*".to_owned()], &[])?;
    let engine = context.engine().await?;
    let _lock = lock::take(&data_folder(&context.env, context.folder())?, &loaded.project.name)?;
    let observed = recover(context, &engine, &loaded.project.name).await?;
    if args.format == BackupFormat::Sql {
        let to = args.to.clone().unwrap_or_else(|| PathBuf::from("-"));
        return plain::dump(context, &engine, &loaded, &observed, &to).await;
    }
    let sealing = sealing(context, &args.seal)?;
    let place = match &args.to {
        Some(path) if path == Path::new("-") => Place::StandardOutput,
        Some(path) => Place::File(context.folder().join(path)),
        None => Place::Folder,
    };
    let how = if args.online { How::Online } else { How::Window };
    let to_stdout = matches!(place, Place::StandardOutput);
    let wanted = Wanted { place, sealing, how, more: Vec::new(), physical: args.physical };
    let (path, captured) = write(context, &engine, &loaded, &observed, wanted).await?;
    context.screen.finish();
    let removed = match args.keep_last {
        Some(keep) => kept::remove_surplus(&identity(context, &loaded), &folder(context)?, keep)?,
        None => Vec::new(),
    };
    if !to_stdout {
        report(context, &path, &captured, &removed);
    }
    Ok(0)
}

/// Where a backup goes.
pub enum Place {
    /// The folder of backups, under a name made of the instance and the time.
    Folder,
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
    /// Stores whose containers are gone.
    pub more: Vec<Store>,
    /// PostgreSQL's files instead of dumps.
    pub physical: bool,
}

/// Writes a backup; its path and what is in it.
pub async fn write(
    context: &Context,
    engine: &Engine,
    loaded: &Loaded,
    observed: &Observed,
    wanted: Wanted,
) -> Result<(PathBuf, Captured), Failure> {
    let Wanted { place, sealing, how, more, physical } = wanted;
    let identity = identity(context, loaded);
    let created = now();
    let kept = folder(context)?;
    std::fs::create_dir_all(&kept).map_err(|e| kept::unusable(&kept, &e))?;
    let path = match &place {
        Place::Folder => kept.join(FileName::new(identity.instance.clone(), created).to_string()),
        Place::File(path) => path.clone(),
        Place::StandardOutput => PathBuf::from("-"),
    };
    let to = path.clone();
    let writer = blocking(move || match place {
        Place::StandardOutput => Writer::stream(std::io::stdout(), &kept, &sealing),
        _ => Writer::create(&to, &sealing),
    })
    .await?
    .map_err(|e| Failure::new(Exit::Backup, 2, e.to_string()))?;
    let consistency = if how == How::Online { Consistency::PerStore } else { Consistency::Paused };
    let tool = Tool { name: "banyan".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let hash = config_hash(loaded);
    let manifest = Manifest::new(tool, created, identity.instance, identity.project, hash, consistency);
    let order = CaptureOrder {
        engine,
        project: &loaded.project,
        observed,
        journal: &context.journal,
        cancel: &context.cancel,
        how,
        more,
        physical,
    };
    let captured = capture(&order, writer, manifest).await.map_err(failed)?;
    Ok((path, captured))
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

fn report(context: &Context, path: &Path, captured: &Captured, removed: &[PathBuf]) {
    let Captured { summary, window } = captured;
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
    context.note(&format!(
        "nothing ran for {}; restore it: {}",
        humantime(*window),
        context.pasteable(&["restore", &path.display().to_string()])
    ));
}

fn json(path: &Path, summary: &Summary, window: Duration, removed: &[PathBuf]) -> serde_json::Value {
    serde_json::json!({
        "schema_version": 1, "file": path, "size_bytes": summary.size, "digest": summary.digest,
        "window_ms": u64::try_from(window.as_millis()).unwrap_or(u64::MAX), "manifest": summary.manifest, "deleted": removed,
    })
}
