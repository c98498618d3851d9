//! Servers on real sockets that speak just enough of a protocol to be asked whether they are there, and that can die,
//! freeze and come back on the same port.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{future::Future, io, net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{AbortHandle, JoinSet},
    time::{Instant, interval, timeout},
};

/// What a fake speaks.
#[derive(Clone, Copy)]
pub enum Speaks {
    Postgres,
    Rabbitmq,
    Redis,
    Http,
    /// Redis that answers `PING` with a refusal which repeats the password.
    IndiscreetRedis,
}

/// A server that can die, freeze and come back.
pub struct Fake {
    speaks: Speaks,
    pub address: SocketAddr,
    awake: watch::Sender<bool>,
    accepted: watch::Sender<usize>,
    task: Option<AbortHandle>,
}

impl Fake {
    pub async fn start(speaks: Speaks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut fake = Self {
            speaks,
            address: listener.local_addr().unwrap(),
            awake: watch::Sender::new(true),
            accepted: watch::Sender::new(0),
            task: None,
        };
        fake.serve(listener);
        fake
    }

    /// Reserves a port on which nobody listens yet.
    pub async fn absent(speaks: Speaks) -> Self {
        let mut fake = Self::start(speaks).await;
        fake.die();
        fake
    }

    /// Ends every connection and stops listening.
    pub fn die(&mut self) {
        self.task.take().unwrap().abort();
    }

    /// Listens again, on the same port.
    pub async fn come_back(&mut self) {
        // The port is free as soon as the aborted task is dropped.
        let listener = within("the port is free again", async || TcpListener::bind(self.address).await.ok()).await;
        self.serve(listener);
    }

    /// Keeps every connection open, accepts new ones, and says nothing more.
    pub fn freeze(&self) {
        self.awake.send_replace(false);
    }

    /// Goes on where it stopped.
    pub fn thaw(&self) {
        self.awake.send_replace(true);
    }

    /// Completes when `count` more connections have come in.
    pub async fn accepts(&self, count: usize) {
        let mut accepted = self.accepted.subscribe();
        let goal = *accepted.borrow() + count;
        let reached = accepted.wait_for(|accepted| *accepted >= goal);
        timeout(Duration::from_secs(20), reached).await.expect("nobody connects").unwrap();
    }

    fn serve(&mut self, listener: TcpListener) {
        let (speaks, awake) = (self.speaks, self.awake.subscribe());
        let accepted = self.accepted.clone();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                accepted.send_modify(|accepted| *accepted += 1);
                let awake = awake.clone();
                connections.spawn(async move {
                    let stream = Talk { stream: BufReader::new(stream), awake };
                    // A client may hang up whenever it likes.
                    let _ = match speaks {
                        Speaks::Postgres => postgres(stream).await,
                        Speaks::Rabbitmq => rabbitmq(stream).await,
                        Speaks::Redis => redis(stream, b"+PONG\r\n").await,
                        Speaks::IndiscreetRedis => redis(stream, b"-ERR no 'PING' after 'redis123'\r\n").await,
                        Speaks::Http => http(stream).await,
                    };
                });
            }
        });
        self.task = Some(task.abort_handle());
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

struct Talk {
    stream: BufReader<TcpStream>,
    awake: watch::Receiver<bool>,
}

impl Talk {
    async fn read(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).await?;
        Ok(bytes)
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.awake.wait_for(|awake| *awake).await.unwrap();
        self.stream.write_all(bytes).await
    }
}

