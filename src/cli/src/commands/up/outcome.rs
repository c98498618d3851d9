//! What a run of `up` came to, and how it is told.

use std::collections::{BTreeMap, BTreeSet};

use compose::plan::Images;
use compose::project::{MountSource, Project};
use engine::apply::Applied;

use super::optional::Optional;
use super::state::State;
use crate::args::UpArgs;
use crate::commands::addresses;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::report::style::humantime;
use crate::report::table::{Cell, Table};
use crate::trouble;

/// What a run of `up` came to.
pub struct Outcome {
    /// The project as it was brought up.
    pub project: Project,
    /// Services that had to come up.
    pub required: Vec<String>,
    /// What was done for them.
    pub applied: Applied,
    /// What became of the others.
    pub optional: Optional,
    /// The image behind each service.
    pub images: Images,
    /// The image that the files name for each service.
    pub wanted: BTreeMap<String, String>,
}

impl Outcome {
    /// Fails when a required service did not come up; else tells people where they all are.
    pub fn tell_required(&self, context: &Context, args: &UpArgs) -> Result<(), Failure> {
        if let Some(failure) = self.failure(context, args) {
            context.screen.finish();
            self.tell_timings(context, args);
            return Err(failure);
        }
        if !context.json() {
            context.print(&format!("{}{}", self.addresses(context), self.remarks(&self.required)));
        }
        Ok(())
    }

    /// Tells what became of the optional services, and everything to programs; gives the exit code.
    pub fn tell_rest(&self, context: &Context, args: &UpArgs) -> Result<u8, Failure> {
        self.tell_timings(context, args);
        if context.json() {
            context.print_json(&self.json(context));
        } else {
            let text = self.optional_text(context);
            if !text.is_empty() {
                context.print(&format!("\n{}", text.trim_end()));
            }
        }
        match trouble::start(context, &self.project, &self.optional.applied) {
            Some(failure) if args.strict => Err(failure),
            Some(failure) => {
                context.note(&format!("optional: {failure}"));
                Ok(0)
            }
            None if args.strict => self.complete(context).map(|()| 0),
            None => Ok(0),
        }
    }

    /// With `--strict`, every optional service has to be there.
    fn complete(&self, context: &Context) -> Result<(), Failure> {
        if let Some((name, why)) = self.optional.unavailable.first() {
            let message = format!("optional service `{name}` cannot be had (--strict): {why}");
            return Err(Failure::new(Exit::Image, 2, message));
        }
        if self.optional.given_up.is_empty() {
            return Ok(());
        }
        let message = format!("optional services cannot be had (--strict): {}", self.optional.given_up.join(", "));
        Err(Failure::new(Exit::Image, 2, message).hint(format!("try again: {}", context.again(&["--pull"]))))
    }

    /// Why the run failed, if a required service did not come up.
    pub fn failure(&self, context: &Context, args: &UpArgs) -> Option<Failure> {
        trouble::start(context, &self.project, &self.applied).or_else(|| self.unsettled(context, args))
    }

    /// A required service of which nothing is known would be a mistake of ours.
    fn unsettled(&self, context: &Context, args: &UpArgs) -> Option<Failure> {
        let settled = |name: &String| self.applied.ready.contains_key(name) || self.applied.untouched.contains(name);
        let name = self.required.iter().find(|name| !args.no_wait && !settled(name))?;
        let message = format!("service `{name}` was neither waited for nor found ready");
        let hint = format!("look at it: {}", context.pasteable(&["health", name]));
        Some(Failure::new(Exit::Start, 4, message).hint(hint))
    }

    /// The required services and where they are.
    fn addresses(&self, context: &Context) -> String {
        let mut table = Table::new(["SERVICE", "ADDRESS", "LOGIN", "VERSION"]);
        for name in &self.required {
            let mut title = [name.clone(), self.version(name)];
            for (url, login) in self.places(name) {
                let [name, version] = std::mem::take(&mut title);
                table.row([name, url, login, version]);
            }
        }
        table.render(context.style, context.terminal.table_width())
    }

