//! `banyan up --dry-run`: the plan, and nothing else.

use std::collections::BTreeSet;

use compose::observed::Observed;
use compose::plan::{self, Chosen, Images, Plan};
use compose::project::Project;
use engine::Engine;
use engine::supply::{Origin, Supply};

use super::{Tier, optional, wish, with_stand_ins};
use crate::absent_images::AbsentImages;
use crate::args::UpArgs;
use crate::commands::images::supply;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::project::{Loaded, data_folder};
use crate::{preflight, trouble};

/// Prints what `up` would do now.
pub async fn run(context: &Context, args: &UpArgs, engine: &Engine, loaded: &Loaded) -> Result<u8, Failure> {
    let supply = supply(context, engine, args.pull, args.platform_binary.as_deref())?;
    let (required, mut optional) = plan::included(&loaded.project, &args.services, args.no_deps);
    let all = [required.clone(), optional.clone()].concat();
    let observed = preflight::check(context, engine, &loaded.project, &all, None).await?;
    let absent = AbsentImages::of(data_folder(&context.env, context.folder())?, &loaded.project.name);
    let given_up = optional::given_up(args, &absent, &supply, &observed, &loaded.project, &optional);
    optional.retain(|s| !given_up.contains(s));
    let all = [required.clone(), optional.clone()].concat();
    let (images, fetches) = foresee(&supply, &observed, &loaded.project, &all).await;
    let with_images = with_stand_ins(context, args, loaded.clone(), &images)?;
    let plan_of = |services: &[String], tier| {
        plan::up(&with_images.project, &observed, &wish(args, services, &images, tier))
            .map_err(|refusals| trouble::refused(context, &with_images.project, &observed, &refusals))
    };
    let (first, second) = (plan_of(&required, Tier::Required)?, plan_of(&optional, Tier::Optional)?);
    let changes = !fetches.is_empty() || !first.changes_nothing() || !second.changes_nothing();
    if context.json() {
        context.print_json(&serde_json::json!({
            "schema_version": 1, "changes": changes, "images": fetches, "required": steps(&first), "optional": steps(&second), "skipped": given_up,
        }));
    } else {
        context.print(&text(changes, &fetches, &first, &second));
        if !given_up.is_empty() {
            context.note(&format!("skipped, because their images could not be had before: {}", given_up.join(", ")));
        }
    }
    Ok(if changes && args.exit_code { Exit::Changes as u8 } else { 0 })
}

/// Images as they will be, without fetching anything; and what would be fetched.
pub async fn foresee(
    supply: &Supply<'_>,
    observed: &Observed,
    project: &Project,
    services: &[String],
) -> (Images, Vec<String>) {
    let (mut images, mut fetches) = (Images::new(), BTreeSet::new());
    for service in services.iter().filter_map(|s| project.services.get(s)) {
        let origin = supply.sources.origin(observed, supply.user_of(project, &service.image).unwrap_or(service));
        let (here, fetch) = match origin {
            Origin::Here(chosen) => (supply.with_version(chosen).await, None),
            Origin::Executable => {
                (supply.platform_image(observed), Some(format!("make {} from this executable", service.image)))
            }
            Origin::Program(program) => (
                supply.program_image(observed, &service.image, &program),
                Some(format!("make {} from {}", service.image, program.display())),
            ),
            Origin::Build(recipe) => (None, Some(format!("build {} from recipe {recipe}", service.image))),
            Origin::Fetch { recipe } => {
                let or = recipe.map(|r| format!(", or build recipe {r} when no registry answers")).unwrap_or_default();
                (None, Some(format!("pull {}{or}", service.image)))
            }
        };
        if here.is_none() {
            fetches.extend(fetch);
        }
        let later = Chosen { reference: service.image.clone(), ..Default::default() };
        images.insert(service.name.clone(), here.unwrap_or(later));
    }
    (images, fetches.into_iter().collect())
}

fn steps(plan: &Plan) -> Vec<serde_json::Value> {
    let step = |s: &plan::Step| {
        serde_json::json!({
            "action": s.action.to_string(), "service": s.action.service(), "after": s.after,
            "because": s.because.to_string(), "destructive": s.action.is_destructive(),
        })
    };
    plan.steps.iter().map(step).collect()
}

fn text(changes: bool, fetches: &[String], required: &Plan, optional: &Plan) -> String {
    if !changes {
        return "nothing to do: everything runs as the files say".to_owned();
    }
    let mut text = String::new();
    for (title, body) in [
        ("Images", fetches.iter().map(|f| format!("  - {f}\n")).collect::<String>()),
        ("Required services", required.to_string()),
        ("Optional services (after the required ones are ready)", optional.to_string()),
    ] {
        if !body.is_empty() {
            text.push_str(&format!("{title}\n{body}\n"));
        }
    }
    text.trim_end().to_owned()
}
