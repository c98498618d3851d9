//! The auth service of the platform.

#![cfg_attr(test, allow(clippy::unwrap_used))]

use axum::Router;
use banyan_sdk::{
    Error,
    config::{Config, Reader, Stores},
    dependency::Dependency,
    metrics::Metrics,
    server,
};
use tokio::net::TcpListener;

const SERVICE: &str = "auth-service";
const PORT: u16 = 3001;

/// What the environment tells this service.
pub struct Settings {
    config: Config,
    stores: Stores,
}

impl Settings {
    /// Reads the settings through `env`; an error lists every mistake in them.
    pub fn read(env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let mut reader = Reader::new(env);
        let config = Config::read(&mut reader, SERVICE, PORT);
        let stores = Stores::read(&mut reader);
        let settings = config.zip(stores);
        reader.finish(settings.map(|(config, stores)| Self { config, stores }))
    }

    fn parts(self) -> (Config, Vec<Dependency>, Router) {
        (self.config, self.stores.into(), Router::new())
    }
}

/// Runs the auth service in this process until it is told to stop.
pub async fn serve(env: &dyn Fn(&str) -> Option<String>) -> Result<(), Error> {
    let (config, dependencies, routes) = Settings::read(env)?.parts();
    server::serve(&config, &Metrics::new(&config.service), dependencies, routes).await
}

/// Runs the auth service on `listener` until `shutdown` completes.
pub async fn run(
    listener: TcpListener,
    settings: Settings,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let (config, dependencies, routes) = settings.parts();
    server::run(listener, &config, &Metrics::new(&config.service), dependencies, routes, shutdown).await
}
