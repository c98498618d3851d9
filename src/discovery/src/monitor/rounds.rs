//! Asks, listens, and tells what follows.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use banyan_sdk::{
    Context, Fault, FaultCode, Outcome,
    clock::Now,
    protocol::discovery::{
        HealthCheckRequest, HealthCheckResponse, HealthStatus, ServiceDeregistered, ServiceHealthChanged,
    },
    store::{Companion, Refusal, StoreError, Tx},
};
use futures_util::future::{BoxFuture, join_all};
use tokio::time::{MissedTickBehavior, interval};

use super::Finding;
use crate::{registry::Registry, state::State};

/// The longest and the shortest time between two looks at what is due.
const LOOK: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// A question was heard, ours or another's.
pub(crate) async fn asked(cx: Context<State>, question: HealthCheckRequest) -> Result<(), Fault> {
    cx.state.monitor().asked(&question.service_name, Now::read());
    Ok(())
}

/// An answer was heard.
pub(crate) async fn answered(cx: Context<State>, answer: HealthCheckResponse) -> Result<(), Fault> {
    cx.state.monitor().answered(&answer, Now::read());
    Ok(())
}

/// Looks after everybody's health for ever.
pub(crate) async fn keep(cx: Context<State>) {
    let registry = match Registry::of(&cx) {
        Ok(registry) => registry,
        Err(fault) => return tracing::error!("cannot keep a registry: {fault}"),
    };
    cx.state.open(registry.clone(), cx.metrics());
    let mut look = interval((cx.state.limits().interval / 20).clamp(LOOK.0, LOOK.1));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let cx = cx.anew();
        // Without the database, those who are known are asked and listened to; what changes is told later.
        let known = learn(&cx.state, &registry).await;
        if let Err(fault) = &known {
            tracing::warn!("cannot tell which services there are: {fault}");
        }
        ask(&cx).await;
        let findings = cx.state.monitor().judge(Now::read());
        if known.is_ok() {
            for finding in findings {
                tell(&cx, &registry, finding).await;
            }
        }
    }
}

/// Finds out which services and instances there are.
async fn learn(state: &State, registry: &Registry) -> Result<(), Fault> {
    let (told, instances) = tokio::try_join!(registry.told(), registry.instances())?;
    let told: BTreeMap<_, _> = told.into_iter().map(|(name, it)| (name, it.as_deref().and_then(read))).collect();
    let instances: BTreeSet<_> = instances.into_iter().map(|it| (it.service_name, it.service_id)).collect();
    state.monitor().know(&told, &instances, Now::read());
    Ok(())
}

async fn ask(cx: &Context<State>) {
    let due = cx.state.monitor().due(Now::read().steady);
    let asking = due.into_iter().map(|service_name| async move {
        let question = HealthCheckRequest { service_name, timestamp: Now::read().wall.millis() };
        if let Err(fault) = cx.publish(&question).await {
            tracing::warn!("cannot ask {} how it is: {fault}", question.service_name);
        }
    });
    join_all(asking).await;
}

async fn tell(cx: &Context<State>, registry: &Registry, finding: Finding) {
    let now = Now::read().wall;
    let (service, outcome) = match finding {
        Finding::Changed { service, before, health } => {
            let event = ServiceHealthChanged {
                service_name: service.clone(),
                status: health.status,
                previous_status: before,
                health_check_time: health.checked.unwrap_or(now),
                response_time: health.response_time,
                errors: health.errors,
                timestamp: now,
            };
            let turn = Turn { service: service.clone(), before, after: health.status };
            (service, Outcome::done().emit(event).with(turn))
        }
        Finding::Gone { service, instance, reason } => {
            let event = ServiceDeregistered {
                service_name: service.clone(),
                service_id: instance.clone(),
                reason,
                timestamp: now,
            };
            (service, Outcome::done().emit(event).with(Leave(instance)))
        }
    };
    match cx.commit(outcome).await {
        Ok(()) => registry.forget(&service).await,
        // Another instance of service discovery was first.
        Err(fault) if fault.code == FaultCode::Concurrency => {}
        Err(fault) => tracing::warn!("cannot tell what became of {service}: {fault}"),
    }
}

fn read(word: &str) -> Option<HealthStatus> {
    serde_json::from_value(word.into()).ok()
}

/// What others are told of a service, from one status to the next.
struct Turn {
    service: String,
    before: HealthStatus,
    after: HealthStatus,
}

impl Companion for Turn {
    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let connection = tx.connection().ok_or(StoreError::NoSql)?;
            let turned = sqlx::query(
                "insert into service_health (service_name, status)
                    select $1, $3 where $2 = 'unknown' or exists (select from service_health where service_name = $1)
                    on conflict (service_name) do update set status = $3, since = now()
                        where service_health.status = $2",
            )
            .bind(&self.service)
            .bind(self.before.word())
            .bind(self.after.word())
            .execute(connection)
            .await?;
            first(turned.rows_affected())
        })
    }
}

/// An instance that is forgotten.
struct Leave(String);

impl Companion for Leave {
    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let connection = tx.connection().ok_or(StoreError::NoSql)?;
            let deleted = sqlx::query("delete from service_instances where service_id = $1")
                .bind(&self.0)
                .execute(connection)
                .await?;
            first(deleted.rows_affected())
        })
    }
}

/// Whether this is the one who did it.
fn first(rows: u64) -> Result<(), Refusal> {
    if rows > 0 { Ok(()) } else { Err(Fault::new(FaultCode::Concurrency, "somebody else told it").into()) }
}
