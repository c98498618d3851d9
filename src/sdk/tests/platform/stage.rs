//! A database, a name and a port of its own for each test, and the example as a process.

use std::{
    env,
    fs::File,
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use banyan_sdk::{
    bus::{
        dead_letters::DeadLetters,
        rabbit::{RabbitBus, RabbitOptions},
    },
    config::Endpoint,
    ids,
    protocol::names::{self, ServiceName},
    server,
};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, postgres::PgConnectOptions};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::spawn_blocking,
    time::sleep,
};

/// How long an instance may take to be ready, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// What one test has to itself on the servers.
pub struct Stage {
    /// What the service is called here.
    pub name: String,
    database: String,
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

fn redis() -> String {
    address("BANYAN_TEST_REDIS_URL", "redis://host:port")
}

fn server() -> PgConnectOptions {
    postgres().parse().expect("BANYAN_TEST_DATABASE_URL is an address")
}

impl Stage {
    pub async fn set() -> Self {
        let unique = format!("{:016x}", ids::random() as u64);
        let stage = Self { name: format!("orders-{unique}"), database: format!("banyan_test_{unique}") };
        let mut admin = server().connect().await.expect("the server of BANYAN_TEST_DATABASE_URL must answer");
        let create = AssertSqlSafe(format!("create database {}", stage.database));
        sqlx::raw_sql(create).execute(&mut admin).await.unwrap();
        admin.close().await.unwrap();
        stage
    }

    pub fn login(&self) -> PgConnectOptions {
        server().database(&self.database)
    }

    pub fn bus(&self, name: &str) -> RabbitBus {
        let endpoint = Endpoint::parse(&rabbitmq(), &["amqp"], 5672).expect("BANYAN_TEST_AMQP_URL is an address");
        RabbitBus::new(RabbitOptions::new(endpoint, name))
    }

    /// Why the service gave messages up.
    pub async fn dead_letters(&self) -> Vec<String> {
        let service = ServiceName::new(self.name.as_str()).unwrap();
        let letters = DeadLetters::new(Arc::new(self.bus("test")));
        let queues = [names::command_queue(&service, "PlaceOrder"), names::event_queue(&service, "PaymentReceived")];
        let mut reasons = Vec::new();
        for queue in queues {
            reasons.extend(letters.show(&queue, 1000).await.unwrap().into_iter().map(|it| it.reason));
        }
        reasons
    }

    pub fn database(&self) -> &str {
        &self.database
    }

    fn url(&self) -> String {
        let all = postgres();
        let (server, _) = all.rsplit_once('/').expect("BANYAN_TEST_DATABASE_URL names a database");
        format!("{server}/{}", self.database)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let drop = AssertSqlSafe(format!("drop database if exists {} with (force)", self.database));
        let dropping = async {
            if let Ok(mut admin) = server().connect().await {
                let _ = sqlx::raw_sql(drop).execute(&mut admin).await;
            }
        };
        // A runtime of its own, since this may be dropped within another one.
        let block = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(dropping);
        std::thread::scope(|scope| scope.spawn(block).join().unwrap());
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
        let build = ["build", "--quiet", "--package", "banyan-sdk", "--example", "orders"];
        let built = Command::new(env!("CARGO")).args(build).current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap();
        assert!(built.success(), "the example does not compile");
        let tests = env::current_exe().unwrap();
        let profile = tests.ancestors().nth(2).expect("tests are in a folder of the profile's folder");
        profile.join("examples/orders").to_str().unwrap().to_owned()
    })
}

impl Instance {
    pub fn start(stage: &Stage) -> Self {
        Self::start_with(stage, &[])
    }

    pub fn start_with(stage: &Stage, settings: &[(&str, &str)]) -> Self {
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
            .env("SERVICE_NAME", &stage.name)
            .env("PORT", port.to_string())
            .env("DATABASE_URL", stage.url())
            .env("RABBITMQ_URL", rabbitmq())
            .env("REDIS_URL", redis())
            .env("LOG_LEVEL", "error")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(log)
            .spawn()
            .unwrap();
        Self { process, port }
    }

    /// What it says on `/health`.
    pub async fn health(&self) -> Result<(), String> {
        let port = self.port;
        spawn_blocking(move || server::check(port)).await.unwrap()
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

    /// SIGSTOP.
    pub fn freeze(&self) {
        kill_process(Pid::from_child(&self.process), Signal::STOP).unwrap();
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        kill_process(Pid::from_child(&self.process), Signal::CONT).unwrap();
    }

    pub async fn ready(&self) {
        let began = Instant::now();
        while let Err(told) = self.health().await {
            assert!(began.elapsed() < PATIENCE, "not ready within {PATIENCE:?}: {told}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// SIGTERM; whether it ended well.
    pub async fn stop(&mut self) -> bool {
        kill_process(Pid::from_child(&self.process), Signal::TERM).unwrap();
        let began = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.success();
            }
            assert!(began.elapsed() < PATIENCE, "it does not end");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
