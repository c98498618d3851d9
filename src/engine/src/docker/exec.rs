//! Running a command inside a container.

use std::time::Duration;

use bollard::exec::StartExecResults;
use bollard::models::ExecConfig;
use futures_util::StreamExt;

use super::connect::Engine;
use super::error::{Error, doing};

/// How a command ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Exit code.
    pub code: i64,
    /// The first 64 KiB of standard output and error together.
    pub output: String,
}

const OUTPUT_LIMIT: usize = 65_536;

impl Engine {
    /// Runs a command as the container's own user; `None` when it took longer than `limit`.
    pub async fn exec(&self, container: &str, command: &[String], limit: Duration) -> Result<Option<Ended>, Error> {
        let what = || format!("run {} in {container}", command.first().map_or("", String::as_str));
        let config = ExecConfig {
            cmd: Some(command.to_vec()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..Default::default()
        };
        let exec = self.docker.create_exec(container, config).await.map_err(doing(what))?;
        let collect = async {
            let mut output = Vec::new();
            let started = self.docker.start_exec(&exec.id, None).await.map_err(doing(what))?;
            if let StartExecResults::Attached { output: mut stream, .. } = started {
                while let Some(chunk) = stream.next().await {
                    let bytes = chunk.map_err(doing(what))?.into_bytes();
                    let room = OUTPUT_LIMIT.saturating_sub(output.len());
                    output.extend_from_slice(&bytes[..bytes.len().min(room)]);
                }
            }
            Ok::<_, Error>(output)
        };
        let Ok(output) = tokio::time::timeout(limit, collect).await else { return Ok(None) };
        let output = String::from_utf8_lossy(&output?).trim().to_owned();
        let ended = self.docker.inspect_exec(&exec.id).await.map_err(doing(what))?;
        Ok(Some(Ended { code: ended.exit_code.unwrap_or(-1), output }))
    }
}
