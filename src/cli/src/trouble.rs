//! From what went wrong in Docker to what the user reads: one block per failure, with the next command.

mod conversion;

use std::collections::BTreeMap;

use compose::observed::Observed;
use compose::plan::{Action, Refusal};
use compose::project::Project;
use engine::apply::{Applied, Reason, StepFailure};
use engine::docker::images::{PullError, registry};
use engine::platform_image::PlatformImageError;
use engine::recipe::RecipeError;
use engine::supply::{SupplyError, Unavailable};
use engine::wait::{Cause, Trouble};

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::setup::shell::quote;

/// Why nothing at all was done.
pub fn refused(context: &Context, project: &Project, observed: &Observed, refusals: &[Refusal]) -> Failure {
    let mut told = refusals.iter().map(|refusal| refusal_told(context, project, observed, refusal));
    let mut first = told.next().expect("a plan is refused for a reason");
    for other in told {
        first = first.details([format!("also: {}", other.message)]);
        first = first.details(other.details.into_iter().map(|line| format!("  {line}")));
    }
    first
}

fn refusal_told(context: &Context, project: &Project, observed: &Observed, refusal: &Refusal) -> Failure {
    match refusal {
        Refusal::OtherOrigin { origin } => Failure::new(
            Exit::Conflict,
            4,
            format!("a project of this name runs already, from another folder: {}", origin.display()),
        )
        .hint(format!(
            "take that one down first: {}\nor bring this one up beside it: {}",
            context.pasteable(&["down"]),
            context.pasteable(&["--instance", "second", "up"])
        )),
        Refusal::NameTaken { service, name, project } => {
            let whose = project.as_ref().map_or("no project".to_owned(), |p| format!("project {p}"));
            let message = format!("service `{service}` needs the container name {name}, which is taken");
            Failure::new(Exit::Conflict, 2, message).details([format!("held by: a container of {whose}")]).hint(
                format!(
                    "see what it is: docker ps -a --filter name={name}\nor bring this project up under other names: {}",
                    context.pasteable(&["--instance", "second", "up"])
                ),
            )
        }
        Refusal::VolumeMismatch { service, volume, has, wants } => {
            let message = format!(
                "volume {volume} was made by another server than `{service}` would be now; nothing was changed"
            );
            Failure::new(Exit::Refused, 1, message)
                .details([
                    format!("data made by: {} ({})", has.1, has.0),
                    format!("would be opened by: {} ({})", wants.1, wants.0),
                ])
                .hint(conversion::hint(context, project, observed, service, volume, has))
        }
    }
}

/// Images that could not be had.
pub fn images(context: &Context, unavailable: &[Unavailable]) -> Failure {
    let mut failure = Failure::new(
        Exit::Image,
        1,
        match unavailable {
            [one] => format!("cannot get the image of {}: {}", one.services.join(", "), one.reference),
            many => format!("cannot get {} images", many.len()),
        },
    );
    let mut hint = None;
    for u in unavailable {
        let mut why = vec![format!("{} ({})", u.reference, u.services.join(", ")), format!("  {}", u.reason)];
        if let SupplyError::Recipe { pull: Some(pull), .. } = &u.reason {
            why.insert(1, format!("  {pull}"));
        }
        failure = failure.details(why);
        hint = hint.or_else(|| image_hint(context, &u.reason, &u.reference));
    }
    if let Some(SupplyError::Platform(PlatformImageError::NeedsLinuxExecutable { .. })) =
        unavailable.first().map(|u| &u.reason)
    {
        failure.number = 3;
    }
    failure.hint = hint;
    failure
}

fn image_hint(context: &Context, reason: &SupplyError, reference: &str) -> Option<String> {
    Some(match reason {
        SupplyError::Recipe { recipe: RecipeError::NoTool { .. }, .. } => {
            format!("install what the recipes need and go on: {}", context.again(&["--setup"]))
        }
        SupplyError::Recipe { recipe: RecipeError::UnsupportedHost { .. }, .. } => {
            format!(
                "recipes are built on Debian and Ubuntu; there: banyan images save FILE, here: {}",
                context.pasteable(&["images", "load", "FILE"])
            )
        }
        SupplyError::Recipe {
            recipe: RecipeError::Build(engine::docker::images::BuildError::Failed { log, .. }),
            ..
        } => {
            format!("the end of the build's log:\n{}", log.join("\n"))
        }
        SupplyError::Platform(PlatformImageError::NeedsLinuxExecutable { os, arch, .. }) => {
            format!(
                "give a banyan that was built for {os}/{arch}: {}",
                context.pasteable(&["up", "--platform-binary", "FILE"])
            )
        }
        SupplyError::NotBuilt(_) => {
            format!("build it in the folder of its service: cargo build, then: {}", context.again(&[]))
        }
        SupplyError::Pull(PullError::NotFound { .. }) => format!("check the name: {reference}"),
        SupplyError::Pull(PullError::Denied { .. }) => {
            let registry = registry(reference).map(|host| format!(" {}", quote(host))).unwrap_or_default();
            format!("log in first: docker login{registry}")
        }
        SupplyError::Pull(PullError::NoRegistry { .. }) => {
            let load = context.pasteable(&["images", "load", "FILE"]);
            format!(
                "check the network, or bring the images on a file; elsewhere: banyan images save FILE, here: {load}"
            )
        }
        SupplyError::Pull(PullError::DiskFull { .. }) => "free some space: docker system prune".to_owned(),
        _ => return None,
    })
}

