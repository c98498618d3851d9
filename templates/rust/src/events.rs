//! What the service says has happened: a file for each event.

pub mod {{ snake }}_confirmed;
pub mod {{ snake }}_created;

use banyan_sdk::Service;

/// The service with its events.
pub fn register(mut service: Service<()>) -> Service<()> {
    service = service.publishes::<{{ snake }}_created::{{ pascal }}Created>();
    service = service.publishes::<{{ snake }}_confirmed::{{ pascal }}Confirmed>();
    service
}
