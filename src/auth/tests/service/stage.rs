//! A database and a name of its own for each test, the service as a process, and somebody who calls it.

use std::{
    env,
    fs::File,
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use auth::messages::{AuthenticateUser, CreateUser, PERMISSIONS, Profile, RegisterUser, SignedIn};
use banyan_sdk::{
    Call, Client, Fault, FaultCode, Flow,
    bus::{
        Bus,
        rabbit::{RabbitBus, RabbitOptions},
    },
    config::Endpoint,
    ids,
    protocol::{
        Auth, Kind, Payload, Request,
        names::{self, ServiceName},
    },
    server,
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::spawn_blocking,
    time::sleep,
};

/// How long an instance may take to be ready, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// The key of the tests' tokens.
pub const SECRET: &str = "canary-jwt-secret-0123456789abcdef";
/// A password that is accepted.
pub const PASSWORD: &str = "canary correct horse battery";

/// What one test has to itself on the servers.
pub struct Stage {
    name: ServiceName,
    database: String,
    client: Client,
}

fn address(name: &str, example: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("set {name} to a server for tests, such as {example}"))
}

fn postgres() -> String {
    address("BANYAN_TEST_DATABASE_URL", "postgresql://user:password@host:port/postgres")
}

fn rabbitmq() -> String {
    address("BANYAN_TEST_AMQP_URL", "amqp://user:password@host:port")
}

fn login() -> PgConnectOptions {
    postgres().parse().expect("BANYAN_TEST_DATABASE_URL is an address")
}

impl Stage {
    pub async fn set() -> Self {
        let unique = format!("{:016x}", ids::random() as u64);
        let database = format!("banyan_test_{unique}");
        let mut admin = login().connect().await.expect("the server of BANYAN_TEST_DATABASE_URL must answer");
        sqlx::raw_sql(AssertSqlSafe(format!("create database {database}"))).execute(&mut admin).await.unwrap();
        admin.close().await.unwrap();
        let client = Client::new(ServiceName::new("test").unwrap(), Arc::new(Self::bus()));
        Self { name: ServiceName::new(format!("auth-{unique}")).unwrap(), database, client }
    }

    /// The same with one instance that is ready.
    pub async fn with_instance() -> (Self, Instance) {
        let stage = Self::set().await;
        let instance = Instance::start(&stage, &[]);
        instance.ready().await;
        (stage, instance)
    }

    pub fn bus() -> RabbitBus {
        let endpoint = Endpoint::parse(&rabbitmq(), &["amqp"], 5672).expect("BANYAN_TEST_AMQP_URL is an address");
        RabbitBus::new(RabbitOptions::new(endpoint, "test"))
    }

    pub fn name(&self) -> &ServiceName {
        &self.name
    }

    pub async fn database(&self) -> PgConnection {
        login().database(&self.database).connect().await.unwrap()
    }

    fn url(&self) -> String {
        let all = postgres();
        let (server, _) = all.rsplit_once('/').expect("BANYAN_TEST_DATABASE_URL names a database");
        format!("{server}/{}", self.database)
    }

    /// Any message, as `auth` may send it.
    pub async fn send(
        &self,
        auth: Option<Auth>,
        kind: Kind,
        message_type: &str,
        payload: &Value,
    ) -> Result<Value, Fault> {
        self.send_call(auth, self.of(kind, message_type, payload)).await
    }

    /// A command under an idempotency key.
    pub async fn send_with_key(
        &self,
        auth: Option<Auth>,
        message_type: &str,
        payload: &Value,
        key: &str,
    ) -> Result<Value, Fault> {
        let call = self.of(Kind::Command, message_type, payload);
        self.send_call(auth, Call { idempotency_key: Some(key.to_owned()), repeatable: true, ..call }).await
    }

    fn of(&self, kind: Kind, message_type: &str, payload: &Value) -> Call {
        Call {
            kind,
            message_type: message_type.to_owned(),
            service: self.name.clone(),
            payload: Payload::of(payload).unwrap(),
            timeout: Duration::from_secs(60),
            idempotency_key: None,
            repeatable: false,
            priority: None,
        }
    }

