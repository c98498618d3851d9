//! `banyan restore`: the data of a backup comes back, all of it or nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use backup::{How, RestoreOrder, guard, restore, service_of, stores};
use compose::Observed;
use compose::observed::State;
use compose::plan;
use engine::Engine;

use super::backup::{Identity, Wanted, check, failed, find, identity, open, plain, recover, sealing, snapshot, write};
use super::up::{introduce, prepare};
use crate::args::{RestoreArgs, SealArgs, UpArgs};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::lock;
use crate::project::{Loaded, data_folder};

/// Looks, asks, backs up what is there, restores.
pub async fn run(context: &Context, args: RestoreArgs) -> Result<u8, Failure> {
    let file = args.file.clone().or(args.from.clone()).unwrap_or_default();
    if file != Path::new("-") && plain::is_sql(&find(context, &file)?) {
        return sql(context, &args, &find(context, &file)?).await;
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
    let mut observed = recover(context, &engine, &loaded.project.name).await?;

    check(context, &archive, &path.display().to_string()).await?;

    // stores that are not there are made first, empty
    let in_file = manifest.stores.iter().map(|s| s.name.as_str());
    let asked = in_file.filter(|name| args.only.is_empty() || args.only.iter().any(|o| o == name));
    let wanted: BTreeSet<String> = asked.map(|name| service_of(name).to_owned()).collect();
    let was_empty = observed.containers.is_empty();
    let missing = |observed: &compose::Observed| {
        let runs = |s: &String| observed.containers.iter().any(|c| c.service() == s && c.state == State::Running);
        wanted
            .iter()
            .filter(|s| loaded.project.services.contains_key(s.as_str()) && !runs(s))
            .cloned()
            .collect::<Vec<_>>()
    };
    let to_start = missing(&observed);
    if !to_start.is_empty() && !args.dry_run {
        let up = UpArgs { services: to_start, wait_timeout: args.wait_timeout, ..UpArgs::default() };
        start(context, &engine, &up).await?;
        observed = engine.observe(&loaded.project.name).await?;
    }
    let here_now = stores(&loaded.project, &observed);
    let targets = guard::targets(&manifest, &here_now, &args.only).map_err(failed)?;
    let names: Vec<&str> = targets.iter().map(|t| t.store.name.as_str()).collect();
    if args.dry_run {
        context.screen.finish();
        report(context, "would restore", &path, &names);
        return Ok(0);
    }
    confirm(context, &args, &loaded.project.name, &names)?;
    let taken =
        if args.no_snapshot || was_empty { None } else { Some(take(context, &engine, &loaded, &observed).await?) };
    let order = RestoreOrder {
        engine: &engine,
        project: &loaded.project,
        observed: &observed,
        journal: &context.journal,
        cancel: &context.cancel,
        limit: args.wait_timeout,
    };
    restore(&order, &archive, &targets).await.map_err(failed)?;
    report(context, "restored", &path, &names);
    if was_empty && args.only.is_empty() {
        // nothing of it was there, so all of it is wanted
        let up = UpArgs { wait_timeout: args.wait_timeout, ..UpArgs::default() };
        start(context, &engine, &up).await?;
    }
    snapshot::tell(context, taken.as_ref());
    Ok(0)
}

/// Brings services up, with what they need.
async fn start(context: &Context, engine: &Engine, up: &UpArgs) -> Result<(), Failure> {
    let loaded = context.load(&up.profile, &up.services)?;
    let wanted = plan::included(&loaded.project, &up.services, up.no_deps);
    prepare(context, up, engine, loaded, wanted).await?.start(context, up, engine).await
}

/// A backup of what will be replaced.
async fn take(context: &Context, engine: &Engine, loaded: &Loaded, observed: &Observed) -> Result<PathBuf, Failure> {
    let sealing = sealing(context, &SealArgs::default())?;
    let written = write(context, engine, loaded, observed, Wanted::undo(sealing, How::Window)).await;
    written.map(|(path, _)| path).map_err(|failure| {
        let message = format!("no snapshot of the present data, so nothing was changed: {}", failure.message);
        let hint = format!("restore without one: {}", context.again(&["--no-snapshot"]));
        Failure { message, ..failure }.hint(hint)
    })
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
    confirm(context, args, &loaded.project.name, &["the database"])?;
    let taken = if args.no_snapshot { None } else { Some(take(context, &engine, &loaded, &observed).await?) };
    let order = RestoreOrder {
        engine: &engine,
        project: &loaded.project,
        observed: &observed,
        journal: &context.journal,
        cancel: &context.cancel,
        limit: args.wait_timeout,
    };
    plain::load(context, &order, &loaded, path).await?;
    snapshot::tell(context, taken.as_ref());
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

fn confirm(context: &Context, args: &RestoreArgs, project: &str, names: &[&str]) -> Result<(), Failure> {
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

fn report(context: &Context, what: &str, path: &std::path::Path, names: &[&str]) {
    if context.json() {
        context.print_json(&serde_json::json!({ "schema_version": 1, "file": path, "done": what, "stores": names }));
    } else {
        context.print(&format!("{what} {} from {}", names.join(", "), path.display()));
    }
}
