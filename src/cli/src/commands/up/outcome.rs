//! What a run of `up` came to, and how it is told.

use std::collections::{BTreeMap, BTreeSet};

use compose::plan::Images;
use compose::project::{MountSource, Project};
use engine::apply::Applied;

use super::optional::Optional;
use crate::args::UpArgs;
use crate::commands::addresses;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::report::style::humantime;
use crate::report::table::Table;
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
    /// Prints what there is to know, and gives the exit code.
    pub fn report(&self, context: &Context, args: &UpArgs) -> Result<u8, Failure> {
        if args.timings {
            context.note(&self.timings(context));
        }
        if let Some(failure) = trouble::start(context, &self.project, &self.applied) {
            return Err(failure);
        }
        if let Some(name) = self.required.iter().find(|name| !args.no_wait && !self.settled(name)) {
            return Err(Failure::new(
                Exit::Start,
                4,
                format!("service `{name}` was neither waited for nor found ready"),
            )
            .hint(format!("look at it: {}", context.pasteable(&["health", name]))));
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
            .hint(format!("try again: {}", context.again(&["--pull"]))));
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
        let replaced = |name: &String, reference: &str| {
            let wanted = self.wanted.get(name).map_or("", String::as_str);
            !wanted.starts_with("banyan-local/") && wanted != reference
        };
        let stand_ins: Vec<String> = self
            .images
            .iter()
            .filter(|(name, image)| image.source == "recipe" && replaced(name, &image.reference))
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
                    "change": self.change(&s.name), "image": image.map(|i| &i.reference), "source": image.map(|i| &i.source), "addresses": addresses,
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

    /// Why the service's container was made or started in this run.
    fn change(&self, service: &str) -> Option<&String> {
        self.applied.changes.get(service).or_else(|| self.optional.applied.changes.get(service))
    }

    /// Ready, or a job that has ended well.
    fn settled(&self, service: &str) -> bool {
        self.ready(service) || self.applied.untouched.iter().any(|s| s == service)
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
