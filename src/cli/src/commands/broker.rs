//! The message broker of a running project, as it can be reached from here.

use std::sync::Arc;
use std::time::Duration;

use banyan_sdk::bus::Bus;
use banyan_sdk::bus::rabbit::{RabbitBus, RabbitOptions};
use banyan_sdk::config::{Endpoint, Secret};
use compose::observed::{Container, State};
use compose::project::{Protocol, Service};
use engine::Engine;
use engine::wait::probe;

use crate::context::Context;
use crate::failure::{Exit, Failure};

/// How long the broker may take for a connection, and for one question.
const PATIENCE: Duration = Duration::from_secs(10);

/// The broker of a project.
pub struct Broker {
    /// Where it runs.
    pub engine: Engine,
    /// The container that it runs in.
    pub container: String,
    /// A connection to it.
    pub bus: Arc<dyn Bus>,
}

impl Broker {
    /// That of the project which `context` tells of, with a connection that is called `name` there.
    pub async fn of(context: &Context, name: &str) -> Result<Self, Failure> {
        let loaded = context.load(&["*".to_owned()], &[])?;
        let is_broker =
            |service: &&Service| service.extension.ready.as_ref().is_some_and(|it| it.protocol == Protocol::Amqp);
        let service = loaded.project.services.values().find(is_broker).ok_or_else(|| {
            Failure::new(Exit::Config, 40, format!("project {} has no message broker", loaded.project.name))
                .hint("a service is one when its `x-banyan.ready.protocol` is `amqp`")
        })?;
        let engine = context.engine().await?;
        let containers = engine.containers(&loaded.project.name).await?;
        let runs = |c: &&Container| c.service() == service.name && c.state == State::Running;
        let container = containers.iter().find(runs).map(|c| c.name.clone()).ok_or_else(|| {
            Failure::new(Exit::NotRunning, 40, format!("{} does not run", service.name))
                .hint(format!("bring it up: {}", context.pasteable(&["up", &service.name])))
        })?;
        let detail = engine.inspect(&container).await?;
        let place = probe(&engine, service, &detail).ok_or_else(|| {
            Failure::new(Exit::NotRunning, 41, format!("{} cannot be reached from here", service.name))
                .hint("run this where the engine is, or publish the broker's port")
        })?;
        let authority = if place.host.contains(':') { format!("[{}]", place.host) } else { place.host.clone() };
        let mut endpoint = Endpoint::parse(&format!("amqp://{authority}:{}", place.port), &["amqp"], 5672)
            .expect("an address and a port make an endpoint");
        endpoint.user.clone_from(&place.ready.user);
        endpoint.password = place.ready.password.clone().map(Secret::new);
        let options =
            RabbitOptions { connect_timeout: PATIENCE, patience: PATIENCE, ..RabbitOptions::new(endpoint, name) };
        Ok(Self { engine, container, bus: Arc::new(RabbitBus::new(options)) })
    }
}
