//! `banyan up`: look, get images, plan, carry out, report.

mod dry_run;
mod optional;
mod outcome;
mod state;

use std::collections::BTreeMap;

use compose::observed::Observed;
use compose::plan::{self, Action, Images, Up, Waits};
use compose::project::Project;
use engine::Engine;
use engine::apply::{Applied, apply};
use engine::progress::{Kind, Phase};
use engine::supply::Supply;

use super::backup::recovered;
use super::check_names;
use crate::args::UpArgs;
use crate::commands::images::supply;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::project::{Loaded, data_folder};
use crate::setup::connect;
use crate::{lock, preflight, trouble};
pub use dry_run::foresee;
use optional::Optional;
use outcome::Outcome;

/// How often a plan is made anew because containers changed while it was carried out.
const SECOND_LOOKS: usize = 5;

/// Brings the project up.
pub async fn run(context: &Context, args: UpArgs) -> Result<u8, Failure> {
    let loaded = context.load(&args.profile, &args.services)?;
    introduce(context, &loaded)?;
    let known: Vec<&str> = loaded.project.services.keys().map(String::as_str).collect();
    check_names(&args.services, &known)?;

    let engine = connect::engine(context, &args).await?;
    if args.dry_run {
        return dry_run::run(context, &args, &engine, &loaded).await;
    }
    let _lock = lock::take(&data_folder(&context.env, context.folder())?, &loaded.project.name)?;
    let wanted = plan::included(&loaded.project, &args.services, args.no_deps);
    prepare(context, &args, &engine, loaded, wanted).await?.bring_up(context, &args, &engine).await
}

/// Says which project it is, and refuses credentials that everybody knows where others could use them.
pub fn introduce(context: &Context, loaded: &Loaded) -> Result<(), Failure> {
    refuse_exposed_defaults(&loaded.project)?;
    for warning in &loaded.project.warnings {
        context.note(&format!("warning: {warning}"));
    }
    context.note(&format!("project {}: {}", loaded.project.name, loaded.why));
    Ok(())
}

/// All that can be done before anything that runs is touched: checks, and images.
pub struct Prepared<'a> {
    loaded: Loaded,
    required: Vec<String>,
    optional: Vec<String>,
    images: Images,
    /// The image that the files name for each service.
    wanted: BTreeMap<String, String>,
    supply: Supply<'a>,
    /// What there was to see, if nothing has changed since.
    pub observed: Option<Observed>,
}

/// Checks ports and names, and gets the images of the required ones of the `wanted` services; the others are optional.
pub async fn prepare<'a>(
    context: &'a Context,
    args: &'a UpArgs,
    engine: &'a Engine,
    loaded: Loaded,
    (required, optional): (Vec<String>, Vec<String>),
) -> Result<Prepared<'a>, Failure> {
    let all = [required.clone(), optional.clone()].concat();
    // what was left half-way is ended first: it may be what is in the way
    let observed = engine.observe(&loaded.project.name).await?;
    let observed = recovered(context, engine, &loaded.project.name, observed).await?;
    let observed = preflight::check(context, engine, &loaded.project, &all, Some(observed)).await?;
    let supply = supply(context, engine, args.pull, args.platform_binary.as_deref())?;
    let (images, unavailable) = tokio::select! {
        had = supply.images(&loaded.project, &observed, &required) => had,
        () = context.cancel.cancelled() => return Err(interrupted(context)),
    };
    if !unavailable.is_empty() {
        for missing in &unavailable {
            context.journal.tell(Kind::Image, &missing.reference, Phase::Failed("unavailable"), None);
        }
        return Err(trouble::images(context, &unavailable));
    }
    let wanted = loaded.project.services.values().map(|s| (s.name.clone(), s.image.clone())).collect();
    let loaded = with_stand_ins(context, args, loaded, &images)?;
    loaded.persist()?;
    let fetched = images.values().any(|i| !observed.images.iter().any(|known| known.id == i.id));
    let observed = (!fetched).then_some(observed);
    Ok(Prepared { loaded, required, optional, images, wanted, supply, observed })
}

impl Prepared<'_> {
    /// Carries out what is needed. Once the required services are ready that is told, then come the optional ones.
    pub async fn bring_up(self, context: &Context, args: &UpArgs, engine: &Engine) -> Result<u8, Failure> {
        let (mut outcome, rest) = self.bring_up_required(context, args, engine).await?;
        if rest.services.is_empty() {
            context.screen.finish();
        } else {
            context.screen.settle();
        }
        outcome.tell_required(context, args)?;
        if !rest.services.is_empty() {
            let observed = match rest.observed {
                Some(observed) => observed,
                None => engine.observe(&outcome.project.name).await?,
            };
            let (came, more) =
                optional::bring_up(context, args, engine, &outcome.project, &rest.supply, observed, &rest.services)
                    .await?;
            outcome.images.extend(more);
            outcome.optional = came;
        }
        context.screen.finish();
        outcome.tell_rest(context, args)
    }

    /// The required services alone, as a part of another command: nothing is told but a failure.
    pub async fn start(self, context: &Context, args: &UpArgs, engine: &Engine) -> Result<(), Failure> {
        let (outcome, _) = self.bring_up_required(context, args, engine).await?;
        outcome.failure(context, args).map_or(Ok(()), Err)
    }
}

