//! The event `{{ pascal }}Created`.

use banyan_sdk::Event;
use banyan_sdk::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};

/// One {{ words }} was created.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[event(aggregate = "{{ pascal }}")]
pub struct {{ pascal }}Created {
    /// Names it.
    pub id: String,
    /// What it is called.
    pub name: String,
}
