//! What is about to be deleted is backed up first, and the command that brings it back is printed.

use std::path::PathBuf;

use backup::How;
use compose::observed::VolumeMount;
use compose::plan::{Action, Plan, Step};
use engine::Engine;

use super::create::{Place, Wanted, sealing, write};
use super::recover;
use crate::args::SealArgs;
use crate::commands::down::take_down;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::project::Loaded;

/// Whether there is a snapshot, and what happens when there cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// None is wanted.
    None,
    /// Without one, somebody is asked whether to go on.
    Ask,
    /// Without one, it is said and the data goes all the same.
    GoOn,
}

/// Stops what the plan takes down and copies the volumes that it deletes. `None`: there is nothing to copy, or it was
/// decided to go on without.
pub async fn before(
    context: &Context,
    engine: &Engine,
    loaded: &Loaded,
    plan: &Plan,
    wish: Wish,
) -> Result<Option<PathBuf>, Failure> {
    let name = &loaded.project.name;
    let going: Vec<String> = plan.steps.iter().filter_map(|s| deleted(&s.action)).collect();
    let observed = engine.observe(name).await?;
    let here = backup::stores(&loaded.project, &observed).into_iter().filter(|s| going.contains(&s.volume));
    let (concerned, covered): (Vec<String>, Vec<String>) = here.map(|s| (s.service, s.volume)).unzip();
    let alone: Vec<String> = going.into_iter().filter(|v| !covered.contains(v) && !is_unnamed(v)).collect();
    if wish == Wish::None || concerned.is_empty() && alone.is_empty() {
        return Ok(None);
    }
    let ran: Vec<String> = observed
        .containers
        .iter()
        .filter(|c| matches!(c.state, compose::observed::State::Running | compose::observed::State::Restarting))
        .map(|c| c.name.clone())
        .collect();
    take_down(context, engine, name, &stops(plan)).await;
    if context.cancel.is_cancelled() {
        return Err(Failure::new(Exit::Interrupted, 1, "interrupted; nothing was deleted")
            .hint(format!("start what was stopped: {}", context.pasteable(&["up"]))));
    }
    let observed = recover(context, engine, name).await?;
    let only = only_concerned(loaded, &concerned);
    let sealing = sealing(context, &SealArgs::default())?;
    let (more, without_image) =
        backup::stand_ins(engine, &loaded.project, &observed, &alone).await.map_err(super::failed)?;
    let all: Vec<String> = concerned.iter().chain(&alone).cloned().collect();
    let lacks = (!without_image.is_empty())
        .then(|| Failure::new(Exit::Backup, 5, format!("there is no image to look into {}", without_image.join(", "))));
    let written = match lacks {
        Some(failure) if wish == Wish::Ask => Err(failure),
        lacks => {
            if let Some(failure) = lacks {
                context.note(&format!("not backed up: {}", failure.message));
            }
            let wanted = Wanted { place: Place::Folder, sealing, how: How::Stopped, more, physical: false };
            write(context, engine, &only, &observed, wanted).await
        }
    };
    backup::dismiss(engine, name).await.map_err(super::failed)?;
    match written {
        Ok((path, _)) => Ok(Some(path)),
        Err(failure) if failure.exit == Exit::Interrupted => Err(failure),
        Err(failure) => without(context, engine, wish, &all, &ran, failure).await,
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

/// There can be no snapshot.
async fn without(
    context: &Context,
    engine: &Engine,
    wish: Wish,
    stores: &[String],
    ran: &[String],
    failure: Failure,
) -> Result<Option<PathBuf>, Failure> {
    context.note(&format!("cannot back up {} first: {}", stores.join(", "), failure.message));
    if wish == Wish::GoOn {
        return Ok(None);
    }
    match context.ask("Delete the data all the same?") {
        Some(true) => Ok(None),
        answer => {
            for name in ran {
                engine.start_container(name).await?;
            }
            let failure =
                Failure { message: format!("no snapshot, so nothing was deleted: {}", failure.message), ..failure };
            Err(if answer.is_none() {
                failure.hint(format!("delete the data without one: {}", context.again(&["--no-snapshot"])))
            } else {
                failure
            })
        }
    }
}

/// The command that brings it back.
pub fn tell(context: &Context, snapshot: Option<&PathBuf>) {
    if let Some(path) = snapshot {
        let path = path.display().to_string();
        context.note(&format!("undo it: {}", context.pasteable(&["restore", &path, "--yes"])));
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

/// The same project with nothing but these services.
fn only_concerned(loaded: &Loaded, services: &[String]) -> Loaded {
    let mut only = loaded.clone();
    only.project.services.retain(|name, _| services.contains(name));
    only
}
