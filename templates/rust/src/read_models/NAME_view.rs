//! The read model `{{ pascal }}View`.

use banyan_sdk::Event;
use banyan_sdk::projection::ReadModel;
use banyan_sdk::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};

use crate::events::{{ snake }}_confirmed::{{ pascal }}Confirmed;
use crate::events::{{ snake }}_created::{{ pascal }}Created;

/// What it is called.
pub const NAME: &str = "{{ snake }}_view";

/// One {{ words }} as others see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct {{ pascal }}View {
    /// Names it.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Whether it is confirmed.
    pub confirmed: bool,
}

/// What each event makes of it.
pub fn model() -> ReadModel {
    let created = ReadModel::new(NAME).copy({{ pascal }}Created::EVENT_TYPE, [("id", "id"), ("name", "name")]);
    let created = created.on({{ pascal }}Created::EVENT_TYPE, |view, _| {
        view.set("confirmed", false);
        Ok(())
    });
    created.on({{ pascal }}Confirmed::EVENT_TYPE, |view, _| {
        view.set("confirmed", true);
        Ok(())
    })
}
