//! `banyan backup show` and `verify`: what is in a backup, and whether all of it is.

use std::time::Duration;

use archive::{Consistency, Manifest, Method};
use backup::{guard, stores};
use engine::progress::{Kind, Phase};

use super::{blocking, failed, open, order, recover, restoring};
use crate::args::BackupFile;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::lock;
use crate::project::data_folder;
use crate::report::style::humansize;
use crate::report::table::Table;

/// How long a store may take to come up.
const PATIENCE: Duration = Duration::from_secs(180);

pub(super) async fn run(context: &Context, args: &BackupFile) -> Result<u8, Failure> {
    let (path, archive) = open(context, &args.file, &args.open).await?;
    let manifest = archive.manifest();
    if context.json() {
        context.print_json(&serde_json::json!({
            "schema_version": 1, "file": path, "size_bytes": archive.size(), "digest": archive.digest(),
            "encrypted": archive.is_sealed(), "manifest": manifest,
        }));
        return Ok(0);
    }
    let mut text = String::new();
    for (what, value) in [
        ("file", path.display().to_string()),
        ("size", humansize(archive.size())),
        ("project", format!("{} ({})", manifest.project, manifest.instance)),
        ("created", format!("{} by {} {}", manifest.created, manifest.tool.name, manifest.tool.version)),
        ("consistency", consistency(manifest)),
        ("encrypted", if archive.is_sealed() { "yes" } else { "no" }.to_owned()),
        ("digest", archive.digest().to_owned()),
    ] {
        text.push_str(&format!("{what:12}{}\n", context.style.text(&value)));
    }
    context.print(&text);
    let mut table = Table::new(["STORE", "VERSION", "IMAGE", "SIZE", "HOLDS"]);
    for store in &manifest.stores {
        let total: u64 = store.counts.iter().filter(|(name, _)| !name.contains('#')).map(|(_, n)| n).sum();
        let holds = match store.kind {
            _ if store.method == Method::ColdCopy => "its volume".to_owned(),
            archive::Kind::Postgres => {
                format!("{total} rows in {} tables", store.counts.keys().filter(|k| !k.contains('#')).count())
            }
            archive::Kind::Rabbitmq => format!("{total} messages in {} queues", store.counts.len()),
            archive::Kind::Redis => format!("{total} keys"),
            _ => String::new(),
        };
        table.row([
            store.name.clone(),
            store.server_version.clone(),
            store.image.reference.clone(),
            humansize(store.size),
            holds,
        ]);
    }
    context.print(&table.render(context.style, context.terminal.table_width()));
    for skipped in &manifest.skipped {
        context.note(&format!("not in it: {}: {}", skipped.name, skipped.reason));
    }
    Ok(0)
}

/// Which stores fit together.
fn consistency(manifest: &Manifest) -> String {
    let names = |later: bool| {
        let found = manifest.stores.iter().filter(|s| is_copied_later(s.method) == later);
        found.map(|s| s.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let (together, later) = (names(false), names(true));
    match manifest.consistency {
        Consistency::Unknown => "not known: a newer banyan wrote it".to_owned(),
        Consistency::PerStore => "each store for itself".to_owned(),
        Consistency::Paused if together.is_empty() => "each volume copied while what uses it stood still".to_owned(),
        Consistency::Paused if later.is_empty() => format!("one moment of the project: {together}"),
        Consistency::Paused => format!("one moment of the project: {together}; copied after it: {later}"),
    }
}

/// True for what is not taken while the project stands still.
fn is_copied_later(method: Method) -> bool {
    matches!(method, Method::ColdCopy | Method::SnapshotApi)
}

pub(super) async fn verify(context: &Context, args: &BackupFile, restore: bool) -> Result<u8, Failure> {
    let (path, archive) = open(context, &args.file, &args.open).await?;
    check(context, &archive, &path.display().to_string()).await?;
    if restore {
        prove(context, &archive).await?;
    }
    context.screen.finish();
    if context.json() {
        let members = archive.manifest().members.len();
        context.print_json(&serde_json::json!({
            "schema_version": 1, "file": path, "digest": archive.digest(), "members": members, "intact": true, "restored": restore,
        }));
    } else {
        let proved = if restore { ", and it was restored beside the project and compared" } else { "" };
        let members = archive.manifest().members.len();
        context.print(&format!("{}: every byte is right ({members} members){proved}", path.display()));
    }
    Ok(0)
}

/// Restores all of it where it harms nobody.
async fn prove(context: &Context, archive: &archive::Archive) -> Result<(), Failure> {
    let loaded = context.load(&["*".to_owned()], &[])?;
    let engine = context.engine().await?;
    let _lock = lock::take(&data_folder(&context.env, context.folder())?, &loaded.project.name)?;
    let observed = recover(context, &engine, &loaded.project.name).await?;
    let here = stores(&loaded.project, &observed);
    if here.is_empty() {
        return Err(Failure::new(Exit::NotRunning, 13, "the servers that would prove it are not there")
            .hint(format!("bring them up: {}", context.pasteable(&["up"]))));
    }
    let targets = guard::targets(archive.manifest(), &here, &[]).map_err(failed)?;
    let order = order(context, &engine, &loaded, &observed, PATIENCE);
    backup::prove(&order, archive, &targets).await.map_err(restoring)
}

/// Reads all of it, and shows how far that is.
pub async fn check(context: &Context, archive: &archive::Archive, name: &str) -> Result<(), Failure> {
    let (journal, name, total, all) =
        (context.journal.clone(), name.to_owned(), archive.manifest().size(), archive.clone());
    blocking(move || {
        let result = backup::guard::check(&all, &mut |done| {
            journal.tell(Kind::Backup, &name, Phase::Bytes("checking", done, total), None);
        });
        let phase = if result.is_ok() { Phase::Done("intact") } else { Phase::Failed("damaged") };
        journal.tell(Kind::Backup, &name, phase, None);
        result
    })
    .await?
    .map_err(failed)
}
