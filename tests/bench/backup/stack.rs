//! A stack of its own, with data in it; removed when it is dropped.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;

const BANYAN: &str = env!("CARGO_BIN_EXE_banyan");
/// Size of a message's body.
const BODY: usize = 1_024;

/// The stack.
pub struct Stack {
    folder: PathBuf,
    instance: String,
    services: Vec<String>,
}

/// A backup.
pub struct Timed {
    pub seconds: f64,
    /// How long everything stood still, in milliseconds.
    pub window: f64,
}

/// Volumes as the engine of this machine keeps them.
pub struct Volumes {
    pub folder: String,
    pub names: Vec<String>,
}

impl Stack {
    /// Brings services up.
    pub fn up(name: &str, services: &[&str]) -> Result<Self> {
        let instance = format!("bench-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(format!("banyan-{instance}"));
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let services = services.iter().map(|s| (*s).to_owned()).collect();
        let stack = Self { folder, instance, services };
        stack.ready()?;
        Ok(stack)
    }

    /// Until all services answer.
    pub fn ready(&self) -> Result<()> {
        let services = self.services.iter().map(String::as_str);
        let args: Vec<&str> = ["up", "--no-deps"].into_iter().chain(services).collect();
        self.banyan(&args, &mut Vec::new()).map(|_| ())
    }

    /// Name of a service's container.
    pub fn container(&self, service: &str) -> String {
        format!("flow-platform-{}-{service}", self.instance)
    }

    /// Runs banyan: seconds, and what it printed. The most memory that it had goes into `peak`.
    pub fn banyan(&self, args: &[&str], peak: &mut Vec<f64>) -> Result<(f64, String)> {
        let mut command = Command::new(BANYAN);
        command.args(["--quiet", "--instance", &self.instance]).args(args).current_dir(&self.folder);
        command.env("BANYAN_DATA_DIR", self.folder.join("data")).stdin(Stdio::null());
        let began = Instant::now();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|e| e.to_string())?;
        let mut memory = 0;
        let status = loop {
            memory = memory.max(peak_memory(child.id()));
            match child.try_wait().map_err(|e| e.to_string())? {
                Some(status) => break status,
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        };
        let seconds = began.elapsed().as_secs_f64();
        peak.push(memory as f64);
        let (mut out, mut err) = (String::new(), String::new());
        child.stdout.take().into_iter().try_for_each(|mut s| s.read_to_string(&mut out).map(|_| ())).ok();
        child.stderr.take().into_iter().try_for_each(|mut s| s.read_to_string(&mut err).map(|_| ())).ok();
        if status.success() { Ok((seconds, out)) } else { Err(format!("banyan {args:?}: {}", err.trim())) }
    }

    /// Writes a backup of everything that runs.
    pub fn backup(&self, file: &str, more: &[&str], peak: &mut Vec<f64>) -> Result<Timed> {
        // an old one is never overwritten
        let _ = std::fs::remove_file(self.folder.join(file));
        let args = [&["backup", "--output", "json", "--to", file], more].concat();
        let (seconds, text) = self.banyan(&args, peak)?;
        let json: serde_json::Value = serde_json::from_str(&text).map_err(|e| format!("{e}: {text}"))?;
        let window = json["window_ms"].as_f64().ok_or_else(|| format!("no window in {json}"))?;
        Ok(Timed { seconds, window })
    }

    /// Restores a backup; seconds.
    pub fn restore(&self, file: &str, peak: &mut Vec<f64>) -> Result<f64> {
        self.banyan(&["restore", file, "--yes", "--no-snapshot"], peak).map(|(seconds, _)| seconds)
    }

    /// Runs a line of shell; seconds.
    pub fn shell(&self, line: &str) -> Result<f64> {
        let began = Instant::now();
        self.output(Command::new("bash").args(["-o", "pipefail", "-c", line]))?;
        Ok(began.elapsed().as_secs_f64())
    }

    /// What the database answers.
    pub fn answer(&self, query: &str) -> Result<String> {
        let name = self.container("postgres");
        let psql = ["psql", "-U", "actor_user", "eventstore", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c"];
        self.output(Command::new("docker").args(["exec", &name]).args(psql).arg(query))
    }

    /// `docker VERB` for the containers of services.
    pub fn each(&self, verb: &str, services: &[&str]) -> Result<()> {
        let names = services.iter().map(|s| self.container(s));
        self.output(Command::new("docker").arg(verb).args(names)).map(|_| ())
    }

    /// The stack's volumes.
    pub fn volumes(&self) -> Result<Volumes> {
        let filter = format!("label=com.docker.compose.project=flow-platform-{}", self.instance);
        let names = self.output(Command::new("docker").args(["volume", "ls", "-q", "--filter", &filter]))?;
        let folder = self.output(Command::new("docker").args(["info", "--format", "{{.DockerRootDir}}"]))?;
        Ok(Volumes { folder: format!("{folder}/volumes"), names: names.lines().map(str::to_owned).collect() })
    }

    /// Half of it noise, half of it events.
    pub fn fill_database(&self, mebibytes: usize) -> Result<()> {
        // a service that keeps events has made it, if one runs
        if self.answer("SELECT to_regclass('events')")?.trim().is_empty() {
            self.answer(include_str!("../../../src/sdk/src/store/postgres/migrations/1_events.sql"))?;
        }
        // 512 bytes of noise a row; an event takes about as much
        let rows = mebibytes * 1024;
        self.answer(&format!(
            "CREATE TABLE noise (id int PRIMARY KEY, bytes bytea);
             ALTER TABLE noise ALTER bytes SET STORAGE PLAIN;
             INSERT INTO noise SELECT n, decode((SELECT string_agg(md5(random()::text || i || n), '') FROM generate_series(1, 32) i), 'hex')
                 FROM generate_series(1, {rows}) n;
             INSERT INTO events SELECT (SELECT coalesce(max(position), 0) FROM events) + n, gen_random_uuid(), 'bench', 'Order', 'order-' || n / 10, n % 10 + 1, 'OrderPlaced', 1,
                 jsonb_build_object('customer', 'customer-' || n % 1000, 'status', 'placed', 'currency', 'EUR', 'total', n % 977,
                     'lines', jsonb_build_array(jsonb_build_object('article', 'article-' || n % 97, 'amount', n % 7, 'price', n % 89))),
                 '{{\"service\": \"bench\"}}', now(), NULL, NULL FROM generate_series(1, {rows}) n;
             CHECKPOINT"
        ))
        .map(|_| ())
    }

    /// Durable messages in a queue, put there by the broker itself.
    pub fn fill_queue(&self, messages: usize) -> Result<()> {
        let code = format!(
            "rabbit_amqqueue:declare({{resource, <<\"/\">>, queue, <<\"bench\">>}}, true, false, [], none, <<\"bench\">>), \
             {{ok, X}} = rabbit_exchange:lookup({{resource, <<\"/\">>, exchange, <<>>}}), \
             [rabbit_basic:publish(X, <<\"bench\">>, rabbit_basic:properties([{{delivery_mode, 2}}]), \
             crypto:strong_rand_bytes({BODY})) || _ <- lists:seq(1, {messages})], ok."
        );
        let name = self.container("rabbitmq");
        self.output(Command::new("docker").args(["exec", &name, "rabbitmqctl", "-q", "eval", &code])).map(|_| ())
    }

    fn output(&self, command: &mut Command) -> Result<String> {
        let output = command.current_dir(&self.folder).stdin(Stdio::null()).output().map_err(|e| e.to_string())?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if let Err(why) = self.banyan(&["down", "-v", "--no-snapshot"], &mut Vec::new()) {
            eprintln!("{why}");
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The most memory that a process has had so far.
fn peak_memory(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}
