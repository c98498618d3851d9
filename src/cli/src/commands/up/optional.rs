//! Services of optional tiers: never waited for by the others, and no failure when their images cannot be had.

use std::collections::BTreeSet;

use compose::observed::Observed;
use compose::plan::Images;
use compose::project::Project;
use engine::Engine;
use engine::apply::Applied;
use engine::progress::{Kind, Phase};
use engine::supply::{Origin, Supply};

use super::{Tier, carry_out, interrupted, wish};
use crate::absent_images::AbsentImages;
use crate::args::UpArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::project::data_folder;

/// What became of the optional tiers.
#[derive(Default)]
pub struct Optional {
    /// Services whose images are there.
    pub services: Vec<String>,
    /// What was done for those whose images are there.
    pub applied: Applied,
    /// Services whose images could not be had now, with the reason.
    pub unavailable: Vec<(String, String)>,
    /// Services whose images could not be had before; not tried again.
    pub given_up: Vec<String>,
}

/// Brings up those that can be.
pub async fn bring_up(
    context: &Context,
    args: &UpArgs,
    engine: &Engine,
    project: &Project,
    supply: &Supply<'_>,
    observed: Observed,
    services: &[String],
) -> Result<(Optional, Images), Failure> {
    let absent = AbsentImages::of(data_folder(&context.env, context.folder())?, &project.name);
    let given_up = given_up(args, &absent, supply, &observed, project, services);
    let to_try: Vec<String> = services.iter().filter(|s| !given_up.contains(s)).cloned().collect();
    let (images, unavailable) = tokio::select! {
        had = supply.images(project, &observed, &to_try) => had,
        () = context.cancel.cancelled() => return Err(interrupted(context)),
    };
    let mut outcome = Optional { given_up, ..Optional::default() };
    for missing in &unavailable {
        context.journal.tell(Kind::Image, &missing.reference, Phase::Warned("unavailable"), None);
        let reason = missing.reason.to_string();
        outcome.unavailable.extend(missing.services.iter().map(|name| (name.clone(), reason.clone())));
    }
    absent.update(project, services, &outcome.given_up, &unavailable);
    for name in &outcome.given_up {
        let note = "its image could not be had before".to_owned();
        context.journal.tell(Kind::Service, name, Phase::Warned("skipped"), Some(note));
    }
    let wanted = outcome.leave_out_dependents(project, services);
    if !wanted.is_empty() {
        let wish = wish(args, &wanted, &images, Tier::Optional);
        outcome.applied = carry_out(context, args, engine, project, &observed, wish).await?;
    }
    outcome.services = wanted;
    if context.cancel.is_cancelled() {
        return Err(interrupted(context));
    }
    Ok((outcome, images))
}

/// Services whose images could not be had before, from the same spec.
pub fn given_up(
    args: &UpArgs,
    absent: &AbsentImages,
    supply: &Supply<'_>,
    observed: &Observed,
    project: &Project,
    services: &[String],
) -> Vec<String> {
    let known = |name: &&String| {
        let service = &project.services[name.as_str()];
        !args.pull
            && matches!(supply.sources.origin(observed, service), Origin::Fetch { .. })
            && absent.has(project, service)
    };
    services.iter().filter(known).cloned().collect()
}

impl Optional {
    /// Whatever needs a service that cannot be had is left out with it; the rest is returned.
    fn leave_out_dependents(&mut self, project: &Project, services: &[String]) -> Vec<String> {
        let mut gone: BTreeSet<&str> = self.given_up.iter().map(String::as_str).collect();
        let missing: Vec<String> = self.unavailable.iter().map(|(name, _)| name.clone()).collect();
        gone.extend(missing.iter().map(String::as_str));
        let mut dependents = Vec::new();
        loop {
            let needs_gone = |name: &str| {
                project.services[name].depends_on.iter().any(|(d, e)| e.required && gone.contains(d.as_str()))
            };
            let Some(next) = services.iter().find(|s| !gone.contains(s.as_str()) && needs_gone(s)) else { break };
            gone.insert(next);
            dependents.push((next.clone(), "depends on a service that cannot be had".to_owned()));
        }
        let wanted = services.iter().filter(|s| !gone.contains(s.as_str())).cloned().collect();
        self.unavailable.extend(dependents);
        wanted
    }
}