async fn postgres(mut talk: Talk) -> io::Result<()> {
    let length = u32::from_be_bytes(talk.read(4).await?.try_into().unwrap());
    talk.read(length as usize - 4).await?;
    talk.say(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I").await?;
    loop {
        let head = talk.read(5).await?;
        let length = u32::from_be_bytes(head[1..].try_into().unwrap());
        talk.read(length as usize - 4).await?;
        match head[0] {
            b'Q' => talk.say(b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I").await?,
            _ => return Ok(()),
        }
    }
}

async fn redis(mut talk: Talk, to_ping: &[u8]) -> io::Result<()> {
    loop {
        let count: usize = talk.line().await?[1..].parse().unwrap();
        let mut words = Vec::new();
        for _ in 0..count {
            let length: usize = talk.line().await?[1..].parse().unwrap();
            words.push(talk.read(length + 2).await?);
        }
        if words[0].eq_ignore_ascii_case(b"PING\r\n") {
            talk.say(to_ping).await?;
        } else {
            talk.say(b"+OK\r\n").await?;
        }
    }
}

async fn http(mut talk: Talk) -> io::Result<()> {
    let request = talk.line().await?;
    while !talk.line().await?.is_empty() {}
    if request == "GET /health/live HTTP/1.1" {
        talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await
    } else {
        talk.say(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await
    }
}

async fn rabbitmq(mut talk: Talk) -> io::Result<()> {
    assert_eq!(talk.read(8).await?, b"AMQP\x00\x00\x09\x01");
    let start = b"\x00\x0a\x00\x0a\x00\x09\0\0\0\0\0\0\0\x05PLAIN\0\0\0\x05en_US";
    talk.say(&frame(0, start)).await?;
    loop {
        let head = talk.read(7).await?;
        let channel = u16::from_be_bytes(head[1..3].try_into().unwrap());
        let length = u32::from_be_bytes(head[3..7].try_into().unwrap());
        let payload = talk.read(length as usize + 1).await?;
        if head[0] != 1 {
            continue;
        }
        let answer: &[u8] = match (payload[1], payload[3]) {
            (10, 11) => b"\x00\x0a\x00\x1e\x07\xff\0\x02\0\0\0\x05", // start-ok -> tune
            (10, 40) => b"\x00\x0a\x00\x29\0",                       // open -> open-ok
            (10, 50) => b"\x00\x0a\x00\x33",                         // close -> close-ok
            (20, 10) => b"\x00\x14\x00\x0b\0\0\0\0",                 // channel open -> open-ok
            (20, 40) => b"\x00\x14\x00\x29",                         // channel close -> close-ok
            (40, 10) => b"\x00\x28\x00\x0b",                         // exchange declare -> declare-ok
            (60, 20) => b"\x00\x3c\x00\x15\x01c",                    // consume -> consume-ok
            (85, 10) => b"\x00\x55\x00\x0b",                         // confirm select -> select-ok
            _ => continue,
        };
        talk.say(&frame(channel, answer)).await?;
    }
}

fn frame(channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![1];
    frame.extend(channel.to_be_bytes());
    frame.extend((payload.len() as u32).to_be_bytes());
    frame.extend(payload);
    frame.push(0xce);
    frame
}

/// Three stores, and the environment that leads a service to them.
pub struct Stores {
    pub postgres: Fake,
    pub rabbitmq: Fake,
    pub redis: Fake,
}

impl Stores {
    pub async fn start() -> Self {
        Self {
            postgres: Fake::start(Speaks::Postgres).await,
            rabbitmq: Fake::start(Speaks::Rabbitmq).await,
            redis: Fake::start(Speaks::Redis).await,
        }
    }

    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let (postgres, rabbitmq, redis) = (self.postgres.address, self.rabbitmq.address, self.redis.address);
        vec![
            ("DATABASE_URL", format!("postgresql://actor_user:actor_pass123@{postgres}/eventstore")),
            ("RABBITMQ_URL", format!("amqp://admin:admin123@{rabbitmq}")),
            ("REDIS_URL", format!("redis://:redis123@{redis}")),
        ]
    }
}

/// An answer over HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Asks over a connection of its own.
pub async fn ask(address: SocketAddr, request: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    let (line, headers) = request.split_once('\n').unwrap_or((request, ""));
    let request = format!("{line} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(Answer { status: head[9..12].parse().unwrap(), head: head.to_owned(), body: body.to_owned() })
}

/// Asks again and again until there is an answer, for at most ten seconds.
pub async fn within<T, F: Future<Output = Option<T>>>(what: &str, mut attempt: impl FnMut() -> F) -> T {
    let mut tick = interval(Duration::from_millis(5));
    timeout(Duration::from_secs(10), async {
        loop {
            tick.tick().await;
            if let Some(value) = attempt().await {
                return value;
            }
        }
    })
    .await
    .unwrap_or_else(|_| panic!("waited in vain until {what}"))
}

/// How long it takes until `/health` answers with `status` and complains of exactly `unhealthy`.
pub async fn until_health(address: SocketAddr, status: u16, unhealthy: &[&str]) -> Duration {
    let asked = Instant::now();
    within(&format!("health is {status} because of {unhealthy:?}"), async || {
        let answer = ask(address, "GET /health").await.ok()?;
        let body = answer.json();
        let named: Vec<_> = body["dependencies"]
            .as_object()?
            .iter()
            .filter(|(_, state)| state["status"] != "healthy")
            .map(|(name, _)| name.as_str())
            .collect();
        (answer.status == status && named == unhealthy).then_some(())
    })
    .await;
    asked.elapsed()
}
