//! RabbitMQ, and whether it answers and takes messages, as the bus sees it.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{monitor::Protocol, trouble::Trouble};
use crate::{
    bus::{
        Bus, BusError, State, Topology,
        rabbit::{RabbitBus, RabbitOptions},
    },
    config::Endpoint,
};

pub(super) struct Broker(Arc<dyn Bus>);

impl Broker {
    /// The broker behind a bus that is there anyway.
    pub(super) fn of(bus: Arc<dyn Bus>) -> Self {
        Self(bus)
    }

    /// A broker that is only watched. Its bus notices as soon as the monitor that nobody is there.
    pub(super) fn new(endpoint: Endpoint) -> Self {
        let options = RabbitOptions {
            connect_timeout: Duration::from_millis(1_500),
            heartbeat: Duration::from_secs(1),
            longest_pause: Duration::from_millis(200),
            drain: Duration::ZERO,
            ..RabbitOptions::new(endpoint, "banyan health")
        };
        Self(Arc::new(RabbitBus::new(options)))
    }
}

impl Protocol for Broker {
    type Connection = watch::Receiver<State>;

    async fn connect(&self) -> Result<watch::Receiver<State>, Trouble> {
        let mut state = self.0.state();
        let tried = |state: &State| !matches!(state, State::Disconnected { error } if error.is_empty());
        if let State::Disconnected { error } = &*state.wait_for(tried).await.map_err(|_| closed())? {
            return Err(Trouble::unreachable(error.as_str()));
        }
        Ok(state)
    }

    async fn round_trip(&self, state: &mut watch::Receiver<State>) -> Result<(), Trouble> {
        // What every service declares, so that it is there or wanted.
        self.0.declare(&Topology::default()).await.map_err(|error| match error {
            BusError::Disconnected { reason } => Trouble::unreachable(reason),
            other => Trouble::refused(other.to_string()),
        })?;
        match &*state.borrow() {
            State::Blocked { reason } => Err(Trouble::refused(format!("takes no messages: {reason}"))),
            _ => Ok(()),
        }
    }

    async fn gone(&self, state: &mut watch::Receiver<State>) -> Trouble {
        match state.wait_for(|state| *state != State::Connected).await.as_deref() {
            Ok(State::Disconnected { error }) => Trouble::unreachable(error.as_str()),
            Ok(State::Blocked { reason }) => Trouble::refused(format!("takes no messages: {reason}")),
            _ => closed(),
        }
    }
}

fn closed() -> Trouble {
    Trouble::unreachable("the bus is closed")
}
