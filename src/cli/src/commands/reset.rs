//! `banyan reset`: the data goes, and the platform comes up anew.

use compose::observed::{COMPOSE_PROJECT, Observed};
use compose::plan::{self, Action, Down};
use compose::project::Project;
use engine::Engine;

use super::backup::{recover, snapshot};
use super::down::take_down;
use super::up::{introduce, prepare};
use super::{check_names, restore};
use crate::args::{ResetArgs, RestoreArgs, UpArgs};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::lock;
use crate::report::style::{Style, humansize};
use crate::report::table::Table;

/// Lists what goes, asks, deletes, checks, brings up.
pub async fn run(context: &Context, args: ResetArgs) -> Result<u8, Failure> {
    if args.to.is_some() {
        let ResetArgs { to: file, yes, no_snapshot, wait_timeout, .. } = args;
        let back = RestoreArgs { file, yes, no_snapshot, wait_timeout, ..RestoreArgs::default() };
        return restore::run(context, back).await;
    }
    let loaded = context.load(&[], &args.services)?;
    introduce(context, &loaded)?;
    let known: Vec<&str> = loaded.project.services.keys().map(String::as_str).collect();
    check_names(&args.services, &known)?;
    let name = loaded.project.name.clone();
    let engine = context.engine().await?;
    let data = crate::project::data_folder(&context.env, context.folder())?;
    let _lock = lock::take(&data, &name)?;

    let observed = recover(context, &engine, &name).await?;
    let data = plan::data_of(&loaded.project, &args.services);
    let plan = plan::down(&name, &observed, &Down { services: args.services.clone(), volumes: true, data });
    for note in &plan.notes {
        context.note(&format!("note: {note}"));
    }
    // all profiles, for what ran because somebody asked for it
    let up = UpArgs { profile: vec!["*".to_owned()], wait_timeout: args.wait_timeout, ..UpArgs::default() };
    let all = context.load(&up.profile, &[])?;
    let wanted = comes_back(&all.project, &loaded.project, &observed, &args.services);
    // whatever could keep it from coming up again is found before anything is deleted
    let mut prepared = prepare(context, &up, &engine, all.clone(), wanted).await?;

    let volumes: Vec<String> = plan
        .steps
        .iter()
        .filter_map(|s| if let Action::RemoveVolume { name } = &s.action { Some(name.clone()) } else { None })
        .collect();
    if volumes.is_empty() {
        context.note("there is no data to delete");
    } else {
        let listing = listing(&engine, &volumes).await;
        confirm(context, &args, &listing)?;
    }
    let wish = match (args.no_snapshot, args.yes) {
        (true, _) => snapshot::Wish::None,
        (_, true) => snapshot::Wish::Yes,
        _ => snapshot::Wish::Ask,
    };
    snapshot::before(context, &engine, &all, &plan, wish).await?;
    let applied = take_down(context, &engine, &name, &plan).await;
    if applied.interrupted || context.cancel.is_cancelled() {
        return Err(Failure::new(Exit::Interrupted, 1, "interrupted in the middle of a reset")
            .hint(format!("finish it: {}", context.again(&["--yes"]))));
    }
    check_gone(context, &engine, &name, &volumes).await?;
    prepared.observed = None;
    prepared.bring_up(context, &up, &engine).await
}

/// The services that come up again, required and optional: those that were asked for, or else all that come up by
/// themselves; and whatever ran. A container of a service that the files no longer name has nothing to come back from.
fn comes_back(all: &Project, usual: &Project, observed: &Observed, asked: &[String]) -> (Vec<String>, Vec<String>) {
    let ran = observed.containers.iter().filter(|c| !c.is_one_off()).map(|c| c.service().to_owned());
    let mut beside: Vec<String> = ran.filter(|name| all.services.contains_key(name)).collect();
    if asked.is_empty() {
        beside.extend(usual.services.keys().cloned());
    }
    plan::included_with(all, asked, &beside, false)
}

async fn listing(engine: &Engine, volumes: &[String]) -> String {
    let sizes = engine.volume_sizes(volumes).await;
    let mut table = Table::new(["VOLUME", "SIZE"]);
    for name in volumes {
        table.row([name.clone(), sizes.get(name).map_or("not known".to_owned(), |s| humansize(*s))]);
    }
    table.render(Style::default(), None)
}

fn confirm(context: &Context, args: &ResetArgs, listing: &str) -> Result<(), Failure> {
    context.note(&format!("these volumes and the data in them will be deleted:\n{}", listing.trim_end()));
    if args.yes {
        return Ok(());
    }
    match context.ask("Delete them?") {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::new(Exit::Other, 5, "not confirmed; nothing was changed")),
        None => Err(Failure::new(
            Exit::Usage,
            2,
            "a reset deletes data and there is no terminal to ask on; nothing was changed",
        )
        .hint(format!("say yes on the command line: {}", context.again(&["--yes"])))),
    }
}

/// A reset that says done has looked.
async fn check_gone(context: &Context, engine: &Engine, project: &str, volumes: &[String]) -> Result<(), Failure> {
    let observed: Observed = engine.observe(project).await?;
    let left: Vec<String> = volumes
        .iter()
        .filter(|v| {
            observed.volumes.get(*v).is_some_and(|o| o.labels.get(COMPOSE_PROJECT).is_some_and(|p| p == project))
        })
        .cloned()
        .collect();
    if left.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Exit::Partial, 2, "some volumes are still there; nothing was brought up")
        .hint(format!(
            "see what uses them: docker ps -a{}\nthen: {}",
            left.iter().map(|name| format!(" --filter volume={name}")).collect::<String>(),
            context.again(&[])
        ))
        .details(left))
}
