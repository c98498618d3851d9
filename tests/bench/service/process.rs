//! A service as a process: started, ready, stopped.

pub mod memory;

use std::{
    env,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use banyan_sdk::server;
use rustix::process::{Pid, Signal, kill_process};

use crate::Result;

/// How long a service may take to be ready, or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is asked.
const ASK: Duration = Duration::from_millis(1);

/// An executable that runs services.
pub struct Program {
    path: PathBuf,
    before: Vec<&'static str>,
    settings: Vec<(&'static str, String)>,
}

/// A service that is ready.
pub struct Process {
    child: Child,
    port: u16,
    /// Milliseconds from its start until it was ready.
    pub ready: f64,
}

impl Program {
    /// An example of the SDK, compiled as this benchmark is.
    pub fn example(name: &str) -> Result<Self> {
        let build = ["build", "--quiet", "--release", "--package", "banyan-sdk", "--example", name];
        let built = Command::new(env!("CARGO")).args(build).current_dir(env!("CARGO_MANIFEST_DIR")).status()?;
        if !built.success() {
            return Err(format!("the example {name} does not compile").into());
        }
        let bench = env::current_exe()?;
        let profile = bench.ancestors().nth(2).ok_or("a benchmark is in a folder of its profile's folder")?;
        Ok(Self { path: profile.join("examples").join(name), before: Vec::new(), settings: Vec::new() })
    }

    /// The platform's own services.
    pub fn banyan() -> Self {
        Self { path: env!("CARGO_BIN_EXE_banyan").into(), before: vec!["serve"], settings: Vec::new() }
    }

    /// The same with settings of its own.
    pub fn with(mut self, settings: &[(&'static str, String)]) -> Self {
        self.settings.extend_from_slice(settings);
        self
    }

    /// Starts it and waits until it is ready.
    pub fn start(&self, name: &str, database: &str, arguments: &[&str]) -> Result<Process> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(&self.path);
        command
            .args(&self.before)
            .args(arguments)
            .env_clear()
            .env("SERVICE_NAME", name)
            .env("PORT", port.to_string())
            .env("DATABASE_URL", database)
            .env("RABBITMQ_URL", env::var("BANYAN_TEST_AMQP_URL")?)
            .env("REDIS_URL", env::var("BANYAN_TEST_REDIS_URL")?)
            .envs(self.settings.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let began = Instant::now();
        let child = command.spawn().map_err(|e| format!("{}: {e}", self.path.display()))?;
        let mut process = Process { child, port, ready: f64::NAN };
        while let Err(told) = server::check(port) {
            if began.elapsed() > PATIENCE {
                return Err(format!("{name} is not ready within {PATIENCE:?}: {told}").into());
            }
            if let Some(status) = process.child.try_wait()? {
                return Err(format!("{name} ended with {status}").into());
            }
            sleep(ASK);
        }
        process.ready = began.elapsed().as_secs_f64() * 1e3;
        Ok(process)
    }
}

impl Process {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// SIGTERM, and waits for its end.
    pub fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let began = Instant::now();
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(format!("a service ended with {status}").into()),
                None if began.elapsed() > PATIENCE => return Err("a service does not end".into()),
                None => sleep(ASK),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
