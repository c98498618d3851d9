//! A service that is put together: handlers by their queues, and what runs beside them.

use std::{collections::BTreeMap, sync::Arc};

use tokio::time::{Duration, sleep};
use tracing::{info, warn};

use crate::{
    Error,
    bus::{Bus, BusError, Deliveries, Topology, redelivery::Redelivery},
    client::Client,
    handler::Handler,
    health::Board,
    ids,
    metrics::{HandlerMetrics, OperationMetrics},
    platform::Platform,
    protocol::Kind,
    retry::RetryPolicy,
    runtime::{Runtime, Work},
};

use super::{
    Running, Service,
    beginning::{self, Beginning},
    beside,
    checker::Checker,
    intake::Intake,
    lifecycle::{HANDLERS, PAUSE},
    once::Once,
    panics,
    presence::{Announced, Presence},
    queues::{by_queue, declared, listened_to},
    watch::{Taken, Watch},
};

/// Messages that one handler is handed at a time when nobody says otherwise.
const PREFETCH: u16 = 10;
/// The same for handlers of events.
const EVENT_PREFETCH: u16 = 5;
/// How long a message that failed waits for the broker before it goes back to its queue.
const PATIENCE: Duration = Duration::from_secs(30);

/// A service that is put together, with no queues yet.
pub(super) struct Prepared<S> {
    runtime: Arc<Runtime>,
    bus: Arc<dyn Bus>,
    beginnings: Vec<Beginning<S>>,
    topology: Topology,
    intakes: Vec<(String, u16, Arc<Intake<S>>)>,
    state: Arc<S>,
    beside: Vec<beside::Task<S>>,
    board: Board,
    /// None for a service that discovery is not to hear of.
    presence: Option<Presence>,
}

/// Puts it together; an error for what can never run.
pub(super) fn prepare<S>(
    service: Service<S>,
    platform: Platform,
    board: Board,
    discovery: Option<bool>,
) -> Result<Prepared<S>, Error>
where
    S: Send + Sync + 'static,
{
    panics::watch();
    let name = service.checked()?;
    let contracts = service.contracts(&name);
    let Platform { bus, store, cache, metrics, tracer } = platform;
    let store = store.map(|store| match service.upcasters {
        Some(upcasters) => store.with_upcasters(upcasters),
        None => store,
    });
    if let Some(store) = &store {
        store.observe(&metrics, &tracer);
    }
    cache.trace(&tracer);
    let mut projections = BTreeMap::new();
    for follow in service.projections {
        let Some(runner) = store.clone().map(follow) else { break };
        let projection = runner.name().to_owned();
        if projections.insert(projection.clone(), runner).is_some() {
            let mistakes = vec![format!("there are two projections called `{projection}`")];
            return Err(Error::Service { name: name.to_string(), mistakes });
        }
    }
    let requests = service.handlers.iter().filter(|handler| handler.kind != Kind::Event);
    let runtime = Arc::new(Runtime {
        service: name.clone(),
        client: Client::new(name.clone(), Arc::clone(&bus)).traced(tracer).measured(&metrics),
        store,
        cache,
        metrics,
        projections,
        handled: requests.map(|handler| handler.message_type).collect(),
        work: Work::default(),
    });
    let state = Arc::new(service.state);
    let policy = RetryPolicy::default();
    let mut topology = Topology::default();
    let mut intakes = Vec::new();
    let listened_to = listened_to(&name, &service.handlers);
    let unique = ids::stamp(ids::random());
    for (queue, handlers) in by_queue(&name, &unique, service.handlers) {
        handlers.iter().for_each(|handler| topology.merge(&declared(&queue, handler, &policy)));
        let usual = if handlers[0].kind == Kind::Event { EVENT_PREFETCH } else { PREFETCH };
        let prefetch = handlers.iter().filter_map(|handler| handler.settings.prefetch).max().unwrap_or(usual);
        let checked = |handler: Handler<S>| {
            let contract = handler.contract.map(|make| make(&name));
            Checker::new(contract.as_ref()).map(|checker| (handler, checker))
        };
        let operation = OperationMetrics::new(&runtime.metrics, handlers[0].message_type);
        let runs = handlers.iter().map(|it| (it.name, HandlerMetrics::new(&runtime.metrics, it.name))).collect();
        let handlers: Result<Vec<_>, _> = handlers.into_iter().map(checked).collect();
        let handlers =
            handlers.map_err(|mistake| Error::Service { name: name.to_string(), mistakes: vec![mistake] })?;
        let listens = handlers[0].0.settings.listens;
        let once = Once::new(runtime.store.clone().filter(|_| !listens), name.clone());
        let redelivery = Redelivery::new(Arc::clone(&bus), policy, PATIENCE);
        let (runtime, bus, state) = (Arc::clone(&runtime), Arc::clone(&bus), Arc::clone(&state));
        intakes.push((
            queue,
            prefetch,
            Arc::new(Intake {
                runtime,
                bus,
                state,
                handlers,
                once,
                redelivery,
                operation,
                runs,
                taken: Arc::default(),
            }),
        ));
    }
    let presence = discovery.map(|forced| {
        let announced = Announced { version: service.version, contracts, listened_to, forced };
        Presence::new(Arc::clone(&runtime), unique, announced, board.clone())
    });
    let (beginnings, beside) = (service.beginnings, service.tasks);
    Ok(Prepared { runtime, bus, beginnings, topology, intakes, state, beside, board, presence })
}

