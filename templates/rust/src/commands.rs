//! What the service can be told to do: a file for each command.

pub mod create_{{ snake }};

use banyan_sdk::Service;

/// The service with its commands.
pub fn register(mut service: Service<()>) -> Service<()> {
    service = service.command(create_{{ snake }}::handle);
    service
}
