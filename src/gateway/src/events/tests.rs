//! The door over real sockets, with the bus in memory: every row of the tables in `EVENTS.md` that needs no clock.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::middleware;
use banyan_sdk::{
    bus::{
        Bus, Message as OnBus, Sending, Target,
        memory::{MemoryBroker, SystemClock},
    },
    protocol::names,
};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest, http::Response},
};

use super::{event::tests::envelope, support::catalog, *};
use crate::{doors::Doors, entry, room::Room};

struct Running {
    address: SocketAddr,
    gateway: Arc<Gateway>,
    bus: Arc<dyn Bus>,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn start(change: impl FnOnce(&mut Settings)) -> Running {
    let env = |name: &str| match name {
        "NODE_ENV" => Some("development".to_owned()),
        "RABBITMQ_URL" => Some("amqp://127.0.0.1".to_owned()),
        "JWT_SECRET" => Some("a secret that is long enough for the tests".to_owned()),
        "DEVELOPMENT_AUTH_ENABLED" => Some("true".to_owned()),
        _ => None,
    };
    let read = crate::Settings::read(&env).map_err(|error| error.to_string()).ok().unwrap();
    let catalog = catalog(&[
        ("user-service", "UserCreated", &["users:read"]),
        ("user-service", "UserDeleted", &["users:delete"]),
        ("user-service", "Shop.Events.Opened", &["public"]),
    ]);
    let doors = watch::Sender::new(Arc::new(Doors::new(catalog)));
    let mut settings = Settings::new(true);
    change(&mut settings);
    let now = doors.subscribe();
    let events = Door::new(settings, move || now.borrow().events.clone());
    let bus: Arc<dyn Bus> = Arc::new(MemoryBroker::new(SystemClock).connect());
    events.hub.open(bus.clone(), &"api-gateway".parse().unwrap());
    let gateway = Arc::new(Gateway { room: Room::default(), who: read.who, doors, events, access_log: false });
    let routes = router()
        .with_state(gateway.clone())
        .layer(middleware::from_fn_with_state(gateway.clone(), entry::enter))
        .into_make_service_with_connect_info::<SocketAddr>();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Running { address, gateway, bus }
}

impl Running {
    async fn publish(&self, event: &str, id: &str, payload: &str) {
        let key = names::event_key(&"user-service".parse().unwrap(), event);
        let sending = Sending::confirmed(Instant::now() + Duration::from_secs(10)).optional();
        let message = OnBus::durable(id, envelope(event, id, payload).write());
        self.bus.send(&Target::event(key), message, sending).await.unwrap();
    }

