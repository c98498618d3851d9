//! The message broker of a running project, as it can be reached from here.

use std::sync::Arc;
use std::time::Duration;

use banyan_sdk::bus::Bus;
use banyan_sdk::bus::rabbit::{RabbitBus, RabbitOptions};
use banyan_sdk::config::{Endpoint, Secret};
use compose::project::{Protocol, Service};
use engine::Engine;

use crate::context::Context;
use crate::failure::Failure;
use crate::reach::{Reached, Sought};

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
        let sought = Sought {
            what: "message broker",
            told_by: "a service is one when its `x-banyan.ready.protocol` is `amqp`".to_owned(),
            port: "the broker's port",
            number: 40,
        };
        let is_broker =
            |service: &Service| service.extension.ready.as_ref().is_some_and(|it| it.protocol == Protocol::Amqp);
        let reached = Reached::of(context, &sought, is_broker).await?;
        let mut endpoint = Endpoint::parse(&format!("amqp://{}", reached.authority()), &["amqp"], 5672)
            .expect("an address and a port make an endpoint");
        let Reached { engine, container, place, .. } = reached;
        endpoint.user = place.ready.user;
        endpoint.password = place.ready.password.map(Secret::new);
        let options =
            RabbitOptions { connect_timeout: PATIENCE, patience: PATIENCE, ..RabbitOptions::new(endpoint, name) };
        Ok(Self { engine, container, bus: Arc::new(RabbitBus::new(options)) })
    }
}
