//! Asking a service in its own protocol.

use std::time::{Duration, Instant};

use compose::project::{Protocol, Ready};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection, Row};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What to ask, and where.
#[derive(Clone)]
pub struct Probe {
    /// What the compose file says about it.
    pub ready: Ready,
    /// Host to connect to.
    pub host: String,
    /// Port to connect to.
    pub port: u16,
}

/// The service answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// From the first packet to the last.
    pub latency: Duration,
    /// What the server says of itself.
    pub version: Option<String>,
}

/// What came instead of an answer, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nobody is there, or not yet.
    NotYet(String),
    /// The server is there and does not know this user, this password or this database.
    LoginRefused(String),
}

impl NoAnswer {
    fn not_yet(cause: impl std::fmt::Display) -> Self {
        Self::NotYet(one_line(&cause.to_string()))
    }

    /// The line alone.
    pub fn into_message(self) -> String {
        match self {
            Self::NotYet(message) | Self::LoginRefused(message) => message,
        }
    }
}

impl Probe {
    /// Asks once.
    pub async fn ask(&self, limit: Duration) -> Result<Answer, NoAnswer> {
        let began = Instant::now();
        let asked = async {
            match self.ready.protocol {
                Protocol::Sql => self.sql().await,
                Protocol::Amqp => self.amqp().await,
                Protocol::Redis => self.redis().await,
                Protocol::Http => self.http().await,
            }
        };
        match tokio::time::timeout(limit, asked).await {
            Ok(Ok(version)) => Ok(Answer { latency: began.elapsed(), version }),
            Ok(Err(no)) => Err(no),
            Err(_) => Err(NoAnswer::NotYet(format!("no answer within {} ms", limit.as_millis()))),
        }
    }

    /// `SQL at 127.0.0.1:55432`
    pub fn describe(&self) -> String {
        format!("{} at {}:{}", self.name(), self.host, self.port)
    }

    /// `SQL answered in 0.6 ms`
    pub fn answered(&self, answer: &Answer) -> String {
        format!("{} answered in {:.1} ms", self.name(), answer.latency.as_secs_f64() * 1e3)
    }