    async fn connect(&self, path: &str, headers: &[(&'static str, &str)]) -> Result<Socket, Response<Option<Vec<u8>>>> {
        let mut request = format!("ws://{}{path}", self.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(socket),
            Err(Error::Http(refused)) => Err(*refused),
            Err(error) => panic!("{error}"),
        }
    }

    async fn developer(&self, permissions: &str) -> Socket {
        self.connect("/ws", &[("x-dev-user-id", "ann"), ("x-dev-permissions", permissions)]).await.unwrap()
    }

    /// A ticket for somebody with these permissions.
    async fn ticket(&self, permissions: &str) -> String {
        let headers = format!("X-Dev-User-Id: ann\r\nX-Dev-Permissions: {permissions}\r\n");
        let answer = self.ask("POST", "/api/tickets", &headers).await;
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        assert_eq!(body["expiresIn"], 30);
        body["ticket"].as_str().unwrap().to_owned()
    }

    async fn send(&self, method: &str, path: &str, headers: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.address);
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    /// An answer as a whole.
    async fn ask(&self, method: &str, path: &str, headers: &str) -> String {
        let mut stream = self.send(method, path, &format!("Connection: close\r\n{headers}")).await;
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        timeout(Duration::from_secs(10), read).await.expect("no answer").unwrap();
        answer
    }
}

async fn say(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

/// The next message, or `close CODE REASON`.
async fn hear(socket: &mut Socket) -> Value {
    loop {
        let next = timeout(Duration::from_secs(20), socket.next()).await.expect("nothing is said");
        match next.expect("it is closed").unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Close(frame) => {
                let frame = frame.unwrap();
                return json!(format!("close {} {}", u16::from(frame.code), frame.reason));
            }
            _ => {}
        }
    }
}

async fn subscribe(socket: &mut Socket, event: &str) {
    say(socket, json!({ "type": "subscribe", "eventType": event })).await;
    assert_eq!(hear(socket).await, json!({ "type": "subscribe_success", "eventType": event }));
}

#[tokio::test]
async fn a_websocket_says_what_happens() {
    let running = start(|_| ()).await;
    let mut socket = running.developer("users:read").await;
    say(&mut socket, json!({ "type": "subscribe", "event": "User.Events.UserCreated", "filters": { "n": 1 } })).await;
    assert_eq!(hear(&mut socket).await["type"], "subscribe_success");
    running.publish("UserCreated", "1", r#"{"n":2}"#).await;
    running.publish("UserCreated", "2", r#"{"n":1}"#).await;
    let event = hear(&mut socket).await;
    assert_eq!((&event["eventType"], &event["payload"]), (&json!("User.Events.UserCreated"), &json!({ "n": 1 })));
    assert_eq!((&event["type"], &event["correlationId"]), (&json!("event"), &json!("cor_1")));

    say(&mut socket, json!({ "type": "subscribe", "eventType": "UserDeleted" })).await;
    let refused = hear(&mut socket).await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("subscribe_error"), &json!("PERMISSION_DENIED")));
    say(&mut socket, json!({ "type": "subscribe", "eventType": "Nothing" })).await;
    assert_eq!(hear(&mut socket).await["code"], "EVENT_NOT_FOUND");
    say(&mut socket, json!({ "type": "ping", "timestamp": "t" })).await;
    assert_eq!(hear(&mut socket).await["pingTimestamp"], "t");
    say(&mut socket, json!({ "type": "unsubscribe", "eventType": "User.Events.UserCreated" })).await;
    assert_eq!(hear(&mut socket).await["type"], "unsubscribe_success");

    subscribe(&mut socket, "UserCreated").await;
    running.publish("UserCreated", "3", "{}").await;
    let last = hear(&mut socket).await["id"].clone();
    socket.close(None).await.unwrap();
    running.publish("UserCreated", "4", r#"{"n":4}"#).await;
    let mut again = running.developer("users:*").await;
    say(&mut again, json!({ "type": "subscribe", "eventType": "UserCreated", "lastEventId": last })).await;
    assert_eq!(hear(&mut again).await["type"], "subscribe_success");
    assert_eq!(hear(&mut again).await["payload"], json!({ "n": 4 }));
    say(&mut again, json!({ "type": "subscribe", "eventType": "UserCreated", "lastEventId": "UserCreated-1-1" })).await;
    assert_eq!(hear(&mut again).await["type"], "subscribe_success");
    assert_eq!(hear(&mut again).await, json!({ "type": "gap", "eventType": "UserCreated" }));
}

#[tokio::test]
async fn who_may_open_a_websocket() {
    let running = start(|settings| settings.origins = vec!["https://app.example".to_owned()]).await;
    let own = format!("http://{}", running.address);
    for (origin, status) in [
        ("http://evil.example", Some(403)),
        ("http://localhost:5173", Some(403)),
        ("null", Some(403)),
        (own.as_str(), None),
        ("https://app.example", None),
    ] {
        let told = running.connect("/ws", &[("origin", origin)]).await.err().map(|refused| refused.status().as_u16());
        assert_eq!(told, status, "{origin}");
    }
    let wrong = running.connect("/ws", &[("authorization", "Bearer x")]).await.err().unwrap();
    assert_eq!(wrong.status(), 401);
    let plain = running.ask("GET", "/ws", "").await;
    assert!(plain.starts_with("HTTP/1.1 426") && plain.contains("upgrade: websocket"), "{plain}");

    for path in ["/ws?token=x", "/ws?ticket=x"] {
        let mut socket = running.connect(path, &[]).await.unwrap();
        assert_eq!(hear(&mut socket).await, "close 4001 invalid token", "{path}");
    }
    let ticket = running.ticket("users:read").await;
    let mut socket = running.connect(&format!("/ws?ticket={ticket}"), &[]).await.unwrap();
    subscribe(&mut socket, "UserCreated").await;
    let mut twice = running.connect(&format!("/ws?ticket={ticket}"), &[]).await.unwrap();
    assert_eq!(hear(&mut twice).await, "close 4001 invalid token");
    assert!(running.ask("POST", "/api/tickets", "").await.starts_with("HTTP/1.1 401"));
}

#[tokio::test]
async fn a_client_may_say_later_who_it_is() {
    let running = start(|_| ()).await;
    let mut socket = running.connect("/ws", &[]).await.unwrap();
    say(&mut socket, json!({ "type": "subscribe", "eventType": "UserCreated" })).await;
    assert_eq!(hear(&mut socket).await["code"], "UNAUTHENTICATED");
    say(&mut socket, json!({ "type": "auth", "token": "x" })).await;
    assert_eq!(hear(&mut socket).await["type"], "auth_error");
    say(&mut socket, json!({ "type": "auth", "userId": "ann", "permissions": ["users:read"] })).await;
    assert_eq!(hear(&mut socket).await, json!({ "type": "auth_success", "userId": "ann" }));
    subscribe(&mut socket, "UserCreated").await;
    say(&mut socket, json!({ "type": "auth", "userId": "bob" })).await;
    assert_eq!(hear(&mut socket).await["type"], "auth_error");

    // A listed page is no developer's.
    let running = start(|settings| settings.origins = vec!["https://app.example".to_owned()]).await;
    let mut page = running.connect("/ws", &[("origin", "https://app.example")]).await.unwrap();
    say(&mut page, json!({ "type": "auth", "userId": "ann", "permissions": ["*"] })).await;
    assert_eq!(hear(&mut page).await["type"], "auth_error");
    subscribe(&mut page, "Opened").await;
}

#[tokio::test]
async fn who_breaks_the_rules_is_told_and_closed() {
    let running = start(|settings| settings.websockets_each = 2).await;
    let mut socket = running.developer("").await;
    for _ in 0..5 {
        say(&mut socket, json!([])).await;
        assert_eq!(hear(&mut socket).await["code"], "INVALID_JSON");
    }
    assert_eq!(hear(&mut socket).await, "close 1008 too many malformed messages");
    let mut socket = running.developer("").await;
    say(&mut socket, json!("x".repeat(connection::LONGEST_MESSAGE))).await;
    assert_eq!(hear(&mut socket).await, "close 1009 message too large");
    drop(socket);
    let free = async {
        while running.gateway.events.websockets.count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), free).await.expect("a place is kept");
    let _both = (running.developer("").await, running.developer("").await);
    let full = running.connect("/ws", &[("x-dev-user-id", "ann")]).await.err().unwrap();
    assert_eq!((full.status().as_u16(), &full.headers()["retry-after"]), (503, &"1".parse().unwrap()));
    assert!(running.connect("/ws", &[("x-dev-user-id", "bob")]).await.is_ok());
}

#[tokio::test]
async fn a_slow_client_is_closed_and_others_feel_nothing() {
    let running = start(|settings| settings.hub.capacity = 8).await;
    let (mut slow, mut quick) = (running.developer("users:read").await, running.developer("users:read").await);
    subscribe(&mut slow, "UserCreated").await;
    subscribe(&mut quick, "UserCreated").await;
    let payload = json!("x".repeat(1 << 20)).to_string();
    for n in 0..60 {
        running.publish("UserCreated", &n.to_string(), &payload).await;
        assert_eq!(hear(&mut quick).await["type"], "event", "{n}");
    }
    let mut events = 0;
    let end = loop {
        let told = hear(&mut slow).await;
        if told.is_string() {
            break told;
        }
        events += 1;
    };
    assert_eq!(end, "close 4008 too slow");
    assert!(events < 60, "{events}");
}

#[tokio::test]
async fn all_are_told_that_the_gateway_stops() {
    let running = start(|_| ()).await;
    let mut socket = running.developer("users:read").await;
    let mut stream = running.send("GET", "/api/events", DEVELOPER).await;
    until(&mut stream, "event: connected").await;
    let closing = running.gateway.clone();
    let closed = tokio::spawn(async move { closing.events.close().await });
    assert_eq!(hear(&mut socket).await, "close 1001 shutdown");
    drop(socket);
    until(&mut stream, "event: close\ndata: {\"reason\":\"shutdown\"}\n\n").await;
    closed.await.unwrap();
    assert_eq!(running.gateway.events.websockets.count(), 0);
}

const DEVELOPER: &str = "X-Dev-User-Id: ann\r\nX-Dev-Permissions: users:read\r\n";

/// Reads until a text is there; all of it.
async fn until(stream: &mut TcpStream, text: &str) -> String {
    let mut all = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&all).contains(text) {
            assert_ne!(stream.read_buf(&mut all).await.unwrap(), 0, "the end, before {text}");
        }
    };
    if timeout(Duration::from_secs(10), read).await.is_err() {
        panic!("no {text} in {}", String::from_utf8_lossy(&all));
    }
    String::from_utf8(all).unwrap()
}

#[tokio::test]
async fn a_stream_says_what_happens() {
    let running = start(|_| ()).await;
    let mut stream = running.send("GET", "/api/events?events=UserCreated&filter.n=1", DEVELOPER).await;
    let head = until(&mut stream, "event: connected\ndata: {\"connectionId\":\"sse_").await;
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("content-type: text/event-stream"), "{head}");
    running.publish("UserCreated", "1", r#"{"n":2}"#).await;
    running.publish("UserCreated", "2", "{\"n\":\n1}").await;
    let told = until(&mut stream, "data: {\"n\": 1}\n\n").await;
    assert!(!told.contains("\"n\":2"), "{told}");
    let id = told.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
    drop(stream);
    running.publish("UserCreated", "3", r#"{"n":3}"#).await;
    let again = format!("{DEVELOPER}Last-Event-ID: {id}\r\n");
    let mut stream = running.send("GET", "/api/events", &again).await;
    until(&mut stream, "data: {\"n\":3}").await;
    let lost = format!("{DEVELOPER}Last-Event-ID: UserCreated-1-1\r\n");
    let mut stream = running.send("GET", "/api/events?events=UserCreated", &lost).await;
    until(&mut stream, "event: gap\ndata: {\"eventType\":\"UserCreated\"}\n\n").await;
}

#[tokio::test]
async fn who_may_have_a_stream() {
    let running = start(|_| ()).await;
    let status = |answer: &str| answer[9..12].to_owned();
    assert_eq!(status(&running.ask("GET", "/api/events", "").await), "401");
    assert_eq!(status(&running.ask("GET", "/api/events?events=UserCreated", "").await), "401");
    assert_eq!(status(&running.ask("GET", "/api/events?token=x", "").await), "401");
    assert_eq!(status(&running.ask("GET", "/api/events?events=Nothing", DEVELOPER).await), "404");
    let bad = running.ask("GET", "/api/events?filter.a..b=1", DEVELOPER).await;
    assert_eq!(status(&bad), "400");
    let denied = running.ask("GET", "/api/events?events=UserDeleted,UserCreated", DEVELOPER).await;
    assert!(status(&denied) == "403" && denied.contains(r#""deniedEvents":["UserDeleted"]"#), "{denied}");

    let mut anonymous = running.send("GET", "/api/events?events=Opened", "").await;
    until(&mut anonymous, "event: connected").await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        let ticket = running.ticket("users:read").await;
        let mut stream = running.send("GET", &format!("/api/events?ticket={ticket}"), "").await;
        until(&mut stream, "event: connected").await;
        streams.push(stream);
    }
    let full = running.ask("GET", "/api/events", DEVELOPER).await;
    assert!(status(&full) == "503" && full.contains("retry-after: "), "{full}");
}
