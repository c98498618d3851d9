//! The event `{{ pascal }}Confirmed`.

use banyan_sdk::Event;
use banyan_sdk::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};

/// One {{ words }} was confirmed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Event)]
#[event(aggregate = "{{ pascal }}")]
pub struct {{ pascal }}Confirmed {
    /// Names it.
    pub id: String,
}
