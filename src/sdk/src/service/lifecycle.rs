//! From the first line to the last: settings, connections, handlers, presence, and all of it back again.

use std::sync::Arc;

use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    Error,
    bus::{
        Bus,
        rabbit::{RabbitBus, RabbitOptions},
    },
    cache::{Cache, Memory},
    config::{self, Config, Endpoint, Need, Reader},
    dependency::{self, Dependency, Kind as Protocol},
    health::Board,
    metrics::Metrics,
    platform::Platform,
    server::{self, Site},
    store::{EventStore, Options, StoreError},
    telemetry::Tracer,
};

use super::{Running, Service, Tables, prepared::prepare, watch};

/// The pause between two attempts to reach what the service needs.
pub(super) const PAUSE: Duration = Duration::from_millis(200);
/// What `/health` calls the service's own part of being ready.
pub(super) const HANDLERS: &str = "handlers";
/// What `/health` calls the broker.
const BROKER: &str = "rabbitmq";

/// How long a service that stops waits for the collector to take its last spans.
const LAST_SPANS: Duration = Duration::from_secs(1);

/// Runs a service with the settings that `env` knows.
pub(super) async fn run<S>(service: Service<S>, env: &dyn Fn(&str) -> Option<String>) -> Result<(), Error>
where
    S: Send + Sync + 'static,
{
    let mut reader = Reader::new(env);
    let config = Config::read(&mut reader, &service.name, service.port);
    let stores = Stores::read(&mut reader, service.without_store);
    let named = reader.value("SERVICE_VERSION").is_some();
    let (mut config, stores) = match (service.checked(), reader.finish(config.zip(stores))) {
        (Ok(_), Ok(read)) => read,
        (Err(Error::Service { name, mut mistakes }), Err(Error::Configuration(problems))) => {
            mistakes.extend(problems.iter().map(ToString::to_string));
            return Err(Error::Service { name, mistakes });
        }
        (Err(error), _) | (_, Err(error)) => return Err(error),
    };
    if !named {
        config.version.clone_from(&service.version);
    }

    let mut dependencies = stores.dependencies();
    dependencies.extend(service.needs.iter().cloned());
    let board = dependency::board(&config.service, &config.version, &dependencies, &[BROKER, HANDLERS]);
    if let Some(facts) = &service.facts {
        board.tell(Arc::clone(facts));
    }
    let metrics = Metrics::new(&config.service);
    let mut service = Service { name: config.service.clone(), version: config.version.clone(), ..service };
    let site = Site { routes: std::mem::take(&mut service.routes), around: service.around.take() };
    let limit = config.shutdown_timeout;
    let tracer = Tracer::new(&config.telemetry, &config.service, &config.version, &metrics);
    let bus: Arc<dyn Bus> =
        Arc::new(RabbitBus::new(RabbitOptions::new(stores.message_bus.clone(), config.service.as_str())));
    let surroundings = Surroundings {
        bus: Arc::clone(&bus),
        connections: config.connections,
        stores,
        board: board.clone(),
        metrics: metrics.clone(),
        tracer: tracer.clone(),
        discovery: config.discovery.then_some(config.force_contracts),
    };
    let beside = move |stop: CancellationToken| async move {
        let (password, board) = (surroundings.stores.message_bus.password.clone(), surroundings.board.clone());
        tokio::spawn(dependency::watch_bus(BROKER, bus, password, board, stop.clone()));
        // In a task of its own, so that HTTP and messages do not share one.
        let up = tokio::spawn(bring_up(service, surroundings, stop));
        if let Ok(Some(running)) = up.await
            && !running.stop(limit).await
        {
            warn!("stopped with messages unfinished: the time for them is over");
        }
        tracer.shutdown(LAST_SPANS).await;
    };
    server::serve_on(&config, &metrics, board, dependencies, site, beside).await
}

/// What a service finds around it.
struct Surroundings {
    bus: Arc<dyn Bus>,
    /// How many connections to the database there may be.
    connections: u32,
    stores: Stores,
    board: Board,
    metrics: Metrics,
    tracer: Tracer,
    /// Whether discovery is to hear of the service, and whether its contracts are to be accepted in any case.
    discovery: Option<bool>,
}

/// The stores that a service was given; it can do without all but the bus.
struct Stores {
    database: Option<Endpoint>,
    message_bus: Endpoint,
    cache: Option<Endpoint>,
}

