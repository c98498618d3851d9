//! What the tests of this folder share.

use std::sync::Arc;

use banyan_sdk::protocol::{Auth, Contract, ContractMetadata, Kind, names::ServiceName};
use serde_json::json;

use crate::{
    caller::Caller,
    catalog::{Available, Catalog, Operation},
};

/// A user who holds these permissions.
pub(super) fn caller(permissions: &[&str]) -> Caller {
    let permissions = permissions.iter().map(|it| (*it).to_owned()).collect();
    let auth = Auth { user_id: "u1".to_owned(), permissions, ..Auth::default() };
    Caller { auth: Some(Arc::new(auth)), wildcards: false, expires: None, address: [127, 0, 0, 1].into() }
}

/// A catalog of events: service, name, permissions.
pub(super) fn catalog(events: &[(&str, &str, &[&str])]) -> Arc<Catalog> {
    let events = events.iter().map(|(service, name, permissions)| {
        let service = ServiceName::new(*service).unwrap();
        let contract = Contract {
            message_type: (*name).to_owned(),
            kind: Some(Kind::Event),
            target_service: service.clone(),
            description: "it happened".to_owned(),
            input_schema: json!({ "type": "object" }),
            output_schema: json!({ "type": "null" }),
            required_permissions: permissions.iter().map(|it| (*it).to_owned()).collect(),
            is_public: *permissions == ["public"],
            version: "1.0.0".to_owned(),
            metadata: ContractMetadata::default(),
        };
        let contract =
            if contract.is_public { Contract { required_permissions: vec![], ..contract } } else { contract };
        Arc::new(Operation::new(Arc::new(contract), service, Available::Up))
    });
    Arc::new(Catalog { operations: vec![], events: events.collect() })
}
