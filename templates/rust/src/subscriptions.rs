//! What the service does when it hears of an event: a file for each of them.

pub mod on_{{ snake }}_created;

use banyan_sdk::Service;

/// The service with what it hears of.
pub fn register(mut service: Service<()>) -> Service<()> {
    service = service.event(on_{{ snake }}_created::handle);
    service
}
