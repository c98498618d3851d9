//! What is about to be deleted is backed up first, and the command that brings it back is printed.

use std::path::{Path, PathBuf};

use backup::{How, Store};
use compose::observed::{State, VolumeMount};
use compose::plan::{Action, Plan, Step};
use engine::Engine;

use super::create::{Wanted, sealing, written};
use super::recover;
use crate::args::SealArgs;
use crate::commands::down::take_down;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::project::Loaded;

/// Whether there is a snapshot, and what happens to stores of which there cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// None is wanted.
    None,
    /// Somebody is asked whether their data goes all the same.
    Ask,
    /// They are named, and their data goes all the same. What keeps all stores from being backed up is still asked about.
    Yes,
}

/// A store of which there is no snapshot, and why.
struct Lacking {
    store: String,
    why: String,
}

/// Stops what the plan takes down, copies the volumes that it deletes, and says how that is undone. `None`: there is
/// nothing to copy, or it was decided to go on without.
pub async fn before(
    context: &Context,
    engine: &Engine,
    loaded: &Loaded,
    plan: &Plan,
    wish: Wish,
) -> Result<Option<PathBuf>, Failure> {
    let name = &loaded.project.name;
    let going: Vec<String> = plan.steps.iter().filter_map(|s| deleted(&s.action)).filter(|v| !is_unnamed(v)).collect();
    if wish == Wish::None || going.is_empty() {
        return Ok(None);
    }
    let observed = engine.observe(name).await?;
    let running = observed.containers.iter().filter(|c| matches!(c.state, State::Running | State::Restarting));
    let ran: Vec<String> = running.map(|c| c.name.clone()).collect();
    // what does not stop is seen, and named, when its volume is copied
    let stopped = take_down(context, engine, name, &stops(plan)).await;
    if stopped.interrupted || context.cancel.is_cancelled() {
        start_again(context, engine, &ran).await;
        return Err(Failure::new(Exit::Interrupted, 1, "interrupted; nothing was deleted"));
    }
    let taken = copy(context, engine, loaded, &going).await;
    backup::dismiss(engine, name).await.map_err(super::failed)?;
    let decided = match taken {
        Ok((path, lacking)) => {
            if let Some(path) = &path {
                tell(context, Some(path));
            }
            allowed(context, wish, &lacking).map(|()| path)
        }
        Err(failure) if failure.exit == Exit::Interrupted => Err(failure),
        Err(failure) => allowed_without_any(context, failure).map(|()| None),
    };
    if decided.is_err() {
        start_again(context, engine, &ran).await;
    }
    decided
}

/// Copies these volumes, as far as that is possible: the file, and which stores are not in it.
async fn copy(
    context: &Context,
    engine: &Engine,
    loaded: &Loaded,
    going: &[String],
) -> Result<(Option<PathBuf>, Vec<Lacking>), Failure> {
    let name = &loaded.project.name;
    let observed = recover(context, engine, name).await?;
    let all = backup::stores(&loaded.project, &observed);
    let (here, others): (Vec<Store>, Vec<Store>) = all.into_iter().partition(|s| going.contains(&s.volume));
    let alone: Vec<String> = going.iter().filter(|v| !here.iter().any(|s| s.volume == **v)).cloned().collect();
    let (more, without_image) =
        backup::stand_ins(engine, &loaded.project, &observed, &alone).await.map_err(super::failed)?;
    let why = "its container is gone, and there is no image to look into it with";
    let mut lacking: Vec<Lacking> =
        without_image.into_iter().map(|store| Lacking { store, why: why.to_owned() }).collect();
    let mut without: Vec<String> = others.into_iter().map(|s| s.name).collect();
    let mut left: Vec<String> = here.iter().chain(&more).map(|s| s.name.clone()).collect();
    let several = left.len() > 1;
    while !left.is_empty() {
        let sealing = sealing(context, &SealArgs::default())?;
        let wanted = Wanted { more: more.clone(), without: without.clone(), ..Wanted::undo(sealing, How::Stopped) };
        match written(context, engine, loaded, &observed, wanted).await? {
            Ok((path, _)) => return Ok((Some(path), lacking)),
            Err(backup::Error::Store { store, why }) if left.contains(&store) => {
                left.retain(|s| *s != store);
                without.push(store.clone());
                if several && left.is_empty() {
                    // one after the other, all of them: that is no matter of the stores
                    return Err(super::failed(*why));
                }
                lacking.push(Lacking { store, why: why.to_string() });
            }
            Err(error) => return Err(super::failed(error)),
        }
    }
    Ok((None, lacking))
}