    fn name(&self) -> &'static str {
        match self.ready.protocol {
            Protocol::Sql => "SQL",
            Protocol::Amqp => "AMQP",
            Protocol::Redis => "Redis",
            Protocol::Http => "HTTP",
        }
    }

    async fn sql(&self) -> Result<Option<String>, NoAnswer> {
        let mut options =
            PgConnectOptions::new_without_pgpass().host(&self.host).port(self.port).ssl_mode(PgSslMode::Disable);
        if let Some(user) = &self.ready.user {
            options = options.username(user);
        }
        if let Some(password) = &self.ready.password {
            options = options.password(password);
        }
        if let Some(database) = &self.ready.database {
            options = options.database(database);
        }
        let text = |e: sqlx::Error| {
            // invalid authorisation, invalid password, no such database
            let code = e.as_database_error().and_then(|d| d.code()).unwrap_or_default();
            let message = one_line(&e.to_string());
            let refused = matches!(&*code, "28000" | "28P01" | "3D000");
            if refused { NoAnswer::LoginRefused(message) } else { NoAnswer::NotYet(message) }
        };
        let mut connection = options.disable_statement_logging().connect().await.map_err(text)?;
        let row = sqlx::query("SHOW server_version").fetch_one(&mut connection).await.map_err(text)?;
        let version = row.try_get::<String, _>(0).map_err(text)?;
        let _ = connection.close().await;
        Ok(version.split_whitespace().next().map(str::to_owned))
    }

    async fn amqp(&self) -> Result<Option<String>, NoAnswer> {
        let greeting = self.amqp_greeting().await.map_err(|e| NoAnswer::not_yet(format!("no AMQP greeting: {e}")))?;
        let mut uri = lapin::uri::AMQPUri::default();
        uri.authority.host.clone_from(&self.host);
        uri.authority.port = self.port;
        uri.authority.userinfo.username = self.ready.user.clone().unwrap_or_default();
        uri.authority.userinfo.password = self.ready.password.clone().unwrap_or_default();
        uri.vhost = self.ready.database.clone().unwrap_or_else(|| "/".to_owned());
        let properties = lapin::ConnectionProperties::default();
        let connection = lapin::Connection::connect_uri(uri, properties).await.map_err(|e| {
            let message = one_line(&e.to_string());
            // 403 for the login, 530 for a virtual host that does not exist
            let refused = ["ACCESS_REFUSED", "ACCESS-REFUSED", "NOT_ALLOWED"].iter().any(|word| message.contains(word));
            if refused { NoAnswer::LoginRefused(message) } else { NoAnswer::NotYet(message) }
        })?;
        let _ = connection.close(200, "checked".into()).await;
        Ok(greeted_version(&greeting))
    }

    /// The broker's first frame. Its port is open long before it speaks, so this cheap look comes before a login.
    async fn amqp_greeting(&self) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.write_all(b"AMQP\0\0\x09\x01").await?;
        let mut header = [0; 7];
        stream.read_exact(&mut header).await?;
        let size = u32::from_be_bytes([header[3], header[4], header[5], header[6]]) as usize;
        let mut frame = vec![0; size.min(64 * 1024)];
        stream.read_exact(&mut frame).await?;
        Ok(frame)
    }

    async fn redis(&self) -> Result<Option<String>, NoAnswer> {
        let text = |e: redis::RedisError| {
            let message = one_line(&e.to_string());
            let refused = e.kind() == redis::ErrorKind::AuthenticationFailed
                || ["WRONGPASS", "NOAUTH", "NOPERM"].iter().any(|word| message.contains(word));
            if refused { NoAnswer::LoginRefused(message) } else { NoAnswer::NotYet(message) }
        };
        let mut settings = redis::RedisConnectionInfo::default();
        if let Some(password) = &self.ready.password {
            settings = settings.set_password(password);
        }
        if let Some(user) = &self.ready.user {
            settings = settings.set_username(user);
        }
        let address = redis::ConnectionAddr::Tcp(self.host.clone(), self.port);
        let info = redis::IntoConnectionInfo::into_connection_info(address).map_err(text)?.set_redis_settings(settings);
        let client = redis::Client::open(info).map_err(text)?;
        let mut connection = client.get_multiplexed_async_connection().await.map_err(text)?;
        let _: String = redis::cmd("PING").query_async(&mut connection).await.map_err(text)?;
        let info: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await.unwrap_or_default();
        Ok(info.lines().find_map(|l| l.strip_prefix("redis_version:")).map(|v| v.trim().to_owned()))
    }

    async fn http(&self) -> Result<Option<String>, NoAnswer> {
        let client = reqwest::Client::builder().no_proxy().build().map_err(NoAnswer::not_yet)?;
        let url = format!("http://{}:{}{}", self.host, self.port, self.ready.path);
        let response = client.get(&url).send().await.map_err(|e| NoAnswer::not_yet(innermost(&e)))?;
        let status = response.status();
        let body = response.text().await.map_err(|e| NoAnswer::not_yet(innermost(&e)))?;
        if status.as_u16() != 200 {
            return Err(NoAnswer::NotYet(format!("HTTP {}: {}", status.as_u16(), complaint(&body))));
        }
        let json: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
        let version = json.get("version").and_then(|v| v.as_str().or_else(|| v.get("number")?.as_str()));
        Ok(version.map(str::to_owned))
    }
}

/// What a body says is wrong: the dependencies that our own services name, or the beginning of its text.
fn complaint(body: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let dependencies = json["dependencies"].as_object().into_iter().flatten();
    let missing: Vec<String> = dependencies
        .filter(|(_, state)| state["status"] != "healthy")
        .map(|(name, state)| format!("{name}: {}", state["error"].as_str().unwrap_or("not healthy")))
        .collect();
    if missing.is_empty() { one_line(body).chars().take(80).collect() } else { missing.join("; ") }
}

/// The long string behind the key `version` in the broker's properties.
fn greeted_version(frame: &[u8]) -> Option<String> {
    const KEY: &[u8] = b"\x07versionS";
    let start = frame.windows(KEY.len()).position(|w| w == KEY)? + KEY.len();
    let size = u32::from_be_bytes(frame.get(start..start + 4)?.try_into().ok()?) as usize;
    let version = frame.get(start + 4..(start + 4).checked_add(size)?)?;
    String::from_utf8(version.to_vec()).ok()
}

/// The cause that names the operating system's reason (`Connection refused`).
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// The first 200 characters on one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
}
