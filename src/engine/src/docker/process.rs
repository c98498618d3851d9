//! A command in a container whose standard streams are ours: data in and out of any engine, also a remote one.

use std::pin::Pin;

use bollard::container::LogOutput;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::connect::Engine;
use super::error::{Error, doing};
use super::exec::Ended;

/// What is kept of standard error: its end, where the reason stands.
const ERROR_LIMIT: usize = 16_384;
/// The buffer of the stream; chunks of data are as large as the program writes them.
const CAPACITY: usize = 256 * 1024;

/// What to run in a container.
#[derive(Debug, Clone, Default)]
pub struct Command {
    args: Vec<String>,
    env: Vec<String>,
    user: Option<String>,
}

impl Command {
    /// A command line.
    pub fn new<S: Into<String>>(args: impl IntoIterator<Item = S>) -> Self {
        Self { args: args.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// A line for the container's own shell.
    pub fn shell(line: &str) -> Self {
        Self::new(["/bin/sh", "-c", line])
    }

    /// Sets a variable; a password given like this is in no list of processes.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push(format!("{name}={value}"));
        self
    }

    /// Runs as this user instead of the container's own.
    pub fn user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }
}

/// A running command.
pub struct Process {
    /// Its standard input.
    pub input: Input,
    /// Its standard output and, at the end, how it ended.
    pub output: Output,
}

/// The standard input of a command.
pub struct Input {
    pipe: Pin<Box<dyn AsyncWrite + Send>>,
    doing: String,
}

/// The standard output of a command.
pub struct Output {
    stream: Pin<Box<dyn Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>,
    errors: Vec<u8>,
    engine: Engine,
    id: String,
    doing: String,
}

impl Engine {
    /// Starts a command in a running container.
    pub async fn start(&self, container: &str, command: &Command) -> Result<Process, Error> {
        let what = format!("run {} in {container}", command.args.first().map_or("", String::as_str));
        let config = ExecConfig {
            cmd: Some(command.args.clone()),
            env: (!command.env.is_empty()).then(|| command.env.clone()),
            user: command.user.clone(),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..Default::default()
        };
        let exec = self.docker.create_exec(container, config).await.map_err(doing(|| what.clone()))?;
        let options = StartExecOptions { output_capacity: Some(CAPACITY), ..Default::default() };
        match self.docker.start_exec(&exec.id, Some(options)).await.map_err(doing(|| what.clone()))? {
            StartExecResults::Attached { output, input } => Ok(Process {
                input: Input { pipe: input, doing: what.clone() },
                output: Output { stream: output, errors: Vec::new(), engine: self.clone(), id: exec.id, doing: what },
            }),
            StartExecResults::Detached => {
                Err(Error::Stream { doing: what, message: "the engine did not attach to it".to_owned() })
            }
        }
    }

    /// Runs a command with this input to its end: its standard output, and how it ended.
    pub async fn run(&self, container: &str, command: &Command, input: &[u8]) -> Result<(String, Ended), Error> {
        let Process { input: mut pipe, mut output } = self.start(container, command).await?;
        let feed = async {
            // a command that ends without reading all of it says why in its own words
            let _ = pipe.write(input).await;
            pipe.close().await;
        };
        let collect = async {
            let mut text = Vec::new();
            while let Some(chunk) = output.next().await? {
                text.extend_from_slice(&chunk);
            }
            Ok::<_, Error>(String::from_utf8_lossy(&text).into_owned())
        };
        let ((), text) = tokio::join!(feed, collect);
        Ok((text?, output.end().await?))
    }
}

impl Process {
    /// Feeds the command what `next` gives, until that has no more, and passes over its standard output: how it ended.
    pub async fn feed<E: From<Error>>(
        self,
        mut next: impl AsyncFnMut() -> Result<Option<Bytes>, E>,
    ) -> Result<Ended, E> {
        let Self { mut input, mut output } = self;
        let write = async {
            while let Some(bytes) = next().await? {
                if input.write(&bytes).await.is_err() {
                    // it has ended, and says why
                    break;
                }
            }
            input.close().await;
            Ok::<_, E>(())
        };
        let read = async {
            while output.next().await?.is_some() {}
            Ok::<_, E>(())
        };
        let (written, read) = tokio::join!(write, read);
        written?;
        read?;
        Ok(output.end().await?)
    }
}

impl Input {
    /// Writes all of it.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let written = match self.pipe.write_all(bytes).await {
            Ok(()) => self.pipe.flush().await,
            failed => failed,
        };
        written.map_err(|e| doing(|| self.doing.clone())(e.into()))
    }

    /// Says that there is no more.
    pub async fn close(mut self) {
        // a command that has ended has nothing left to be told
        let _ = self.pipe.shutdown().await;
    }
}

impl Output {
    /// The next piece of standard output; `None` at its end. Standard error is put aside for [`Self::end`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while let Some(chunk) = self.stream.next().await {
            match chunk.map_err(doing(|| self.doing.clone()))? {
                LogOutput::StdErr { message } => {
                    self.errors.extend_from_slice(&message);
                    let surplus = self.errors.len().saturating_sub(ERROR_LIMIT);
                    self.errors.drain(..surplus);
                }
                other => return Ok(Some(other.into_bytes())),
            }
        }
        Ok(None)
    }

    /// Waits for the end, passing over what is still to come of standard output. [`Ended::output`] is standard error.
    pub async fn end(mut self) -> Result<Ended, Error> {
        while self.next().await?.is_some() {}
        let what = || self.doing.clone();
        let ended = self.engine.docker.inspect_exec(&self.id).await.map_err(doing(what))?;
        let output = String::from_utf8_lossy(&self.errors).trim().to_owned();
        Ok(Ended { code: ended.exit_code.unwrap_or(-1), output })
    }
}
