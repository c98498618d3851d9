//! What a request to Docker can fail with.

/// A failed request: what was being done to what, and what the engine answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine refused or could not do it.
    #[error("cannot {doing}: {message}")]
    Refused {
        /// `create container flow-platform-redis`
        doing: String,
        /// HTTP status of the engine's API.
        status: u16,
        /// The engine's own words.
        message: String,
    },
    /// No answer: connection lost, or not the protocol.
    #[error("cannot {doing}: {source}")]
    Transport {
        /// `create container flow-platform-redis`
        doing: String,
        /// The cause.
        #[source]
        source: bollard::errors::Error,
    },
    /// A stream of the engine (pull, build, load) ended with an error message.
    #[error("cannot {doing}: {message}")]
    Stream {
        /// `pull postgres:16-alpine`
        doing: String,
        /// The engine's own words.
        message: String,
    },
}

impl Error {
    /// True when the engine says that the thing does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Error::Refused { status: 404, .. })
    }

    /// True when a name is taken or the thing is in use.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Error::Refused { status: 409, .. })
    }

    /// The engine's own words, without what was being done.
    pub fn message(&self) -> String {
        match self {
            Error::Refused { message, .. } | Error::Stream { message, .. } => message.clone(),
            Error::Transport { source, .. } => source.to_string(),
        }
    }
}

/// Turns bollard's error into ours: `.map_err(doing(|| format!("start {name}")))`.
pub(crate) fn doing<S: Into<String>>(what: impl FnOnce() -> S) -> impl FnOnce(bollard::errors::Error) -> Error {
    move |source| match source {
        bollard::errors::Error::DockerResponseServerError { status_code, message } => {
            Error::Refused { doing: what().into(), status: status_code, message }
        }
        bollard::errors::Error::DockerStreamError { error } => Error::Stream { doing: what().into(), message: error },
        source => Error::Transport { doing: what().into(), source },
    }
}
