//! `GET /api/events`: server-sent events.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use banyan_sdk::{
    Fault, Flow,
    clock::Now,
    ids,
    protocol::{Category, FaultCode},
};
use futures_util::stream;
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::{
    Filters, Seat,
    door::query,
    event::part,
    fan::News,
    known::Known,
    listener::{Listener, Wish, no_such_event},
};
use crate::{Gateway, caller::Caller, problem};

/// How often a client is told that somebody is there.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// How long a stream without events is kept.
const IDLE: Duration = Duration::from_secs(600);
/// What a filter is called in the address: `filter.status=open`.
const FILTER: &str = "filter.";

/// `GET /api/events`.
pub(super) async fn get(
    State(gateway): State<Arc<Gateway>>,
    Extension(caller): Extension<Arc<Caller>>,
    Extension(flow): Extension<Arc<Flow>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    match open(&gateway, caller, &uri, &headers).await {
        Ok(events) => events.response(),
        Err(Refused { fault, denied }) if denied.is_empty() => problem::response(&fault, &flow.correlation_id),
        Err(Refused { fault, denied }) => {
            let mut body = problem::body(&fault, &flow.correlation_id);
            body["deniedEvents"] = json!(denied);
            (problem::status(&fault), [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
        }
    }
}

/// Why there are no events, and which ones somebody may not see.
struct Refused {
    fault: Fault,
    denied: Vec<String>,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self { fault, denied: vec![] }
    }
}

async fn open(gateway: &Gateway, caller: Arc<Caller>, uri: &Uri, headers: &HeaderMap) -> Result<Events, Refused> {
    let door = &gateway.events;
    let caller = door.who(&gateway.who, caller, uri).await?;
    let mut query = query(uri);
    let names = wanted(&door.hub.known(), &caller, query.remove("events").as_deref())?;
    let filters = query.iter().filter_map(|(name, value)| Some((name.strip_prefix(FILTER)?.to_owned(), value.clone())));
    let filters = Filters::of_text(filters).map_err(Fault::validation)?;
    let seat = door.streams.take(caller.key()).map_err(|full| Fault::unavailable(full.reason()))?;

    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let last = last.or_else(|| query.remove("lastEventId")).filter(|id| !id.is_empty());
    // what is asked for by name has the bounds of an address already
    let mut listener = door.hub.listen(caller).unlimited();
    let wishes = names.into_iter().map(|name| Wish { name, filters: filters.clone() });
    listener.subscribe(wishes.collect(), last.as_deref()).await?;
    Ok(Events::new(listener, seat))
}

/// The events that are asked for by name, all of which the caller may see; or all that the caller may see.
fn wanted(known: &Known, caller: &Caller, events: Option<&str>) -> Result<Vec<String>, Refused> {
    let named = events.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
    let mut names: Vec<String> = named.map(str::to_owned).collect();
    if names.is_empty() {
        if caller.auth.is_none() {
            return Err(crate::caller::unauthorized("NO_AUTH_HEADER", "authentication is required").into());
        }
        return Ok(known.open_to(caller));
    }
    names.sort_unstable();
    names.dedup();
    let mut first = None;
    let mut denied = Vec::new();
    for name in &names {
        let meant = known.find(name).ok_or_else(|| no_such_event(name))?;
        match meant.admit(caller) {
            Ok(()) => {}
            Err(fault) if fault.code.category() == Category::Denied => {
                denied.push(name.clone());
                first.get_or_insert(fault);
            }
            Err(fault) => return Err(fault.into()),
        }
    }
    match first {
        None => Ok(names),
        Some(fault) => {
            let message = format!("missing permissions for {}", denied.join(", "));
            Err(Refused { fault: Fault { message, code: FaultCode::Authorization, ..fault }, denied })
        }
    }
}

/// A stream that is open.
struct Events {
    listener: Listener,
    _seat: Seat,
    /// Parts that are written already.
    ready: VecDeque<Bytes>,
    /// When the last part was written.
    wrote: Instant,
    /// When the last event came.
    told: Instant,
    ended: bool,
}

impl Events {
    fn new(listener: Listener, seat: Seat) -> Self {
        let id = ids::message(ids::random()).replace("msg_", "sse_");
        let hello = json!({ "connectionId": id, "timestamp": Now::read().wall });
        let hello = part(Some("connected"), None, &hello.to_string());
        let now = Instant::now();
        Self { listener, _seat: seat, ready: VecDeque::from([hello.into()]), wrote: now, told: now, ended: false }
    }

    fn response(self) -> Response {
        let parts = stream::unfold(self, async |mut events| {
            let next = events.next().await?;
            Some((Ok::<_, Infallible>(next), events))
        });
        let mut answer = (StatusCode::OK, Body::from_stream(parts)).into_response();
        for (name, value) in [
            (header::CONTENT_TYPE, "text/event-stream"),
            (header::CACHE_CONTROL, "no-store"),
            // for proxies that collect what they pass on
            (header::HeaderName::from_static("x-accel-buffering"), "no"),
        ] {
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        answer
    }

    /// The next part; nothing after the last one.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(ready) = self.ready.pop_front() {
            return Some(ready);
        }
        if self.ended {
            return None;
        }
        let part = tokio::select! {
            news = self.listener.next() => match news {
                Ok(News::Event(event, name)) => {
                    self.told = Instant::now();
                    event.part(&name).into()
                }
                Ok(News::Gap(name)) => gap(name.as_deref()),
                Err(ended) => self.close(ended.reason()),
            },
            () = sleep_until((self.wrote + HEARTBEAT).min(self.told + IDLE)) => {
                if Instant::now() >= self.told + IDLE {
                    self.close("idle")
                } else {
                    format!(": heartbeat {}\n\n", Now::read().wall).into()
                }
            }
        };
        self.wrote = Instant::now();
        Some(part)
    }

    fn close(&mut self, reason: &str) -> Bytes {
        self.ended = true;
        part(Some("close"), None, &json!({ "reason": reason }).to_string()).into()
    }
}

fn gap(name: Option<&str>) -> Bytes {
    let data = name.map_or_else(|| json!({}), |name| json!({ "eventType": name }));
    part(Some("gap"), None, &data.to_string()).into()
}
