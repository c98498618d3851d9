//! `banyan restore`: the data of a backup comes back, all of it or nothing.

mod ready;

use std::path::{Path, PathBuf};

use backup::{How, Restored, restore};
use compose::Observed;
use engine::Engine;

use super::backup::{
    Identity, Wanted, check, find, identity, open, order, plain, recover, restoring, sealing, snapshot, write,
};
use super::up::{introduce, prepare};
use crate::args::{RestoreArgs, SealArgs, UpArgs};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::lock;
use crate::project::{Loaded, data_folder};
use ready::Ready;

/// Looks, asks, backs up what is there, restores.
pub async fn run(context: &Context, args: RestoreArgs) -> Result<u8, Failure> {
    let file = args.file.clone().or(args.from.clone()).unwrap_or_default();
    if file != Path::new("-") {
        let found = find(context, &file)?;
        if plain::is_sql(&found) {
            return sql(context, &args, &found).await;
        }
    }
    let (path, archive) = open(context, &file, &args.open).await?;
    let manifest = archive.manifest().clone();
    let loaded = context.load(&["*".to_owned()], &[])?;
    introduce(context, &loaded)?;
    let here = identity(context, &loaded);
    let there = Identity { project: manifest.project.clone(), instance: manifest.instance.clone() };
    same_origin(context, &args, &here, &there)?;
    let engine = context.engine().await?;
    let _lock = lock::take(&data_folder(&context.env, context.folder())?, &loaded.project.name)?;
    let observed = recover(context, &engine, &loaded.project.name).await?;

    // all that can be known is known before anything is made, stopped or asked
    check(context, &archive, &path.display().to_string()).await?;
    let mut ready = Ready::look(context, &engine, &loaded, &manifest, &args, observed).await?;
    let names = ready.names();
    if args.dry_run {
        context.screen.finish();
        report(context, "would restore", &path, &names, &[], None);
        return Ok(0);
    }
    confirm(context, &args, &loaded.project.name, &names)?;
    let was_empty = ready.observed.containers.is_empty();
    ready.make(context, &engine, &loaded, &manifest, &args).await?;
    let taken = match !ready.held.is_empty() && !args.no_snapshot {
        true => Some(take(context, &engine, &loaded, &ready).await?),
        false => None,
    };
    // said before anything can fail: it is needed most when something does
    snapshot::tell(context, taken.as_ref());
    let order = order(context, &engine, &loaded, &ready.observed, args.wait_timeout);
    let restored = restore(&order, &archive, &ready.targets).await.map_err(restoring)?;
    report(context, "restored", &path, &names, &restored.unchanged, taken.as_deref());
    let code = remarks(context, &restored);
    if was_empty && args.only.is_empty() {
        // nothing of it was there, so all of it is wanted
        let up = UpArgs { wait_timeout: args.wait_timeout, ..UpArgs::default() };
        let loaded = context.load(&[], &[])?;
        let wanted = compose::plan::included(&loaded.project, &[], false);
        prepare(context, &up, &engine, loaded, wanted).await?.start(context, &up, &engine).await?;
    }
    Ok(code)
}

/// What did not go as it should after the data was there; the exit code.
fn remarks(context: &Context, restored: &Restored) -> u8 {
    if let Some(why) = &restored.left {
        context.note(&format!("the data is restored, but the replaced data is not deleted yet: {why}"));
        context.note(&format!("the next command does it: {}", context.pasteable(&["up"])));
    }
    for service in &restored.not_started {
        context.note(&format!("did not come up again: {service}"));
    }
    if restored.left.is_none() && restored.not_started.is_empty() { 0 } else { Exit::Partial as u8 }
}

/// A backup of what will be replaced.
async fn take(context: &Context, engine: &Engine, loaded: &Loaded, ready: &Ready) -> Result<PathBuf, Failure> {
    match ready.some_run() {
        true => snapshot_of(context, engine, loaded, &ready.observed, How::Window).await,
        // what is copied as it is needs no more than its volume
        false => snapshot_of(context, engine, &ready.concerned(loaded), &ready.observed, How::Stopped).await,
    }
}

/// Writes it.
async fn snapshot_of(
    context: &Context,
    engine: &Engine,
    loaded: &Loaded,
    observed: &Observed,
    how: How,
) -> Result<PathBuf, Failure> {
    let sealing = sealing(context, &SealArgs::default())?;
    let written = write(context, engine, loaded, observed, Wanted::undo(sealing, how)).await;
    written.map(|(path, _)| path).map_err(|failure| no_snapshot(context, failure))
}

fn no_snapshot(context: &Context, failure: Failure) -> Failure {
    let message = format!("no snapshot of the present data, so nothing was changed: {}", failure.message);
    let hint = format!("restore without one: {}", context.again(&["--no-snapshot"]));
    Failure { message, ..failure }.hint(hint)
}

/// The database alone, from SQL text.
async fn sql(context: &Context, args: &RestoreArgs, path: &Path) -> Result<u8, Failure> {
    let loaded = context.load(&["*".to_owned()], &[])?;
    introduce(context, &loaded)?;
    let engine = context.engine().await?;
    let _lock = lock::take(&data_folder(&context.env, context.folder())?, &loaded.project.name)?;
    let observed = recover(context, &engine, &loaded.project.name).await?;
    if args.dry_run {
        context.print(&format!("would restore the database from {}", path.display()));
        return Ok(0);
    }
    confirm(context, args, &loaded.project.name, &["the database".to_owned()])?;
    let taken = match args.no_snapshot {
        true => None,
        false => Some(snapshot_of(context, &engine, &loaded, &observed, How::Window).await?),
    };
    snapshot::tell(context, taken.as_ref());
    let order = order(context, &engine, &loaded, &observed, args.wait_timeout);
    plain::load(context, &order, &loaded, path).await?;
    Ok(0)
}

/// A backup of something else is not restored by mistake.
fn same_origin(context: &Context, args: &RestoreArgs, here: &Identity, there: &Identity) -> Result<(), Failure> {
    if here.project != there.project {
        let message =
            format!("this is a backup of project {}, not of {}; nothing was changed", there.project, here.project);
        return Err(Failure::new(Exit::Refused, 11, message));
    }
    if here.instance != there.instance && args.into_instance.is_none() {
        let message = format!(
            "this is a backup of instance {}, and this is {}; nothing was changed",
            there.instance, here.instance
        );
        return Err(Failure::new(Exit::Refused, 12, message)
            .hint(format!("if that is meant: {}", context.again(&["--into-instance", &here.instance]))));
    }
    Ok(())
}

fn confirm(context: &Context, args: &RestoreArgs, project: &str, names: &[String]) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    context.note(&format!("the present data of {} in project {project} will be replaced", names.join(", ")));
    match context.ask("Replace it?") {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::new(Exit::Other, 53, "not confirmed; nothing was changed")),
        None => Err(Failure::new(
            Exit::Usage,
            53,
            "a restore replaces data and there is no terminal to ask on; nothing was changed",
        )
        .hint(format!("say yes on the command line: {}", context.again(&["--yes"])))),
    }
}

fn report(context: &Context, what: &str, path: &Path, names: &[String], unchanged: &[String], snapshot: Option<&Path>) {
    if context.json() {
        context.print_json(&serde_json::json!({
            "schema_version": 1, "file": path, "done": what, "stores": names, "unchanged": unchanged,
            "snapshot": snapshot,
        }));
        return;
    }
    context.print(&format!("{what} {} from {}", names.join(", "), path.display()));
    if !unchanged.is_empty() {
        context.print(&format!("already as in the file, and left alone: {}", unchanged.join(", ")));
    }
}