impl Stores {
    fn read(reader: &mut Reader<'_>, without_store: bool) -> Option<Self> {
        let database = if without_store { None } else { config::database(reader, Need::Optional) };
        let message_bus = config::message_bus(reader, Need::Required);
        let cache = config::cache(reader, Need::Optional);
        Some(Self { database, message_bus: message_bus?, cache })
    }

    /// Those that are watched by a connection of their own.
    fn dependencies(&self) -> Vec<Dependency> {
        let database = self.database.clone().map(|it| Dependency::new(watch::DATABASE, Protocol::Sql, it));
        let cache = self.cache.clone().map(|it| Dependency::new("redis", Protocol::Redis, it).optional());
        database.into_iter().chain(cache).collect()
    }
}

/// Connects and starts, again and again until it succeeds or nobody wants it any more.
async fn bring_up<S>(service: Service<S>, surroundings: Surroundings, stop: CancellationToken) -> Option<Running>
where
    S: Send + Sync + 'static,
{
    let Surroundings { bus, connections, stores, board, metrics, tracer, discovery } = surroundings;
    let options = Options { connections, ..Options::default() };
    let opening = async {
        let database = stores.database.as_ref()?;
        loop {
            match opened(database, options, &service.tables).await {
                Ok(store) => return Some(store),
                Err(error) => {
                    board.unhealthy(HANDLERS, &error.to_string());
                    sleep(PAUSE).await;
                }
            }
        }
    };
    let store = tokio::select! {
        () = stop.cancelled() => return None,
        store = opening => store,
    };
    let cache = match &stores.cache {
        Some(endpoint) => Cache::redis(endpoint, &service.name, &metrics),
        None => Cache::memory(&Memory::default(), &service.name, &metrics),
    };
    let platform = Platform { bus, store, cache, metrics, tracer };
    let prepared = match prepare(service, platform, board.clone(), discovery) {
        Ok(prepared) => prepared,
        Err(error) => {
            tracing::error!("cannot start: {error}");
            board.unhealthy(HANDLERS, &error.to_string());
            return None;
        }
    };
    let deliveries = tokio::select! {
        () = stop.cancelled() => return None,
        deliveries = async {
            prepared.begin().await;
            prepared.opened().await
        } => deliveries?,
    };
    let running = prepared.run(deliveries);
    board.healthy(HANDLERS, Duration::ZERO);
    stop.cancelled().await;
    Some(running)
}

/// The event store, with the service's own tables in its database.
async fn opened(database: &Endpoint, options: Options, tables: &[Tables]) -> Result<EventStore, StoreError> {
    let store = EventStore::connect(database, options).await?;
    make(&store, tables).await?;
    Ok(store)
}

async fn make(store: &EventStore, tables: &[Tables]) -> Result<(), StoreError> {
    for (set, migrations) in tables {
        store.migrate(set, migrations).await?;
    }
    Ok(())
}

/// Runs a service on a platform that is there already.
pub(super) async fn start<S>(service: Service<S>, platform: Platform) -> Result<Running, Error>
where
    S: Send + Sync + 'static,
{
    let board = Board::new(&service.name, &service.version, []);
    if let Some(store) = &platform.store {
        make(store, &service.tables).await?;
    }
    let prepared = prepare(service, platform, board, Some(false))?;
    prepared.begin().await;
    let deliveries = prepared.open().await?;
    Ok(prepared.run(deliveries))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Context, Fault, Query,
        schemars::{self, JsonSchema},
    };

    /// Asks something.
    #[derive(serde::Serialize, serde::Deserialize, JsonSchema, Query)]
    #[query(reply = u32, public)]
    struct Ask {}

    async fn ask(_: Context<()>, _: Ask) -> Result<u32, Fault> {
        Ok(1)
    }

    #[tokio::test]
    async fn mistakes_in_the_settings_and_among_the_handlers_are_told_together() {
        let env = |name: &str| match name {
            "PORT" => Some("none".to_owned()),
            "RABBITMQ_URL" => Some("amqp://mq".to_owned()),
            _ => None,
        };
        let error = run(Service::new("worker", ()).prefetch::<Ask>(3), &env).await.unwrap_err().to_string();
        let lines: Vec<_> = error.lines().skip(1).collect();
        assert_eq!(lines.len(), 2, "{error}");
        assert!(lines[0].contains("AskQuery") && lines[1].contains("PORT must be"), "{error}");
        let error = run(Service::new("worker", ()).query(ask), &|_| None).await.unwrap_err();
        assert!(matches!(error, Error::Configuration(_)), "{error}");
    }
}
