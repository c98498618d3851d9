//! Faults.
use banyan_sdk::protocol::{Category, Fault};
use serde_json::{Value, json};
pub(crate) fn body(fault: &Fault, correlation_id: &str) -> Value {
    if fault.code.category() == Category::Internal {
        return json!({ "message": "internal error", "correlationId": correlation_id });
    }
    json!({ "message": fault.message, "details": fault.details, "correlationId": correlation_id })
}