    /// The optional services: what became of them, where they are, and which are not there.
    fn optional_text(&self, context: &Context) -> String {
        let style = context.style;
        let mut text = String::new();
        let mut table = Table::new(["SERVICE", "STATE", "ADDRESS", "LOGIN", "VERSION"]);
        for name in &self.optional.services {
            let state = State::of(&self.optional.applied, name);
            let mut title = [name.as_str().into(), Cell::new(state.tone(), state.told()), self.version(name).into()];
            for (url, login) in self.places(name) {
                let [name, state, version] = std::mem::replace(&mut title, ["".into(), "".into(), "".into()]);
                table.row([name, state, url.into(), login.into(), version]);
            }
        }
        if !table.is_empty() {
            text.push_str(&format!("Optional\n{}", table.render(style, context.terminal.table_width())));
            text.push_str(&self.remarks(&self.optional.services));
            let starting = |name: &String| State::of(&self.optional.applied, name) == State::Started;
            if self.optional.services.iter().any(starting) {
                text.push_str(&format!("\nSee when they answer: {}\n", context.pasteable(&["health"])));
            }
        }
        let gap = |text: &String| if text.is_empty() { "" } else { "\n" };
        if !self.optional.unavailable.is_empty() {
            text.push_str(&format!("{}Optional services that are not there:\n", gap(&text)));
            for (name, why) in &self.optional.unavailable {
                text.push_str(&format!("  {name}: {}\n", style.text(why)));
            }
            text.push_str(&format!("  try again: {}\n", context.pasteable(&["up", "--pull"])));
        }
        if !self.optional.given_up.is_empty() {
            text.push_str(&format!(
                "{}Optional services that are not there: {} (their images could not be had)\n  try again: {}\n",
                gap(&text),
                self.optional.given_up.join(", "),
                context.pasteable(&["up", "--pull"])
            ));
        }
        text
    }

    /// Address and login of a service, at least one line.
    fn places(&self, name: &str) -> Vec<(String, String)> {
        let places: Vec<_> = addresses(&self.project.services[name])
            .into_iter()
            .map(|(_, url, login)| (url, login.unwrap_or_default()))
            .collect();
        if places.is_empty() { vec![Default::default()] } else { places }
    }

    /// Where their data is, and which of them run from a recipe's image.
    fn remarks(&self, services: &[String]) -> String {
        let mut text = String::new();
        let volumes = self.volumes(services);
        if !volumes.is_empty() {
            text.push_str(&format!("\nData is kept in volumes: {}\n", volumes.join(", ")));
        }
        let replaced = |name: &str, reference: &str| {
            let wanted = self.wanted.get(name).map_or("", String::as_str);
            !wanted.starts_with("banyan-local/") && wanted != reference
        };
        let images = services.iter().filter_map(|name| Some((name, self.images.get(name)?)));
        let stand_ins: Vec<String> = images
            .filter(|(name, image)| image.source == "recipe" && replaced(name, &image.reference))
            .map(|(name, image)| format!("{name} {}", image.version))
            .collect();
        if !stand_ins.is_empty() {
            text.push_str(&format!("\nBuilt from recipes, in place of published images: {}\n", stand_ins.join(", ")));
        }
        text
    }

    fn volumes(&self, services: &[String]) -> Vec<&str> {
        let mounts = services.iter().filter_map(|s| self.project.services.get(s)).flat_map(|s| &s.mounts);
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
        let came = |name: &String| self.required.contains(name) || self.optional.services.contains(name);
        let services: Vec<_> = self.project.services.keys().filter(|n| came(n)).map(|n| self.service_json(n)).collect();
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

    fn service_json(&self, name: &str) -> serde_json::Value {
        let service = &self.project.services[name];
        let of_optional = self.optional.services.iter().any(|s| s == name);
        let applied = if of_optional { &self.optional.applied } else { &self.applied };
        let state = State::of(applied, name);
        let addresses: Vec<_> = addresses(service)
            .into_iter()
            .map(|(name, url, login)| serde_json::json!({ "name": name, "url": url, "login": login }))
            .collect();
        let image = self.images.get(name);
        serde_json::json!({
            "name": name, "required": service.is_required(), "ready": matches!(state, State::Ready), "state": state.word(), "error": state.error(),
            "version": self.version(name), "change": applied.changes.get(name).map(ToString::to_string),
            "image": image.map(|i| &i.reference), "source": image.map(|i| &i.source), "addresses": addresses,
        })
    }

    fn tell_timings(&self, context: &Context, args: &UpArgs) {
        if !args.timings {
            return;
        }
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
        let total = humantime(context.journal.elapsed());
        context.note(&format!("{}total {total}", table.render(context.style, None)));
    }
}
