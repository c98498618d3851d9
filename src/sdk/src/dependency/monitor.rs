//! Connect, watch, report, reconnect: the same loop for every protocol.
//!
//! A death is seen at the latest after one interval and one unanswered round trip, so within 1.5 s; a return after one
//! pause and one connection. The log gets a line for a change, not for an attempt.

use std::{
    future::{self, Future},
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::trouble::{Kind, Trouble};
use crate::{config::Secret, health::Board};

const INTERVAL: Duration = Duration::from_millis(500);
const ROUND_TRIP_LIMIT: Duration = Duration::from_secs(1);
const CONNECT_LIMIT: Duration = Duration::from_millis(1_500);
const SHORTEST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// One way to talk to a dependency.
pub(super) trait Protocol: Send + 'static {
    /// A connection that is kept.
    type Connection: Send;

    /// Connects and logs in.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection, Trouble>> + Send;

    /// Asks something that only a working server answers.
    fn round_trip(&self, connection: &mut Self::Connection) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Completes when the connection is seen to be gone; never, where only a round trip can tell.
    fn gone(&self, _: &mut Self::Connection) -> impl Future<Output = Trouble> + Send {
        future::pending()
    }

    /// Says goodbye.
    fn close(&self, connection: Self::Connection) -> impl Future<Output = ()> + Send {
        drop(connection);
        future::ready(())
    }
}

pub(super) struct Monitor {
    name: String,
    password: Option<Secret>,
    board: Board,
    stop: CancellationToken,
    logged: Option<Logged>,
    pause: Duration,
}

/// The state that was last written to the log.
#[derive(PartialEq)]
enum Logged {
    Connected,
    Waiting(Kind),
}

impl Monitor {
    pub(super) fn new(name: String, password: Option<Secret>, board: Board, stop: CancellationToken) -> Self {
        Self { name, password, board, stop, logged: None, pause: SHORTEST_PAUSE }
    }

    pub(super) async fn run(mut self, protocol: impl Protocol) {
        let stop = self.stop.clone();
        loop {
            let connecting = limited(CONNECT_LIMIT, protocol.connect());
            let connected = tokio::select! {
                () = stop.cancelled() => return,
                connected = connecting => connected,
            };
            let trouble = match connected {
                Err(trouble) => trouble,
                Ok(mut connection) => {
                    let ended = tokio::select! {
                        () = stop.cancelled() => None,
                        trouble = self.attend(&protocol, &mut connection) => Some(trouble),
                    };
                    match ended {
                        None => return protocol.close(connection).await,
                        Some(trouble) => trouble,
                    }
                }
            };
            self.waiting(trouble);
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(self.pause) => self.pause = LONGEST_PAUSE.min(self.pause * 2),
            }
        }
    }

    /// Watches a connection until it is of no more use.
    async fn attend<P: Protocol>(&mut self, protocol: &P, connection: &mut P::Connection) -> Trouble {
        loop {
            let asked = Instant::now();
            match limited(ROUND_TRIP_LIMIT, protocol.round_trip(connection)).await {
                Ok(()) => self.connected(asked.elapsed()),
                Err(trouble) => return trouble,
            }
            tokio::select! {
                trouble = protocol.gone(connection) => return trouble,
                () = sleep(INTERVAL) => {}
            }
        }
    }

    fn connected(&mut self, latency: Duration) {
        self.pause = SHORTEST_PAUSE;
        self.board.healthy(&self.name, latency);
        if self.logged != Some(Logged::Connected) {
            self.logged = Some(Logged::Connected);
            info!(dependency = self.name, "connected to {}", self.name);
        }
    }

    fn waiting(&mut self, trouble: Trouble) {
        let Trouble { kind, reason } = trouble.fit_to_show(self.password.as_ref());
        self.board.unhealthy(&self.name, &reason);
        if self.logged != Some(Logged::Waiting(kind)) {
            self.logged = Some(Logged::Waiting(kind));
            warn!(dependency = self.name, "waiting for {}: {reason}", self.name);
        }
    }
}

async fn limited<T>(limit: Duration, attempt: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    timeout(limit, attempt)
        .await
        .unwrap_or_else(|_| Err(Trouble::unreachable(format!("no answer within {} s", limit.as_secs_f32()))))
}
