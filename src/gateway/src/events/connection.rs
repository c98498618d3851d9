//! One WebSocket: takes what the client says, and tells it what happens.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Bytes,
    extract::ws::{Message, Utf8Bytes, WebSocket},
};
use banyan_sdk::clock::Now;
use futures_util::{FutureExt as _, SinkExt as _};
use tokio::time::{sleep_until, timeout};

use super::{
    Ended, Seat,
    fan::News,
    listener::{Listener, Wish},
    messages::{Incoming, Malformed, Outgoing, Proof},
    pulse::{Beat, Manners, Pulse},
    websocket::{self, GOING_AWAY, NOT_KNOWN, POLICY, TOO_LARGE, TOO_SLOW, TRY_LATER},
};
use crate::Gateway;

/// The longest message of a client, in bytes.
pub(super) const LONGEST_MESSAGE: usize = 16 * 1024;
/// How long one message to a client may take.
const SEND: Duration = Duration::from_secs(10);
/// How long a client has to answer a close.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);
/// How long a client that is not known may do nothing.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many events are written before they are sent.
const BATCH: usize = 64;

/// Why a WebSocket is closed: a code and a reason.
type Close = (u16, &'static str);

/// Serves a client until it goes, or has to.
pub(super) async fn run(mut socket: WebSocket, gateway: Arc<Gateway>, listener: Listener, seat: Seat, foreign: bool) {
    let now = Instant::now();
    let mut session = Session {
        gateway,
        listener,
        _seat: seat,
        foreign,
        pulse: Pulse::new(now),
        manners: Manners::new(now),
        began: now,
    };
    if let Some((code, reason)) = session.serve(&mut socket).await {
        websocket::close(socket, code, reason).await;
    }
}

/// What is known of a client.
struct Session {
    gateway: Arc<Gateway>,
    listener: Listener,
    _seat: Seat,
    foreign: bool,
    pulse: Pulse,
    manners: Manners,
    began: Instant,
}

impl Session {
    /// Nothing when the client is gone.
    async fn serve(&mut self, socket: &mut WebSocket) -> Option<Close> {
        loop {
            let due = self.due();
            tokio::select! {
                message = socket.recv() => {
                    let message = match message? {
                        Ok(message) => message,
                        // larger than anything that is read, or no WebSocket any more
                        Err(_) => return Some((POLICY, "not to be read")),
                    };
                    self.pulse.heard(Instant::now());
                    let (answer, close) = self.hear(message).await;
                    if let Some(answer) = answer {
                        send(socket, [Message::Text(answer)]).await?;
                    }
                    if close.is_some() {
                        return close;
                    }
                }
                news = self.listener.next() => match news {
                    Ok(news) => {
                        let batch = self.batch(news);
                        send(socket, batch).await?;
                    }
                    Err(ended) => return Some(closing(ended)),
                },
                () = sleep_until(due.into()) => {
                    let now = Instant::now();
                    if self.is_stranger() && now >= self.began + PATIENCE {
                        return Some((NOT_KNOWN, "not authenticated"));
                    }
                    match self.pulse.beat(now) {
                        Beat::Wait => {}
                        Beat::Ask => send(socket, [Message::Ping(Bytes::new())]).await?,
                        Beat::Dead => return Some((POLICY, "no answer")),
                    }
                }
            }
        }
    }

    /// Whether nobody knows who it is, nor what it is here for.
    fn is_stranger(&self) -> bool {
        self.listener.caller().auth.is_none() && self.listener.is_idle()
    }

    fn due(&self) -> Instant {
        if self.is_stranger() { self.pulse.due().min(self.began + PATIENCE) } else { self.pulse.due() }
    }

    /// These news and those that have come by now.
    fn batch(&mut self, first: News) -> Vec<Message> {
        let mut batch = vec![text(&first)];
        while batch.len() < BATCH {
            // the end, whatever it is, is told again
            let Some(Ok(news)) = self.listener.next().now_or_never() else { break };
            batch.push(text(&news));
        }
        batch
    }

    /// What is said to a message, and whether that was all.
    async fn hear(&mut self, message: Message) -> (Option<Utf8Bytes>, Option<Close>) {
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => return self.malformed(&binary()),
            // answered by the library, and a close by the end of the messages
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return (None, None),
        };
        if !self.manners.message(Instant::now()) {
            return (None, Some((POLICY, "too many messages")));
        }
        if text.len() > LONGEST_MESSAGE {
            return (None, Some((TOO_LARGE, "message too large")));
        }
        match Incoming::read(text.as_bytes()) {
            Err(malformed) => self.malformed(&malformed),
            Ok(Incoming::Subscribe { event_type, filters, last_event_id }) => {
                let wish = Wish { name: event_type.clone(), filters };
                let told = match self.listener.subscribe(vec![wish], last_event_id.as_deref()).await {
                    Ok(()) => Outgoing::Subscribed(&event_type).write(),
                    Err(fault) => Outgoing::NotSubscribed(&event_type, &fault).write(),
                };
                (Some(told), None)
            }
            Ok(Incoming::Unsubscribe { event_type }) => {
                // told even where there was nothing: the client gets none of it, as it wished
                self.listener.unsubscribe(&event_type);
                (Some(Outgoing::Unsubscribed(&event_type).write()), None)
            }
            Ok(Incoming::Ping { timestamp }) => (Some(Outgoing::Pong(timestamp, Now::read().wall).write()), None),
            Ok(Incoming::Pong) => (None, None),
            Ok(Incoming::Auth(proof)) => self.authenticate(proof).await,
        }
    }

    fn malformed(&mut self, malformed: &Malformed) -> (Option<Utf8Bytes>, Option<Close>) {
        let enough = !self.manners.malformed();
        (Some(Outgoing::Malformed(malformed).write()), enough.then_some((POLICY, "too many malformed messages")))
    }

    async fn authenticate(&mut self, proof: Proof) -> (Option<Utf8Bytes>, Option<Close>) {
        let caller = self.listener.caller();
        if caller.auth.is_some() || !self.listener.is_idle() {
            return self.not_authenticated("that comes first, and once");
        }
        let gateway = Arc::clone(&self.gateway);
        let (door, who) = (&gateway.events, &gateway.who);
        let caller = match door.proved(who, proof, caller.address, self.foreign).await {
            Ok(caller) => caller,
            Err(fault) => return self.not_authenticated(crate::problem::message(&fault)),
        };
        let user = caller.auth.as_ref().map(|auth| auth.user_id.clone()).unwrap_or_default();
        match door.websockets.take(caller.key()) {
            Ok(seat) => self._seat = seat,
            Err(full) => return (None, Some((TRY_LATER, full.reason()))),
        }
        self.listener = door.hub.listen(Arc::new(caller));
        (Some(Outgoing::Authenticated(&user).write()), None)
    }

    fn not_authenticated(&mut self, error: &str) -> (Option<Utf8Bytes>, Option<Close>) {
        let enough = !self.manners.malformed();
        (Some(Outgoing::NotAuthenticated(error).write()), enough.then_some((NOT_KNOWN, "not authenticated")))
    }
}

fn binary() -> Malformed {
    Malformed { code: "INVALID_MESSAGE", problem: "a message is text".to_owned() }
}

fn text(news: &News) -> Message {
    Message::Text(match news {
        News::Event(event, name) => event.message(name),
        News::Gap(name) => Outgoing::Gap(name.as_deref()).write(),
    })
}

const fn closing(ended: Ended) -> Close {
    let code = match ended {
        Ended::TooSlow => TOO_SLOW,
        Ended::Expired => NOT_KNOWN,
        Ended::Stopping => GOING_AWAY,
    };
    (code, ended.reason())
}

/// Sends messages; nothing when the client is gone, or takes too long.
async fn send(socket: &mut WebSocket, messages: impl IntoIterator<Item = Message>) -> Option<()> {
    let sending = async {
        for message in messages {
            socket.feed(message).await?;
        }
        socket.flush().await
    };
    timeout(SEND, sending).await.ok()?.ok()
}