impl<S: Send + Sync + 'static> Prepared<S> {
    /// What comes before the first message.
    pub async fn begin(&self) {
        beginning::all(&self.beginnings, &self.state, &self.runtime, &self.board).await;
    }

    /// Makes the queues and begins to be handed messages, which wait until the service runs.
    pub async fn open(&self) -> Result<Vec<Deliveries>, BusError> {
        self.bus.declare(&self.topology).await?;
        let opening = self.intakes.iter().map(|(queue, prefetch, _)| self.bus.consume(queue, *prefetch));
        futures_util::future::try_join_all(opening).await
    }

    /// The same, again and again; none when it can never succeed.
    pub async fn opened(&self) -> Option<Vec<Deliveries>> {
        loop {
            match self.open().await {
                Ok(deliveries) => return Some(deliveries),
                Err(error) => {
                    self.board.unhealthy(HANDLERS, &error.to_string());
                    if !heals(&error) {
                        tracing::error!("cannot start: {error}");
                        return None;
                    }
                    warn!("cannot start yet: {error}");
                }
            }
            sleep(PAUSE).await;
        }
    }

    /// Takes messages from now on.
    pub fn run(self, deliveries: Vec<Deliveries>) -> Running {
        let running = Running::new(Arc::clone(&self.runtime), Arc::clone(&self.bus));
        let queues: Vec<(String, Arc<Taken>)> =
            self.intakes.iter().map(|(queue, _, intake)| (queue.clone(), Arc::clone(&intake.taken))).collect();
        for ((_, _, handler), deliveries) in self.intakes.into_iter().zip(deliveries) {
            running.tasks.spawn(handler.run(deliveries, running.intake.clone(), running.tasks.clone()));
        }
        super::follow::spawn(&running.followers, &self.runtime, &self.board, &running.background);
        beside::spawn(self.beside, &self.state, &self.runtime, &running.followers, &running.background);
        let watch = Watch::new(self.runtime, Arc::clone(&self.bus), queues);
        let stop = running.background.clone();
        running.followers.spawn(async move {
            stop.run_until_cancelled(watch.keep()).await;
        });
        if let Some(presence) = self.presence {
            running.followers.spawn(presence.keep(self.bus, running.background.clone()));
        }
        info!("ready");
        running
    }
}

/// Whether an error of the bus may be gone the next time.
fn heals(error: &BusError) -> bool {
    !matches!(error, BusError::Mismatch { .. } | BusError::TooLong { .. } | BusError::Closed)
}
