//! What several tests need: the broker of the suite, names of their own, and deadlines.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use banyan_sdk::{
    bus::{
        Bus, State,
        rabbit::{RabbitBus, RabbitOptions},
    },
    config::Endpoint,
};
use tokio::time::Instant;

/// A setting that the tests cannot do without.
pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; see tests/run and src/sdk/tests/bus/main.rs"))
}

/// How to reach a broker.
pub fn options(url: &str) -> RabbitOptions {
    RabbitOptions::new(Endpoint::parse(url, &["amqp"], 5672).expect("an AMQP address"), "bus-tests")
}

/// A bus to the broker of the suite.
pub fn rabbit() -> RabbitBus {
    RabbitBus::new(options(&setting("BANYAN_TEST_AMQP_URL")))
}

/// A name that no other test uses, now or in another run.
pub fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("test.{name}.{}.{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// So many seconds from now.
pub fn seconds(count: u64) -> Instant {
    Instant::now() + Duration::from_secs(count)
}

/// Waits until the bus is in a state, for at most ten seconds.
pub async fn wait_for(bus: &dyn Bus, wanted: impl Fn(&State) -> bool) -> State {
    let mut state = bus.state();
    let reached = tokio::time::timeout(Duration::from_secs(10), state.wait_for(wanted)).await;
    reached.unwrap_or_else(|_| panic!("still {:?}", bus.state().borrow().clone())).unwrap().clone()
}

pub mod broker;
pub mod history;
pub mod proxy;
