//! Servers, service discovery as a process, and whoever registers, asks and listens.

use std::{
    env,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use banyan_sdk::{
    Call, Client, Fault, Flow, Platform, Published, Running, Service,
    bus::{
        Bus, Topology, packing,
        rabbit::{RabbitBus, RabbitOptions},
    },
    config::{Config, Endpoint, Reader},
    ids,
    protocol::{
        Auth, Contract, Envelope, Event, Kind, Payload, Query, Timestamp,
        discovery::ServiceContractsRegistered,
        names::{EVERY_EVENT, ServiceName},
    },
    tokens::Keys,
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, postgres::PgConnectOptions};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{MutexGuard, mpsc},
    time::sleep,
};

/// Tells this binary that it is to be service discovery.
pub const ROLE: &str = "DISCOVERY_TEST_PROCESS";

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Service discovery's queues belong to whoever is called so: one test at a time.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Where the servers are.
#[derive(Clone)]
pub struct Servers {
    pub postgres: String,
    pub rabbitmq: String,
    pub redis: String,
}

impl Servers {
    pub fn shared() -> Self {
        let address = |name: &str| env::var(name).unwrap_or_else(|_| panic!("set {name} to a server for tests"));
        Self {
            postgres: address("BANYAN_TEST_DATABASE_URL"),
            rabbitmq: address("BANYAN_TEST_AMQP_URL"),
            redis: address("BANYAN_TEST_REDIS_URL"),
        }
    }
}

/// What one test has to itself.
pub struct Stage {
    pub servers: Servers,
    database: String,
    redis: u16,
    settings: Vec<(String, String)>,
    _alone: MutexGuard<'static, ()>,
}

impl Stage {
    pub async fn set() -> Self {
        Self::on(Servers::shared()).await
    }

    pub async fn on(servers: Servers) -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(1);
        let alone = ALONE.lock().await;
        let database = format!("banyan_test_{:016x}", ids::random() as u64);
        let login: PgConnectOptions = servers.postgres.parse().unwrap();
        let mut admin = login.connect().await.expect("the database server must answer");
        sqlx::raw_sql(AssertSqlSafe(format!("create database {database}"))).execute(&mut admin).await.unwrap();
        admin.close().await.unwrap();
        let redis = NEXT.fetch_add(1, Ordering::Relaxed) % 16;
        let stage = Self { servers, database, redis, settings: Vec::new(), _alone: alone };
        stage.redis("FLUSHDB").await;
        // Quick enough for a test, slow enough for a machine that has other things to do.
        stage.with("HEALTH_CHECK_INTERVAL_MS", "1000").with("HEALTH_CHECK_TIMEOUT_MS", "700")
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn database_url(&self) -> String {
        let (server, _) = self.servers.postgres.rsplit_once('/').unwrap();
        format!("{server}/{}", self.database)
    }

    pub fn redis_url(&self) -> String {
        format!("{}/{}", self.servers.redis, self.redis)
    }

    /// A command for Redis in this test's database, without its answer.
    pub async fn redis(&self, command: &str) -> String {
        let address = self.servers.redis.strip_prefix("redis://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("SELECT {}\r\n{command}\r\nQUIT\r\n", self.redis).as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    pub fn bus(&self, name: &str) -> RabbitBus {
        RabbitBus::new(RabbitOptions::new(Endpoint::parse(&self.servers.rabbitmq, &["amqp"], 5672).unwrap(), name))
    }

    /// A service that runs in this process.
    pub async fn run<S: Send + Sync + 'static>(&self, service: Service<S>) -> Running {
        service.start(Platform::new(self.bus("a service"))).await.unwrap()
    }

    /// Somebody who speaks for `service` on the bus.
    pub fn speaker(&self, service: &str) -> Client {
        Client::new(service.parse().unwrap(), Arc::new(self.bus(service)))
    }

    pub async fn discovery(&self) -> Discovery {
        let discovery = self.start();
        discovery.ready().await;
        discovery
    }

