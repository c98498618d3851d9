//! From the bus to the hub: one queue for this instance, bound to what somebody asked for.
//!
//! What was asked for once stays bound: there are no more kinds of events than contracts, and what is kept of them serves
//! those who come back.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use banyan_sdk::{
    bus::{Bus, Deliveries, Message, State, Topology, packing},
    ids,
    protocol::{
        Envelope, Fault, Kind,
        names::{self, ServiceName},
    },
};
use tokio::{sync::Mutex, time::timeout};
use tracing::{debug, info, warn};

use super::hub::Hub;

/// How many events are taken at a time.
const PREFETCH: u16 = 256;
/// How long a client waits for the bus.
const PATIENCE: Duration = Duration::from_secs(5);

/// The queue of this instance, once it is known where.
#[derive(Default)]
pub(super) struct Feed {
    source: OnceLock<(Arc<dyn Bus>, String)>,
    /// Whether events are taken from the queue. Held while the bus is asked for something.
    running: Mutex<bool>,
}

impl Feed {
    /// Says which bus it is, for an instance of `service`. The first one stays.
    pub(super) fn open(&self, bus: Arc<dyn Bus>, service: &ServiceName) {
        let unique = ids::message(ids::random());
        let _ = self.source.set((bus, names::listener_queue(service, "clients", &unique)));
    }

    /// Has events with these words come, if they do not yet.
    ///
    /// # Errors
    /// `SERVICE_UNAVAILABLE` when the bus does not do it in time.
    pub(super) async fn bind(&self, hub: &Hub, words: Vec<String>) -> Result<(), Fault> {
        let missing = |hub: &Hub| -> Vec<String> {
            let fan = hub.fan();
            words.iter().filter(|word| !fan.comes(word)).cloned().collect()
        };
        if missing(hub).is_empty() {
            return Ok(());
        }
        let (bus, queue) = self.source.get().ok_or_else(|| Fault::unavailable("the gateway is starting"))?;
        let bind = async {
            let mut running = self.running.lock().await;
            let words = missing(hub);
            let patterns = words.iter().map(|word| names::event_pattern(None, Some(word)));
            let topology = patterns.fold(Topology::default(), |all, pattern| all.listener(queue, pattern));
            bus.declare(&topology).await?;
            if !*running {
                let deliveries = bus.consume(queue, PREFETCH).await?;
                tokio::spawn(run(bus.clone(), deliveries, hub.clone()));
                *running = true;
            }
            hub.fan().begin(&words);
            Ok::<_, banyan_sdk::bus::BusError>(())
        };
        match timeout(PATIENCE, bind).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                warn!(%error, "cannot listen to events");
                Err(Fault::unavailable("events cannot be listened to right now"))
            }
            Err(_) => Err(Fault::unavailable("events cannot be listened to right now")),
        }
    }
}

/// Takes events from the queue until the hub stops or the bus is closed.
async fn run(bus: Arc<dyn Bus>, mut deliveries: Deliveries, hub: Hub) {
    let mut state = bus.state();
    let mut connected = true;
    loop {
        tokio::select! {
            () = hub.stopping().cancelled() => return,
            changed = state.changed() => {
                if changed.is_err() {
                    return;
                }
                let now = !matches!(*state.borrow_and_update(), State::Disconnected { .. });
                if now && !connected && hub.fan().begun() {
                    // The queue outlives a short while without us, but who knows.
                    info!("the bus was away: events may have been missed");
                    hub.tear();
                }
                connected = now;
            }
            delivery = deliveries.next() => {
                let Some(delivery) = delivery else { return };
                match read(&delivery.message) {
                    Ok(envelope) => hub.publish(envelope),
                    Err(problem) => debug!(problem, "an event that cannot be read"),
                }
                delivery.ack();
            }
        }
    }
}

fn read(message: &Message) -> Result<Envelope, String> {
    let body = packing::unpack(Kind::Event, message).map_err(|error| error.to_string())?;
    Envelope::read(&body).map_err(|error| error.to_string())
}
