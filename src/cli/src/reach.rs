//! A running service of the project, as it can be reached from here.

use compose::observed::State;
use compose::project::Service;
use engine::Engine;
use engine::probe::Probe;
use engine::wait::probe;

use crate::context::Context;
use crate::failure::{Exit, Failure};

/// What is looked for, with the words of its errors.
pub struct Sought {
    /// `message broker`
    pub what: &'static str,
    /// How a service is told to be one.
    pub told_by: String,
    /// What would have to be published: `the broker's port`
    pub port: &'static str,
    /// The number of its errors; the next one is taken, too.
    pub number: u8,
}

/// A service that runs and can be reached.
pub struct Reached {
    /// Where it runs.
    pub engine: Engine,
    /// The container that it runs in.
    pub container: String,
    /// What the project says of it.
    pub service: Service,
    /// Its port.
    pub place: Probe,
}

impl Reached {
    /// The first service that `is_it`, of the project which `context` tells of.
    pub async fn of(context: &Context, sought: &Sought, is_it: impl Fn(&Service) -> bool) -> Result<Self, Failure> {
        let Sought { what, told_by, port, number } = sought;
        let loaded = context.load(&["*".to_owned()], &[])?;
        let service = loaded.project.services.values().find(|service| is_it(service)).ok_or_else(|| {
            Failure::new(Exit::Config, *number, format!("project {} has no {what}", loaded.project.name))
                .hint(told_by.as_str())
        })?;
        let engine = context.engine().await?;
        let containers = engine.containers(&loaded.project.name).await?;
        let runs = containers.iter().find(|c| c.service() == service.name && c.state == State::Running);
        let container = runs.map(|c| c.name.clone()).ok_or_else(|| {
            Failure::new(Exit::NotRunning, *number, format!("{} does not run", service.name))
                .hint(format!("bring it up: {}", context.pasteable(&["up", &service.name])))
        })?;
        let detail = engine.inspect(&container).await?;
        let place = probe(&engine, service, &detail).ok_or_else(|| {
            Failure::new(Exit::NotRunning, number + 1, format!("{} cannot be reached from here", service.name))
                .hint(format!("run this where the engine is, or publish {port}"))
        })?;
        let service = service.clone();
        Ok(Self { engine, container, service, place })
    }

    /// Host and port, as an address has them.
    pub fn authority(&self) -> String {
        let (host, port) = (&self.place.host, self.place.port);
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}
