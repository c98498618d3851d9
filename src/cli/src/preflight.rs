//! Everything that can be known to go wrong before anything is touched.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use compose::observed::Observed;
use compose::plan::{self, Clash};
use compose::project::Project;
use engine::{Engine, ports};

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::report::style::Style;
use crate::report::table::Table;
use crate::trouble;

/// How long a port is waited for that the engine itself holds: for a container that an interrupted run started.
const SETTLE: Duration = Duration::from_secs(5);

/// Checks names, folders and all published ports; every clash is reported at once. `seen` is what somebody has just seen;
/// returns what it saw itself.
pub async fn check(
    context: &Context,
    engine: &Engine,
    project: &Project,
    services: &[String],
    mut seen: Option<Observed>,
) -> Result<Observed, Failure> {
    let began = Instant::now();
    loop {
        let observed = match seen.take() {
            Some(observed) => observed,
            None => engine.observe(&project.name).await?,
        };
        let wish = plan::Up { services: services.to_vec(), ..Default::default() };
        if let Err(refusals) = plan::up(project, &observed, &wish) {
            return Err(trouble::refused(context, project, &observed, &refusals));
        }
        let clashes = clashes(engine, project, &observed, services);
        if clashes.is_empty() {
            return Ok(observed);
        }
        // the engine forwards the port, yet lists no container with it: one is about to be there
        let settling = clashes.iter().all(|c| c.holder.contains(ports::FORWARDER));
        if !settling || began.elapsed() > SETTLE {
            return Err(clash_failure(context, &clashes));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Wanted ports that containers of others, or processes of this machine, hold.
fn clashes(engine: &Engine, project: &Project, observed: &Observed, services: &[String]) -> Vec<Clash> {
    let wanted = plan::wanted_ports(project, observed, services);
    let mut clashes = plan::clashes(&wanted, observed);
    if engine.is_local() {
        for w in wanted {
            if !clashes.iter().any(|c| c.wanted == w) && ports::is_taken(&w) {
                let holder = ports::holder(&w).unwrap_or_else(|| "a process of this machine".to_owned());
                clashes.push(Clash { wanted: w, holder, own_service: None });
            }
        }
    }
    clashes
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
    let own: BTreeSet<&str> = clashes.iter().filter_map(|c| c.own_service.as_deref()).collect();
    if clashes.iter().all(|c| c.own_service.is_some()) {
        let down = [&["down"][..], &Vec::from_iter(own)].concat();
        return failure.hint(format!("take down what holds them: {}", context.pasteable(&down)));
    }
    if free.is_empty() {
        return failure.hint("stop what holds them, or change the ports in the compose file");
    }
    failure.hint(format!(
        "stop what holds them, or choose other ports: {} {}",
        free.join(" "),
        context.pasteable(&["up"])
    ))
}