    async fn send_call(&self, auth: Option<Auth>, call: Call) -> Result<Value, Fault> {
        let flow = Flow { auth: auth.map(Arc::new), ..Flow::begin(ids::random) };
        self.client.call(call, &flow).await.map(|reply| reply.read().unwrap())
    }

    /// A message as `auth` may send it.
    pub async fn call<M: Request>(&self, auth: Option<Auth>, message: M) -> Result<M::Reply, Fault> {
        let payload = serde_json::to_value(&message).unwrap();
        let reply = self.send(auth, M::KIND, M::MESSAGE_TYPE, &payload).await?;
        Ok(serde_json::from_value(reply).unwrap())
    }

    /// The same for an administrator.
    pub async fn manage<M: Request>(&self, message: M) -> Result<M::Reply, Fault> {
        self.call(Some(admin()), message).await
    }

    pub async fn log_in(&self, email: &str, password: &str) -> Result<SignedIn, Fault> {
        self.call(None, credentials(email, password)).await
    }

    pub async fn register(&self, email: &str) {
        let (email, password) = (email.to_owned(), PASSWORD.to_owned());
        self.call(None, RegisterUser { email, password, name: None, ip_address: None }).await.unwrap();
    }

    /// Creates a user with these roles; the id.
    pub async fn create(&self, email: &str, roles: &[&str]) -> String {
        let command = CreateUser {
            email: email.to_owned(),
            password: PASSWORD.to_owned(),
            profile: Profile::default(),
            initial_roles: roles.iter().map(|it| (*it).to_owned()).collect(),
            skip_email_verification: false,
        };
        self.manage(command).await.unwrap().user_id
    }
}

/// The messages that everybody may send.
const PUBLIC: [&str; 3] = ["RegisterUserCommand", "AuthenticateUserCommand", "RefreshTokenCommand"];

impl Stage {
    /// Every queue that the service and its test have made. A broker with those of all tests is a slow one.
    fn queues(&self) -> Vec<String> {
        let mut all = vec![format!("test.{}.everything", self.name)];
        let guarded = super::attacks::GUARDED.iter().map(|(kind, message, _)| (*kind, *message));
        let handled = guarded.chain(PUBLIC.map(|message| (Kind::Command, message)));
        for (kind, message) in handled.chain([(Kind::Event, "HealthCheckRequest")]) {
            let queue = match kind {
                Kind::Query => names::query_queue(&self.name, message),
                Kind::Event => names::event_queue(&self.name, message),
                _ => names::command_queue(&self.name, message),
            };
            all.extend([1, 2].map(|step| names::retry_queue(&queue, step)));
            all.extend([names::dead_letter_queue(&queue), queue]);
        }
        all
    }
}

