//! A broker of a test's own, which it may kill.

use std::{
    net::TcpListener,
    path::PathBuf,
    sync::atomic::{AtomicU16, Ordering},
};

use tokio::process::Command;

use super::setting;

pub struct Broker {
    /// What it knows, under `data`.
    pub folder: PathBuf,
    pub port: u16,
}

impl Broker {
    pub async fn start() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("banyan-bus-{}-{number}", std::process::id()));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let broker = Self { folder, port };
        broker.order(&["start"]).await;
        broker
    }

    pub fn url(&self) -> String {
        format!("amqp://127.0.0.1:{}", self.port)
    }

    pub async fn kill(&self) {
        self.order(&["kill"]).await;
    }

    /// Has it write down which queues there are. RabbitMQ does so a while after it said that a queue was made; killed in
    /// between, it comes back with a queue that has no leader and takes nothing (rabbitmq-server#15725).
    pub async fn remember_queues(&self) {
        self.evaluate("[dets:sync(Table) || Table <- dets:all()]").await;
    }

    /// What it says of its queues and their consumers.
    pub async fn queues(&self) -> String {
        let asked = "[name, leader, messages_ready, messages_unacknowledged, consumers, state]";
        self.evaluate(&format!(
            "{{rabbit_amqqueue:info_all(<<\"/\">>, {asked}), rabbit_amqqueue:consumers_all(<<\"/\">>)}}"
        ))
        .await
    }

    /// How many messages are in the queues whose names have this in them, handed out or not.
    pub async fn messages(&self, name: &str) -> usize {
        let every = "rabbit_amqqueue:info_all(<<\"/\">>, [name, messages])";
        let one = "[{name, {resource, _, _, N}}, {messages, M}]";
        let filter = format!("is_integer(M), binary:match(N, <<\"{name}\">>) =/= nomatch");
        let sum = self.evaluate(&format!("lists:sum([M || {one} <- {every}, {filter}])")).await;
        sum.trim().parse().unwrap_or_else(|_| panic!("{sum}"))
    }

    /// Starts it again with its data; returns as soon as it answers.
    pub async fn restart(&self) {
        self.order(&["start"]).await;
    }

    /// For when a restart was given up half way.
    pub async fn restart_if_dead(&self) {
        self.order(&["ensure"]).await;
    }

    /// Stops it in its tracks.
    pub async fn pause(&self) {
        self.order(&["pause"]).await;
    }

    pub async fn block(&self) {
        self.order(&["block"]).await;
    }

    pub async fn unblock(&self) {
        self.order(&["unblock"]).await;
    }

    /// An Erlang expression in the broker.
    pub async fn evaluate(&self, expression: &str) -> String {
        self.order(&["eval", expression]).await
    }

    async fn order(&self, order: &[&str]) -> String {
        let mut command = Command::new(setting("BANYAN_TEST_BROKER"));
        command.arg(order[0]).arg(&self.folder);
        command.arg(order.get(1).map_or_else(|| self.port.to_string(), |argument| (*argument).to_owned()));
        let output = command.output().await.expect("BANYAN_TEST_BROKER is a program");
        let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{order:?}: {out}{error}");
        out.into_owned()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let mut kill = std::process::Command::new(setting("BANYAN_TEST_BROKER"));
        // It is gone already when the test killed it last.
        let _ = kill.arg("kill").arg(&self.folder).output();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
