//! What the service can be asked: a file for each query.

pub mod get_{{ snake }};

use banyan_sdk::Service;

/// The service with its queries.
pub fn register(mut service: Service<()>) -> Service<()> {
    service = service.query(get_{{ snake }}::handle);
    service
}
