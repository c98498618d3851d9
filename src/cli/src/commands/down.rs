//! `banyan down`: what the labels say belongs to the project goes.

use compose::plan::{self, Down};
use engine::Engine;
use engine::apply::{Applied, Reason, apply};

use super::backup::{recover, snapshot};
use super::check_names;
use crate::args::DownArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::identity::{Identity, identify};
use crate::lock;
use crate::project::data_folder;

/// Takes the project down.
pub async fn run(context: &Context, args: DownArgs) -> Result<u8, Failure> {
    let Identity { name, loaded } = identify(context).await?;
    let engine = context.engine().await?;
    let _lock = lock::take(&data_folder(&context.env, context.folder())?, &name)?;
    let observed = recover(context, &engine, &name).await?;
    let project = loaded.as_ref().map(|l| &l.project);
    let declared = project.into_iter().flat_map(|p| p.services.keys().map(String::as_str));
    let known: Vec<&str> = observed.containers.iter().map(|c| c.service()).chain(declared).collect();
    if !known.is_empty() {
        check_names(&args.services, &known)?;
    }
    let data = project.map(|p| plan::data_of(p, &args.services)).unwrap_or_default();
    let wish = Down { services: args.services.clone(), volumes: args.volumes, data };
    let plan = plan::down(&name, &observed, &wish);
    for note in &plan.notes {
        context.note(&format!("note: {note}"));
    }
    if plan.steps.is_empty() {
        if context.json() {
            context.print_json(
                &serde_json::json!({ "schema_version": 1, "project": name, "removed": [], "killed": [], "kept": [] }),
            );
        } else {
            let what =
                if args.services.is_empty() { String::new() } else { format!("{} in ", args.services.join(", ")) };
            context.note(&format!("nothing of {what}project {name} is there"));
        }
        return Ok(0);
    }
    // where the files are gone or broken nothing says what the stores are
    let taken = match loaded.as_ref().filter(|_| args.volumes && !args.no_snapshot) {
        Some(loaded) => snapshot::before(context, &engine, loaded, &plan, snapshot::Wish::Ask).await?,
        None => None,
    };
    let applied = take_down(context, &engine, &name, &plan).await;
    context.screen.finish();
    let code = report(context, &name, &applied)?;
    snapshot::tell(context, taken.as_ref());
    Ok(code)
}

/// Carries a plan of `down` out.
pub async fn take_down(context: &Context, engine: &Engine, name: &str, plan: &plan::Plan) -> Applied {
    let project = compose::Project { name: name.to_owned(), ..Default::default() };
    apply(
        engine,
        &project,
        plan,
        &context.journal,
        &context.limits(std::time::Duration::from_secs(60)),
        &context.cancel,
    )
    .await
}

fn report(context: &Context, name: &str, applied: &Applied) -> Result<u8, Failure> {
    for killed in &applied.killed {
        context.note(&format!("killed: {killed} did not stop within its grace period; `init: true`, `exec` in its entrypoint or another `stop_signal` help"));
    }
    for (network, users) in &applied.kept {
        let commands: Vec<_> = users.iter().map(|user| format!("docker network disconnect {network} {user}")).collect();
        context.note(&format!(
            "to be rid of network {network}: {} && {}",
            commands.join(" && "),
            context.pasteable(&["down"])
        ));
    }
    if applied.interrupted {
        return Err(Failure::new(Exit::Interrupted, 1, "interrupted; what was stopped stays stopped")
            .hint(format!("go on: {}", context.pasteable(&["down"]))));
    }
    if let Some(first) = applied.failures.first() {
        let why = match &first.reason {
            Reason::Request(error) => error.message(),
            Reason::Wait(trouble) => trouble.summary(),
        };
        return Err(Failure::new(Exit::Partial, 1, format!("could not {}: {why}", first.action))
            .details(applied.failures[1..].iter().map(|f| format!("also failed: {}", f.action)))
            .hint(format!("try again: {}", context.pasteable(&["down"]))));
    }
    if context.json() {
        let removed: Vec<_> =
            applied.removed.iter().map(|(kind, name)| serde_json::json!({ "kind": kind, "name": name })).collect();
        let kept: Vec<_> = applied
            .kept
            .iter()
            .map(|(name, users)| serde_json::json!({ "kind": "network", "name": name, "used_by": users }))
            .collect();
        context.print_json(&serde_json::json!({
            "schema_version": 1, "project": name, "removed": removed, "killed": applied.killed, "kept": kept,
        }));
    }
    Ok(0)
}
