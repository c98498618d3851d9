//! Clients that know nothing of banyan: they log in and ask, each in the server's own protocol.

use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use sqlx::{ConnectOptions, Connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::stage::text;

/// The longest that one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(2);
/// Between two attempts while waiting for the first answer.
const PAUSE: Duration = Duration::from_millis(5);
/// An attempt that takes longer than this is no longer alone.
const BESIDE: Duration = Duration::from_millis(50);

/// Whom to ask, and how.
#[derive(Debug, Clone)]
pub struct Target {
    pub service: String,
    pub host: String,
    pub port: u16,
    pub protocol: Protocol,
}

/// The protocol, with what a login needs.
#[derive(Debug, Clone)]
pub enum Protocol {
    Sql { user: String, password: String, database: String },
    Amqp { user: String, password: String },
    Redis { password: Option<String> },
    Http { path: String },
}

/// All clients.
pub struct Clients(Runtime);

impl Clients {
    pub fn new() -> Result<Self, String> {
        tokio::runtime::Builder::new_current_thread().enable_all().build().map(Self).map_err(text)
    }

    /// Logs in to all of them at once, one attempt each. The error names those that did not answer.
    pub fn all_at_once(&self, targets: &[Target]) -> Result<(), String> {
        let attempts = futures_util::future::join_all(targets.iter().map(Target::attempt));
        let answers = self.0.block_on(attempts);
        let failed: Vec<String> = targets
            .iter()
            .zip(answers)
            .filter_map(|(target, answer)| Some(format!("{}: {}", target.service, answer.err()?)))
            .collect();
        if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
    }

    /// Asks until there is an answer: how long after `began` it came.
    ///
    /// An attempt that comes before the container's network is there can hang for a second (its first packet is lost),
    /// so another one is made beside it.
    pub fn first_answer(&self, target: &Target, began: Instant, limit: Duration) -> Result<Duration, String> {
        self.0.block_on(async {
            let mut attempts = FuturesUnordered::new();
            loop {
                attempts.push(target.attempt());
                tokio::select! {
                    Some(answer) = attempts.next() => match answer {
                        Ok(()) => return Ok(began.elapsed()),
                        Err(why) if began.elapsed() > limit => return Err(format!("{}: {why}", target.service)),
                        Err(_) => tokio::time::sleep(PAUSE).await,
                    },
                    () = tokio::time::sleep(BESIDE) => {}
                }
            }
        })
    }
}

impl Target {
    async fn attempt(&self) -> Result<(), String> {
        match tokio::time::timeout(ATTEMPT, self.login()).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {} s", ATTEMPT.as_secs())),
        }
    }

    async fn login(&self) -> Result<(), String> {
        match &self.protocol {
            Protocol::Sql { user, password, database } => self.sql(user, password, database).await,
            Protocol::Amqp { user, password } => self.amqp(user, password).await,
            Protocol::Redis { password } => self.redis(password.as_deref()).await,
            Protocol::Http { path } => self.http(path).await,
        }
    }

    async fn connect(&self) -> Result<TcpStream, String> {
        TcpStream::connect((self.host.as_str(), self.port)).await.map_err(text)
    }

    async fn sql(&self, user: &str, password: &str, database: &str) -> Result<(), String> {
        let options = sqlx::postgres::PgConnectOptions::new_without_pgpass()
            .host(&self.host)
            .port(self.port)
            .username(user)
            .password(password)
            .database(database)
            .ssl_mode(sqlx::postgres::PgSslMode::Disable)
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(text)?;
        sqlx::query("SELECT 1").execute(&mut connection).await.map_err(text)?;
        connection.close().await.map_err(text)
    }

    async fn amqp(&self, user: &str, password: &str) -> Result<(), String> {
        // the port is open long before the server speaks: a greeting first, so that most attempts cost little
        let mut stream = self.connect().await?;
        stream.write_all(b"AMQP\0\0\x09\x01").await.map_err(text)?;
        stream.read_exact(&mut [0; 7]).await.map_err(text)?;
        let address = format!("amqp://{user}:{password}@{}:{}/%2f", self.host, self.port);
        let connection =
            lapin::Connection::connect(&address, lapin::ConnectionProperties::default()).await.map_err(text)?;
        let channel = connection.create_channel().await.map_err(text)?;
        channel.close(200, "done".into()).await.map_err(text)?;
        connection.close(200, "done".into()).await.map_err(text)
    }

    async fn redis(&self, password: Option<&str>) -> Result<(), String> {
        let mut stream = self.connect().await?;
        if let Some(password) = password {
            let login = format!("*2\r\n$4\r\nAUTH\r\n${}\r\n{password}\r\n", password.len());
            stream.write_all(login.as_bytes()).await.map_err(text)?;
            expect(&mut stream, b"+OK\r\n").await?;
        }
        stream.write_all(b"*1\r\n$4\r\nPING\r\n").await.map_err(text)?;
        expect(&mut stream, b"+PONG\r\n").await
    }

    async fn http(&self, path: &str) -> Result<(), String> {
        let mut stream = self.connect().await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}:{}\r\nConnection: close\r\n\r\n", self.host, self.port);
        stream.write_all(request.as_bytes()).await.map_err(text)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.map_err(text)?;
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.lines().next().unwrap_or("no answer");
        if status.split(' ').nth(1) == Some("200") { Ok(()) } else { Err(status.to_owned()) }
    }
}

async fn expect(stream: &mut TcpStream, wanted: &[u8]) -> Result<(), String> {
    let mut answer = vec![0; wanted.len()];
    stream.read_exact(&mut answer).await.map_err(text)?;
    if answer == wanted { Ok(()) } else { Err(String::from_utf8_lossy(&answer).trim().to_owned()) }
}
