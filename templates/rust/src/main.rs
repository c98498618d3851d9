//! Runs {{ name }}. Its settings come from the environment; `compose.yaml` says which ones.

mod aggregates;
mod commands;
mod events;
mod queries;
mod read_models;
mod subscriptions;
#[cfg(test)]
mod tests;

use banyan_sdk::Service;

#[tokio::main]
async fn main() -> banyan_sdk::Result<()> {
    service().run().await
}

/// The service: all that it answers, says and hears.
fn service() -> Service<()> {
    let mut service = Service::new("{{ name }}", ());
    service = commands::register(service);
    service = queries::register(service);
    service = events::register(service);
    service = subscriptions::register(service);
    read_models::register(service)
}