impl Prepared<'_> {
    /// What the required services will be made of.
    pub fn images(&self) -> &Images {
        &self.images
    }

    /// Makes the containers of the required services, and what those need; nothing is started.
    pub async fn create(self, context: &Context, args: &UpArgs, engine: &Engine) -> Result<(), Failure> {
        let project = self.loaded.project;
        let observed = engine.observe(&project.name).await?;
        let plan = plan::up(&project, &observed, &wish(args, &self.required, &self.images, Tier::Required))
            .map_err(|refusals| trouble::refused(context, &project, &observed, &refusals))?;
        let plan = plan.only(|action| {
            matches!(
                action,
                Action::CreateNetwork { .. }
                    | Action::CreateVolume { .. }
                    | Action::CreateContainer { .. }
                    | Action::CopyConfigs { .. }
            )
        });
        let limits = context.limits(args.wait_timeout);
        let applied = apply(engine, &project, &plan, &context.journal, &limits, &context.cancel).await;
        if context.cancel.is_cancelled() {
            return Err(interrupted(context));
        }
        trouble::start(context, &project, &applied).map_or(Ok(()), Err)
    }
}

impl<'a> Prepared<'a> {
    async fn bring_up_required(
        self,
        context: &Context,
        args: &UpArgs,
        engine: &Engine,
    ) -> Result<(Outcome, Rest<'a>), Failure> {
        let Self { loaded, required, optional, images, wanted, supply, observed } = self;
        let project = loaded.project;
        let observed = match observed {
            Some(observed) => observed,
            None => engine.observe(&project.name).await?,
        };
        let wish = wish(args, &required, &images, Tier::Required);
        let applied = carry_out(context, args, engine, &project, &observed, wish).await?;
        if context.cancel.is_cancelled() {
            return Err(interrupted(context));
        }
        let untouched = applied.changes.is_empty() && applied.removed.is_empty();
        let rest = Rest { services: optional, supply, observed: untouched.then_some(observed) };
        Ok((Outcome { project, required, applied, optional: Optional::default(), images, wanted }, rest))
    }
}

/// What is left to do once the required services are ready.
struct Rest<'a> {
    services: Vec<String>,
    supply: Supply<'a>,
    /// What there was to see, if nothing has changed since.
    observed: Option<Observed>,
}

/// Whether the run stands and falls with a service.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tier {
    Required,
    Optional,
}

async fn carry_out(
    context: &Context,
    args: &UpArgs,
    engine: &Engine,
    project: &Project,
    observed: &Observed,
    wish: Up,
) -> Result<Applied, Failure> {
    let plan_for = |observed: &Observed| {
        plan::up(project, observed, &wish).map_err(|refusals| trouble::refused(context, project, observed, &refusals))
    };
    let mut plan = plan_for(observed)?;
    for note in &plan.notes {
        context.note(&format!("note: {note}"));
    }
    if context.global.verbose && !plan.changes_nothing() {
        context.note(&plan.to_string());
    }
    let limits = context.limits(args.wait_timeout);
    let mut applied = apply(engine, project, &plan, &context.journal, &limits, &context.cancel).await;
    // stops that a killed run had asked for come one after the other, each where nothing seemed to be in the way
    for _ in 0..SECOND_LOOKS {
        if applied.interrupted || !applied.was_overtaken(&plan) {
            break;
        }
        context.note("note: containers changed while this run was at work; looking again");
        let observed = engine.observe(&project.name).await?;
        plan = plan_for(&observed)?;
        applied = apply(engine, project, &plan, &context.journal, &limits, &context.cancel).await;
    }
    Ok(applied)
}

/// An optional service is waited for only where there is no way around it, unless its failure is one of the run.
fn wish(args: &UpArgs, services: &[String], images: &Images, tier: Tier) -> Up {
    let waits = match tier {
        Tier::Optional if !args.strict => Waits::Unavoidable,
        _ if args.no_wait => Waits::Needed,
        _ => Waits::All,
    };
    Up { services: services.to_vec(), images: images.clone(), force_recreate: args.force_recreate, waits }
}

/// The built-in stack's file names the images that really run, so that Compose sees the same.
fn with_stand_ins(context: &Context, args: &UpArgs, loaded: Loaded, images: &Images) -> Result<Loaded, Failure> {
    if !loaded.is_built_in() {
        return Ok(loaded);
    }
    let stand_ins: BTreeMap<String, String> = images
        .iter()
        .filter_map(|(name, image)| Some((loaded.project.services.get(name)?.image.clone(), image.reference.clone())))
        .filter(|(wanted, got)| wanted != got)
        .collect();
    if stand_ins.is_empty() {
        return Ok(loaded);
    }
    context.load_with(&args.profile, &args.services, stand_ins)
}

fn refuse_exposed_defaults(project: &Project) -> Result<(), Failure> {
    let Some((variables, why)) = project.exposed_defaults() else { return Ok(()) };
    let usual = project.working_dir.join(".env");
    let place = project.env_files.last().unwrap_or(&usual);
    let set = variables.iter().map(|v| format!("{v}=…")).collect::<Vec<_>>().join(" ");
    Err(Failure::new(Exit::Config, 5, format!("the development credentials are known to everyone, and {why}"))
        .details(variables.iter().map(|v| format!("still the default: {v}")))
        .hint(format!("set them in the shell, or in {}: {set}", place.display())))
}

/// The first Ctrl-C.
fn interrupted(context: &Context) -> Failure {
    Failure::new(Exit::Interrupted, 1, "interrupted; what was started goes on running").hint(format!(
        "go on: {}\nor take it down: {}",
        context.again(&[]),
        context.pasteable(&["down"])
    ))
}
