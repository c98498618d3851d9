//! Everything that can be known to go wrong before anything is touched.

use compose::observed::Observed;
use compose::plan::{self, Clash};
use compose::project::Project;
use engine::{Engine, ports};

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::report::style::Style;
use crate::report::table::Table;
use crate::trouble;

/// Checks names, folders and all published ports; every clash is reported at once.
pub fn check(
    context: &Context,
    engine: &Engine,
    project: &Project,
    observed: &Observed,
    services: &[String],
) -> Result<(), Failure> {
    let wish = plan::Up { services: services.to_vec(), ..Default::default() };
    if let Err(refusals) = plan::up(project, observed, &wish) {
        return Err(trouble::refused(context, &refusals));
    }
    let wanted = plan::wanted_ports(project, observed, services);
    let mut clashes = plan::clashes(&wanted, observed);
    if engine.is_local() {
        for w in wanted {
            if !clashes.iter().any(|c| c.wanted == w) && ports::is_taken(&w) {
                let holder = ports::holder(&w).unwrap_or_else(|| "a process of this machine".to_owned());
                clashes.push(Clash { wanted: w, holder });
            }
        }
    }
    if clashes.is_empty() { Ok(()) } else { Err(clash_failure(context, &clashes)) }
}

fn clash_failure(context: &Context, clashes: &[Clash]) -> Failure {
    let mut table = Table::new(["PORT", "WANTED BY", "HELD BY", "OTHER PORT"]);
    let mut free = Vec::new();
    for clash in clashes {
        let w = &clash.wanted;
        let other = w.variable.as_ref().map(|v| format!("{v}={}", w.host.checked_add(1000).unwrap_or(w.host - 1000)));
        free.extend(other.clone());
        table.row([
            format!("{}/{}", w.host, w.protocol),
            w.service.clone(),
            clash.holder.clone(),
            other.unwrap_or_else(|| "change it in the file".into()),
        ]);
    }
    let count = if clashes.len() == 1 { "a port is".to_owned() } else { format!("{} ports are", clashes.len()) };
    let mut failure = Failure::new(Exit::Conflict, 1, format!("{count} already in use; nothing was changed"))
        .details([table.render(Style::default(), None)]);
    failure.data = clashes.iter().map(|c| serde_json::json!({ "port": c.wanted.host, "protocol": c.wanted.protocol, "service": c.wanted.service, "holder": c.holder, "variable": c.wanted.variable })).collect();
    if free.is_empty() {
        return failure.hint("stop what holds them, or change the ports in the compose file");
    }
    failure.hint(format!(
        "stop what holds them, or choose other ports: {} {}",
        free.join(" "),
        context.pasteable(&["up"])
    ))
}
