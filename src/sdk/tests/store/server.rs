//! A PostgreSQL server that a test may do anything to.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{ConnectOptions, Connection, postgres::PgConnectOptions};
use tempfile::TempDir;

/// `nobody`, since the server refuses to be root.
const UNPRIVILEGED: &str = "65534";

pub struct Server {
    folder: TempDir,
    port: u16,
    child: Option<Child>,
    /// Mounted below the folder, only for the server and those whom it starts.
    small_disk: Option<&'static str>,
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// With a disk of `size` at [`Server::small`].
    pub async fn start_with_small_disk(size: &'static str) -> Self {
        Self::start_with(Some(size)).await
    }

    async fn start_with(small_disk: Option<&'static str>) -> Self {
        let folder = TempDir::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { folder, port, child: None, small_disk };
        if rustix::process::getuid().is_root() {
            run(Command::new("chown").arg(UNPRIVILEGED).arg(server.folder.path()));
        }
        std::fs::create_dir(server.small()).unwrap();
        let initdb = server.program("initdb");
        let data = server.data();
        run(server
            .as_server(&initdb)
            .args(["-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"])
            .arg("-D")
            .arg(data));
        server.again().await;
        server
    }

    /// Where the small disk is.
    pub fn small(&self) -> PathBuf {
        self.folder.path().join("small")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn program(&self, name: &str) -> PathBuf {
        let folder = std::env::var_os("BANYAN_TEST_POSTGRES_BIN")
            .expect("set BANYAN_TEST_POSTGRES_BIN to the folder of PostgreSQL's programs");
        Path::new(&folder).join(name)
    }

    /// A command with the server's rights.
    fn as_server(&self, program: &Path) -> Command {
        if rustix::process::getuid().is_root() {
            let mut command = Command::new("setpriv");
            let (user, group) = (format!("--reuid={UNPRIVILEGED}"), format!("--regid={UNPRIVILEGED}"));
            command.args([user, group, "--clear-groups".to_owned(), "--".to_owned()]).arg(program);
            command
        } else {
            Command::new(program)
        }
    }

    pub fn login(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username("postgres")
            .database("postgres")
    }

    /// Starts it once more, and waits until it answers.
    pub async fn again(&mut self) {
        let begin = Instant::now();
        loop {
            let mut child = self.spawn();
            loop {
                if let Ok(connection) = self.login().connect().await {
                    self.child = Some(child);
                    return connection.close().await.unwrap();
                }
                // After a kill the old server's processes need a moment until they have gone.
                if child.try_wait().unwrap().is_some() {
                    break;
                }
                assert!(begin.elapsed() < Duration::from_secs(60), "the server does not start");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "the server ends again and again");
        }
    }

    fn spawn(&self) -> Child {
        let postgres = self.program("postgres");
        let mut server = self.as_server(&postgres);
        server.arg("-D").arg(self.data()).args(["-p", &self.port.to_string(), "-k", ""]);
        server.args(["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=60"]);
        let mut command = match self.small_disk {
            None => server,
            Some(size) => {
                let mut mounted = Command::new("unshare");
                let script = format!("mount -t tmpfs -o size={size},uid={UNPRIVILEGED} small \"$0\" && exec \"$@\"");
                mounted.args(["-m", "sh", "-c", &script]).arg(self.small()).arg(server.get_program());
                mounted.args(server.get_args());
                mounted
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Ends it from one moment to the next.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
        child.wait().unwrap();
    }

    /// Ends it at once, its sessions included.
    pub fn quit(&mut self) {
        let mut child = self.child.take().unwrap();
        kill_process(Pid::from_child(&child), Signal::QUIT).unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.quit();
        }
    }
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
