//! The API gateway of the platform.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod addresses;
mod caller;
mod catalog;
mod graphql;
mod problem;

use axum::Router;
use banyan_sdk::{
    Error,
    config::{self, Config, Endpoint, Reader, Stores},
    dependency::{Dependency, Kind},
    metrics::Metrics,
    server,
};
use tokio::net::TcpListener;

use addresses::Addresses;

const SERVICE: &str = "api-gateway";
const PORT: u16 = 3003;
const DISCOVERY: &str = "http://service-discovery:3002";
const AUTH: &str = "http://auth-service:3001";

/// What the environment tells this service.
pub struct Settings {
    config: Config,
    stores: Stores,
    discovery: Endpoint,
    auth: Endpoint,
    addresses: Addresses,
}

impl Settings {
    /// Reads the settings through `env`; an error lists every mistake in them.
    pub fn read(env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let mut reader = Reader::new(env);
        let config = Config::read(&mut reader, SERVICE, PORT);
        let stores = Stores::read(&mut reader);
        let discovery = service(&mut reader, "SERVICE_DISCOVERY_URL", DISCOVERY);
        let auth = service(&mut reader, "AUTH_SERVICE_URL", AUTH);
        let addresses = reader.parsed_or(
            "PUBLIC_ADDRESSES",
            "pairs such as grafana=http://127.0.0.1:5005, separated by spaces",
            Addresses::parse,
            Addresses::default(),
        );
        let complete = || {
            Some(Self { config: config?, stores: stores?, discovery: discovery?, auth: auth?, addresses: addresses? })
        };
        reader.finish(complete())
    }

    fn parts(self) -> (Config, Vec<Dependency>, Router) {
        let mut dependencies = Vec::from(self.stores);
        dependencies.push(Dependency::new("service-discovery", Kind::Http, self.discovery));
        dependencies.push(Dependency::new("auth-service", Kind::Http, self.auth));
        let routes = addresses::routes(&self.config, self.addresses);
        (self.config, dependencies, routes)
    }
}

fn service(reader: &mut Reader<'_>, name: &str, default: &str) -> Option<Endpoint> {
    match reader.value(name) {
        None => config::http_endpoint(default),
        Some(_) => reader.parsed(name, "an http:// address", config::http_endpoint),
    }
}

/// Runs the gateway in this process until it is told to stop.
pub async fn serve(env: &dyn Fn(&str) -> Option<String>) -> Result<(), Error> {
    let (config, dependencies, routes) = Settings::read(env)?.parts();
    server::serve(&config, &Metrics::new(&config.service), dependencies, routes).await
}

/// Runs the gateway on `listener` until `shutdown` completes.
pub async fn run(
    listener: TcpListener,
    settings: Settings,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let (config, dependencies, routes) = settings.parts();
    server::run(listener, &config, &Metrics::new(&config.service), dependencies, routes, shutdown).await
}
