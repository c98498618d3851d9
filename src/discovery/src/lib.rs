//! The contract registry and health monitor of the platform.
//!
//! | what | where |
//! |---|---|
//! | a registration is read, every fault named | `announcement.rs` |
//! | contracts may take the place of others or not | `gate.rs` |
//! | what is kept, and for how long it is not looked up again | `registry.rs` |
//! | who is asked how they are, and what follows | `monitor.rs` |
//! | who needs whom | `graph.rs` |
//! | what can be asked, over the bus and over HTTP | `queries.rs`, `http.rs` |

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod announcement;
pub mod gate;
pub mod graph;
mod http;
pub mod monitor;
pub mod queries;
mod registering;
pub mod registry;
mod state;
mod tables;

use std::time::Duration;

use banyan_sdk::{
    Error, Service,
    config::{Config, Reader, Stores},
    protocol::discovery::{
        SERVICE, ServiceContractsChanged, ServiceContractsRefused, ServiceDeregistered, ServiceHealthChanged,
    },
    tokens::{Keys, Verifier},
};

use monitor::Limits;
pub use state::State;

const PORT: u16 = 3002;
const MILLISECONDS: &str = "a number of milliseconds above zero, at most an hour";

/// What the environment tells this service.
pub struct Settings {
    name: String,
    version: String,
    limits: Limits,
    verifier: Verifier,
}

impl Settings {
    /// Reads the settings through `env`; an error lists every mistake in them.
    ///
    /// # Errors
    /// Every mistake, in one error.
    pub fn read(env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let mut reader = Reader::new(env);
        let config = Config::read(&mut reader, SERVICE, PORT);
        let stores = Stores::read(&mut reader);
        let limits = limits(&mut reader);
        let keys = config.as_ref().and_then(|config| Keys::read(&mut reader, config, false));
        let all = config.zip(stores).zip(limits).zip(keys);
        let (((config, _), limits), keys) = reader.finish(all)?;
        Ok(Self { name: config.service, version: config.version, limits, verifier: Verifier::new(keys) })
    }
}

fn limits(reader: &mut Reader<'_>) -> Option<Limits> {
    let default = |millis| Duration::from_millis(millis);
    let interval = reader.parsed_or("HEALTH_CHECK_INTERVAL_MS", MILLISECONDS, milliseconds, default(10_000));
    let timeout = reader.parsed_or("HEALTH_CHECK_TIMEOUT_MS", MILLISECONDS, milliseconds, default(5_000));
    let threshold = reader.parsed_or("SERVICE_UNHEALTHY_THRESHOLD", "a number from 1 to 1000", threshold, 3);
    let limits = Limits { interval: interval?, timeout: timeout?, threshold: threshold? };
    if limits.timeout >= limits.interval {
        reader.report("HEALTH_CHECK_TIMEOUT_MS", "must be less than HEALTH_CHECK_INTERVAL_MS");
    }
    Some(limits)
}

fn milliseconds(text: &str) -> Option<Duration> {
    text.parse().ok().filter(|it| (1..=3_600_000).contains(it)).map(Duration::from_millis)
}

fn threshold(text: &str) -> Option<u32> {
    text.parse().ok().filter(|it| (1..=1_000).contains(it))
}

/// Service discovery, put together like any other service.
pub fn service(settings: Settings) -> Service<State> {
    let Settings { name, version, limits, verifier } = settings;
    let state = State::new(limits, verifier);
    let (facts, routes) = (state.clone(), http::routes(state.clone()));
    Service::new(name, state)
        .version(version)
        .port(PORT)
        .tables(tables::SET, tables::MIGRATIONS)
        .query(queries::get_all_contracts)
        .query(queries::get_service_contracts)
        .query(queries::get_service_health)
        .query(queries::get_all_service_health)
        .query(queries::get_dependency_health)
        .query(queries::list_services)
        .event(registering::register)
        .event(registering::leave)
        .listen(registering::changed)
        .listen(monitor::asked)
        .listen(monitor::answered)
        .publishes::<ServiceContractsChanged>()
        .publishes::<ServiceContractsRefused>()
        .publishes::<ServiceDeregistered>()
        .publishes::<ServiceHealthChanged>()
        .beside(monitor::keep)
        .routes(routes)
        .health(move || facts.facts())
}

/// Runs service discovery in this process until it is told to stop.
///
/// # Errors
/// See [`Service::run`].
pub async fn serve(env: &dyn Fn(&str) -> Option<String>) -> Result<(), Error> {
    service(Settings::read(env)?).run_with(env).await
}
