//! Contracts for tests.

use std::sync::Arc;

use banyan_sdk::protocol::{Contract, ContractMetadata, names::ServiceName};
use serde_json::{Value, json};

use crate::catalog::{Available, Catalog, Operation};

/// A public contract of `user-service`, whose answer is an object.
pub(crate) fn contract(message_type: &str, input: Value) -> Contract {
    Contract {
        message_type: message_type.to_owned(),
        kind: None,
        target_service: ServiceName::new("user-service").unwrap(),
        description: format!("What {message_type} does."),
        input_schema: input,
        output_schema: json!({ "type": "object" }),
        required_permissions: Vec::new(),
        is_public: true,
        version: "1.0.0".to_owned(),
        metadata: ContractMetadata::default(),
    }
}

/// The schema of an object whose only field is needed and names a thing.
pub(crate) fn with_id(name: &str) -> Value {
    json!({ "type": "object", "properties": { name: { "type": "string" } }, "required": [name] })
}

/// A contract as `service` offers it.
pub(crate) fn operation(service: &str, contract: Contract) -> Operation {
    let service = ServiceName::new(service).unwrap();
    let contract = Contract { target_service: service.clone(), ..contract };
    Operation { contract, service, available: Available::Up }
}

/// A catalog of commands and queries.
pub(crate) fn catalog<const N: usize>(operations: [Operation; N]) -> Arc<Catalog> {
    Arc::new(Catalog { operations: operations.into_iter().map(Arc::new).collect(), events: Vec::new() })
}
