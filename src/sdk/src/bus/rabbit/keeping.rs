//! Keeping a connection: connect, set up, watch, and begin again.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Shared,
    consuming::Inward,
    link::{Link, News},
    sending::Outward,
};
use crate::bus::{BusError, State};

const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// How long the broker gets to answer a goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// One of the two connections of a bus.
pub(super) trait Side: Send + Sync + Sized + 'static {
    /// Which of the states is its own.
    const PLACE: usize;
    /// What the broker's administrator sees.
    const ROLE: &str;

    fn set_up(
        link: Link,
        shared: &Shared,
        lost: CancellationToken,
    ) -> impl Future<Output = Result<Self, String>> + Send;
    fn link(&self) -> &Link;
}

impl Side for Outward {
    const PLACE: usize = 0;
    const ROLE: &str = "out";

    async fn set_up(link: Link, shared: &Shared, lost: CancellationToken) -> Result<Self, String> {
        Self::start(link, shared, lost).await
    }

    fn link(&self) -> &Link {
        &self.link
    }
}

impl Side for Inward {
    const PLACE: usize = 1;
    const ROLE: &str = "in";

    async fn set_up(link: Link, _: &Shared, lost: CancellationToken) -> Result<Self, String> {
        Ok(Self::new(link, lost))
    }

    fn link(&self) -> &Link {
        &self.link
    }
}

/// What both connections are up to, and the sum of it.
pub(super) struct States {
    sides: Mutex<[State; 2]>,
    sum: watch::Sender<State>,
}

impl Default for States {
    fn default() -> Self {
        let unknown = || State::Disconnected { error: String::new() };
        Self { sides: Mutex::new([unknown(), unknown()]), sum: watch::Sender::new(unknown()) }
    }
}

impl States {
    fn set(&self, place: usize, state: State) {
        let mut sides = self.sides.lock().unwrap_or_else(PoisonError::into_inner);
        sides[place] = state;
        let worst = |matches: fn(&State) -> bool| sides.iter().find(|state| matches(state)).cloned();
        let sum = worst(|state| matches!(state, State::Disconnected { .. }))
            .or_else(|| worst(|state| matches!(state, State::Blocked { .. })))
            .unwrap_or(State::Connected);
        self.sum.send_if_modified(|known| {
            let changed = *known != sum;
            *known = sum;
            changed
        });
    }

    pub(super) fn watch(&self) -> watch::Receiver<State> {
        self.sum.subscribe()
    }

    /// The broker's words, when it takes no messages.
    pub(super) fn blocked(&self) -> Option<String> {
        match &self.sides.lock().unwrap_or_else(PoisonError::into_inner)[Outward::PLACE] {
            State::Blocked { reason } => Some(reason.clone()),
            _ => None,
        }
    }

    /// Why there is no connection.
    pub(super) fn reason(&self) -> String {
        match &*self.sum.borrow() {
            State::Disconnected { error } if error.is_empty() => "not connected yet".to_owned(),
            State::Disconnected { error } => error.clone(),
            _ => "the connection broke again and again".to_owned(),
        }
    }
}

/// Keeps one connection until the bus is closed.
pub(super) async fn keep<S: Side>(shared: Arc<Shared>, slot: watch::Sender<Option<Arc<S>>>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let lost = CancellationToken::new();
        let attempt = async {
            let (link, listening) = Link::open(&shared.options, S::ROLE).await?;
            let setting_up = S::set_up(link, &shared, lost.clone());
            let side = tokio::time::timeout(shared.options.patience, setting_up)
                .await
                .unwrap_or_else(|_| Err("the broker does not answer".to_owned()))?;
            Ok::<_, String>((side, listening))
        };
        let attempt = tokio::select! {
            () = shared.closed.cancelled() => break,
            attempt = attempt => attempt,
        };
        let error = match attempt {
            Ok((side, mut listening)) => {
                let side = Arc::new(side);
                shared.state.set(S::PLACE, State::Connected);
                slot.send_replace(Some(side.clone()));
                pause = FIRST_PAUSE;
                let error = loop {
                    let news = tokio::select! {
                        () = shared.closed.cancelled() => None,
                        () = lost.cancelled() => Some(News::Gone("a channel failed".to_owned())),
                        news = listening.next() => Some(news),
                    };
                    match news {
                        None => break None,
                        Some(News::Gone(error)) => break Some(error),
                        Some(News::Unblocked) => shared.state.set(S::PLACE, State::Connected),
                        Some(News::Blocked(reason)) => {
                            tracing::warn!(reason, "the broker takes no messages");
                            shared.state.set(S::PLACE, State::Blocked { reason });
                        }
                    }
                };
                lost.cancel();
                slot.send_replace(None);
                let Some(error) = error else {
                    side.link().close(GOODBYE).await;
                    side.link().sever();
                    break;
                };
                side.link().sever();
                tracing::warn!(connection = S::ROLE, error, "the connection to the broker broke");
                error
            }
            Err(error) => {
                lost.cancel();
                tracing::debug!(connection = S::ROLE, error, "cannot connect to the broker");
                error
            }
        };
        shared.state.set(S::PLACE, State::Disconnected { error });
        // Many services begin again at the same moment.
        let pausing = pause.mul_f64(0.5 + rand::random::<f64>() / 2.0);
        tokio::select! {
            () = shared.closed.cancelled() => break,
            () = tokio::time::sleep(pausing) => {}
        }
        pause = (pause * 2).min(shared.options.longest_pause);
    }
    shared.state.set(S::PLACE, State::Disconnected { error: "the bus is closed".to_owned() });
}

/// The connection of one side, as soon as there is one.
pub(super) async fn connection<S: Side>(
    shared: &Shared,
    slot: &watch::Receiver<Option<Arc<S>>>,
    deadline: Instant,
    lost: fn(&S) -> &CancellationToken,
) -> Result<Arc<S>, BusError> {
    if shared.ending.is_cancelled() {
        return Err(BusError::Closed);
    }
    let usable = |side: &Option<Arc<S>>| side.as_ref().is_some_and(|side| !lost(side).is_cancelled());
    if let Some(side) = slot.borrow().clone().filter(|side| !lost(side).is_cancelled()) {
        return Ok(side);
    }
    let mut slot = slot.clone();
    let side = tokio::select! {
        () = shared.ending.cancelled() => return Err(BusError::Closed),
        () = tokio::time::sleep_until(deadline) => None,
        side = slot.wait_for(usable) => side.map_err(|_| BusError::Closed)?.clone(),
    };
    side.ok_or_else(|| BusError::Disconnected { reason: shared.state.reason() })
}
