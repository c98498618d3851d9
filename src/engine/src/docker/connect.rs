//! Finding the engine and talking to it for the first time.
//!
//! The order is the one of Docker's own command line: the host asked for, `DOCKER_HOST`, the context, then
//! the sockets that the known engines use. A choice that somebody made is never replaced by another one.

mod api;
mod candidates;
mod context;
mod endpoint;
mod failure;
mod ping;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use bollard::models::SystemVersion;
use bollard::{API_DEFAULT_VERSION, ClientVersion, Docker};
use tokio::sync::OnceCell;

pub use api::Api;
pub use failure::{Attempt, Failure, Unreachable};

use super::error::{Error, doing};
use candidates::{Candidate, Choice};
use endpoint::{Endpoint, Tls};
use failure::within;
use ping::Pong;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(2);
/// How long the engine may take to say what it is.
const ANSWER: Duration = Duration::from_secs(5);
/// Builds, pulls and waits take as long as they take: whoever wants a limit sets it around the request.
const NO_LIMIT: u64 = 365 * 24 * 60 * 60;

/// What decides which engine is taken: everything from outside that counts.
#[derive(Clone)]
pub struct Request<'a> {
    /// The host asked for on the command line.
    pub host: Option<String>,
    /// Looks up an environment variable.
    pub env: &'a (dyn Fn(&str) -> Option<String> + Sync),
    /// The user's home folder.
    pub home: Option<PathBuf>,
    /// The user's number, for the run-time folder when `XDG_RUNTIME_DIR` is not set.
    pub uid: u32,
}

/// An engine that answered.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(crate) docker: Docker,
    endpoint: String,
    source: String,
    product: String,
    version: String,
    api: Api,
    os: String,
    arch: OnceCell<String>,
    local: bool,
}

impl Engine {
    /// Where it is: `unix:///var/run/docker.sock`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Why this one: `--host`, `DOCKER_HOST`, `context colima`, `default socket`.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// `Docker` or `Podman`.
    pub fn product(&self) -> &str {
        &self.product
    }

    /// The engine's own version: `20.10.24`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The version of the API that both sides speak; ask it before using anything newer than [`Api::OLDEST`].
    pub fn api(&self) -> Api {
        self.api
    }

    /// The operating system of the containers: `linux`.
    pub fn os(&self) -> &str {
        &self.os
    }

    /// True behind a socket file or a named pipe: the published ports are, as a rule, on this machine.
    pub fn is_local(&self) -> bool {
        self.local
    }

    /// The architecture of the containers in Docker's words: `amd64`, `arm64`. Asked for once, when needed,
    /// because the engine takes ten times as long for it as for all the rest.
    pub async fn arch(&self) -> Result<&str, Error> {
        let ask = || async {
            let version = self.docker.version().await.map_err(doing(|| "ask the engine for its architecture"))?;
            Ok(version.arch.unwrap_or_default())
        };
        self.arch.get_or_try_init(ask).await.map(String::as_str)
    }
}

/// Find the engine and shake hands with it: one connection and one short request when it is there.
pub async fn connect(request: &Request<'_>) -> Result<Engine, Unreachable> {
    first(candidates::choose(request)).await
}

async fn first(choice: Choice) -> Result<Engine, Unreachable> {
    let mut attempts = Vec::new();
    for Candidate { endpoint, source, to } in choice.candidates {
        let opened = match to {
            Ok(to) => open(&to).await,
            Err(failure) => Err(failure),
        };
        match opened {
            Ok((docker, pong, local)) => {
                return Ok(Engine {
                    docker,
                    endpoint,
                    source,
                    product: pong.product,
                    version: pong.version,
                    api: pong.api.min(Api::newest()),
                    os: pong.os,
                    arch: OnceCell::new_with(pong.arch),
                    local,
                });
            }
            Err(failure) => attempts.push(Attempt { endpoint, source, failure }),
        }
    }
    Err(Unreachable { attempts, explicit: choice.explicit })
}

async fn open(endpoint: &Endpoint) -> Result<(Docker, Pong, bool), Failure> {
    let (pong, local) = match endpoint {
        #[cfg(unix)]
        Endpoint::Unix(path) => {
            let stream = within(CONNECT, tokio::net::UnixStream::connect(path)).await?;
            (ping::ping(stream, "docker", ANSWER).await?, true)
        }
        #[cfg(windows)]
        Endpoint::Pipe(path) => {
            let stream = tokio::net::windows::named_pipe::ClientOptions::new().open(path)?;
            (ping::ping(stream, "docker", ANSWER).await?, true)
        }
        Endpoint::Http(authority) => {
            let stream = within(CONNECT, tokio::net::TcpStream::connect(authority)).await?;
            (ping::ping(stream, authority, ANSWER).await?, false)
        }
        // only to tell a machine that is not there from a certificate that is not right
        Endpoint::Https(authority, _) => {
            within(CONNECT, tokio::net::TcpStream::connect(authority)).await?;
            (None, false)
        }
    };
    let pong = match pong {
        Some(pong) => pong,
        None => ask(&client(endpoint, API_DEFAULT_VERSION)?).await?,
    };
    if pong.api < Api::OLDEST {
        return Err(Failure::TooOld { api: pong.api, version: pong.version });
    }
    let docker = client(endpoint, &pong.api.min(Api::newest()).into())?;
    Ok((docker, pong, local))
}

/// The long way, for TLS and for engines behind a proxy that hides the short one.
async fn ask(docker: &Docker) -> Result<Pong, Failure> {
    let answer = tokio::time::timeout(ANSWER, docker.version()).await;
    let version = answer.map_err(|_| Failure::TimedOut { after: ANSWER })?.map_err(Failure::from_client)?;
    let SystemVersion { version, api_version, os, arch, components, .. } = version;
    let api = api_version.as_deref().and_then(Api::parse);
    let podman = components.iter().flatten().any(|part| part.name.starts_with("Podman"));
    Ok(Pong {
        product: if podman { "Podman" } else { "Docker" }.to_owned(),
        api: api.ok_or_else(|| Failure::NotDocker { answer: "a version without a number".to_owned() })?,
        version: version.unwrap_or_default(),
        os: os.unwrap_or_default(),
        arch,
    })
}

fn client(endpoint: &Endpoint, api: &ClientVersion) -> Result<Docker, Failure> {
    let docker = match endpoint {
        #[cfg(unix)]
        Endpoint::Unix(path) => Docker::connect_with_unix(path, NO_LIMIT, api),
        #[cfg(windows)]
        Endpoint::Pipe(path) => Docker::connect_with_named_pipe(path, NO_LIMIT, api),
        Endpoint::Http(authority) => Docker::connect_with_http(authority, NO_LIMIT, api),
        Endpoint::Https(authority, Tls { ca, cert, key }) => {
            Docker::connect_with_ssl(authority, key, cert, ca, NO_LIMIT, api)
        }
    };
    docker.map_err(Failure::from_client)
}