/// The first service that did not start, told in full; the others in a line each.
pub fn start(context: &Context, project: &Project, applied: &Applied) -> Option<Failure> {
    let first = applied.failures.first()?;
    let mut failure = one(context, project, first);
    if let Some(service) = first.action.service() {
        let blocked: Vec<&str> =
            applied.blocked.iter().filter(|(_, by)| *by == service).map(|(s, _)| s.as_str()).collect();
        if !blocked.is_empty() {
            failure = failure.details([format!("blocked by it: {}", blocked.join(", "))]);
        }
    }
    for other in &applied.failures[1..] {
        let told = one(context, project, other);
        let end = told.details.len();
        failure = failure.details([format!("also: {}", told.message)]);
        failure = failure.details(told.details.into_iter().skip(end.saturating_sub(4)).map(|line| format!("  {line}")));
    }
    let has_log = matches!(first.action, Action::WaitReady { .. } | Action::WaitCompleted { .. });
    if let Some(service) = first.action.service().filter(|_| has_log) {
        let next = context.pasteable(&["logs", service]);
        failure.hint.get_or_insert_with(|| format!("see its whole log: {next}"));
    }
    failure.data = serde_json::json!({ "project": project.name, "failures": applied.failures.iter().map(|f| data(f, &applied.blocked)).collect::<Vec<_>>() });
    Some(failure)
}

fn one(context: &Context, project: &Project, failed: &StepFailure) -> Failure {
    let service = failed.action.service().unwrap_or_default();
    match &failed.reason {
        Reason::Wait(trouble) => waited(service, trouble, &failed.log, context),
        Reason::Request(error) => {
            let text = error.message();
            let port = ["port is already allocated", "address already in use", "ports are not available"]
                .iter()
                .any(|m| text.contains(m));
            if port {
                return Failure::new(
                    Exit::Conflict,
                    1,
                    format!("cannot start `{service}`: a port of it was taken meanwhile"),
                )
                .details([text, "its container was removed again".to_owned()])
                .hint(format!(
                    "{} lists the holder before it changes anything",
                    context.pasteable(&["up", "--dry-run"])
                ));
            }
            let message = format!("cannot {}", failed.action);
            if text.contains("no space left on device") {
                return Failure::new(Exit::Start, 3, format!("{message}: the engine's disk is full"))
                    .details([text])
                    .hint("free some space: docker system prune");
            }
            let sets_up = matches!(
                failed.action,
                Action::StartContainer { .. } | Action::CreateContainer { .. } | Action::CopyConfigs { .. }
            );
            if !sets_up {
                return Failure::new(Exit::Other, 2, format!("{message}: {text}"));
            }
            let files: Vec<String> = project.files.iter().map(|f| f.display().to_string()).collect();
            let up = context.pasteable(&["up", service]);
            Failure::new(Exit::Start, 2, format!("{message}: {text}"))
                .hint(format!("correct `{service}` in {}, then: {up}", files.join(" or ")))
        }
    }
}

fn waited(service: &str, trouble: &Trouble, log: &[String], context: &Context) -> Failure {
    let (exit, number) = match trouble.cause {
        Cause::TimedOut => (Exit::TimedOut, 1),
        _ => (Exit::Start, 1),
    };
    let d = &trouble.detail;
    let mut lines = vec![
        format!("waited for: {} ({:.1} s)", trouble.waited_for, trouble.waited.as_secs_f64()),
        format!(
            "container: {}, exit code {}, restarts {}",
            if d.state.is_empty() { "gone" } else { &d.state },
            d.exit_code,
            d.restarts
        ),
    ];
    if !d.error.is_empty() {
        lines.push(format!("engine: {}", d.error));
    }
    lines.extend(trouble.probes.iter().map(|p| format!("answer: {}", context.style.text(p))));
    lines.extend(log.iter().map(|l| format!("log: {}", context.style.text(l))));
    let mut failure = Failure::new(exit, number, format!("service `{service}` {}", trouble.summary())).details(lines);
    if trouble.cause == Cause::LoginRefused {
        failure.hint = Some(format!(
            "credentials count only when a volume is made: give `{service}` the ones that its data was made with,\nor change them in the running server, or start empty: {}",
            context.pasteable(&["reset", service])
        ));
    }
    if trouble.cause == Cause::TimedOut {
        failure.hint = Some(format!(
            "see its whole log: {}\nor wait longer: {}",
            context.pasteable(&["logs", service]),
            context.again(&["--wait-timeout", "10m"])
        ));
    }
    failure
}

fn data(failed: &StepFailure, blocked: &BTreeMap<String, String>) -> serde_json::Value {
    let service = failed.action.service();
    let blocks: Vec<_> = blocked.iter().filter(|(_, by)| Some(by.as_str()) == service).map(|(s, _)| s).collect();
    let mut value = serde_json::json!({ "step": failed.action.to_string(), "service": service, "blocks": blocks, "log": failed.log });
    match &failed.reason {
        Reason::Request(error) => value["engine"] = error.to_string().into(),
        Reason::Wait(t) => {
            value["waited_for"] = t.waited_for.clone().into();
            value["waited_ms"] = u64::try_from(t.waited.as_millis()).unwrap_or(u64::MAX).into();
            value["state"] = t.detail.state.clone().into();
            value["exit_code"] = t.detail.exit_code.into();
            value["meaning"] = t.meaning().into();
            value["oom_killed"] = t.detail.oom_killed.into();
            value["restarts"] = t.detail.restarts.into();
            value["answers"] = t.probes.clone().into();
        }
    }
    value
}
