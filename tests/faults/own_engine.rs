//! A second Docker engine that belongs to one test: own socket, data, run-time folder and bridge.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::support::{eventually, root};

/// The engine; stopped, and everything of it removed, when it is dropped.
pub(super) struct OwnEngine {
    folder: tempfile::TempDir,
    process: Option<Child>,
    is_small: bool,
    /// Tells the bridges of engines apart.
    number: u32,
}

impl OwnEngine {
    /// Starts an engine that has the image of the tests.
    pub fn new() -> Self {
        Self::on(tempfile::Builder::new().prefix("banyan-engine-").tempdir().unwrap(), false)
    }

    /// The same with a disk of so many megabytes.
    pub fn small(megabytes: u32) -> Self {
        let folder = tempfile::Builder::new().prefix("banyan-engine-").tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let size = format!("size={megabytes}m");
        let data = data.display().to_string();
        run(root("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs", &data]));
        Self::on(folder, true)
    }

    fn on(folder: tempfile::TempDir, is_small: bool) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = (std::process::id() + NEXT.fetch_add(1, Ordering::Relaxed)) % 16;
        let mut engine = Self { folder, process: None, is_small, number };
        // with `--bridge none`, and when it restarts with `--default-address-pool`, an engine deletes docker0,
        // which belongs to the machine's own one
        let bridge = engine.bridge();
        run(root("ip").args(["link", "add", &bridge, "type", "bridge"]));
        run(root("ip").args(["address", "add", &format!("10.214.{number}.1/24"), "dev", &bridge]));
        run(root("ip").args(["link", "set", &bridge, "up"]));
        engine.start();
        let (image, host) = (image(), engine.host());
        let copied = Command::new("sh")
            .args(["-c", &format!("docker save {image} | docker --host {host} load")])
            .stdout(Stdio::null())
            .status();
        assert!(copied.unwrap().success(), "the image {image} could not be brought over");
        engine
    }

    /// What `DOCKER_HOST` has to be.
    pub fn host(&self) -> String {
        format!("unix://{}", self.path("socket").display())
    }

    /// Where the engine keeps its data.
    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Starts the engine and waits until it answers.
    pub fn start(&mut self) {
        let path = |name: &str| self.path(name).display().to_string();
        let log = std::fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let process = root("dockerd")
            .args(["--data-root", &path("data"), "--exec-root", &path("exec"), "--pidfile", &path("pid")])
            .args(["--host", &self.host()])
            // firewall rules are left to the machine's own engine
            .args(["--bridge", &self.bridge(), "--iptables=false", "--ip6tables=false"])
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(process);
        let log = self.path("log");
        eventually(Duration::from_secs(60), &format!("the engine answers; its log is {}", log.display()), || {
            self.docker(&["version"]).is_ok()
        });
    }

    /// Stops the engine in good order: it stops its containers.
    pub fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        self.signal("TERM");
        let _ = process.wait();
    }

    /// Freezes the engine until the result is dropped, also by a test that fails.
    pub fn freeze(&self) -> Frozen<'_> {
        self.signal("STOP");
        Frozen(self)
    }

    fn signal(&self, name: &str) {
        let pid = std::fs::read_to_string(self.path("pid")).unwrap_or_default();
        let _ = root("kill").args([&format!("-{name}"), pid.trim()]).status();
    }

    /// Runs the command line of Docker against it.
    pub fn docker(&self, args: &[&str]) -> Result<String, String> {
        let output = Command::new("docker").args(["--host", &self.host()]).args(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    fn bridge(&self) -> String {
        format!("banyan-test-{}", self.number)
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }
}

/// An engine that does not answer.
pub(super) struct Frozen<'a>(&'a OwnEngine);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.0.signal("CONT");
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        if let Ok(ids) = self.docker(&["ps", "-aq"]) {
            for id in ids.lines() {
                let _ = self.docker(&["rm", "-f", "-v", id]);
            }
        }
        if let Ok(networks) = self.docker(&["network", "ls", "-q", "--filter", "type=custom"]) {
            for id in networks.lines() {
                let _ = self.docker(&["network", "rm", id]);
            }
        }
        self.stop();
        let _ = root("ip").args(["link", "delete", &self.bridge()]).status();
        if self.is_small {
            let _ = root("umount").arg(self.data()).status();
        }
        let _ = root("rm").arg("-rf").arg(self.folder.path()).status();
    }
}

/// The image of the tests, by the name that the machine's engine has for it.
pub(super) fn image() -> String {
    let list = Command::new("docker")
        .args(["images", "--filter", "label=dev.banyan.recipe=redis", "--format", "{{.Repository}}:{{.Tag}}"])
        .output()
        .unwrap();
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let built = list.lines().find(|l| l.starts_with("banyan-local/redis:"));
    built.unwrap_or("redis:7-alpine").to_owned()
}

#[track_caller]
fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}