async fn delete(queues: Vec<String>) -> Result<(), lapin::Error> {
    let connection = lapin::Connection::connect(&rabbitmq(), lapin::ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    for queue in queues {
        channel.queue_delete(queue.as_str().into(), lapin::options::QueueDeleteOptions::default()).await?;
    }
    connection.close(200, "done".into()).await
}

impl Drop for Stage {
    fn drop(&mut self) {
        let queues = self.queues();
        let drop = AssertSqlSafe(format!("drop database if exists {} with (force)", self.database));
        let dropping = async {
            let _ = delete(queues).await;
            if let Ok(mut admin) = login().connect().await {
                let _ = sqlx::raw_sql(drop).execute(&mut admin).await;
            }
        };
        // A runtime of its own, since this may be dropped within another one.
        let block = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(dropping);
        std::thread::scope(|scope| scope.spawn(block).join().unwrap());
    }
}

pub fn credentials(email: &str, password: &str) -> AuthenticateUser {
    let (email, password) = (email.to_owned(), password.to_owned());
    AuthenticateUser { email, password, device_info: None, ip_address: None }
}

/// Somebody with these permissions.
pub fn holder(id: &str, permissions: &[&str]) -> Auth {
    let permissions = permissions.iter().map(|it| (*it).to_owned()).collect();
    Auth { user_id: id.to_owned(), permissions, ..Auth::default() }
}

/// Somebody with all of auth's permissions.
pub fn admin() -> Auth {
    holder("the-admin", &PERMISSIONS.map(|(name, _)| name))
}

/// Whether a fault says that somebody is not who they should be, or may not.
pub fn is_refusal(fault: &Fault) -> bool {
    matches!(fault.code, FaultCode::Unauthorized | FaultCode::Authorization)
}

/// Waits until it is so; read models come a little later than the answers.
pub async fn until<F: Future<Output = bool>>(mut it_is_so: impl FnMut() -> F) {
    let began = Instant::now();
    while !it_is_so().await {
        assert!(began.elapsed() < PATIENCE, "it never came to be");
        sleep(Duration::from_millis(20)).await;
    }
}

/// One process of the service.
pub struct Instance {
    process: Child,
    port: u16,
}

/// The example, built.
fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let build = ["build", "--quiet", "--package", "auth", "--example", "auth"];
        let built = Command::new(env!("CARGO")).args(build).current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap();
        assert!(built.success(), "the example does not compile");
        let tests = env::current_exe().unwrap();
        let profile = tests.ancestors().nth(2).expect("tests are in a folder of the profile's folder");
        profile.join("examples/auth").to_str().unwrap().to_owned()
    })
}

impl Instance {
    pub fn start(stage: &Stage, settings: &[(&str, &str)]) -> Self {
        Self::start_to(stage, settings, Stdio::inherit())
    }

    /// The same with its log in a file.
    pub fn start_logged(stage: &Stage, settings: &[(&str, &str)], log: File) -> Self {
        Self::start_to(stage, settings, log.into())
    }

    fn start_to(stage: &Stage, settings: &[(&str, &str)], log: Stdio) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(program())
            .env_clear()
            .env("SERVICE_NAME", stage.name.as_str())
            .env("PORT", port.to_string())
            .env("DATABASE_URL", stage.url())
            .env("RABBITMQ_URL", rabbitmq())
            .env("REDIS_URL", address("BANYAN_TEST_REDIS_URL", "redis://host:port"))
            .env("JWT_SECRET", SECRET)
            .env("LOG_LEVEL", "error")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(log)
            .spawn()
            .unwrap();
        Self { process, port }
    }

    /// A connection to its HTTP server.
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }

    /// Where its public keys are.
    pub fn keys(&self) -> String {
        format!("http://127.0.0.1:{}/.well-known/jwks.json", self.port)
    }

    /// An answer of its HTTP server: the status and the body.
    pub async fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        Some((head.get(9..12)?.parse().ok()?, body.to_owned()))
    }

    pub async fn ready(&self) {
        let (began, port) = (Instant::now(), self.port);
        while let Err(told) = spawn_blocking(move || server::check(port)).await.unwrap() {
            assert!(began.elapsed() < PATIENCE, "not ready within {PATIENCE:?}: {told}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Everything that the service publishes, as it comes.
pub async fn published(stage: &Stage) -> tokio::sync::watch::Receiver<Vec<Value>> {
    use banyan_sdk::bus::{Topology, packing};
    let queue = format!("test.{}.everything", stage.name());
    let bus = Stage::bus();
    bus.declare(&Topology::default().events(&queue, format!("{}.*", stage.name()))).await.unwrap();
    let mut deliveries = bus.consume(&queue, 100).await.unwrap();
    let (sender, envelopes) = tokio::sync::watch::channel(Vec::new());
    tokio::spawn(async move {
        let _bus = bus;
        while let Some(delivery) = deliveries.next().await {
            let body = packing::unpack(Kind::Event, &delivery.message).unwrap();
            sender.send_modify(|all| all.push(serde_json::from_slice(&body).unwrap()));
            delivery.ack();
        }
    });
    envelopes
}
