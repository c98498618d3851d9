//! A stage for one test: its own folder, data folder, environment and project; all gone when it is dropped.

pub mod filled;
pub mod forged;
pub mod registry;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The executable under test.
pub const BANYAN: &str = env!("CARGO_BIN_EXE_banyan");

/// One test's own corner.
pub struct Stage {
    folder: tempfile::TempDir,
    /// The instance that `banyan` is called with; part of every name in Docker.
    pub instance: String,
    env: BTreeMap<String, String>,
    needs_engine: bool,
}

/// What a command came to.
#[derive(Debug)]
pub struct Run {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Stage {
    /// A corner for a test that needs no engine.
    pub fn plain(name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix(&format!("banyan-{name}-")).tempdir().unwrap();
        // no name of another stage begins with this one, whatever the tests call theirs
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let instance = format!("t{}-{number}-{name}", std::process::id());
        let path = std::env::var("PATH").unwrap_or_default();
        let data = folder.path().join("data").display().to_string();
        let home = folder.path().join("home");
        std::fs::create_dir_all(&home).unwrap();
        let env = BTreeMap::from([
            ("PATH".to_owned(), path),
            ("HOME".to_owned(), home.display().to_string()),
            ("BANYAN_DATA_DIR".to_owned(), data),
            ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ]);
        Self { folder, instance, env, needs_engine: false }
    }

    /// A corner for a test against the engine of this run (`DOCKER_HOST`, or the default socket).
    pub fn new(name: &str) -> Self {
        let mut stage = Self::plain(name);
        stage.needs_engine = true;
        // DOCKER_CONFIG: where `tests/run` puts Docker Compose when the machine has none
        for name in ["DOCKER_HOST", "DOCKER_CONFIG"] {
            if let Ok(value) = std::env::var(name) {
                stage.env.insert(name.to_owned(), value);
            }
        }
        stage
    }

    /// The same for the built-in stack. The images of the optional services are looked for where nobody answers, so
    /// that every machine sees the same: hundreds of megabytes are not pulled, and no local copy is taken.
    pub fn core(name: &str) -> Self {
        let mut stage = Self::new(name);
        for (variable, image) in
            [("ELASTICSEARCH", "elasticsearch:8.11.0"), ("JAEGER", "jaeger:2.9.0"), ("GRAFANA", "grafana:11.5.0")]
        {
            stage.set(&format!("{variable}_IMAGE"), &format!("127.0.0.1:1/nobody/{image}"));
        }
        stage
    }

    /// The folder in which commands run.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sets a variable for every command from now on.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The variables of every command.
    pub fn env(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// Writes a file of the folder.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A command of banyan, ready to run, without `--instance`.
    pub fn bare(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BANYAN);
        command.args(args).current_dir(self.folder()).env_clear().envs(&self.env).stdin(Stdio::null());
        command
    }

    /// Runs `banyan --instance … ARGS`.
    pub fn banyan(&self, args: &[&str]) -> Run {
        let mut all = vec!["--instance", self.instance.as_str()];
        all.extend(args);
        run(self.bare(&all))
    }

    /// The same, which must end with 0.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> Run {
        let run = self.banyan(args);
        assert_eq!(run.code, 0, "banyan {args:?}\n{}\n{}", run.stdout, run.stderr);
        run
    }

    /// Starts `banyan --instance … ARGS` and lets it run.
    pub fn spawn(&self, args: &[&str]) -> Child {
        let mut all = vec!["--instance", self.instance.as_str()];
        all.extend(args);
        self.bare(&all).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// A command line of `sh` in the folder, with the stage's environment.
    pub fn sh(&self, line: &str) -> Run {
        run(self.command(line))
    }

    /// The same, ready to run.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(self.folder()).env_clear().envs(&self.env).stdin(Stdio::null());
        command
    }

    /// Runs `docker ARGS`, which must end with 0; the output without the last line end.
    #[track_caller]
    pub fn docker(&self, args: &[&str]) -> String {
        let mut command = Command::new("docker");
        command.args(args).env_clear().envs(&self.env).stdin(Stdio::null());
        let run = run(command);
        assert_eq!(run.code, 0, "docker {args:?}\n{}", run.stderr);
        run.stdout.trim_end().to_owned()
    }

    /// Name of the project of the built-in stack in this corner.
    pub fn project(&self) -> String {
        format!("flow-platform-{}", self.instance)
    }

    /// Names of all containers, networks and volumes that carry the project's label.
    pub fn leftovers(&self, project: &str) -> Vec<String> {
        let filter = format!("label=com.docker.compose.project={project}");
        let mut found = Vec::new();
        for list in [
            &["ps", "-aq", "--filter"][..],
            &["network", "ls", "-q", "--filter"][..],
            &["volume", "ls", "-q", "--filter"][..],
        ] {
            let args: Vec<&str> = list.iter().copied().chain([filter.as_str()]).collect();
            found.extend(self.docker(&args).lines().map(str::to_owned));
        }
        found
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.needs_engine {
            // whatever project carries the instance in its name, also after a failed test
            let line = format!(
                "for c in $(docker ps -aq --filter name={0}); do docker rm -fv $c; done; \
                 for n in $(docker network ls -q --filter name={0}); do docker network rm $n; done; \
                 for v in $(docker volume ls -q --filter name={0}); do docker volume rm $v; done",
                self.instance
            );
            self.sh(&line);
        }
    }
}

/// Runs a command to its end.
pub fn run(mut command: Command) -> Run {
    Run::from(command.output().unwrap())
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Run {
    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}\n{}", self.stdout, self.stderr))
    }
}

/// A command as root: directly, or through sudo.
pub fn root(program: &str) -> Command {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    let mut command = if is_root { Command::new(program) } else { Command::new("sudo") };
    if !is_root {
        command.args(["-n", program]);
    }
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin")).stdin(Stdio::null());
    command
}

/// Held by a test that loads the whole machine, such as one that boots the full stack: two of them at once are slower
/// than one after the other, and late answers are no failures of banyan.
pub fn heavy() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// True in `tests/run --long`.
pub fn long() -> bool {
    std::env::var_os("BANYAN_TEST_LONG").is_some()
}

/// Asks again every 20 ms until it is true; fails after `limit`.
#[track_caller]
pub fn eventually(limit: Duration, what: &str, mut is_true: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_true() {
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A port that nothing listens on and that no other test of this run is given.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let offset = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 12_000 + (std::process::id() % 400) as u16 * 16 + offset;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
