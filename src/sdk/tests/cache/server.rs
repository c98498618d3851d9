//! Servers of a test's own.

use std::{net::TcpListener, path::PathBuf, process::Command};

use banyan_sdk::config::Endpoint;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A Redis of the test's own; killed with it.
pub struct Server {
    folder: TempDir,
    port: u16,
}

impl Server {
    pub fn absent() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { folder: TempDir::new().unwrap(), port }
    }

    pub fn start() -> Self {
        let server = Self::absent();
        server.tell("start");
        server
    }

    pub fn tell(&self, command: &str) {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/servers/redis");
        let mut told = Command::new(script);
        told.arg(command).arg(self.folder.path()).arg(self.port.to_string());
        let output = told.output().unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::parse(&format!("redis://127.0.0.1:{}", self.port), &["redis"], 6379).unwrap()
    }

    pub async fn command(&self, command: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.folder.path().join("pid").exists() {
            // it may be stopped, or dead already
            let pid = std::fs::read_to_string(self.folder.path().join("pid")).unwrap();
            let _ = Command::new("kill").args(["-KILL", pid.trim()]).output();
        }
    }
}
