//! What these tests share: a log that handlers write and tests wait for, and messages that no SDK would send.

use std::time::Duration;

use banyan_sdk::{
    bus::{Bus, Message, Sending, Target},
    protocol::names::ServiceName,
    testing::TestService,
};
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

/// Longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What handlers did, in order.
pub struct Log(watch::Sender<Vec<String>>);

impl Default for Log {
    fn default() -> Self {
        Self(watch::Sender::new(Vec::new()))
    }
}

impl Log {
    pub fn note(&self, line: impl Into<String>) {
        self.0.send_modify(|lines| lines.push(line.into()));
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    /// How often `line` was noted.
    pub fn count(&self, line: &str) -> usize {
        self.0.borrow().iter().filter(|it| *it == line).count()
    }

    /// Waits until so many lines are there.
    pub async fn until(&self, lines: usize) -> Vec<String> {
        let mut seen = self.0.subscribe();
        let enough = timeout(PATIENCE, seen.wait_for(|all| all.len() >= lines)).await;
        enough.unwrap_or_else(|_| panic!("{lines} lines expected: {:?}", self.lines())).unwrap().clone()
    }
}

pub fn service(name: &str) -> ServiceName {
    ServiceName::new(name).unwrap()
}

pub fn soon() -> Instant {
    Instant::now() + PATIENCE
}

/// An envelope as another SDK might write it.
pub fn envelope(id: &str, message_type: &str, payload: Value, metadata: Value) -> Value {
    json!({
        "id": id,
        "correlationId": format!("cor-{id}"),
        "timestamp": "2030-01-01T00:00:00.000Z",
        "serviceName": "other-service",
        "messageType": message_type,
        "payload": payload,
        "metadata": metadata,
    })
}

/// Puts a body into a queue, for nobody to answer.
pub async fn put(test: &TestService, queue: &str, body: impl ToString) {
    let message = Message::durable("m", body.to_string());
    test.broker().connect().send(&Target::queue(queue), message, Sending::confirmed(soon())).await.unwrap();
}

/// Puts a body into a queue and waits for the answer.
pub async fn ask(test: &TestService, queue: &str, body: impl ToString) -> Value {
    let message = Message::transient("m", body.to_string());
    let answer = test.broker().connect().request(&Target::queue(queue), message, soon()).await.unwrap();
    serde_json::from_slice(&answer.body).unwrap()
}
