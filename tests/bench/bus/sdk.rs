//! Calls through the SDK, with all that it does for a service: envelope, trace, contract check, deadline, circuit
//! breaker, metrics, acknowledgement after the work; and, in a service with everything, a permission that the caller must
//! hold, an event store and a cache.

use std::{sync::Arc, time::Duration};

use banyan_sdk::{
    Call, Context, Fault, Flow, QUERY_TIMEOUT, Query, Service, ids,
    metrics::Metrics,
    protocol::{Kind, Payload, Request as _, names::ServiceName},
    schemars::{self, JsonSchema},
    telemetry::SpanKind,
};
use serde::{Deserialize, Serialize};

use crate::{
    Result, load,
    orders::{Orders, answer},
    service::{Equipment, caller},
};

/// Characters of a text.
const TEXT: usize = 100;

/// How long the collector may take for what is left.
const FLUSH: Duration = Duration::from_secs(5);

/// Says the same again.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Query)]
#[query(reply = Said, public)]
struct Echo {
    #[schemars(length(min = 1, max = 1000))]
    text: String,
}

/// Says the same again, to those who may ask.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Query)]
#[query(reply = Said, permissions = ["texts:read"])]
struct Repeat {
    #[schemars(length(min = 1, max = 1000))]
    text: String,
}

/// What was said.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Said {
    text: String,
}

async fn echo(_: Context<()>, query: Echo) -> Result<Said, Fault> {
    Ok(Said { text: query.text })
}

async fn repeat(cx: Context<()>, query: Repeat) -> Result<Said, Fault> {
    cx.user()?;
    Ok(Said { text: query.text })
}

pub async fn server(url: &str, args: &[String]) -> Result<()> {
    let equipment = Equipment::read(args)?;
    let (platform, metrics, tracer) = equipment.platform(url, &equipment.service).await?;
    let service = Service::new(&equipment.service, ()).query(echo).prefetch::<Echo>(200);
    let running = service.query(repeat).prefetch::<Repeat>(200).start(platform).await?;
    let mut orders = Orders::ready();
    while orders.next().await.is_some() {
        tracer.shutdown(FLUSH).await;
        answer(&dropped(&metrics))?;
    }
    drop(running);
    Ok(())
}

pub async fn client(url: &str, args: &[String]) -> Result<()> {
    let equipment = Equipment::read(args)?;
    let name = format!("{}-caller", equipment.service);
    let (platform, metrics, tracer) = equipment.platform(url, &name).await?;
    let running = Arc::new(Service::new(&name, ()).start(platform).await?);
    let service = ServiceName::new(equipment.service)?;
    let guarded = equipment.database.is_some();
    let mut orders = Orders::ready();
    while let Some(order) = orders.next().await {
        let [in_flight, time] = &order[..] else {
            tracer.shutdown(FLUSH).await;
            answer(&dropped(&metrics))?;
            continue;
        };
        let (running, service, tracer) = (Arc::clone(&running), service.clone(), tracer.clone());
        let call = move || {
            let (running, service, tracer) = (Arc::clone(&running), service.clone(), tracer.clone());
            async move {
                let text = "x".repeat(TEXT);
                let (message_type, payload, auth) = if guarded {
                    (
                        Repeat::MESSAGE_TYPE,
                        Payload::of(&Repeat { text: text.clone() }),
                        Some(caller(Repeat::PERMISSIONS)),
                    )
                } else {
                    (Echo::MESSAGE_TYPE, Payload::of(&Echo { text: text.clone() }), None)
                };
                let call = Call {
                    kind: Kind::Query,
                    message_type: message_type.to_owned(),
                    service,
                    payload: payload.map_err(|e| e.to_string())?,
                    timeout: QUERY_TIMEOUT,
                    idempotency_key: None,
                    repeatable: true,
                    priority: None,
                };
                // As where requests come in: the trace begins here.
                let request = tracer.span(SpanKind::Internal, "request", None);
                let flow = Flow { auth, ..Flow::begin(ids::random) }.in_span(request.context().clone());
                let reply = running.client().call(call, &flow).await.map_err(|fault| fault.to_string())?;
                let said: Said = reply.read().map_err(|e| e.to_string())?;
                if said.text == text { Ok(()) } else { Err("another answer".to_owned()) }
            }
        };
        answer(&load::run(in_flight.parse()?, Duration::from_millis(time.parse()?), call).await)?;
    }
    Ok(())
}

/// How many spans were lost on the way to the collector.
fn dropped(metrics: &Metrics) -> u64 {
    let text = metrics.text();
    let line = text.lines().find(|it| it.starts_with("telemetry_spans_dropped_total"));
    line.and_then(|it| it.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}
