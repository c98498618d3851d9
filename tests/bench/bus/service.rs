//! What the services of this benchmark run on, and how they are written to without waiting for an answer.

use std::{sync::Arc, time::Duration};

use banyan_sdk::{
    Flow, Platform,
    bus::{
        Bus, Message, Sending, Target, packing,
        rabbit::{RabbitBus, RabbitOptions},
    },
    cache::Cache,
    clock::Now,
    config::{self, Endpoint, Telemetry},
    ids,
    metrics::Metrics,
    protocol::{
        Auth, Command, Envelope, Kind, Metadata, Payload,
        names::{self, ServiceName},
    },
    telemetry::Tracer,
};

use crate::{Result, database, server};

/// How long the broker may take to confirm a message.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a service has: a bus, and what is named here.
pub struct Equipment {
    pub service: String,
    /// The database of an event store, with a cache in Redis beside it.
    pub database: Option<String>,
    /// Where every span goes.
    pub collector: Option<String>,
}

impl Equipment {
    /// From the arguments of a part.
    pub fn read(args: &[String]) -> Result<Self> {
        let some = |at: usize| args.get(at).filter(|it| !it.is_empty()).cloned();
        Ok(Self { service: some(0).ok_or("no service")?, database: some(1), collector: some(2) })
    }

    pub fn arguments(&self) -> [&str; 3] {
        [&self.service, self.database.as_deref().unwrap_or_default(), self.collector.as_deref().unwrap_or_default()]
    }

    /// The platform of a process that calls itself `name`, with its metrics and its tracer.
    pub async fn platform(&self, url: &str, name: &str) -> Result<(Platform, Metrics, Tracer)> {
        let metrics = Metrics::new(name);
        let mut platform = Platform::new(bus(url, name)?).with_metrics(metrics.clone());
        if let Some(url) = &self.database {
            let redis = endpoint(&server("BANYAN_TEST_REDIS_URL")?, "redis", 6379)?;
            let cache = Cache::redis(&redis, name, &metrics);
            platform = platform.with_store(database::store(url).await?).with_cache(cache);
        }
        let tracer = match &self.collector {
            Some(address) => {
                let endpoint = config::http_endpoint(address).ok_or("the collector's address cannot be read")?;
                Tracer::new(&Telemetry { endpoint: Some(endpoint), sample_ratio: 1.0 }, name, "1.0.0", &metrics)
            }
            None => Tracer::off(),
        };
        Ok((platform.with_tracer(tracer.clone()), metrics, tracer))
    }
}

pub fn bus(url: &str, name: &str) -> Result<RabbitBus> {
    Ok(RabbitBus::new(RabbitOptions::new(endpoint(url, "amqp", 5672)?, name)))
}

fn endpoint(url: &str, scheme: &str, port: u16) -> Result<Endpoint> {
    Ok(Endpoint::parse(url, &[scheme], port).ok_or_else(|| format!("{url} cannot be read"))?)
}

/// A caller who may do what the services of this benchmark ask for.
pub fn caller(permissions: &[&str]) -> Arc<Auth> {
    let permissions = permissions.iter().map(|it| (*it).to_owned()).collect();
    Arc::new(Auth { user_id: "user-1".to_owned(), permissions, ..Auth::default() })
}

/// Sends a command that nobody waits for the answer to, and says by which correlation id it goes; `known` hears of that
/// first. The broker has it when this returns.
pub async fn send<C: Command>(
    bus: &dyn Bus,
    to: &ServiceName,
    command: &C,
    known: impl FnOnce(&str),
) -> Result<String> {
    let now = Now::read();
    let flow = Flow { auth: Some(caller(C::PERMISSIONS)), ..Flow::begin(ids::random) };
    let mut envelope = Envelope {
        id: ids::message(ids::random()),
        correlation_id: String::new(),
        trace_context: None,
        timestamp: now.wall,
        service_name: "bench-sender".to_owned(),
        message_type: C::MESSAGE_TYPE.to_owned(),
        payload: Payload::of(command)?,
        metadata: Metadata::default(),
        version: 1,
    };
    flow.apply(&mut envelope, now);
    known(&envelope.correlation_id);
    let message = Message::durable(&*envelope.id, envelope.write());
    let message = message.header(names::HEADER_TRACE_ID, format!("{:032x}", flow.trace.trace_id()));
    let message = packing::pack(Kind::Command, message)?;
    let target = Target::queue(names::command_queue(to, C::MESSAGE_TYPE));
    bus.send(&target, message, Sending::confirmed(tokio::time::Instant::now() + PATIENCE)).await?;
    Ok(envelope.correlation_id)
}