    /// The process, which need not be ready.
    pub fn start(&self) -> Discovery {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(env::current_exe().unwrap())
            .args(["--exact", "process", "--nocapture"])
            .env_clear()
            .env(ROLE, "1")
            .env("PORT", port.to_string())
            .env("DATABASE_URL", self.database_url())
            .env("RABBITMQ_URL", &self.servers.rabbitmq)
            .env("REDIS_URL", self.redis_url())
            .env("LOG_LEVEL", env::var("DISCOVERY_TEST_LOG").unwrap_or_else(|_| "error".to_owned()))
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Discovery { process, port }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let drop = AssertSqlSafe(format!("drop database if exists {} with (force)", self.database));
        let login: PgConnectOptions = self.servers.postgres.parse().unwrap();
        let dropping = async {
            if let Ok(mut admin) = login.connect().await {
                let _ = sqlx::raw_sql(drop).execute(&mut admin).await;
            }
        };
        let block = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(dropping);
        std::thread::scope(|scope| scope.spawn(block).join().unwrap());
    }
}

/// Service discovery, a process of its own.
pub struct Discovery {
    process: Child,
    port: u16,
}

impl Discovery {
    pub async fn ready(&self) {
        until("it is ready", async || self.get("/health", None).await.filter(|it| it.0 == 200).map(drop)).await;
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Status and body.
    pub async fn get(&self, path: &str, token: Option<&str>) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
        let token = token.map(|it| format!("Authorization: Bearer {it}\r\n")).unwrap_or_default();
        let request = format!("GET {path} HTTP/1.0\r\nHost: test\r\n{token}\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        Some((head.get(9..12)?.parse().ok()?, body.to_owned()))
    }

    /// What an administrator sees; nothing but a 200 will do.
    pub async fn see(&self, path: &str) -> Option<Value> {
        let (status, body) = self.get(path, Some(&token(&["admin:view-contracts", "admin:view-services"]))).await?;
        (status == 200).then(|| serde_json::from_str(&body).unwrap())
    }

    /// The service's version in use, as soon as it is `version`.
    pub async fn knows(&self, service: &str, version: &str) -> Value {
        until(&format!("{service} {version}"), async || {
            let seen = self.see(&format!("/api/services/{service}/contracts")).await?;
            (seen["version"] == version).then_some(seen)
        })
        .await
    }

    /// Waits until a service is like that, and gives what is known of it.
    pub async fn sees(&self, service: &str, status: &str) -> Value {
        until(&format!("{service} {status}"), async || {
            let seen = self.see(&format!("/admin/services/{service}")).await?;
            (seen["status"] == status).then_some(seen)
        })
        .await
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A token of somebody with these permissions, signed as auth would.
pub fn token(permissions: &[&str]) -> String {
    let mut reader = Reader::new(&|_| None);
    let config = Config::read(&mut reader, "auth-service", 3001).unwrap();
    let signer = Keys::read(&mut reader, &config, true).unwrap().signer().unwrap();
    signer.sign(&admin(permissions), SystemTime::now()).unwrap()
}

pub fn admin(permissions: &[&str]) -> Auth {
    let permissions = permissions.iter().map(|it| (*it).to_owned()).collect();
    Auth { user_id: "ann".to_owned(), permissions, ..Auth::default() }
}

/// Asks service discovery over the bus, as somebody with these permissions.
pub async fn ask<Q: Query>(client: &Client, query: Q, permissions: &[&str]) -> Result<Q::Reply, Fault> {
    let call = Call {
        kind: Kind::Query,
        message_type: Q::MESSAGE_TYPE.to_owned(),
        service: ServiceName::new("service-discovery").unwrap(),
        payload: Payload::of(&query).unwrap(),
        timeout: Duration::from_secs(10),
        idempotency_key: None,
        repeatable: true,
        priority: None,
    };
    let flow = Flow { auth: Some(Arc::new(admin(permissions))), ..Flow::begin(ids::random) };
    Ok(client.call(call, &flow).await?.read().unwrap())
}

/// Publishes an event at once.
pub async fn publish(client: &Client, event_type: &str, payload: Value) {
    let (id, event_type) = (ids::event().to_string(), event_type.to_owned());
    let event = Published { id, event_type, version: 1, payload: Payload::of(&payload).unwrap() };
    client.publish(event, &Flow::begin(ids::random)).await.unwrap();
}

/// A contract with a field of this type.
pub fn contract(service: &str, name: &str, kind: &str, version: &str) -> Contract {
    let contract = json!({
        "messageType": name, "targetService": service, "description": "Does something.", "version": version,
        "inputSchema": { "type": "object", "properties": { "id": { "type": kind } }, "required": ["id"] },
        "outputSchema": { "type": "null" }, "requiredPermissions": ["things:do"],
    });
    serde_json::from_value(contract).unwrap()
}

/// An instance that registers and does nothing else.
pub async fn announce(client: &Client, service: &str, version: &str, contracts: &[Contract], more: Value) {
    let mut payload = json!({
        "serviceName": service, "version": version, "serviceId": format!("{service}-v{version}"),
        "contracts": contracts, "timestamp": Timestamp::from_millis(1_700_000_000_000),
    });
    payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    publish(client, ServiceContractsRegistered::EVENT_TYPE, payload).await;
}

/// A name that no other test uses.
pub fn unique(name: &str) -> String {
    format!("{name}-{:08x}", ids::random() as u32)
}

/// Asks again and again until there is an answer.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} for: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Everything that is published.
pub struct Ears {
    heard: Arc<Mutex<Vec<Envelope>>>,
    _bus: Arc<dyn Bus>,
    _end: mpsc::Sender<()>,
}

impl Ears {
    pub async fn open(stage: &Stage) -> Self {
        let bus: Arc<dyn Bus> = Arc::new(stage.bus("ears"));
        let queue = unique("test.ears");
        bus.declare(&Topology::default().listener(&queue, EVERY_EVENT)).await.unwrap();
        let mut deliveries = bus.consume(&queue, 100).await.unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (all, (end, mut ended)) = (Arc::clone(&heard), mpsc::channel(1));
        tokio::spawn(async move {
            loop {
                let delivery = tokio::select! {
                    _ = ended.recv() => return,
                    delivery = deliveries.next() => delivery,
                };
                let Some(delivery) = delivery else { return };
                let body = packing::unpack(Kind::Event, &delivery.message).unwrap();
                all.lock().unwrap().push(Envelope::read(&body).unwrap());
                delivery.ack();
            }
        });
        Self { heard, _bus: bus, _end: end }
    }

    /// All events of a type about a service, in order.
    pub fn all<E: Event>(&self, service: &str) -> Vec<E> {
        let heard = self.heard.lock().unwrap();
        let wanted = heard.iter().filter(|it| {
            let about: Option<Value> = it.payload.read().ok();
            it.message_type == E::EVENT_TYPE && about.is_some_and(|it| it["serviceName"] == service)
        });
        wanted.map(|it| it.payload.read().unwrap()).collect()
    }

    /// The same once there are so many; what is known is told a moment later.
    pub async fn so_many<E: Event>(&self, count: usize, service: &str) -> Vec<E> {
        until(E::EVENT_TYPE, async || Some(self.all(service)).filter(|heard| heard.len() >= count)).await
    }

    pub async fn first<E: Event>(&self, service: &str) -> E {
        self.so_many(1, service).await.remove(0)
    }
}

/// A server of a test's own, which it may kill and start again on the same port with its data.
pub struct Server {
    program: &'static str,
    folder: PathBuf,
    pub port: u16,
}

impl Server {
    pub fn start(program: &'static str) -> Self {
        let folder = env::temp_dir().join(unique(&format!("banyan-discovery-{program}-{}", std::process::id())));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { program, folder, port };
        server.order("start");
        server
    }

    pub fn order(&self, order: &str) {
        let path = format!("{}/../../tests/servers/{}", env!("CARGO_MANIFEST_DIR"), self.program);
        let mut command = Command::new(path);
        command.arg(order).arg(&self.folder).arg(self.port.to_string());
        // What it starts must not keep the pipes of this process open.
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(status.success(), "{} {order}", self.program);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let path = format!("{}/../../tests/servers/{}", env!("CARGO_MANIFEST_DIR"), self.program);
        let _ = Command::new(path).arg("stop").arg(&self.folder).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