/// Whether the data of these goes without a snapshot.
fn allowed(context: &Context, wish: Wish, lacking: &[Lacking]) -> Result<(), Failure> {
    if lacking.is_empty() {
        return Ok(());
    }
    for Lacking { store, why } in lacking {
        context.note(&format!("cannot back up {store}: {why}"));
    }
    let names = lacking.iter().map(|l| l.store.as_str()).collect::<Vec<_>>().join(", ");
    if wish == Wish::Yes {
        context.note(&format!("the data of {names} goes without a backup"));
        return Ok(());
    }
    let why = lacking.iter().map(|l| format!("{}: {}", l.store, l.why)).collect::<Vec<_>>();
    let failure = Failure::new(Exit::Backup, 5, format!("no backup of {names}, so nothing was deleted")).details(why);
    ask(context, &format!("Delete the data of {names} all the same?"), failure)
}

/// Whether all data goes without a snapshot: that is nothing that `--yes` has answered.
fn allowed_without_any(context: &Context, failure: Failure) -> Result<(), Failure> {
    context.note(&format!("cannot back the data up first: {}", failure.message));
    let message = format!("no backup, so nothing was deleted: {}", failure.message);
    ask(context, "Delete all of it all the same?", Failure { message, ..failure })
}

fn ask(context: &Context, question: &str, refusal: Failure) -> Result<(), Failure> {
    match context.ask(question) {
        Some(true) => Ok(()),
        Some(false) => Err(refusal),
        None => Err(refusal.hint(format!("delete the data without one: {}", context.again(&["--no-snapshot"])))),
    }
}

/// Starts what ran, as far as it can be started.
async fn start_again(context: &Context, engine: &Engine, names: &[String]) {
    for name in names {
        if let Err(error) = engine.start_container(name).await {
            context.note(&format!("{name} is stopped: {error}"));
        }
    }
}

/// The volume that an action deletes.
fn deleted(action: &Action) -> Option<String> {
    if let Action::RemoveVolume { name } = action { Some(name.clone()) } else { None }
}

/// A name that the engine gave.
fn is_unnamed(volume: &str) -> bool {
    VolumeMount { name: volume.to_owned(), target: String::new() }.is_unnamed()
}

/// The command that brings it back.
pub fn undo(context: &Context, path: &Path) -> String {
    context.pasteable(&["restore", &path.display().to_string(), "--yes"])
}

/// Prints it, before anything is touched: whatever goes wrong from here on, it is there. JSON that is printed later has
/// it, too.
pub fn tell(context: &Context, snapshot: Option<&PathBuf>) {
    if let Some(path) = snapshot {
        let undo = undo(context, path);
        context.note(&format!("undo it: {undo}"));
        context.keep_undo(path, &undo);
    }
}

/// The stops of a plan, in their order.
fn stops(plan: &Plan) -> Plan {
    let kept: Vec<usize> =
        (0..plan.steps.len()).filter(|i| matches!(plan.steps[*i].action, Action::StopContainer { .. })).collect();
    let place = |old: &usize| kept.iter().position(|k| k == old);
    let step = |i: &usize| {
        let step = &plan.steps[*i];
        let after = step.after.iter().filter_map(place).collect();
        let doomed_by = step.doomed_by.iter().filter_map(place).collect();
        Step { after, doomed_by, ..step.clone() }
    };
    Plan { steps: kept.iter().map(step).collect(), ..Plan::default() }
}
