//! `banyan up`: look, get images, plan, carry out, report.

use std::collections::{BTreeMap, BTreeSet};

use compose::observed::Observed;
use compose::plan::{self, Images, Plan, Up};
use compose::project::{MountSource, Project};
use engine::Engine;
use engine::apply::{Applied, apply};
use engine::progress::{Kind, Phase};
use engine::supply::{Origin, Supply};

use super::{addresses, check_names};
use crate::args::UpArgs;
use crate::commands::images::supply;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::project::Loaded;
use crate::report::style::humantime;
use crate::report::table::Table;
use crate::trouble;
use crate::{lock, memory, preflight};

/// Brings the project up.
pub async fn run(context: &Context, args: UpArgs) -> Result<u8, Failure> {
    let loaded = context.load(&args.profile, &args.services)?;
    let known: Vec<&str> = loaded.project.services.keys().map(String::as_str).collect();
    check_names(&args.services, &known)?;
    refuse_exposed_defaults(&loaded.project)?;
    for warning in &loaded.project.warnings {
        context.note(&format!("warning: {warning}"));
    }
    context.note(&format!("project {}: {}", loaded.project.name, loaded.why));

    let engine = crate::setup_engine::engine(context, &args).await?;
    if args.dry_run {
        return dry_run(context, &args, &engine, &loaded).await;
    }
    let data = crate::project::data_folder(&context.env, context.folder())?;
    let _lock = lock::take(&data, &loaded.project.name)?;
    let outcome = bring_up(context, &args, &engine, loaded).await?;
    context.screen.finish();
    outcome.report(context, &args)
}

/// What a run of `up` came to.
pub struct Outcome {
    project: Project,
    required: Vec<String>,
    applied: Applied,
    optional: Optional,
    images: Images,
}

/// What became of the optional tiers.
#[derive(Default)]
struct Optional {
    applied: Applied,
    /// Services whose images could not be had now, with the reason.
    unavailable: Vec<(String, String)>,
    /// Services whose images could not be had before; not tried again.
    given_up: Vec<String>,
}

/// Everything of `up` between the first look and the last report; `reset` uses it too.
pub async fn bring_up(context: &Context, args: &UpArgs, engine: &Engine, loaded: Loaded) -> Result<Outcome, Failure> {
    let observed = engine.observe(&loaded.project.name).await?;
    let (required, optional) = plan::included(&loaded.project, &args.services, args.no_deps);
    preflight::check(context, engine, &loaded.project, &observed, &[required.clone(), optional.clone()].concat())?;

    let supply = supply(context, engine, args.pull, args.platform_binary.as_deref())?;
    let (images, unavailable) = supply.images(&loaded.project, &observed, &required).await;
    if !unavailable.is_empty() {
        for missing in &unavailable {
            context.journal.tell(Kind::Image, &missing.reference, Phase::Failed("unavailable"), None);
        }
        return Err(trouble::images(context, &unavailable));
    }
    let loaded = with_stand_ins(context, args, loaded, &images)?;
    loaded.persist()?;

    // images that were pulled or built a moment ago are part of what is there now
    let project = &loaded.project;
    let applied = carry_out(context, args, engine, project, &observed, &required, &images).await?;
    let mut all_images = images;
    let optional = if applied.failures.is_empty() && !applied.interrupted && !optional.is_empty() {
        let (outcome, images) = optional_tiers(context, args, engine, project, &supply, &optional).await?;
        all_images.extend(images);
        outcome
    } else {
        Optional::default()
    };
    Ok(Outcome { project: loaded.project, required, applied, optional, images: all_images })
}

