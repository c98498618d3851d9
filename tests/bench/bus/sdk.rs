//! The same through the SDK, with all that it does for a service: envelope, trace, contract check, deadline, circuit
//! breaker, metrics, acknowledgement after the work.

use std::sync::Arc;

use banyan_sdk::{
    Call, Context, Fault, Flow, Platform, QUERY_TIMEOUT, Query, Service,
    bus::rabbit::{RabbitBus, RabbitOptions},
    config::Endpoint,
    ids,
    protocol::{Kind, Payload, Request as _, names::ServiceName},
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

use crate::{
    bare::Error,
    load,
    part::{Orders, answer},
};

/// Characters of a text.
const TEXT: usize = 100;
const SERVICE: &str = "bench-service";

/// Says the same again.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Query)]
#[query(reply = Said, public, service = "bench-service")]
struct Echo {
    #[schemars(length(min = 1, max = 1000))]
    text: String,
}

/// What was said.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Said {
    text: String,
}

pub fn bus(url: &str, name: &str) -> Result<RabbitBus, Error> {
    let endpoint = Endpoint::parse(url, &["amqp"], 5672).ok_or("the broker's address cannot be read")?;
    Ok(RabbitBus::new(RabbitOptions::new(endpoint, name)))
}

async fn echo(_: Context<()>, query: Echo) -> Result<Said, Fault> {
    Ok(Said { text: query.text })
}

pub async fn server(url: &str) -> Result<(), Error> {
    let running =
        Service::new(SERVICE, ()).query(echo).prefetch::<Echo>(200).start(Platform::new(bus(url, SERVICE)?)).await?;
    Orders::ready().end().await;
    drop(running);
    Ok(())
}

pub async fn client(url: &str) -> Result<(), Error> {
    let running = Arc::new(Service::new("bench-caller", ()).start(Platform::new(bus(url, "bench-caller")?)).await?);
    let mut orders = Orders::ready();
    while let Some((in_flight, time)) = orders.load().await {
        let running = Arc::clone(&running);
        let call = move || {
            let running = Arc::clone(&running);
            async move {
                let query = Echo { text: "x".repeat(TEXT) };
                let call = Call {
                    kind: Kind::Query,
                    message_type: Echo::MESSAGE_TYPE.to_owned(),
                    service: ServiceName::new(SERVICE).map_err(|e| e.to_string())?,
                    payload: Payload::of(&query).map_err(|e| e.to_string())?,
                    timeout: QUERY_TIMEOUT,
                    idempotency_key: None,
                    repeatable: true,
                    priority: None,
                };
                let flow = Flow::begin(ids::random);
                let reply = running.client().call(call, &flow).await.map_err(|fault| fault.to_string())?;
                let said: Said = reply.read().map_err(|e| e.to_string())?;
                if said.text == query.text { Ok(()) } else { Err("another answer".to_owned()) }
            }
        };
        answer(&load::run(in_flight, time, call).await)?;
    }
    Ok(())
}
