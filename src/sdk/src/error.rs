//! What can keep a service from running.

use std::{fmt, io, net::SocketAddr};

use crate::config::Problem;

/// Why a service did not start, or did not keep running.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The environment holds mistakes; every one of them is listed.
    #[error("cannot read the configuration:{}", Listed(.0))]
    Configuration(Vec<Problem>),
    /// The service is not put together right; every mistake is listed.
    #[error("cannot run the service `{name}`:{}", Listed(.mistakes))]
    Service {
        /// The service.
        name: String,
        /// What is wrong with it.
        mistakes: Vec<String>,
    },
    /// The bus did not take the service's queues.
    #[error("cannot connect the service to the bus")]
    Bus(#[from] crate::bus::BusError),
    /// The event store could not be opened.
    #[error("cannot open the event store")]
    Store(#[from] crate::store::StoreError),
    /// The port to serve on could not be opened.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// The signals that stop the service could not be caught.
    #[error("cannot listen for termination signals")]
    Signals(#[source] io::Error),
}

struct Listed<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}