async fn carry_out(
    context: &Context,
    args: &UpArgs,
    engine: &Engine,
    project: &Project,
    observed: &Observed,
    services: &[String],
    images: &Images,
) -> Result<Applied, Failure> {
    let wish = Up {
        services: services.to_vec(),
        images: images.clone(),
        force_recreate: args.force_recreate,
        wait: !args.no_wait,
    };
    let plan = plan::up(project, observed, &wish).map_err(|refusals| trouble::refused(context, &refusals))?;
    for note in &plan.notes {
        context.note(&format!("note: {note}"));
    }
    if context.global.verbose && !plan.changes_nothing() {
        context.note(&plan.to_string());
    }
    Ok(apply(engine, project, &plan, &context.journal, &context.limits(args.wait_timeout), &context.cancel).await)
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

/// Services of optional tiers: never waited for by the others, and no failure when their images cannot be had.
async fn optional_tiers(
    context: &Context,
    args: &UpArgs,
    engine: &Engine,
    project: &Project,
    supply: &Supply<'_>,
    services: &[String],
) -> Result<(Optional, Images), Failure> {
    let observed = engine.observe(&project.name).await?;
    let memory = memory::Memory::of(crate::project::data_folder(&context.env, context.folder())?, &project.name);
    let mut outcome = Optional::default();
    let (known_missing, to_try): (Vec<String>, Vec<String>) = services.iter().cloned().partition(|name| {
        let service = &project.services[name.as_str()];
        !args.pull && matches!(supply.origin(&observed, service), Origin::Fetch { .. }) && memory.has(project, service)
    });
    let (images, unavailable) = supply.images(project, &observed, &to_try).await;
    for missing in &unavailable {
        context.journal.tell(Kind::Image, &missing.reference, Phase::Warned("unavailable"), None);
        for name in &missing.services {
            outcome.unavailable.push((name.clone(), missing.reason.to_string()));
        }
    }
    memory.update(project, services, &known_missing, &unavailable);
    for name in &known_missing {
        context.journal.tell(
            Kind::Service,
            name,
            Phase::Warned("skipped"),
            Some("its image could not be had before".into()),
        );
    }
    outcome.given_up = known_missing;
    // whatever needs a service that cannot be had is left out with it
    let mut gone: BTreeSet<String> =
        outcome.given_up.iter().cloned().chain(outcome.unavailable.iter().map(|(n, _)| n.clone())).collect();
    loop {
        let more: Vec<String> = services
            .iter()
            .filter(|s| !gone.contains(*s))
            .filter(|s| project.services[s.as_str()].depends_on.iter().any(|(d, e)| e.required && gone.contains(d)))
            .cloned()
            .collect();
        if more.is_empty() {
            break;
        }
        for name in more {
            outcome.unavailable.push((name.clone(), "depends on a service that cannot be had".into()));
            gone.insert(name);
        }
    }
    let wanted: Vec<String> = services.iter().filter(|s| !gone.contains(*s)).cloned().collect();
    if !wanted.is_empty() {
        outcome.applied = carry_out(context, args, engine, project, &observed, &wanted, &images).await?;
    }
    Ok((outcome, images))
}

fn refuse_exposed_defaults(project: &Project) -> Result<(), Failure> {
    let Some((variables, why)) = project.exposed_defaults() else { return Ok(()) };
    let set = variables.iter().map(|v| format!("{v}=…")).collect::<Vec<_>>().join(" ");
    Err(Failure::new(Exit::Config, 5, format!("the development credentials are known to everyone, and {why}"))
        .details(variables.iter().map(|v| format!("still the default: {v}")))
        .hint(format!("set them in the shell or in .env: {set}")))
}

async fn dry_run(context: &Context, args: &UpArgs, engine: &Engine, loaded: &Loaded) -> Result<u8, Failure> {
    let supply = supply(context, engine, args.pull, args.platform_binary.as_deref())?;
    let observed = engine.observe(&loaded.project.name).await?;
    let (required, optional) = plan::included(&loaded.project, &args.services, args.no_deps);
    let all = [required.clone(), optional.clone()].concat();
    preflight::check(context, engine, &loaded.project, &observed, &all)?;
    let (images, fetches) = foresee(&supply, &observed, &loaded.project, &all).await?;
    let with_images = with_stand_ins(
        context,
        args,
        Loaded { files: loaded.files.clone(), why: loaded.why.clone(), project: loaded.project.clone() },
        &images,
    )?;
    let plan_of = |services: &[String]| {
        let wish = Up {
            services: services.to_vec(),
            images: images.clone(),
            force_recreate: args.force_recreate,
            wait: !args.no_wait,
        };
        plan::up(&with_images.project, &observed, &wish).map_err(|refusals| trouble::refused(context, &refusals))
    };
    let (first, second) = (plan_of(&required)?, plan_of(&optional)?);
    let changes = !fetches.is_empty() || !first.changes_nothing() || !second.changes_nothing();
    print_plan(context, &fetches, &first, &second);
    Ok(if changes && args.exit_code { Exit::Changes as u8 } else { 0 })
}

/// Images as they will be, without fetching anything; and what would be fetched.
async fn foresee(
    supply: &Supply<'_>,
    observed: &Observed,
    project: &Project,
    services: &[String],
) -> Result<(Images, Vec<String>), Failure> {
    let (mut images, mut fetches) = (Images::new(), BTreeSet::new());
    for service in services.iter().filter_map(|s| project.services.get(s)) {
        let image = match supply.origin(observed, service) {
            Origin::Here(chosen) => chosen,
            Origin::Executable => match supply.platform_image(observed).await {
                Some(chosen) => chosen,
                None => {
                    fetches.insert(format!("make {} from this executable", service.image));
                    plan::Chosen { reference: service.image.clone(), ..Default::default() }
                }
            },
            Origin::Build(recipe) => {
                fetches.insert(format!("build {} from recipe {recipe}", service.image));
                plan::Chosen { reference: service.image.clone(), ..Default::default() }
            }
            Origin::Fetch { recipe } => {
                let or = recipe.map(|r| format!(", or build recipe {r} when no registry answers")).unwrap_or_default();
                fetches.insert(format!("pull {}{or}", service.image));
                plan::Chosen { reference: service.image.clone(), ..Default::default() }
            }
        };
        images.insert(service.name.clone(), image);
    }
    Ok((images, fetches.into_iter().collect()))
}

fn print_plan(context: &Context, fetches: &[String], required: &Plan, optional: &Plan) {
    if context.json() {
        let steps = |plan: &Plan| -> Vec<serde_json::Value> {
            plan.steps.iter().map(|s| serde_json::json!({
                "action": s.action.to_string(), "service": s.action.service(), "after": s.after, "because": s.because, "destructive": s.action.is_destructive(),
            })).collect()
        };
        context.print_json(&serde_json::json!({
            "schema_version": 1, "images": fetches, "required": steps(required), "optional": steps(optional),
        }));
        return;
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
    context.print(text.trim_end());
}

impl Outcome {
    /// Prints what there is to know, and gives the exit code.
    pub fn report(&self, context: &Context, args: &UpArgs) -> Result<u8, Failure> {
        if args.timings {
            context.note(&self.timings(context));
        }
        if self.applied.interrupted || self.optional.applied.interrupted {
            let command = context.pasteable(&["up"]);
            return Err(Failure::new(Exit::Interrupted, 1, "interrupted; what was started goes on running")
                .hint(format!("go on with `{command}`, or take it down with `{}`", context.pasteable(&["down"]))));
        }
        if let Some(failure) = trouble::start(context, &self.project, &self.applied) {
            return Err(failure);
        }
        if context.json() {
            context.print_json(&self.json(context));
        } else {
            context.print(&self.text(context));
        }
        if args.strict && !self.optional.unavailable.is_empty() {
            let (name, why) = &self.optional.unavailable[0];
            return Err(Failure::new(
                Exit::Image,
                2,
                format!("optional service `{name}` cannot be had (--strict): {why}"),
            ));
        }
        if args.strict && !self.optional.given_up.is_empty() {
            return Err(Failure::new(
                Exit::Image,
                2,
                format!("optional services cannot be had (--strict): {}", self.optional.given_up.join(", ")),
            )
            .hint(format!("try again: {}", context.pasteable(&["up", "--strict", "--pull"]))));
        }
        match trouble::start(context, &self.project, &self.optional.applied) {
            Some(failure) if args.strict => Err(failure),
            Some(failure) => {
                context.note(&format!("optional: {failure}"));
                Ok(0)
            }
            None => Ok(0),
        }
    }

    fn text(&self, context: &Context) -> String {
        let style = context.style;
        let mut text = String::new();
        let mut table = Table::new(["SERVICE", "ADDRESS", "LOGIN", "VERSION"]);
        let mut rows = |names: &[String]| {
            for name in names {
                let service = &self.project.services[name.as_str()];
                let version = self.version(name);
                let mut first = true;
                for (what, url, login) in addresses(service) {
                    let _ = what;
                    table.row([
                        if first { name.clone() } else { String::new() },
                        url,
                        login.unwrap_or_default(),
                        if first { version.clone() } else { String::new() },
                    ]);
                    first = false;
                }
                if first {
                    table.row([name.clone(), String::new(), String::new(), version]);
                }
            }
        };
        rows(&self.required);
        let optional: Vec<String> =
            self.project.services.keys().filter(|n| self.optional.applied.ready.contains_key(*n)).cloned().collect();
        rows(&optional);
        text.push_str(&table.render(style, context.terminal.table_width()));
        let volumes: Vec<&str> = self.volumes();
        if !volumes.is_empty() {
            text.push_str(&format!("\nData is kept in volumes: {}\n", volumes.join(", ")));
        }
        if !self.optional.unavailable.is_empty() {
            text.push_str("\nOptional services that are not there:\n");
            for (name, why) in &self.optional.unavailable {
                text.push_str(&format!("  {name}: {}\n", style.text(why)));
            }
            text.push_str(&format!("  try again: {}\n", context.pasteable(&["up", "--pull"])));
        }
        if !self.optional.given_up.is_empty() {
            text.push_str(&format!(
                "\nOptional services that are not there: {} (their images could not be had)\n  try again: {}\n",
                self.optional.given_up.join(", "),
                context.pasteable(&["up", "--pull"])
            ));
        }
        let stand_ins: Vec<String> = self
            .images
            .iter()
            .filter(|(_, image)| image.source == "recipe")
            .map(|(name, image)| format!("{name} {}", image.version))
            .collect();
        if !stand_ins.is_empty() {
            text.push_str(&format!("\nBuilt from recipes, in place of published images: {}\n", stand_ins.join(", ")));
        }
        text
    }

    /// Where the data of what was brought up is.
    fn volumes(&self) -> Vec<&str> {
        let up = |s: &&compose::project::Service| self.required.contains(&s.name) || self.ready(&s.name);
        let mounts = self.project.services.values().filter(up).flat_map(|s| &s.mounts);
        let names = mounts.filter_map(|m| match &m.source {
            MountSource::Volume(key) => Some(self.project.volumes.get(key)?.name.as_str()),
            _ => None,
        });
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn version(&self, service: &str) -> String {
        let said =
            [&self.applied, &self.optional.applied].into_iter().find_map(|a| a.ready.get(service)?.version.clone());
        said.or_else(|| self.images.get(service).map(|i| i.version.clone())).unwrap_or_default()
    }

    fn json(&self, context: &Context) -> serde_json::Value {
        let services: Vec<_> = self
            .project
            .services
            .values()
            .filter(|s| self.required.contains(&s.name) || self.optional.applied.ready.contains_key(&s.name))
            .map(|s| {
                let addresses: Vec<_> = addresses(s)
                    .into_iter()
                    .map(|(name, url, login)| serde_json::json!({ "name": name, "url": url, "login": login }))
                    .collect();
                let image = self.images.get(&s.name);
                serde_json::json!({
                    "name": s.name, "required": s.is_required(), "ready": self.ready(&s.name), "version": self.version(&s.name),
                    "image": image.map(|i| &i.reference), "source": image.map(|i| &i.source), "addresses": addresses,
                })
            })
            .collect();
        let unavailable: Vec<_> = self
            .optional
            .unavailable
            .iter()
            .map(|(name, why)| serde_json::json!({ "name": name, "reason": why, "tried": true }))
            .chain(self.optional.given_up.iter().map(
                |n| serde_json::json!({ "name": n, "reason": "its image could not be had before", "tried": false }),
            ))
            .collect();
        serde_json::json!({
            "schema_version": 1, "project": self.project.name, "services": services, "unavailable": unavailable,
            "elapsed_ms": u64::try_from(context.journal.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }

    fn ready(&self, service: &str) -> bool {
        self.applied.ready.contains_key(service) || self.optional.applied.ready.contains_key(service)
    }

    fn timings(&self, context: &Context) -> String {
        let mut table = Table::new(["BEGAN", "TOOK", "STEP"]);
        let mut steps: Vec<_> = self.applied.timings.iter().chain(&self.optional.applied.timings).collect();
        steps.sort_by_key(|t| t.began);
        for t in steps {
            table.row([
                format!("{:.3}s", t.began.as_secs_f64()),
                format!("{:.3}s", t.took.as_secs_f64()),
                t.what.clone(),
            ]);
        }
        format!("{}total {}", table.render(context.style, None), humantime(context.journal.elapsed()))
    }
}
