//! What queries read: a file for each read model.

pub mod {{ snake }}_view;

use banyan_sdk::Service;

/// The service with its read models.
pub fn register(mut service: Service<()>) -> Service<()> {
    service = service.projection({{ snake }}_view::model());
    service
}
