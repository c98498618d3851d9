//! `banyan down`: what the labels say belongs to the project goes.

use compose::observed::{Observed, VolumeMount};
use compose::plan::{self, Down};
use compose::project::{Mount, MountSource, Project, Service, Volume};
use engine::Engine;
use engine::apply::{Applied, Reason, apply};

use super::backup::{recover, snapshot};
use super::check_names;
use crate::args::DownArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::identity::{Identity, identify};
use crate::lock;
use crate::project::{Loaded, data_folder};

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
    if args.volumes && !args.no_snapshot {
        let loaded = loaded.unwrap_or_else(|| from_labels(&name, &observed));
        snapshot::before(context, &engine, &loaded, &plan, snapshot::Wish::Ask).await?;
    }
    let applied = take_down(context, &engine, &name, &plan).await;
    context.screen.finish();
    report(context, &name, &applied)
}

/// What the containers say of a project whose files cannot be read: enough to back its volumes up.
fn from_labels(name: &str, observed: &Observed) -> Loaded {
    let mut project = Project { name: name.to_owned(), ..Project::default() };
    for container in observed.containers.iter().filter(|c| !c.is_one_off()) {
        let mut service = Service {
            name: container.service().to_owned(),
            container_name: container.name.clone(),
            image: container.image.clone(),
            ..Service::default()
        };
        for VolumeMount { name, target } in &container.volumes {
            let source = MountSource::Volume(name.clone());
            service.mounts.push(Mount { source, target: target.clone(), read_only: false });
            project.volumes.insert(name.clone(), Volume { name: name.clone(), ..Volume::default() });
        }
        project.services.entry(service.name.clone()).or_insert(service);
    }
    Loaded { project, why: "by the labels of its containers".to_owned(), files: Vec::new() }
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
