//! What containers have written.

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptions;
use futures_util::{Stream, StreamExt};

use super::connect::Engine;
use super::error::{Error, doing};

/// Which lines.
#[derive(Debug, Clone, Default)]
pub struct LogRequest {
    /// Go on as new lines come.
    pub follow: bool,
    /// Only the last so many; `None`: all.
    pub tail: Option<u64>,
    /// Only from this moment on, seconds since 1970.
    pub since: Option<i64>,
    /// Put the engine's time before each line.
    pub timestamps: bool,
}

/// A piece of output: whole lines or parts of one, as the container wrote it.
#[derive(Debug, Clone)]
pub struct LogChunk {
    /// True for standard error.
    pub is_error: bool,
    /// The bytes.
    pub bytes: bytes::Bytes,
}

impl Engine {
    /// The output of a container, oldest first.
    pub fn logs(&self, name: &str, request: &LogRequest) -> impl Stream<Item = Result<LogChunk, Error>> + use<> {
        let options = LogsOptions {
            follow: request.follow,
            stdout: true,
            stderr: true,
            since: request.since.and_then(|s| i32::try_from(s).ok()).unwrap_or(0),
            timestamps: request.timestamps,
            tail: request.tail.map_or_else(|| "all".to_owned(), |n| n.to_string()),
            ..Default::default()
        };
        let name = name.to_owned();
        self.docker.logs(&name, Some(options)).map(move |chunk| {
            let chunk = chunk.map_err(doing(|| format!("read the logs of {name}")))?;
            let is_error = matches!(chunk, LogOutput::StdErr { .. });
            Ok(LogChunk { is_error, bytes: chunk.into_bytes() })
        })
    }

    /// The last lines of a container, standard error first when there is any.
    pub async fn last_lines(&self, name: &str, count: u64) -> Vec<String> {
        let request = LogRequest { tail: Some(count), ..Default::default() };
        let mut stream = std::pin::pin!(self.logs(name, &request));
        let (mut errors, mut rest) = (Vec::new(), Vec::new());
        while let Some(Ok(chunk)) = stream.next().await {
            let text = String::from_utf8_lossy(&chunk.bytes);
            let lines = text.lines().map(|l| l.trim_end().to_owned()).filter(|l| !l.is_empty());
            if chunk.is_error { errors.extend(lines) } else { rest.extend(lines) }
        }
        errors.extend(rest);
        errors
    }
}
