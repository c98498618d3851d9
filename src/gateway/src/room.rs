//! The one way to a service, whatever protocol a request came in by.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use banyan_sdk::{
    COMMAND_TIMEOUT, Call, Context, Fault, FaultCode, Flow, QUERY_TIMEOUT, Unfinished,
    protocol::{Kind, Payload},
};
use serde_json::Value;

use crate::{
    Gateway,
    caller::Caller,
    catalog::{Available, Operation},
};

/// In a contract's schema: the field is the gateway's to fill in, with what the value names.
pub(crate) const FILLED_IN: &str = "x-filled-in";

/// A command or query on its way in.
pub(crate) struct Request {
    /// What is asked for.
    pub operation: Arc<Operation>,
    /// What it says.
    pub payload: Value,
    /// A command with the same key takes effect once.
    pub idempotency_key: Option<String>,
}

/// The way to the services; closed until the gateway is on the bus.
#[derive(Default)]
pub(crate) struct Room {
    cx: OnceLock<Context<Arc<Gateway>>>,
}

impl Room {
    /// Opens it. The first context stays.
    pub fn open(&self, cx: Context<Arc<Gateway>>) {
        let _ = self.cx.set(cx);
    }

    /// The gateway as a service; none until it is on the bus.
    pub fn context(&self) -> Option<&Context<Arc<Gateway>>> {
        self.cx.get()
    }

    /// Something that is to be finished before the gateway stops.
    pub fn unfinished(&self) -> Option<Unfinished> {
        self.context().map(Context::unfinished)
    }

    /// Sends a request of `caller` and waits for the answer: who may not, or says what the contract does not, is told
    /// before anything is sent.
    pub async fn send(&self, caller: &Caller, flow: &Flow, request: Request) -> Result<Payload, Fault> {
        let Request { operation, mut payload, idempotency_key } = request;
        let contract = &operation.contract;
        caller.admit(contract)?;
        match operation.available {
            Available::Up => {}
            Available::Unwell => return Err(Fault::unavailable(format!("{} does not answer", operation.service))),
            Available::Gone => return Err(Fault::unavailable(format!("{} is not running", operation.service))),
        }
        fill_in(&mut payload, &contract.input_schema, caller.address);
        operation.check(&payload)?;
        let cx = self.context().ok_or_else(|| Fault::unavailable("the gateway is starting"))?;
        let kind = operation.kind();
        let call = Call {
            kind,
            message_type: contract.message_type.clone(),
            service: operation.service.clone(),
            payload: Payload::of(&payload).map_err(|error| Fault::validation(error.to_string()))?,
            timeout: if kind == Kind::Query { QUERY_TIMEOUT } else { COMMAND_TIMEOUT },
            repeatable: kind == Kind::Query || contract.metadata.idempotent || idempotency_key.is_some(),
            idempotency_key,
            priority: None,
        };
        let flow = Flow { auth: caller.auth_for(contract), ..flow.clone() };
        cx.send(call, &flow).await.map_err(|fault| named(fault, &operation))
    }
}

/// Which service it was that could not be reached, for those who look after it.
fn named(fault: Fault, operation: &Operation) -> Fault {
    if fault.details.is_none() && matches!(fault.code, FaultCode::CircuitBreakerOpen | FaultCode::RequestTimeout) {
        return fault.with_details(serde_json::json!({ "service": operation.service.as_str() }));
    }
    fault
}

/// Fills in what is not the caller's to say, whatever the caller said.
fn fill_in(payload: &mut Value, schema: &Value, address: IpAddr) {
    let (Some(fields), Some(properties)) = (payload.as_object_mut(), schema["properties"].as_object()) else { return };
    for (name, property) in properties {
        match property.get(FILLED_IN).and_then(Value::as_str) {
            Some("address") => {
                fields.insert(name.clone(), address.to_string().into());
            }
            Some(_) => {
                fields.remove(name);
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_the_callers_to_say_is_filled_in() {
        let schema = json!({ "properties": {
            "name": { "type": "string" },
            "ip": { "type": "string", "x-filled-in": "address" },
            "later": { "type": "string", "x-filled-in": "something new" },
        }});
        let mut payload = json!({ "name": "a", "ip": "1.2.3.4", "later": "x" });
        fill_in(&mut payload, &schema, IpAddr::from([10, 0, 0, 7]));
        assert_eq!(payload, json!({ "name": "a", "ip": "10.0.0.7" }));
        let mut payload = json!({ "name": "a" });
        fill_in(&mut payload, &schema, IpAddr::from([10, 0, 0, 7]));
        assert_eq!(payload["ip"], "10.0.0.7");
        let mut payload = json!([1]);
        fill_in(&mut payload, &schema, IpAddr::from([10, 0, 0, 7]));
        assert_eq!(payload, json!([1]));
    }
}
