//! A corner of its own on the engine: names, folder, executables; all gone when it is dropped.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::machine;

/// What every name of this benchmark begins with; the process id follows.
const PREFIX: &str = "flow-platform-bench-";
const LABEL: &str = "com.docker.compose.project";

/// The corner.
pub struct Stage {
    folder: PathBuf,
    banyan: PathBuf,
    compose: Vec<String>,
}

/// What a command came to.
pub struct Run {
    pub took: Duration,
    /// User and system seconds.
    pub cpu: f64,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// The run, or why it is no good.
    pub fn ok(self, what: &str) -> Result<Self, String> {
        if self.code == 0 {
            return Ok(self);
        }
        let last: Vec<&str> = self.stderr.lines().rev().take(8).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        Err(format!("{what} ended with {}: {}", self.code, last.join(" | ")))
    }
}

impl Stage {
    /// Makes the corner, and removes what killed runs of this benchmark left behind.
    pub fn new() -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("banyan-bench-").tempdir().map_err(text)?.keep();
        // a copy: a build during the run must not change what is measured
        let banyan = folder.join("banyan");
        std::fs::copy(env!("CARGO_BIN_EXE_banyan"), &banyan).map_err(text)?;
        let compose = match std::env::var("BANYAN_COMPOSE") {
            Ok(path) if !path.is_empty() => vec![path],
            _ => vec!["docker".to_owned(), "compose".to_owned()],
        };
        let stage = Self { folder, banyan, compose };
        for project in stage.projects()? {
            let owner = project.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
            if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
                stage.remove(&project)?;
            }
        }
        Ok(stage)
    }

    /// Name of the instance.
    pub fn instance(&self) -> String {
        format!("bench-{}", std::process::id())
    }

    /// A project name of this run; the bare one is the instance's.
    pub fn project(&self, suffix: &str) -> String {
        let dash = if suffix.is_empty() { "" } else { "-" };
        format!("{PREFIX}{}{dash}{suffix}", std::process::id())
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the instance's files are.
    pub fn stack(&self) -> PathBuf {
        self.folder().join("data/stacks").join(self.instance())
    }

    /// Writes a file of the folder.
    pub fn write(&self, name: &str, content: &str) -> Result<PathBuf, String> {
        let path = self.folder().join(name);
        std::fs::write(&path, content).map_err(text)?;
        Ok(path)
    }

    /// `banyan ARGS`
    pub fn banyan(&self, args: &[&str]) -> Command {
        let mut command = self.command(&self.banyan);
        command.env("BANYAN_DATA_DIR", self.folder().join("data")).args(args);
        command
    }

    /// `banyan --instance … ARGS`
    pub fn instanced(&self, args: &[&str]) -> Command {
        let mut command = self.banyan(&["--instance", &self.instance()]);
        command.args(args);
        command
    }

    /// `docker compose ARGS`
    pub fn compose(&self, args: &[&str]) -> Command {
        let mut command = self.command(Path::new(&self.compose[0]));
        command.args(&self.compose[1..]).args(args);
        command
    }

    /// `docker ARGS`
    pub fn docker(&self, args: &[&str]) -> Command {
        let mut command = self.command(Path::new("docker"));
        command.args(args);
        command
    }

    /// Without variables that the stack or Compose would take from the environment.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder()).env_clear().stdin(Stdio::null());
        for name in ["PATH", "HOME", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }

    /// Runs `docker ARGS`, which must end with 0; what it printed.
    pub fn ask(&self, args: &[&str]) -> Result<String, String> {
        let what = format!("docker {}", args.first().unwrap_or(&""));
        Ok(run(self.docker(args))?.ok(&what)?.stdout.trim_end().to_owned())
    }

    /// `docker inspect` of all containers of a project.
    pub fn inspect(&self, project: &str) -> Result<Vec<Value>, String> {
        let ids = self.ask(&["ps", "-aq", "--filter", &format!("label={LABEL}={project}")])?;
        if ids.is_empty() {
            return Ok(vec![]);
        }
        let args: Vec<&str> = ["inspect"].into_iter().chain(ids.lines()).collect();
        serde_json::from_str(&self.ask(&args)?).map_err(text)
    }

    /// What a bare `docker run` needs so that `remove` finds it.
    pub fn label(project: &str) -> String {
        format!("{LABEL}={project}")
    }

    /// Removes containers, networks and volumes of a project of this benchmark.
    pub fn remove(&self, project: &str) -> Result<(), String> {
        assert!(project.starts_with(PREFIX), "{project} is not of this benchmark");
        let filter = format!("label={LABEL}={project}");
        let lists: [(&[&str], &[&str]); 3] = [
            (&["ps", "-aq"], &["rm", "-f", "-v"]),
            (&["network", "ls", "-q"], &["network", "rm"]),
            (&["volume", "ls", "-q"], &["volume", "rm"]),
        ];
        for (list, remove) in lists {
            let args: Vec<&str> = list.iter().copied().chain(["--filter", &filter]).collect();
            let found = self.ask(&args)?;
            if !found.is_empty() {
                let args: Vec<&str> = remove.iter().copied().chain(found.lines()).collect();
                self.ask(&args)?;
            }
        }
        Ok(())
    }

    /// Projects that have anything on the engine.
    fn projects(&self) -> Result<Vec<String>, String> {
        let format = format!("{{{{.Label \"{LABEL}\"}}}}");
        let mut found = Vec::new();
        for list in [&["ps", "-a"][..], &["network", "ls"], &["volume", "ls"]] {
            let args: Vec<&str> = list.iter().copied().chain(["--format", &format]).collect();
            found.extend(self.ask(&args)?.lines().filter(|l| l.starts_with(PREFIX)).map(str::to_owned));
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// Removes everything of this run.
    pub fn clean(&self) {
        let own = self.project("");
        for project in self.projects().unwrap_or_default() {
            let is_ours = project == own || project.starts_with(&format!("{own}-"));
            if is_ours && let Err(why) = self.remove(&project) {
                eprintln!("could not remove {project}: {why}");
            }
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Cleans the stage when it is dropped.
pub struct Cleaner(pub Arc<Stage>);

impl Drop for Cleaner {
    fn drop(&mut self) {
        self.0.clean();
    }
}

/// Runs a command to its end.
pub fn run(command: Command) -> Result<Run, String> {
    Ok(watched(command, None)?.0)
}

/// Runs a command to its end, and reads its peak memory every `pause`.
pub fn run_with_memory(command: Command, pause: Duration) -> Result<(Run, u64), String> {
    watched(command, Some(pause))
}

fn watched(mut command: Command, pause: Option<Duration>) -> Result<(Run, u64), String> {
    let cpu = machine::children_cpu();
    let began = Instant::now();
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.map_err(|e| format!("{}: {e}", command.get_program().display()))?;
    let (process, ended) = (child.id(), AtomicBool::new(false));
    let (output, took, peak) = std::thread::scope(|scope| {
        let reader = pause.map(|pause| {
            scope.spawn({
                let ended = &ended;
                move || {
                    let mut peak = 0;
                    while !ended.load(Ordering::Relaxed) {
                        peak = machine::peak_memory(process).max(peak);
                        std::thread::sleep(pause);
                    }
                    peak
                }
            })
        });
        let output = child.wait_with_output();
        let took = began.elapsed();
        ended.store(true, Ordering::Relaxed);
        (output, took, reader.and_then(|r| r.join().ok()).unwrap_or(0))
    });
    let output = output.map_err(text)?;
    let run = Run {
        took,
        cpu: machine::children_cpu() - cpu,
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    Ok((run, peak))
}

/// An error as text.
pub fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
