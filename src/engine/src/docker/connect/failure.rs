//! Why no engine could be had, place by place, and what to do about it.

use std::error::Error as _;
use std::fmt;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::time::Duration;

use super::api::Api;
use super::endpoint;

/// Why one place did not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// No such socket.
    #[error("no such socket")]
    Missing,
    /// Nobody listens there.
    #[error("connection refused: nothing listens there")]
    Refused,
    /// It is there, and this user may not use it.
    #[error("permission denied")]
    PermissionDenied,
    /// No answer in time.
    #[error("no answer within {} s", after.as_secs_f32())]
    TimedOut {
        /// How long we waited.
        after: Duration,
    },
    /// It took the connection and closed it without an answer.
    #[error("it closed the connection without an answer")]
    Closed,
    /// Something answers, but not with Docker's protocol.
    #[error("no Docker engine: it answered `{answer}`")]
    NotDocker {
        /// The beginning of what it said.
        answer: String,
    },
    /// A kind of address that we do not speak.
    #[error("not supported: {why}")]
    Unsupported {
        /// What is the matter with it.
        why: String,
    },
    /// An engine older than what we need.
    #[error("engine {version} is too old: it speaks API {api}, and {} is the least", Api::OLDEST)]
    TooOld {
        /// The newest API that it speaks.
        api: Api,
        /// The engine's version.
        version: String,
    },
    /// The context, or the file that names it, cannot be used.
    #[error("{why}")]
    BadContext {
        /// What is the matter with it.
        why: String,
    },
    /// No trust between us: certificates, keys, or TLS on one side only.
    #[error("TLS: {why}")]
    Tls {
        /// What is the matter.
        why: String,
    },
    /// The system's own words.
    #[error("{0}")]
    Other(#[source] io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Failure::Missing,
            ErrorKind::ConnectionRefused => Failure::Refused,
            ErrorKind::PermissionDenied => Failure::PermissionDenied,
            _ => Failure::Other(error),
        }
    }
}

impl Failure {
    /// What bollard says. Anything that is neither an answer nor the network's doing comes from TLS, because
    /// connections without it have been tried before bollard is asked.
    pub(super) fn from_client(error: bollard::errors::Error) -> Self {
        use bollard::errors::Error;
        match error {
            Error::DockerResponseServerError { message, .. } if message.contains("request to an HTTPS server") => {
                Failure::Tls { why: "it speaks only TLS, and none was asked for".to_owned() }
            }
            Error::DockerResponseServerError { status_code, message } => {
                let message: String = message.lines().next().unwrap_or_default().chars().take(60).collect();
                Failure::NotDocker { answer: format!("{status_code} {message}").trim_end().to_owned() }
            }
            Error::JsonDataError { message, .. } => Failure::NotDocker { answer: message },
            Error::SocketNotFoundError(_) => Failure::Missing,
            error => {
                let mut why = error.to_string();
                let mut cause = error.source();
                while let Some(next) = cause {
                    why = next.to_string();
                    cause = next.source();
                }
                Failure::Tls { why }
            }
        }
    }

    /// What to do about it, if we know: one line, with a command that works as pasted.
    pub fn hint(&self, endpoint: &str) -> Option<String> {
        match self {
            Failure::PermissionDenied => Some(format!(
                "your user may not use {endpoint}: join the group with `sudo usermod -aG docker \"$USER\"` and log in again"
            )),
            Failure::TooOld { .. } => Some("update the engine to Docker Engine 20.10 or newer".to_owned()),
            Failure::Unsupported { .. } => endpoint::forward(endpoint).map(|(command, here)| {
                format!("bring its socket here with `{command}`, then use `--host unix://{here}`")
            }),
            Failure::BadContext { .. } => {
                Some("`docker context ls` shows the contexts; `--host` takes an address instead".to_owned())
            }
            Failure::Tls { .. } => Some(
                "set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder with ca.pem, cert.pem and key.pem; \
                 the engine's certificate is always verified"
                    .to_owned(),
            ),
            Failure::Refused | Failure::Closed | Failure::TimedOut { .. } => {
                Some(format!("see whether the engine of {endpoint} runs"))
            }
            Failure::Missing | Failure::NotDocker { .. } | Failure::Other(_) => None,
        }
    }

    /// How much it says about what is wrong here: a socket that is not there says the least.
    fn weight(&self) -> u8 {
        match self {
            Failure::Missing => 0,
            Failure::Refused => 1,
            Failure::PermissionDenied => 3,
            _ => 2,
        }
    }
}

/// One place that was tried.
#[derive(Debug)]
pub struct Attempt {
    /// Where: `unix:///var/run/docker.sock`.
    pub endpoint: String,
    /// Why there: `DOCKER_HOST`, `context colima`, `default socket`.
    pub source: String,
    /// What came of it.
    pub failure: Failure,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.endpoint, self.source, self.failure)
    }
}

/// No engine could be had.
#[derive(Debug)]
pub struct Unreachable {
    /// What was tried, in order.
    pub attempts: Vec<Attempt>,
    /// Somebody chose this engine (option, environment or context), so that no other was tried.
    pub explicit: bool,
}

impl Unreachable {
    /// The attempt that says most about what is wrong.
    pub fn most_telling(&self) -> Option<&Attempt> {
        // the first one of equals: the order of the list is the order of likelihood
        self.attempts.iter().rev().max_by_key(|attempt| attempt.failure.weight())
    }

    /// What to do about it, if we know.
    pub fn hint(&self) -> Option<String> {
        self.most_telling().and_then(|attempt| attempt.failure.hint(&attempt.endpoint))
    }

    /// The socket that is there and that this user may not use.
    pub fn denied(&self) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| matches!(attempt.failure, Failure::PermissionDenied))
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.attempts.as_slice() {
            [only] => write!(f, "cannot reach the Docker engine at {only}"),
            all => write!(f, "no Docker engine answers in any of the {} places where one could be", all.len()),
        }
    }
}

impl std::error::Error for Unreachable {}

/// Runs into [`Failure::TimedOut`] after `limit`.
pub(super) async fn within<T>(limit: Duration, what: impl Future<Output = io::Result<T>>) -> Result<T, Failure> {
    match tokio::time::timeout(limit, what).await {
        Ok(done) => done.map_err(Failure::from),
        Err(_) => Err(Failure::TimedOut { after: limit }),
    }
}
