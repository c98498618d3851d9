//! Faults: something is killed, frozen, filled or taken away, and banyan says so and puts it right.
//!
//! Each fault happens once or a few times in a normal run, and in full count when `BANYAN_TEST_LONG` is set.
//! Engines are stopped and frozen only if the test started them itself.

mod backup;
mod down;
mod engine;
mod flapping;
mod killed;
mod own_engine;
mod restore;
mod signals;
mod start;
mod taken;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, ExitStatus};
use std::time::{Duration, Instant};

use crate::support::{Run, Stage, eventually};

/// A service that answers at once, for the compose files of these tests.
const REDIS: &str = "image: ${REDIS_IMAGE:-redis:7-alpine}
    stop_grace_period: 5s
    x-banyan: {recipe: redis, ready: {protocol: redis, port: 6379}}";

/// The same, but it answers only once the file /tmp/go is there.
const GATED: &str =
    "entrypoint: [sh, -c, 'until [ -e /tmp/go ]; do sleep 0.05; done; exec docker-entrypoint.sh redis-server']
    init: true";

/// How often a fault happens: a few times, or many in a long run.
fn rounds(short: u64, long: u64) -> u64 {
    if crate::support::long() { long } else { short }
}

/// A stage with a compose file, in which `@REDIS` and `@GATED` stand for what they mean.
struct Scene {
    stage: Stage,
}

impl Scene {
    fn new(name: &str, services: &str) -> Self {
        let scene = Self { stage: Stage::new(name) };
        scene.write(services);
        scene
    }

    /// Writes the compose file.
    fn write(&self, services: &str) {
        let text = services.replace("@REDIS", REDIS).replace("@GATED", GATED);
        self.stage.write("compose.yaml", &format!("name: f\n{text}"));
    }

    fn project(&self) -> String {
        format!("f-{}", self.stage.instance)
    }

    /// Name of a service's container.
    fn container(&self, service: &str) -> String {
        format!("{}-{service}-1", self.project())
    }

    fn banyan(&self, args: &[&str]) -> Run {
        self.stage.banyan(&[&["--file", "compose.yaml"], args].concat())
    }

    #[track_caller]
    fn ok(&self, args: &[&str]) -> Run {
        let run = self.banyan(args);
        assert_eq!(run.code, 0, "banyan {args:?}\n{}\n{}", run.stdout, run.stderr);
        run
    }

    /// Runs a command that must end with `code` and say all of `words` on standard error.
    #[track_caller]
    fn fails(&self, code: i32, args: &[&str], words: &[&str]) -> Run {
        let run = self.banyan(args);
        assert_eq!(run.code, code, "banyan {args:?}\n{}\n{}", run.stdout, run.stderr);
        for word in words {
            assert!(run.stderr.contains(word), "`{word}` is not in\n{}", run.stderr);
        }
        run
    }

    fn start(&self, args: &[&str]) -> Running {
        Running::new(self.stage.spawn(&[&["--progress", "json", "--file", "compose.yaml"], args].concat()))
    }

    /// What `docker inspect` says of a service's container.
    #[track_caller]
    fn inspect(&self, service: &str, format: &str) -> String {
        self.stage.docker(&["inspect", "--format", format, &self.container(service)])
    }

    /// Names and states of the project's containers, sorted: `web running`.
    #[track_caller]
    fn containers(&self) -> Vec<String> {
        let filter = format!("label=com.docker.compose.project={}", self.project());
        let list = self.stage.docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}} {{.State}}"]);
        let short = format!("{}-", self.project());
        let mut found: Vec<String> = list.lines().map(|l| l.replacen(&short, "", 1).replacen("-1 ", " ", 1)).collect();
        found.sort();
        found
    }

    #[track_caller]
    fn exec(&self, service: &str, command: &str) -> String {
        self.stage.docker(&["exec", &self.container(service), "sh", "-c", command])
    }

    #[track_caller]
    fn assert_nothing_left(&self) {
        assert_eq!(self.stage.leftovers(&self.project()), [""; 0]);
    }
}

/// A banyan that runs, with its progress line by line.
pub struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
    seen: String,
}

impl Running {
    pub fn new(mut child: Child) -> Self {
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr, seen: String::new() }
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of progress; `None` at the end.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.stderr.read_line(&mut line).unwrap();
        self.seen.push_str(&line);
        (read > 0).then_some(line)
    }

    /// Reads until a line holds all of `words`.
    #[track_caller]
    pub fn until(&mut self, words: &[&str]) {
        while let Some(line) = self.line() {
            if words.iter().all(|w| line.contains(w)) {
                return;
            }
        }
        panic!("it ended before it said {words:?}:\n{}", self.seen);
    }

    /// True while it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends a signal: `INT`, `TERM`, `KILL`.
    pub fn signal(&self, name: &str) {
        let sent = std::process::Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for the end, which must come within `limit`.
    #[track_caller]
    pub fn end(&mut self, limit: Duration) -> Run {
        let mut status: Option<ExitStatus> = None;
        eventually(limit, "banyan ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let (mut stdout, mut stderr) = (String::new(), self.seen.clone());
        self.stderr.read_to_string(&mut stderr).unwrap();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        Run { code: status.unwrap().code().unwrap_or(-1), stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Numbers that look random and are the same in every run (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// How long something took.
fn timed<T>(f: impl FnOnce() -> T) -> (Duration, T) {
    let began = Instant::now();
    let result = f();
    (began.elapsed(), result)
}
